"""What the analysis of traces is told of a channel, and what it tells of a trace."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FIELDS: Final = np.dtype(
    [
        ("sample_ns", "f8"),
        ("full_scale", "i8"),  # largest value of the ADC
        ("tick", "i8"),  # samples of a tick
        ("trace_delay", "i8"),  # samples before the trigger, or -1: look for it
        ("quiet", "i8"),  # samples of the baseline, at the start of the trace
        ("pulse_from", "i8"),  # samples among which the pulse has its maximum
        ("pulse_to", "i8"),
        ("fast_length", "i8"),  # samples, 0: no fast filter
        ("fast_gap", "i8"),
        ("fast_level", "i8"),  # least sum of the fast filter (times its length)
        ("threshold", "f8"),  # least height in ADC units, 0: from the noise
        ("slow_length", "i8"),  # samples, 0: no energy filter
        ("slow_gap", "i8"),
        ("c0", "f8"),
        ("c1", "f8"),
        ("c2", "f8"),
        ("energy_delay", "i8"),  # samples from the trigger to the end of the windows
        ("energy_grid", "i8"),  # ticks between two values of the filter
        ("energy_baseline", "i8"),  # MEAN, FILTER or HEADER
        ("cfd", "i8"),  # OFF, SAMPLES, MODULE_FILTER or MODULE_FIXED
        ("cfd_weight", "f8"),
        ("cfd_delay", "i8"),
        ("cfd_threshold", "f8"),
        ("cfd_cubic", "i8"),
        ("charge_before", "i8"),
        ("charge_short", "i8"),
        ("charge_long", "i8"),  # samples, 0: no charge
        ("tau_fit", "i8"),  # LOG_LINEAR or SUMS
    ]
)

NUMBERS: Final = np.dtype((np.record, _FIELDS))
"""Settings of a channel in samples: all fields have 8 bytes, for aligned access."""

MEAN, FILTER, HEADER = 0, 1, 2
"""Baseline of the energy: mean of samples, the filter's first value, the header's."""

OFF, SAMPLES, MODULE_FILTER, MODULE_FIXED = 0, 1, 2, 3
"""What the CFD works on: the samples, or as in modules of 100 or 250, or 500 MSPS."""

LOG_LINEAR, SUMS = 0, 1
"""How the decay time is found."""

# Bits of what is wanted.
BASELINE, NOISE, HEIGHT, TIME, RISE, TAU = 1, 2, 4, 8, 16, 32
PULSES, ENERGY, CHARGE, PSD = 64, 128, 256, 512
BITS: Final = {
    "trace_baseline": BASELINE,
    "trace_noise": NOISE,
    "trace_height": HEIGHT,
    "trace_time_ns": TIME,
    "trace_rise_ns": RISE,
    "trace_tau_ns": TAU,
    "trace_pulses": PULSES,
    "trace_energy": ENERGY,
    "trace_charge": CHARGE,
    "trace_psd": PSD,
}

# Bits of the status.
NO_TRACE, TOO_SHORT, NO_PULSE, SATURATED = 1, 2, 4, 8
NOT_FOUND, NO_SETTINGS, NO_SUMS = 16, 32, 64


class Traces(NamedTuple):
    """Traces and what is known of their events; arrays that are absent are empty."""

    samples: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    which: NDArray[np.int32]
    """Row of the settings for each trace, or -1."""
    timestamp: NDArray[np.uint64]
    at_trigger: NDArray[np.bool_]
    """Whether the timestamp is that of the trigger, not of a CFD."""
    esum_valid: NDArray[np.bool_]
    esum_baseline: NDArray[np.float32]


class Values(NamedTuple):
    """Columns of values; those that are not wanted are empty."""

    baseline: NDArray[np.float32]
    noise: NDArray[np.float32]
    height: NDArray[np.float32]
    time_ns: NDArray[np.float64]
    rise_ns: NDArray[np.float32]
    tau_ns: NDArray[np.float32]
    pulses: NDArray[np.int16]
    energy: NDArray[np.float32]
    charge: NDArray[np.float32]
    psd: NDArray[np.float32]
    status: NDArray[np.uint8]
