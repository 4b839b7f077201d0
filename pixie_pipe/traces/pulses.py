"""Every pulse that the fast filter finds in traces: how many, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.traces.analysis import traces_of
from pixie_pipe.traces.channels import ChannelSettings, channel_settings

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.traces.settings import TraceSettings

_USUAL_PULSES = 2
"""Room for so many pulses of an event at first; with more, the work is done twice."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundPulses:
    """Pulses in the traces of events, one behind the other.

    Attributes
    ----------
    offsets
        Those of event i are from ``offsets[i]`` up to ``offsets[i + 1]``; shape
        (events + 1,).
    sample
        Samples at which the fast filter reaches the threshold, from the start of the
        trace; shape (pulses,).
    time_ns
        The same in ns.
    """

    offsets: NDArray[np.int64]
    sample: NDArray[np.int64]
    time_ns: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many pulses each event has, shape (events,)."""
        found: NDArray[np.int64] = np.diff(self.offsets)
        return found


def find_pulses(
    events: Events, settings: TraceSettings | ChannelSettings
) -> FoundPulses:
    """Return all pulses that the fast filter finds in traces: a pile-up inspection.

    Parameters
    ----------
    events
        Events with traces.
    settings
        One for all channels, or by channel, with ``trigger_rise_us`` and
        ``trigger_threshold``.

    Returns
    -------
    FoundPulses
        None for events without a trace or settings, and for traces of less than twice
        the length of the filter, which XIA's function refuses.
    """
    from pixie_pipe.kernels.trace_pulses import find_pulses as find

    by_channel = channel_settings(settings)
    which = by_channel.which(events)
    traces = traces_of(events, which)
    counts = np.zeros(len(events), np.int64)
    sample = np.empty(_USUAL_PULSES * len(events), np.int64)
    find(traces, by_channel.rows, counts, sample)
    if counts.sum() > sample.size:
        sample = np.empty(int(counts.sum()), np.int64)
        find(traces, by_channel.rows, counts, sample)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    sample = sample[: offsets[-1]]
    sample_ns = by_channel.rows["sample_ns"][
        which[np.repeat(np.arange(len(which)), counts)]
    ]
    return FoundPulses(offsets, sample, sample * sample_ns)
