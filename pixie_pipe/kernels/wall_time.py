"""Times of a table of several runs: continuous, and of the wall clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.events import Events, EventsError
from pixie_pipe.timing import (
    ClockResets,
    Placed,
    ResetRule,
    TimingError,
    WallClock,
    parse_time_ns,
    place_times,
    wrap_ps,
)

if TYPE_CHECKING:
    from pixie_pipe.timing.wall_clock import TimeLike

NEEDED: Final = ("crate", "slot", "time_ps")

_NS_PER_S: Final = 10**9


def with_wall_time(events: Events, placed: Placed, clock: WallClock) -> Events:
    """Return events with times of segments made continuous, and wall times.

    Parameters
    ----------
    events
        Events with their module and time.
    placed
        Their segments and times in these.
    clock
        When the segments began.

    Raises
    ------
    TimingError
        As for `pixie_pipe.timing.place_times`.
    """
    times, wall = place_times(placed, clock)
    columns: dict[str, Any] = {name: events[name] for name in events.columns}
    columns |= {"time_ps": times, "wall_time_ns": wall}
    return Events._trusted(columns, len(events))  # noqa: SLF001  # own package


def assign_wall_times(
    events: Events,
    *,
    starts: Sequence[TimeLike] = (),
    gap_s: float | None = None,
    tick_ps: int | None = None,
    rule: ResetRule | None = None,
) -> tuple[Events, WallClock]:
    """Give the events of one or more runs times of the wall clock.

    What the task AssignWallTime does to streams, done to a table. ``time_ps`` becomes
    the time since the start of the first run.

    Parameters
    ----------
    events
        Events as the modules sent them, not sorted.
    starts
        When the runs began, as for `parse_time_ns`.
    gap_s
        Time from the last event of a run to the start of the next one in s, for runs
        beyond those in `starts`. Without any start, wall times are not known.
    tick_ps
        Tick of the modules in ps, to tell when their counters go round.
    rule
        What is taken as a reset.

    Returns
    -------
    tuple
        The events, and the starts that were used.

    Raises
    ------
    EventsError
        If a column is missing that is needed.
    TimingError
        If there are more runs than starts and no gap, or times are out of range.
    """
    missing = [name for name in NEEDED if name not in events.columns]
    if missing:
        raise EventsError(
            f"events without {', '.join(missing)} cannot be given wall times; columns: "
            f"{', '.join(events.columns) or 'none'}"
        )
    placed, _ = ClockResets(rule).follow(
        events.crate, events.slot, events.time_ps, wrap_ps=wrap_ps(tick_ps or 0)
    )
    clock = WallClock(map(parse_time_ns, starts))
    segments = int(placed.segment.max()) + 1 if events else 0
    if gap_s is not None:
        if not len(clock):
            clock.add_unknown()
        for segment in range(len(clock) - 1, segments - 1):
            span_ps = int(placed.clock_ps[placed.segment == segment].max())
            clock.add_gap(span_ps, round(gap_s * _NS_PER_S))
    elif len(clock) < segments:
        raise TimingError(
            f"the data have {segments} runs, and {len(clock)} starts are given; give "
            f"all of them, or gap_s"
        )
    return with_wall_time(events, placed, clock), clock
