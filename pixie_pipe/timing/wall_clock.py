"""Times of the wall clock, in whole nanoseconds since 1970-01-01 UTC.

The clock of a module begins anew with each run. Its *segments* are the stretches from
one reset to the next. When the start of each is known, all its times are.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.timing.errors import TimingError

if TYPE_CHECKING:
    from pixie_pipe.timing.resets import Placed

TimeLike = str | int | dt.datetime
"""What `parse_time_ns` reads."""

NO_WALL_TIME: Final = -(1 << 63)
"""The wall time of an event that has none; numpy's NaT has the same bits."""

_PS_PER_NS: Final = 1000
_NS_PER_S: Final = 10**9
_HIGHEST: Final = (1 << 63) - 1

# Times of events, up to 106 days after a start, fit 64 bits.
_LATEST_START_NS: Final = 9 * 10**18

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)"
)


def parse_time_ns(value: TimeLike) -> int:
    """Return a time as ns since 1970-01-01 UTC.

    Parameters
    ----------
    value
        Whole ns, a time with its offset from UTC, or such a time as ISO 8601 text with
        up to nine decimals of seconds, as ``"2026-03-01T12:00:00.5+01:00"``.

    Raises
    ------
    TimingError
        If it is none of these, has no offset from UTC, or is before 1970 or after
        2255.
    """
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    if isinstance(value, str):
        time_ns = _parse_text(value)
    elif type(value) is int:
        time_ns = value
    else:  # from a configuration, anything may come
        raise _no_time(value)
    if not 0 <= time_ns <= _LATEST_START_NS:
        raise TimingError(
            f"the time {value!r} is out of range, expected one from 1970 to 2255"
        )
    return time_ns


def _parse_text(text: str) -> int:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise _no_time(text)
    day, clock, decimals, offset = match.groups()
    try:
        time = dt.datetime.fromisoformat(f"{day}T{clock}{offset}")
    except ValueError:
        raise _no_time(text) from None
    since = time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    seconds = since.days * 86_400 + since.seconds
    return seconds * _NS_PER_S + int((decimals or "").ljust(9, "0"))


def _no_time(value: object) -> TimingError:
    return TimingError(
        f"{value!r} is no time, expected ISO 8601 with an offset from UTC, such as "
        f"2026-03-01T12:00:00.5+01:00, or whole ns since 1970-01-01 UTC"
    )


def format_time_ns(time_ns: int) -> str:
    """Return a time as ISO 8601 text in UTC, with all nine decimals."""
    seconds, rest = divmod(time_ns, _NS_PER_S)
    day = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    return f"{day:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """When a segment of a clock began.

    Attributes
    ----------
    start_ns
        That time in ns since 1970-01-01 UTC; None if it is not known.
    shift_ps
        What is added to times of this segment to make them times since the start of
        the first one, in ps.
    """

    start_ns: int | None
    shift_ps: int


class WallClock:
    """The starts of the segments, which all modules have in common.

    Parameters
    ----------
    starts_ns
        Known starts, one behind the other, in ns since 1970-01-01 UTC.
    reference_ns
        The time from which `ClockAnchor.shift_ps` counts; by default the first start.

    Raises
    ------
    TimingError
        If they are not in order, or 106 days or more apart.

    Examples
    --------
    >>> clock = WallClock([5_000, 7_000])
    >>> clock.anchor(1)
    ClockAnchor(start_ns=7000, shift_ps=2000000)
    """

    def __init__(
        self, starts_ns: Iterable[int] = (), *, reference_ns: int | None = None
    ) -> None:
        self._anchors: list[ClockAnchor] = []
        self._reference_ns = reference_ns
        for start_ns in starts_ns:
            self.add_start(start_ns)

    def __len__(self) -> int:
        return len(self._anchors)

    @property
    def anchors(self) -> tuple[ClockAnchor, ...]:
        """All that are known, by segment."""
        return tuple(self._anchors)

    def anchor(self, segment: int) -> ClockAnchor:
        """Return when a segment began.

        Raises
        ------
        TimingError
            If that is not known.
        """
        if segment >= len(self._anchors):
            raise TimingError(
                f"segment {segment} of the clocks (the first is 0) has no start: "
                f"{len(self._anchors)} are known; give the others, or the gap between "
                f"segments"
            )
        return self._anchors[segment]

    def add_start(self, start_ns: int) -> None:
        """Add the start of the next segment.

        Raises
        ------
        TimingError
            If it is before the last one, or 106 days or more after the first.
        """
        if self._reference_ns is None:
            self._reference_ns = start_ns
        before = self._anchors[-1].start_ns if self._anchors else None
        if before is not None and start_ns < before:
            raise TimingError(
                f"the starts are not in order: {format_time_ns(start_ns)} comes behind "
                f"{format_time_ns(before)}"
            )
        self._add(start_ns, (start_ns - self._reference_ns) * _PS_PER_NS)

    def add_gap(self, span_ps: int, gap_ns: int) -> None:
        """Add the next segment by what lies between its start and that of the last one.

        Parameters
        ----------
        span_ps
            Latest time of the last segment in ps; rounded up to ns.
        gap_ns
            Time from then to the next start, in ns.

        Raises
        ------
        TimingError
            If there is no segment before, or it is 106 days or more behind the first.
        """
        last = self.anchor(max(len(self._anchors) - 1, 0))
        step_ns = max(0, -(-span_ps // _PS_PER_NS) + gap_ns)
        start_ns = None if last.start_ns is None else last.start_ns + step_ns
        self._add(start_ns, last.shift_ps + step_ns * _PS_PER_NS)

    def add_unknown(self) -> None:
        """Let the first segment begin at a time that is not known."""
        self._add(None, 0)

    def _add(self, start_ns: int | None, shift_ps: int) -> None:
        if abs(shift_ps) > _HIGHEST:
            raise TimingError(
                "the starts are 106 days or more apart, and times in ps since the "
                "first do not fit 64 bits; work on the data in parts"
            )
        self._anchors.append(ClockAnchor(start_ns, shift_ps))


def place_times(
    placed: Placed, clock: WallClock
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return times since the start of the first segment, and of the wall clock.

    Parameters
    ----------
    placed
        Segments and times of events, shape (n,).
    clock
        When the segments began.

    Returns
    -------
    tuple of ndarray
        Times in ps, and wall times in ns since 1970-01-01 UTC, rounded down;
        `NO_WALL_TIME` where the start is not known. Shape (n,).

    Raises
    ------
    TimingError
        If the start of a segment is missing, or a time does not fit 64 bits.
    """
    from pixie_pipe.timing._clock_kernels import place

    count = placed.segment.size
    times, wall = np.empty(count, np.int64), np.empty(count, np.int64)
    if not count:
        return times, wall
    anchors = [clock.anchor(k) for k in range(int(placed.segment.max()) + 1)]
    shift = np.array([anchor.shift_ps for anchor in anchors], np.int64)
    starts = [NO_WALL_TIME if a.start_ns is None else a.start_ns for a in anchors]
    start = np.array(starts, np.int64)
    bad = place(*placed, shift, start, NO_WALL_TIME, times, wall)
    if bad >= 0:
        raise TimingError(
            f"event {bad} is {placed.clock_ps[bad]} ps behind the start of segment "
            f"{placed.segment[bad]}: its time since the first start does not fit 64 "
            f"bits, which is 106 days; work on the data in parts"
        )
    return times, wall
