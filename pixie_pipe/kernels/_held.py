"""Batches of events that a `TimeSorter` holds, each in time order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._tables import concatenated, reordered
from pixie_pipe.kernels.time_order import time_order


class HeldBatch:
    """A batch in time order, of which the first events may have been passed on.

    Parameters
    ----------
    events
        At least one event, in time order.
    stream
        Number of the stream that it belongs to.
    number
        How many batches came before, of any stream.

    Attributes
    ----------
    start
        The first row that has not been passed on.
    safe
        The first row that is not safe; from `start` up to it, rows are safe.
    """

    __slots__ = (
        "_offsets",
        "_row_bytes",
        "events",
        "number",
        "safe",
        "start",
        "stream",
    )

    def __init__(self, events: Events, stream: int, number: int) -> None:
        self.stream = stream
        self.number = number
        self._hold(events)

    def _hold(self, events: Events) -> None:
        self.events = events
        self.start = 0
        self.safe = 0
        bytes_of_samples = 0
        self._offsets: NDArray[np.int64] | None = None
        if TRACE_OFFSETS.name in events.columns:
            self._offsets = events.trace_offsets
            # One offset more than there are rows.
            bytes_of_samples = (
                events.trace_samples.nbytes + TRACE_OFFSETS.dtype.itemsize
            )
        self._row_bytes = (events.nbytes - bytes_of_samples) // len(events)

    def nbytes(self, start: int, stop: int) -> int:
        """Return the size of the rows from `start` up to `stop`."""
        size = (stop - start) * self._row_bytes
        if self._offsets is not None:
            samples = int(self._offsets[stop]) - int(self._offsets[start])
            size += samples * TRACE_SAMPLES.dtype.itemsize
        return size

    @property
    def unsafe_ps(self) -> NDArray[np.int64]:
        """Times of the rows that are not safe, in ps."""
        return self.events.time_ps[self.safe :]

    def rows_before(self, time_ps: int) -> int:
        """Return how many rows are before a time, which may be beyond int64."""
        times = self.events.time_ps
        if time_ps > int(times[-1]):
            return len(times)
        # Not above the last time, and above the first one that is not safe.
        return int(np.searchsorted(times, np.int64(time_ps)))

    def take_safe(self) -> Events:
        """Return the rows that are safe and hold them no longer."""
        taken = self.events[self.start : self.safe]
        self.start = self.safe
        # The rows that are left keep the memory of all. Copying them when they are
        # the smaller half costs less, over all, than one copy of each row.
        count = len(self.events)
        if 0 < 2 * self.nbytes(self.start, count) <= self.nbytes(0, count):
            self._hold(copied(self.events[self.start :]))
        return taken


def copied(events: Events) -> Events:
    """Return the events in memory of their own."""
    columns = {name: events[name].copy() for name in events.columns}
    return Events._trusted(columns, len(events))  # noqa: SLF001  # within the package


def merged(batches: Sequence[Events]) -> Events:
    """Merge batches that are each in time order; equal times keep their order.

    Parameters
    ----------
    batches
        At least one batch, none of them empty.

    Returns
    -------
    Events
        ``Events.concatenate(batches).sort()``.
    """
    numbers = sorted(
        range(len(batches)),
        key=lambda number: (int(batches[number].time_ps[0]), number),
    )
    if all(_follows(batches, *pair) for pair in pairwise(numbers)):
        return concatenated([batches[number] for number in numbers])
    joined = concatenated(batches)
    return reordered(joined, time_order(joined.time_ps))


def _follows(batches: Sequence[Events], one: int, other: int) -> bool:
    """Tell whether all of one batch is before all of the other, in any sort."""
    last, first = int(batches[one].time_ps[-1]), int(batches[other].time_ps[0])
    return last < first or (last == first and one < other)
