"""Events in the order in which coincidences are built."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels.channel_table import ChannelTable
from pixie_pipe.kernels.coincidence_definition import (
    CoincidenceDefinition,
    CoincidenceError,
)
from pixie_pipe.kernels.time_order import time_order

Times = NDArray[np.int64]
Rows = NDArray[np.int64]

_LIMITS = np.iinfo(np.int64)
_NO_TIMES = np.zeros(0, np.int64)


class Delays:
    """What is added to the times of channels.

    Parameters
    ----------
    definition
        What a coincidence is. Of several delays of a channel, the last one counts.
    """

    def __init__(self, definition: CoincidenceDefinition) -> None:
        self._table = ChannelTable(np.int64)
        for (crate, slot, first, last), delay in definition.delays_ps:
            self._table.row(crate, slot)[first : last + 1] = delay
        self.least = int(self._table.values.min())
        self.most = int(self._table.values.max())

    def __bool__(self) -> bool:
        return self.least < self.most

    def times(self, events: Events) -> Times:
        """Return the times of events with the delays of their channels, in ps.

        Raises
        ------
        CoincidenceError
            If a sum is beyond 64 bits.
        """
        times = events.time_ps.copy()
        if times.size:
            lowest, highest = int(times.min()), int(times.max())
            if lowest + self.least < _LIMITS.min or highest + self.most > _LIMITS.max:
                raise CoincidenceError(
                    f"times from {lowest} to {highest} ps cannot be delayed by "
                    f"{self.least} to {self.most} ps within 64 bits"
                )
        self._table.look_up(events, times)
        return times


class BuildingOrder:
    """Leaves out late events, and brings the others into the order of delayed times.

    Rows count from the first event that the caller still holds.

    Parameters
    ----------
    definition
        What a coincidence is.

    Attributes
    ----------
    late_count
        Late events so far; they are in no coincidence.
    """

    def __init__(self, definition: CoincidenceDefinition) -> None:
        self._delays = Delays(definition)
        self._latest: int | None = None
        # Events that others may still come in front of, in order.
        self._times = _NO_TIMES
        self._rows = _NO_TIMES
        self.late_count = 0

    @property
    def waiting(self) -> Rows:
        """Rows of events that have no place in the order yet."""
        return self._rows

    def add(self, events: Events, first_row: int) -> tuple[Times, Rows | None]:
        """Return the events that come next in the order.

        Parameters
        ----------
        events
            Events in the order of their times, but for late ones.
        first_row
            Row of the first of them.

        Returns
        -------
        times, rows
            Times in ps, and rows; None means all these events, as they are.

        Raises
        ------
        EventsError
            If a column is missing.
        CoincidenceError
            If an event that is not late is earlier than the one before.
        """
        if "time_ps" not in events.columns:
            raise EventsError(
                f"coincidences of events without time_ps cannot be built; columns: "
                f"{', '.join(events.columns) or 'none'}"
            )
        times, rows = self._in_time(events)
        self._check_order(times)
        if not self._delays:
            return times, None if rows is None else rows + first_row
        delayed = self._delays.times(events)
        if rows is None:
            rows = np.arange(len(events))
        return self._delayed(delayed[rows], rows + first_row)

    def finish(self) -> tuple[Times, Rows]:
        """Return the events that still wait."""
        times, rows = self._times, self._rows
        self._times, self._rows = _NO_TIMES, _NO_TIMES
        return times, rows

    def forget(self, rows: int) -> None:
        """Count rows from one so much later."""
        self._rows = self._rows - rows

    def _in_time(self, events: Events) -> tuple[Times, Rows | None]:
        if "late" in events.columns:
            rows = np.flatnonzero(~events.late)
            if rows.size < len(events):
                self.late_count += len(events) - rows.size
                return events.time_ps[rows], rows
        return events.time_ps, None

    def _check_order(self, times: Times) -> None:
        if not times.size:
            return
        before = int(times[0]) if self._latest is None else self._latest
        if times[0] < before or not _is_ordered(read_only(times)):
            ones_before = np.concatenate([[np.int64(before)], times[:-1]])
            early = int(np.argmax(times < ones_before))
            last = int(ones_before[early])
            raise CoincidenceError(
                f"an event at {int(times[early])} ps follows one at {last} ps: "
                f"coincidences are built of events in the order of their times; sort "
                f"them first (SortEvents, or events.sort())"
            )
        self._latest = int(times[-1])

    def _delayed(self, times: Times, rows: Rows) -> tuple[Times, Rows]:
        times = np.concatenate([self._times, times])
        rows = np.concatenate([self._rows, rows])
        # Equal times stay in the order of rows: those that wait have lower ones.
        order = time_order(times)
        times, rows = times[order], rows[order]
        safe = 0
        if self._latest is not None:
            # Whoever comes is at the latest time or later, before its delay.
            safe = int(
                np.searchsorted(
                    times, np.int64(self._latest + self._delays.least), side="right"
                )
            )
        self._times, self._rows = times[safe:].copy(), rows[safe:].copy()
        return times[:safe], rows[:safe]


@jit
def _is_ordered(times: Times) -> bool:
    falls = False
    for i in range(1, times.size):
        falls |= times[i] < times[i - 1]
    return not falls
