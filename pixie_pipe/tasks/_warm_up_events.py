"""Events for calling kernels once."""

from __future__ import annotations

import numpy as np

from pixie_pipe.events import Events


def some_events() -> Events:
    """Return events of two modules with traces, in order."""
    count = 16
    return Events(
        {
            "crate": np.zeros(count, np.uint8),
            "slot": np.array([2, 3] * (count // 2), np.uint8),
            "channel": np.arange(count, dtype=np.uint8),
            "energy": np.zeros(count, np.uint16),
            "timestamp": np.arange(count, dtype=np.uint64),
            "time_ps": 10_000 * np.arange(count, dtype=np.int64),
            "cfd_fraction": np.zeros(count, np.uint16),
            "cfd_source": np.zeros(count, np.uint8),
            "cfd_forced": np.zeros(count, np.bool_),
            "pileup": np.zeros(count, np.bool_),
            "out_of_range": np.zeros(count, np.bool_),
            "trace_offsets": 2 * np.arange(count + 1),
            "trace_samples": np.zeros(2 * count, np.uint16),
        }
    )


def read_only(events: Events) -> Events:
    """Return events as they come over a link."""
    columns = {name: events[name].copy() for name in events.columns}
    for column in columns.values():
        column.flags.writeable = False
    return Events(columns)
