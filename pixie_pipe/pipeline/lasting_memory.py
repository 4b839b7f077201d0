"""Counts that outlive the process that fills them.

They are in files that are mapped into the memory of the process, in the private
directory of the pipeline: a process that is killed leaves them there, and the one that
replaces it goes on. A checkpoint is then as small as what is not counts.

A process may be killed while it adds. So the places and what is there are noted first,
in a file of their own; whoever goes on from a checkpoint puts back what was changed
since. What has to be written for a checkpoint grows with the number of events since the
last one, not with the number of bins.
"""

from __future__ import annotations

import mmap
import os
import weakref
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.histogram import add_counts, note_counts, restore_counts

_LEAST_BYTES: Final = 1 << 20
_ITEM: Final = np.dtype(np.int64).itemsize

_HEAD: Final = 8
"""Numbers at the beginning of the files of notes, a cache line; two are used."""


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
        self._counts = _MappedFile(path, is_new=not is_resumed)
        self._places = _MappedFile(f"{path}.places", is_new=not is_resumed)
        self._before = _MappedFile(f"{path}.before", is_new=not is_resumed)
        self._places.grow(_HEAD)
        self._shape_counts()
        if is_resumed and self._head[0] == checkpoint:
            noted = int(self._head[1])
            restore_counts(self._flat, *self._notes(0, noted))
        self._begin()

    def grow(self, rows: int) -> None:
        """Have at least so many rows; new ones are 0."""
        if rows > len(self.counts):
            self._counts.grow(rows * self._width)
            self._shape_counts()

    def room(self, size: int) -> NDArray[np.int64]:
        """Return where to put `size` places, shape (size,), with any content."""
        if self._head[0] != self.checkpoint:
            self._begin()
        noted = int(self._head[1])
        self._places.grow(_HEAD + noted + size)
        self._before.grow(_HEAD + noted + size)
        return self._notes(noted, noted + size)[0]

    def add(self, count: int) -> None:
        """Add one at each of the first `count` places that were put there."""
        noted = int(self._head[1])
        places, before = self._notes(noted, noted + count)
        note_counts(self._flat, places, before)
        self._head[1] = noted + count
        add_counts(self._flat, places)

    def _shape_counts(self) -> None:
        numbers = self._counts.numbers
        rows = numbers.size // self._width
        self._flat = numbers[: rows * self._width]
        self.counts = self._flat.reshape(rows, self._width)

    @property
    def _head(self) -> NDArray[np.int64]:
        """The checkpoint since which is noted, and how many notes there are."""
        return self._places.numbers[:2]

    def _notes(
        self, first: int, last: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return places, and what was there before."""
        stretch = slice(_HEAD + first, _HEAD + last)
        return self._places.numbers[stretch], self._before.numbers[stretch]

    def _begin(self) -> None:
        """Begin the notes since the last checkpoint."""
        # In this order: a process that is killed in between leaves none that count.
        self._head[1] = 0
        self._head[0] = self.checkpoint


class _MappedFile:
    """Whole numbers in a file, which is as long as they need."""

    def __init__(self, path: str, *, is_new: bool) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC
        if is_new:
            flags |= os.O_CREAT | os.O_TRUNC
        self._file = os.open(path, flags, 0o600)
        self.numbers = np.zeros(0, np.int64)
        weakref.finalize(self, os.close, self._file).atexit = False
        self._map(os.fstat(self._file).st_size)

    def grow(self, size: int) -> None:
        """Have room for so many numbers; views of them stay valid."""
        if size > self.numbers.size:
            # Twice as much each time, as room was taken: mapping it anew is rare.
            nbytes = max(size * _ITEM, 2 * self.numbers.nbytes, _LEAST_BYTES)
            # A page that is not there when it is touched would kill the process.
            os.posix_fallocate(self._file, 0, nbytes)
            self._map(nbytes)

    def _map(self, nbytes: int) -> None:
        if nbytes:
            self.numbers = np.frombuffer(mmap.mmap(self._file, nbytes), np.int64)
