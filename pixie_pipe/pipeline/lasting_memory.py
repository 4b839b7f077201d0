"""Counts that outlive the process that fills them.

They are in files that are mapped into the memory of the process, in the private
directory of the pipeline: a process that is killed leaves them there, and the one that
replaces it goes on. A checkpoint is then as small as what is not counts.

A process may be killed at any time. So the places that are added to are noted, from one
checkpoint to the next; and what is there before, of those that are being added to.
Whoever goes on from a checkpoint takes back what was added since. What has to be
written grows with the number of events, not with the number of bins.
"""

from __future__ import annotations

import mmap
import os
import weakref
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.histogram import (
    MOST_COUNTS,
    add_counts,
    note_counts,
    remove_counts,
    restore_counts,
)

_LEAST_BYTES: Final = 1 << 20

_HEAD: Final = 3
"""Numbers that tell how far the notes have come."""


class LastingMemory:
    """Makes arrays of counts that outlive the process.

    Parameters
    ----------
    path
        Beginning of the names of the files.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._arrays: dict[int, LastingArray] = {}
        self._checkpoint = 0
        self._is_resumed = False

    def array(self, number: int, width: int) -> LastingArray:
        """Return counts, in rows of `width`: those of the checkpoint, or none."""
        array = LastingArray(
            f"{self._path}.{number}",
            width,
            checkpoint=self._checkpoint,
            is_resumed=self._is_resumed,
        )
        self._arrays[number] = array
        return array

    def resume(self, checkpoint: int) -> None:
        """Let the arrays that are made from now on be those of a checkpoint."""
        self._checkpoint = checkpoint
        self._is_resumed = True

    def checkpoint(self) -> int:
        """Return the number of a new checkpoint, which has all that was added.

        It counts as soon as the next number is added: until then, whoever resumes from
        the checkpoint before finds what was there.
        """
        self._checkpoint += 1
        for array in self._arrays.values():
            array.checkpoint = self._checkpoint
        return self._checkpoint


class LastingArray:
    """Counts of one histogram in rows of the same length.

    Parameters
    ----------
    path
        The file of the counts; those of the notes begin with its name.
    width
        Bins of a row.
    checkpoint
        Number of the last checkpoint; 0: there is none.
    is_resumed
        Whether the files are there, and are to be those of the checkpoint.

    Attributes
    ----------
    counts
        All counts, shape (rows, bins of a row).
    checkpoint
        Number of the last checkpoint.
    """

    def __init__(
        self, path: str, width: int, *, checkpoint: int = 0, is_resumed: bool = False
    ) -> None:
        self._width = width
        self.checkpoint = checkpoint
        self._counts = _MappedFile(path, np.int64, is_new=not is_resumed)
        self._places = _MappedFile(f"{path}.places", np.uint32, is_new=not is_resumed)
        self._before = _MappedFile(f"{path}.before", np.int64, is_new=not is_resumed)
        head = _MappedFile(f"{path}.head", np.int64, is_new=not is_resumed)
        head.grow(_HEAD)
        # Since which checkpoint is noted; how many places have been added to; how many
        # when those are done that are being added to.
        self._head = head.numbers
        self._shape_counts()
        if is_resumed and self._head[0] == checkpoint:
            self._take_back()
        self._begin()

    def grow(self, rows: int) -> None:
        """Have at least so many rows; new ones are 0.

        Raises
        ------
        OverflowError
            If there are more bins than places can be told of.
        """
        if rows > len(self.counts):
            self._counts.grow(rows * self._width)
            self._shape_counts()
            if self._flat.size > MOST_COUNTS:
                raise OverflowError(
                    f"a histogram has {rows} rows of {self._width} bins, expected at "
                    f"most {MOST_COUNTS} bins; declare fewer bins"
                )

    def room(self, size: int) -> NDArray[np.uint32]:
        """Return where to put `size` places, shape (size,), with any content."""
        if self._head[0] != self.checkpoint:
            self._begin()
        done = int(self._head[1])
        self._places.grow(done + size)
        self._before.grow(size)
        return self._places.numbers[done : done + size]

    def add(self, count: int) -> None:
        """Add one at each of the first `count` places that were put there."""
        done = int(self._head[1])
        places = self._places.numbers[done : done + count]
        note_counts(self._flat, places, self._before.numbers)
        self._head[2] = done + count
        add_counts(self._flat, places)
        self._head[1] = done + count

    def _shape_counts(self) -> None:
        numbers = self._counts.numbers
        rows = numbers.size // self._width
        self._flat = numbers[: rows * self._width]
        self.counts = self._flat.reshape(rows, self._width)

    def _begin(self) -> None:
        """Begin the notes since the last checkpoint."""
        # In this order: a process that is killed in between leaves none that count.
        self._head[1] = 0
        self._head[2] = 0
        self._head[0] = self.checkpoint

    def _take_back(self) -> None:
        """Take back what was added since the checkpoint.

        If this process is killed meanwhile, the next one goes on with it.
        """
        self._restore()
        while (done := int(self._head[1])) > 0:
            first = max(done - self._before.numbers.size, 0)
            places = self._places.numbers[first:done]
            without = self._flat.copy()
            remove_counts(without, places)
            note_counts(without, places, self._before.numbers)
            # Now these places look as if they were being added to.
            self._head[1] = first
            self._restore()

    def _restore(self) -> None:
        """Put back what was there before places that may be added to in part."""
        done, end = int(self._head[1]), int(self._head[2])
        restore_counts(self._flat, self._places.numbers[done:end], self._before.numbers)
        self._head[2] = done


class _MappedFile:
    """Whole numbers in a file, which is as long as they need."""

    def __init__(
        self, path: str, dtype: type[np.integer[Any]], *, is_new: bool
    ) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC
        if is_new:
            flags |= os.O_CREAT | os.O_TRUNC
        self._file = os.open(path, flags, 0o600)
        weakref.finalize(self, os.close, self._file).atexit = False
        self.numbers: NDArray[Any] = np.zeros(0, dtype)
        self._map(os.fstat(self._file).st_size)

    def grow(self, size: int) -> None:
        """Have room for so many numbers; views of them stay valid."""
        if size > self.numbers.size:
            # Twice as much each time, as room was taken: mapping it anew is rare.
            nbytes = max(
                size * self.numbers.itemsize, 2 * self.numbers.nbytes, _LEAST_BYTES
            )
            # A page that is not there when it is touched would kill the process.
            os.posix_fallocate(self._file, 0, nbytes)
            self._map(nbytes)

    def _map(self, nbytes: int) -> None:
        if nbytes:
            memory = mmap.mmap(self._file, nbytes)
            self.numbers = np.frombuffer(memory, self.numbers.dtype)
