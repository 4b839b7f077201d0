"""Settings with which a module and a detector go together, as DSP variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._firmware import LONGEST_FILTER, PEAK_BEFORE
from pixie_pipe.kernels.cfd import filter_cfd, fixed_cfd
from pixie_pipe.kernels.fast_filter import fast_filter
from pixie_pipe.simulation.channel import ChannelRegisters, CsrA, Electronics
from pixie_pipe.simulation.pulses import PulseShape

if TYPE_CHECKING:
    from pixie_pipe.simulation.detectors import Detector

Variables = dict[str, NDArray[np.uint32]]

_CFD_SCALE: Final = 4
_CFD_DELAY: Final = 0.3
"""Part of the fast filter's rise time: the CFD then falls through zero, at twice the
delay for a fraction of one half, before the filter has risen."""
_CFD_AT_THRESHOLD: Final = 0.4
"""CFDThresh as a part of what the CFD of a pulse at the fast threshold reaches."""

_TRACE_SAMPLES: Final = 500
_TRACE_DELAY_TICKS: Final = 30
_QDC_SAMPLES: Final = 40
_LOG2_WEIGHT: Final = 5
_LOG2_BIN: Final = 1
_DAC_MIDDLE: Final = 32768
_XWAIT: Final = 6

_HEADROOM: Final = 4096
"""Level of the pulse that thresholds are computed from, in ADC units of 16 bits."""


def default_variables(
    kind: Electronics, detector: Detector, connected: int
) -> Variables:
    """Return DSP variables for a detector on each of the first channels.

    Parameters
    ----------
    kind
        The module.
    detector
        What its channels read.
    connected
        Number of channels that are used; the others are switched off.

    Returns
    -------
    dict
        By name, shape (channels,), uint32; those of the module of shape (1,).
    """
    tick_us = kind.layout.tick_ps * 1e-6
    slow_range, slow_length, slow_gap = _slow_filter(detector, tick_us)
    fast_length = max(round(detector.fast_us[0] / tick_us), 2)
    separation = slow_length + slow_gap
    trigger_delay = (separation - 1) << slow_range
    bits = sum(1 << bit for bit in (CsrA.GOOD, CsrA.HISTOGRAM, CsrA.CFD, CsrA.RELAY))
    by_channel: dict[str, int] = {
        "ChanCSRa": bits,
        "FastLength": fast_length,
        "FastGap": round(detector.fast_us[1] / tick_us),
        "FastThresh": 1,
        "SlowLength": slow_length,
        "SlowGap": slow_gap,
        "PeakSep": separation,
        "PeakSample": separation - PEAK_BEFORE[slow_range],
        "PreampTau": int(np.float32(detector.decay_ns * 1e-3).view(np.uint32)),
        "CFDDelay": max(round(_CFD_DELAY * fast_length), 1),
        "CFDScale": _CFD_SCALE,
        "CFDThresh": 1,
        "TraceLength": _TRACE_SAMPLES,
        "TriggerDelay": trigger_delay,
        "PAFlength": trigger_delay + _TRACE_DELAY_TICKS,
        "EnergyLow": 0,
        "Log2Ebin": -_LOG2_BIN & 0xFFFFFFFF,
        "Log2Bweight": -_LOG2_WEIGHT & 0xFFFFFFFF,
        "BLcut": 0,
        "OffsetDAC": _DAC_MIDDLE,
        "Xwait": _XWAIT,
    }
    qdc = max(_QDC_SAMPLES // kind.samples_per_tick, 1)
    by_channel |= {f"QDCLen{i}": qdc for i in range(8)}
    module = {"SlowFilterRange": slow_range, "FastFilterRange": 0}
    variables: dict[str, Any] = {
        name: np.full(kind.channels, value, np.uint32)
        for name, value in by_channel.items()
    }
    variables |= {name: np.array([value], np.uint32) for name, value in module.items()}
    fast, cfd = _thresholds(variables, kind, detector)
    variables["FastThresh"][:] = fast
    variables["CFDThresh"][:] = cfd
    variables["ChanCSRa"][connected:] &= ~np.uint32(1 << CsrA.GOOD)
    return variables


def _slow_filter(detector: Detector, tick_us: float) -> tuple[int, int, int]:
    """Return SlowFilterRange, SlowLength and SlowGap: the smallest range that fits."""
    rise, top = detector.slow_us
    for slow_range in range(1, 7):
        step = tick_us * (1 << slow_range)
        length, gap = max(round(rise / step), 2), max(round(top / step), 3)
        if length + gap <= LONGEST_FILTER:
            break
    return slow_range, length, gap


def _thresholds(
    variables: Variables, kind: Electronics, detector: Detector
) -> tuple[int, int]:
    """Return FastThresh and CFDThresh for the detector's threshold in keV."""
    registers = ChannelRegisters.from_variables(variables, 0, kind)
    shape = PulseShape.of(detector, registers)
    length, gap = registers.fast_samples
    # As high as it can be: the samples of a pulse are whole numbers.
    height = float((1 << 16) - 2 * _HEADROOM)
    before = 2 * (2 * length + gap)
    time = np.maximum(np.arange(3 * before + int(20 * shape.rise)) - before, 0)
    signal = np.exp(-time / shape.decay) - np.exp(-time / shape.rise)
    samples = np.rint(_HEADROOM + height * signal).astype(np.uint16)
    offsets = np.array([0, samples.size])
    per_unit = detector.threshold_kev * shape.per_kev / height
    fast = fast_filter(samples, offsets, length, gap)
    if kind.layout.frequency == 500:
        cfd = fixed_cfd(samples, offsets)
    else:
        cfd = filter_cfd(
            fast,
            offsets,
            length=length,
            delay=registers.cfd_delay * kind.samples_per_tick,
            scale=registers.cfd_scale,
        )
    scaled = fast.max() * per_unit * length
    armed = _CFD_AT_THRESHOLD * cfd.max() * per_unit
    return (
        int(np.clip(round(scaled), 1, 65535)),
        int(np.clip(round(armed), 1, 65535)),
    )
