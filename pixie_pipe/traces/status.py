"""What kept values of a trace from being computed."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.events.schema import NOT_ANALYSED
from pixie_pipe.kernels import trace_numbers as bits

if TYPE_CHECKING:
    from pixie_pipe.events import Events


class TraceStatus(IntFlag):
    """Bits of the column ``trace_status``; 0 means that nothing is missing."""

    NO_TRACE = bits.NO_TRACE
    TOO_SHORT = bits.TOO_SHORT
    NO_PULSE = bits.NO_PULSE
    SATURATED = bits.SATURATED
    NOT_FOUND = bits.NOT_FOUND
    NO_SETTINGS = bits.NO_SETTINGS
    NO_SUMS = bits.NO_SUMS
    NOT_ANALYSED = NOT_ANALYSED

    @property
    def description(self) -> str:
        """What the bits mean, in words."""
        return "; ".join(_DESCRIPTIONS[bit] for bit in self) or "nothing is missing"


_DESCRIPTIONS: Final = {
    TraceStatus.NO_TRACE: "the event has no trace",
    TraceStatus.TOO_SHORT: "the trace does not hold a filter, a window or the baseline",
    TraceStatus.NO_PULSE: "no pulse reaches the threshold",
    TraceStatus.SATURATED: "samples are at the limits of the ADC",
    TraceStatus.NOT_FOUND: "a crossing or a decay is not in the trace",
    TraceStatus.NO_SETTINGS: "there are no settings for the channel",
    TraceStatus.NO_SUMS: "the header has no baseline of the energy filter",
    TraceStatus.NOT_ANALYSED: "nobody has looked at the trace",
}


def count_status(events: Events) -> dict[TraceStatus, int]:
    """Count the events by what is missing; an event may have several bits.

    Parameters
    ----------
    events
        Events with the column ``trace_status``.

    Returns
    -------
    dict
        Events with each bit; those that no event has are left out.

    Raises
    ------
    AttributeError
        If the column is not there.
    """
    # One pass over the column, then over its 256 values at most.
    counts = np.bincount(events.trace_status, minlength=256)
    values = np.arange(counts.size)
    by_bit = {bit: int(counts[(values & bit) != 0].sum()) for bit in TraceStatus}
    return {bit: count for bit, count in by_bit.items() if count}
