"""Call each kernel that finds clock resets and gives wall times once."""

from __future__ import annotations

from pixie_pipe.kernels.wall_time import assign_wall_times
from pixie_pipe.tasks._warm_up_events import read_only, some_events


def warm_up_times() -> None:
    """Give wall times to events that may be written to, and to others."""
    events = some_events()
    for batch in (events, read_only(events)):
        assign_wall_times(batch, gap_s=1)
