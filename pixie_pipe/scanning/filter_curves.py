"""What the filters of the modules make of ADC traces, to be drawn beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.scanning.targets import Target, parameters_of

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer
    from pixie_pipe.plots import FilterCurves
    from pixie_pipe.scanning.traces import Traces

    Value = Callable[[str], float]

_FIXED_CFD_MSPS: Final = 500
"""Modules of this frequency have a CFD without parameters, in samples of 2 ns."""
_USUAL_BITS: Final = 14
"""Of most modules, where the driver does not tell."""


def filter_curves(digitizer: Digitizer, traces: Traces) -> list[FilterCurves]:
    """Return what the filters make of the first trace of each channel.

    The filters have the lengths that are set, rounded to samples of the trace: with a
    large ``XDT``, short filters are coarse. They are those of XIA's offline functions,
    see `pixie_pipe.kernels.fast_filter` and `pixie_pipe.kernels.energy_filter`.

    Parameters
    ----------
    digitizer
        An open digitizer, without a run.
    traces
        Traces that it gave.

    Raises
    ------
    DriverError
        If the driver has no parameters, or a run goes on.
    """
    access = parameters_of(digitizer, "compute filters")

    def value_of(target: Target) -> Value:
        return lambda name: access.read_channel(name, target.module, target.channel)

    rows = zip(traces.targets, traces.samples, traces.sample_us, strict=True)
    return [
        _curves(digitizer, target, samples[0], sample_us, value_of(target))
        for target, samples, sample_us in rows
    ]


def _curves(
    digitizer: Digitizer,
    target: Target,
    trace: NDArray[np.uint16],
    sample_us: float,
    value: Value,
) -> FilterCurves:
    from pixie_pipe.kernels.fast_filter import fast_filter
    from pixie_pipe.plots import FilterCurves

    offsets = np.array([0, trace.size])
    rise = _samples(value("TRIGGER_RISETIME"), sample_us, least=1)
    gap = _samples(value("TRIGGER_FLATTOP"), sample_us, least=0)
    fast = fast_filter(trace, offsets, rise, gap)
    threshold = value("TRIGGER_THRESHOLD")
    above = np.flatnonzero(fast >= threshold)
    trigger = float(above[0]) * sample_us if above.size else None
    window = value("ENERGY_RISETIME") + value("ENERGY_FLATTOP")
    info = digitizer.modules[target.module]
    return FilterCurves(
        fast=fast,
        threshold=threshold,
        cfd=_cfd(info.frequency, trace, fast, offsets, rise, sample_us, value),
        energy=_energy(info.bits or _USUAL_BITS, trace, offsets, sample_us, value),
        trigger_us=trigger,
        energy_us=None if trigger is None else trigger + window,
    )


def _cfd(  # noqa: PLR0917 - all that the two kinds of CFD need
    frequency: int,
    trace: NDArray[np.uint16],
    fast: NDArray[np.float64],
    offsets: NDArray[np.int64],
    rise: int,
    sample_us: float,
    value: Value,
) -> NDArray[np.float64] | None:
    """Return the CFD, or None where the samples are too far apart for it."""
    from pixie_pipe.kernels.cfd import filter_cfd, fixed_cfd

    if frequency == _FIXED_CFD_MSPS:
        is_raw = abs(sample_us * _FIXED_CFD_MSPS - 1) < 1e-6
        return fixed_cfd(trace, offsets) if is_raw else None
    delay = _samples(value("CFDDelay"), sample_us, least=0)
    if delay == 0:
        return None
    scale = round(value("CFDScale"))
    return filter_cfd(fast, offsets, length=rise, delay=delay, scale=scale)


def _energy(
    bits: int,
    trace: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    sample_us: float,
    value: Value,
) -> NDArray[np.float64] | None:
    """Return the energy filter, or None if there is no decay time to compute it."""
    from pixie_pipe.kernels.energy_filter import energy_coefficients, energy_filter

    tau_us = value("TAU")
    if not tau_us > 0:
        return None
    rise = _samples(value("ENERGY_RISETIME"), sample_us, least=1)
    gap = _samples(value("ENERGY_FLATTOP"), sample_us, least=0)
    coefficients = energy_coefficients(rise, tau_us * 1e3, sample_us * 1e3, bits)
    return energy_filter(trace, offsets, coefficients, length=rise, gap=gap)


def _samples(time_us: float, sample_us: float, *, least: int) -> int:
    return max(round(time_us / sample_us), least)
