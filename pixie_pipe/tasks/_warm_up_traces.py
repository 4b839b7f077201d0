"""Call each kernel that computes values of traces once."""

from __future__ import annotations

import numpy as np

from pixie_pipe.tasks._warm_up_events import read_only, some_events
from pixie_pipe.traces import TraceSettings, analyse_traces


def warm_up_traces() -> None:
    """Compute values of traces, and energies from sums."""
    events = read_only(some_events())
    count = len(events)
    sums = {
        name: np.zeros(count, np.uint32)
        for name in ("esum_trailing", "esum_gap", "esum_leading")
    }
    settings = TraceSettings(
        frequency_msps=500, energy_rise_us=0.1, tau_us=1.0, trace_delay_us=0.0
    )
    analyse_traces(
        events.with_columns(
            esum_valid=np.zeros(count, np.bool_),
            baseline=np.zeros(count, np.float32),
            **sums,
        ),
        settings,
    )
