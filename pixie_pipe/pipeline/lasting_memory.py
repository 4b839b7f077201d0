"""Counts that outlive the process that fills them.

They are in files that are mapped into the memory of the process, in the private
directory of the pipeline: a process that is killed leaves them there, and the one that
replaces it goes on. A checkpoint is then as small as what is not counts.

A process may be killed at any time. So the places are noted before ones are added to
them, in their order, from one checkpoint to the next; and the sum of all counts at the
checkpoint. As only ones are added, the sum that is found tells at how many of the
places they were: whoever goes on from a checkpoint takes them back. Nothing is written
for an event but its place.
"""

from __future__ import annotations

import mmap
import os
import weakref
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.histogram import MOST_COUNTS, add_counts, remove_counts

_LEAST_BYTES: Final = 1 << 20

_HEAD: Final = 3
"""The number of a checkpoint, and the sums of the counts at two of them."""


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
        head = _MappedFile(f"{path}.head", np.int64, is_new=not is_resumed)
        head.grow(_HEAD)
        # Since which checkpoint is noted. Behind it, the sum of the counts at that
        # one, where its last bit says: the other one is that of the one before.
        self._head = head.numbers
        self._done = 0
        self._shape_counts()
        self._total = int(self._flat.sum())
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
        end = self._done + size
        self._places.grow(end)
        return self._places.numbers[self._done : end]

    def add(self, count: int) -> None:
        """Add one at each of the first `count` places that were put there."""
        done = self._done
        add_counts(self._flat, self._places.numbers[done : done + count])
        self._done += count
        self._total += count

    def _shape_counts(self) -> None:
        numbers = self._counts.numbers
        rows = numbers.size // self._width
        self._flat = numbers[: rows * self._width]
        self.counts = self._flat.reshape(rows, self._width)

    @property
    def _sum_at_checkpoint(self) -> int:
        return 1 + self.checkpoint % 2

    def _begin(self) -> None:
        """Begin the notes since the last checkpoint."""
        self._done = 0
        # In this order: a process that is killed in between leaves a sum that nobody
        # looks at.
        self._head[self._sum_at_checkpoint] = self._total
        self._head[0] = self.checkpoint

    def _take_back(self) -> None:
        """Take back what was added since the checkpoint, the last one first.

        If this process is killed meanwhile, the next one goes on with it: again the sum
        tells at how many of the places there are ones to be taken back.

        Raises
        ------
        ValueError
            If the counts are not those of the notes.
        """
        total = int(self._head[self._sum_at_checkpoint])
        added = self._total - total
        if not 0 <= added <= self._places.numbers.size:
            raise ValueError(
                f"histograms that a killed process has left have {self._total} counts, "
                f"{total} at its last checkpoint and at most "
                f"{self._places.numbers.size} since: they were changed by another one"
            )
        remove_counts(self._flat, self._places.numbers[:added])
        self._total = total


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
