"""Pulses that the fast filter finds in traces: pile-up is more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._trace_levels import find_triggers

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.kernels.trace_numbers import Traces


@jit
def find_pulses(
    traces: Traces,
    settings: NDArray[np.void],
    counts: NDArray[np.int64],
    pulses: NDArray[np.int64],
) -> None:
    """Write how many pulses each trace has, and the sample of each that has room.

    Pulses of all traces stand one behind the other.
    """
    place = 0
    for i in range(counts.size):
        samples = traces.samples[traces.offsets[i] : traces.offsets[i + 1]]
        counts[i] = 0
        if traces.which[i] < 0:
            continue
        s = settings[traces.which[i]]
        reach = 2 * (2 * s.fast_length + s.fast_gap)
        if s.fast_length == 0 or samples.size < reach:
            continue
        counts[i] = find_triggers(
            samples, s.fast_length, s.fast_gap, s.fast_level, pulses[place:]
        )
        place += counts[i]
