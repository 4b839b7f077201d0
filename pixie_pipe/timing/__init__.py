"""Time: from the ticks of a module's clock to picoseconds, resets, and wall clocks."""

from __future__ import annotations

from pixie_pipe.timing.cfd import corrected_time_ps
from pixie_pipe.timing.errors import TimingError
from pixie_pipe.timing.resets import (
    ClockResets,
    Placed,
    Reset,
    ResetRule,
    find_resets,
    wrap_ps,
)
from pixie_pipe.timing.wall_clock import (
    NO_WALL_TIME,
    ClockAnchor,
    TimeLike,
    WallClock,
    format_time_ns,
    parse_time_ns,
    place_times,
)

__all__ = [
    "NO_WALL_TIME",
    "ClockAnchor",
    "ClockResets",
    "Placed",
    "Reset",
    "ResetRule",
    "TimeLike",
    "TimingError",
    "WallClock",
    "corrected_time_ps",
    "find_resets",
    "format_time_ns",
    "parse_time_ns",
    "place_times",
    "wrap_ps",
]
