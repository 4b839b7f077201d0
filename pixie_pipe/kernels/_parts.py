"""Rows of a table in the order of their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from pixie_pipe.events.schema import TRACE_SAMPLES
from pixie_pipe.kernels._stretches import Rows, Stretches, cut, numbers

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.events import Events


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a table in the order of their times.

    Attributes
    ----------
    events
        The table.
    rows
        At least one row of it, as for `Move`.
    times
        Their times in ps, shape (n,).
    nbytes
        Their size.
    """

    events: Events
    rows: Rows | Stretches | slice
    times: NDArray[np.int64]
    nbytes: int

    def __len__(self) -> int:
        return len(self.times)

    def cut(self, start: int, stop: int) -> Part:
        """Return the rows from `start` up to `stop`; their size is left open."""
        rows = self.rows
        if isinstance(rows, slice):
            rows = slice(rows.start + start, rows.start + stop)
        elif rows.ndim > 1:
            rows = cut(rows, start, stop)
        else:
            rows = rows[start:stop]
        return Part(self.events, rows, self.times[start:stop], 0)

    def table(self) -> Events:
        """Return the rows as a table; of a slice, a view."""
        return self.events[numbers(self.rows)]

    def samples(self) -> int:
        """Return how many samples their traces have."""
        if TRACE_SAMPLES.name not in self.events.columns:
            return 0
        offsets, rows = self.events.trace_offsets, self.rows
        if isinstance(rows, slice):
            return int(offsets[rows.stop] - offsets[rows.start])
        if rows.ndim > 1:
            first, _, count = rows.T
            return int((offsets[first + count] - offsets[first]).sum())
        return int((offsets[rows + 1] - offsets[rows]).sum())
