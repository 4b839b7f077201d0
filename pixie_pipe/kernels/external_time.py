"""Times of an external clock, from the external timestamps of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import EventsError
from pixie_pipe.kernels._module_times import MODULES

if TYPE_CHECKING:
    from pixie_pipe.events import Events

Without = Literal["drop", "error", "bridge"]
"""What to do with events without an external timestamp."""

BITS: Final = (48, 64)
"""Sizes of external counters: XIA's firmware counts 48 bits, others may send 64."""

# The product of two is below 2**62.
_MOST: Final = (1 << 31) - 1
_HIGHEST: Final = (1 << 63) - 1

_NEEDED: Final = ("crate", "slot", "time_ps")

# Places in `Without`.
_ERROR: Final = 1
_BRIDGE: Final = 2

_TOO_LARGE: Final = 1
_MISSING: Final = 2

u64 = np.uint64


class ExternalTimeError(PixiePipeError, ValueError):
    """External timestamps that cannot be made times as asked for."""


class ExternalTimes:
    """Makes ``time_ps`` from external timestamps, batch after batch.

    The time of an event is ``ticks * ps / per_ticks + offset_ps``, rounded to whole ps
    (a half up), without a correction by the CFD. A counter that goes round is followed:
    a step of less than half of its range, back or forth, is taken for what it is.

    Parameters
    ----------
    ps, per_ticks
        The external clock makes `per_ticks` ticks in `ps` ps, so that any rational tick
        is exact; each from 1 to 2**31 - 1.
    offset_ps
        What is added to all times, in ps.
    bits
        Bits of the external counter; others of the timestamp are not looked at.
    without
        What to do with events without an external timestamp: leave them out
        (``"drop"``), raise an error, or (``"bridge"``) take the external time of the
        last event of their module that had one, and the difference by the module's own
        clock; those before the first such event are left out.

    Raises
    ------
    ExternalTimeError
        If a parameter is out of range.

    Examples
    --------
    >>> clock = ExternalTimes(25, per_ticks=3)
    >>> events = Events(
    ...     {
    ...         "crate": [0, 0],
    ...         "slot": [2, 2],
    ...         "time_ps": [5, 9],
    ...         "external_timestamp_valid": [True, True],
    ...         "external_timestamp": [3, 4],
    ...     }
    ... )
    >>> clock.apply(events).time_ps
    array([25, 33])
    """

    def __init__(
        self,
        ps: int,
        *,
        per_ticks: int = 1,
        offset_ps: int = 0,
        bits: int = 48,
        without: Without = "drop",
    ) -> None:
        for name, value in (("ps", ps), ("per_ticks", per_ticks)):
            if not 1 <= value <= _MOST:
                raise ExternalTimeError(
                    f"{name} is {value}, expected a whole number from 1 to {_MOST}"
                )
        if bits not in BITS:
            raise ExternalTimeError(f"bits is {bits}, expected 48 or 64")
        known = get_args(Without)
        if without not in known:
            raise ExternalTimeError(
                f"without is {without!r}, expected one of {', '.join(known)}"
            )
        if not -_HIGHEST // 2 <= offset_ps <= _HIGHEST // 2:
            raise ExternalTimeError(
                f"offset_ps is {offset_ps}, expected less than 53 days either way"
            )
        self._without = known.index(without)
        most = (_HIGHEST - abs(offset_ps) - ps - 1) // ps
        self._scale = np.array([ps, per_ticks, offset_ps, bits, most], np.int64)
        self._seen = np.zeros(MODULES, np.bool_)
        self._state: NDArray[np.int64] = np.zeros((MODULES, 3), np.int64)

    def apply(self, events: Events) -> Events:
        """Return the events with times of the external clock.

        Parameters
        ----------
        events
            The next events, as the modules sent them.

        Returns
        -------
        Events
            The events that have such a time; other columns are as they were.

        Raises
        ------
        EventsError
            If a column is missing that is needed.
        ExternalTimeError
            If an event has no external timestamp and that is an error, or a time does
            not fit 64 bits.
        """
        columns = {name: events[name] for name in events.columns}
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            raise EventsError(
                f"events without {', '.join(missing)} cannot be given external times; "
                f"columns: {', '.join(columns) or 'none'}"
            )
        count = len(events)
        times = np.empty(count, np.int64)
        kept = np.empty(count, np.bool_)
        valid = columns.get("external_timestamp_valid", np.zeros(count, np.bool_))
        ticks = columns.get("external_timestamp", np.zeros(count, np.uint64))
        crate, slot, own = (read_only(columns[name]) for name in _NEEDED)
        row, problem = _follow(
            crate,
            slot,
            own,
            read_only(valid),
            read_only(ticks),
            self._scale,
            self._without,
            self._seen,
            self._state,
            times,
            kept,
        )
        if problem:
            self._fail(events, row, problem)
        columns["time_ps"] = times
        changed = type(events)._trusted(columns, count)  # noqa: SLF001  # own package
        return changed if kept.all() else changed[kept]

    @staticmethod
    def _fail(events: Events, row: int, problem: int) -> None:
        module = f"{events.crate[row]}/{events.slot[row]}"
        if problem == _MISSING:
            raise ExternalTimeError(
                f"event {row} of the batch, of module {module}, has no external "
                f"timestamp; enable it for all channels (ExtTimestamps), or let "
                f"such events be dropped or bridged"
            )
        raise ExternalTimeError(
            f"the external timestamp {events.external_timestamp[row]} of event {row} "
            f"of the batch, of module {module}, makes a time that does not fit 64 bits "
            f"in ps, which is 106 days; has the counter 48 bits, or another tick?"
        )


@jit
def _follow(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    own_ps: NDArray[np.int64],
    valid: NDArray[np.bool_],
    ticks: NDArray[np.uint64],
    scale: NDArray[np.int64],
    without: int,
    seen: NDArray[np.bool_],
    state: NDArray[np.int64],
    time_ps: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> tuple[int, int]:
    """Make times; return the row of a problem and what it is, 0 for none.

    A row of `state` is of one module: its latest tick, and own and external time of the
    last event that had one.
    """
    ps, per_ticks, offset, bits, most = scale[0], scale[1], scale[2], scale[3], scale[4]
    unused = u64(64 - bits)
    for i in range(own_ps.size):
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        latest = state[module]
        if valid[i]:
            # Shifted up, the counter goes round where 64 bits do.
            high = u64(ticks[i] << unused)
            if seen[module]:
                step = np.int64(high - u64(u64(latest[0]) << unused)) >> np.int64(
                    unused
                )
                is_round = step > 0 and latest[0] > np.int64(_HIGHEST) - step
                tick = latest[0] if is_round else latest[0] + step
            else:
                tick = np.int64(high >> unused)
                is_round = tick < 0
                latest[0] = tick
            whole, part = tick // per_ticks, tick % per_ticks
            if is_round or whole > most or whole < -most:
                return i, _TOO_LARGE
            seen[module] = True
            latest[0] = max(latest[0], tick)
            time = whole * ps + (2 * part * ps + per_ticks) // (2 * per_ticks) + offset
            latest[1] = own_ps[i]
            latest[2] = time
        elif without == _BRIDGE and seen[module]:
            time = latest[2] + (own_ps[i] - latest[1])
        elif without == _ERROR:
            return i, _MISSING
        else:
            kept[i] = False
            time_ps[i] = 0
            continue
        kept[i] = True
        time_ps[i] = time
    return 0, 0
