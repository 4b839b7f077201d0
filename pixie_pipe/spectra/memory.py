"""Where the counts of histograms are, and how ones are added to them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.histogram import add_counts

_LEAST_PLACES = 1 << 16


class CountArray(Protocol):
    """Counts of one histogram, in rows of the same length."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """All counts, shape (rows, bins of a row)."""

    def grow(self, rows: int) -> None:
        """Have at least so many rows; new ones are 0."""

    def room(self, size: int) -> NDArray[np.uint32]:
        """Return where to put `size` places, shape (size,), with any content."""

    def add(self, count: int) -> None:
        """Add one at each of the first `count` places that were put there."""


class Memory(Protocol):
    """Makes the arrays of counts of histograms."""

    def array(self, number: int, width: int) -> CountArray:
        """Return the counts of a histogram, in rows of `width`; none at first."""


class PlainArray:
    """Counts in the memory of this process.

    Parameters
    ----------
    width
        Bins of a row.
    """

    def __init__(self, width: int) -> None:
        self.counts = np.zeros((0, width), np.int64)
        self._places = np.empty(0, np.uint32)

    def grow(self, rows: int) -> None:
        """Have at least so many rows."""
        had, width = self.counts.shape
        if rows > had:
            # Twice as many each time: on average, every row is copied once.
            counts = np.zeros((max(rows, 2 * had), width), np.int64)
            counts[:had] = self.counts
            self.counts = counts

    def room(self, size: int) -> NDArray[np.uint32]:
        """Return where to put places."""
        if self._places.size < size:
            self._places = np.empty(max(size, _LEAST_PLACES), np.uint32)
        return self._places[:size]

    def add(self, count: int) -> None:
        """Add one at each of these places."""
        add_counts(self.counts.reshape(-1), self._places[:count])


class PlainMemory:
    """The memory of this process."""

    def array(self, number: int, width: int) -> PlainArray:  # noqa: ARG002 - all alike
        """Return the counts of a histogram."""
        return PlainArray(width)
