"""Batches of events that a `TimeSorter` holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._parts import Part
from pixie_pipe.kernels._row_moves import Move
from pixie_pipe.kernels._stretches import (
    Rows,
    Stretches,
    cut,
    nearly_ordered,
    numbers,
)
from pixie_pipe.kernels._tables import POOL
from pixie_pipe.kernels.time_order import reordering


class HeldBatch:
    """A batch of which the earliest events may have been passed on.

    Its events stay as they came. Rows are counted in the order of their times.

    Parameters
    ----------
    events
        At least one event.
    stream
        Number of the stream that it belongs to.
    number
        How many batches came before, of any stream.

    Attributes
    ----------
    times
        Times of the events in order, in ps, shape (events,).
    start
        The first row that has not been passed on.
    safe
        The first row that is not safe; from `start` up to it, rows are safe.
    """

    __slots__ = (
        "_offsets",
        "_order",
        "_row_bytes",
        "events",
        "number",
        "safe",
        "start",
        "stream",
        "times",
    )

    def __init__(self, events: Events, stream: int, number: int) -> None:
        self.stream = stream
        self.number = number
        self._hold(events, _order_of(events.time_ps))

    def _hold(self, events: Events, order: Rows | Stretches | None) -> None:
        self.events = events
        self._order = order
        self.times = events.time_ps
        move = None
        if order is not None:
            move = Move(events, order)
            self.times = POOL.take_array(len(events), np.int64)
            move.columns({"time_ps": self.times})
        self.start = 0
        self.safe = 0
        bytes_of_samples = 0
        self._offsets: NDArray[np.int64] | None = None
        if TRACE_OFFSETS.name in events.columns:
            self._offsets = events.trace_offsets
            if move is not None:
                self._offsets = np.zeros(len(events) + 1, np.int64)
                move.lengths(self._offsets[1:])
                np.cumsum(self._offsets, out=self._offsets)
            # One offset more than there are rows.
            bytes_of_samples = (
                events.trace_samples.nbytes + TRACE_OFFSETS.dtype.itemsize
            )
        self._row_bytes = (events.nbytes - bytes_of_samples) // len(events)

    def __len__(self) -> int:
        return len(self.times)

    def nbytes(self, start: int, stop: int) -> int:
        """Return the size of the rows from `start` up to `stop`."""
        size = (stop - start) * self._row_bytes
        if self._offsets is not None:
            samples = int(self._offsets[stop]) - int(self._offsets[start])
            size += samples * TRACE_SAMPLES.dtype.itemsize
        return size

    @property
    def first_module(self) -> tuple[int, int]:
        """Crate and slot of the earliest event."""
        first = self.events[numbers(self._rows(0, 1))]
        return int(first.crate[0]), int(first.slot[0])

    @property
    def unsafe_ps(self) -> NDArray[np.int64]:
        """Times of the rows that are not safe, in ps."""
        return self.times[self.safe :]

    def rows_before(self, time_ps: int) -> int:
        """Return how many rows are before a time, which may be beyond int64."""
        if time_ps > int(self.times[-1]):
            return len(self)
        # Not above the last time, and above the first one that is not safe.
        return int(np.searchsorted(self.times, np.int64(time_ps)))

    def mark_late(self, count: int) -> None:
        """Mark the first rows as late."""
        late = np.zeros(len(self), np.bool_)
        late[numbers(self._rows(0, count))] = True
        if "late" in self.events.columns:
            late |= self.events.late
        self._hold(self.events.with_columns(late=late), self._order)

    def drop(self, count: int) -> None:
        """Forget the first rows; some must be left."""
        self._hold(self.events[numbers(self._rows(count, len(self)))], None)

    def take_safe(self) -> Part:
        """Return the rows that are safe and hold them no longer."""
        start, self.start = self.start, self.safe
        taken = Part(
            self.events,
            self._rows(start, self.safe),
            self.times[start : self.safe],
            self.nbytes(start, self.safe),
        )
        # The rows that are left keep the memory of all. Copying them when they are
        # the smaller half costs less, over all, than one copy of each row.
        count = len(self)
        if 0 < 2 * self.nbytes(self.start, count) <= self.nbytes(0, count):
            rows = self._rows(self.start, count)
            self._hold(copied(self.events, rows), None)
        return taken

    def _rows(self, start: int, stop: int) -> Rows | Stretches | slice:
        """Return where in `events` these rows are."""
        if self._order is None:
            return slice(start, stop)
        if self._order.ndim > 1:
            return cut(self._order, start, stop)
        return self._order[start:stop]


def _order_of(time_ps: NDArray[np.int64]) -> Rows | Stretches | None:
    """Return the order of times, or None if they are in order."""
    stretches = nearly_ordered(time_ps)
    if stretches is None:
        return reordering(time_ps)
    return None if len(stretches) == 1 else stretches


def copied(events: Events, rows: Rows | Stretches | slice) -> Events:
    """Return rows of a table in memory of their own."""
    taken = events[numbers(rows)]
    if not isinstance(rows, slice):
        return taken
    columns = {name: taken[name].copy() for name in taken.columns}
    return Events._trusted(columns, len(taken))  # noqa: SLF001  # within the package
