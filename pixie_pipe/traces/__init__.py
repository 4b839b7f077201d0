"""Offline analysis of traces, batch by batch: energies, times, shapes, pile-up.

`analyse_traces` adds what it computes to events, as the derived columns ``trace_...``
and ``esum_energy``. The quantities and their formulas are in docs/traces.md.
"""

from __future__ import annotations

from pixie_pipe.traces.analysis import (
    TRACE_COLUMNS,
    analyse_traces,
    computable_columns,
)
from pixie_pipe.traces.channels import ChannelSettings
from pixie_pipe.traces.pulses import FoundPulses, find_pulses
from pixie_pipe.traces.settings import TraceSettings, TraceSettingsError
from pixie_pipe.traces.status import TraceStatus, count_status

__all__ = [
    "TRACE_COLUMNS",
    "ChannelSettings",
    "FoundPulses",
    "TraceSettings",
    "TraceSettingsError",
    "TraceStatus",
    "analyse_traces",
    "computable_columns",
    "count_status",
    "find_pulses",
]


def __dir__() -> list[str]:
    return __all__
