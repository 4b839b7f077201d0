"""What can be measured at each point of a scan."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.scanning.errors import ChoiceError
from pixie_pipe.scanning.signals import robust_noise
from pixie_pipe.scanning.values import chosen_bins
from pixie_pipe.spectra.peaks import NO_PEAK, Peak, measure_peak

if TYPE_CHECKING:
    from pixie_pipe.scanning.statistics import ModuleRates

Value: TypeAlias = tuple[float, float]
"""A value and its standard error; nan is not known."""

UNKNOWN: Final[Value] = (math.nan, math.nan)


class Need(StrEnum):
    """What a measure is taken from."""

    SPECTRUM = "spectrum"
    STATISTICS = "statistics"
    BASELINES = "baselines"


@dataclass(slots=True, kw_only=True)
class Observation:
    """What was seen of one channel at one point.

    Attributes
    ----------
    bins
        Range of the spectrum that counts, or None for all.
    rates
        Rates of the module in the run.
    channel
        The channel in the module.
    spectrum
        The spectrum, shape (bins,).
    baselines
        Baselines in units of the energy, shape (values,).
    """

    bins: tuple[int, int] | None
    channel: int
    rates: ModuleRates | None = None
    spectrum: NDArray[Any] | None = None
    baselines: NDArray[np.float64] | None = None
    _peak: Peak | None = None

    @property
    def peak(self) -> Peak:
        """The peak in the range, measured once."""
        if self.spectrum is None:
            return NO_PEAK
        if self._peak is None:
            bins = self.bins and chosen_bins(self.bins, self.spectrum.size)
            self._peak = measure_peak(self.spectrum, bins)
        return self._peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that can be measured.

    Attributes
    ----------
    name
        Its name in commands, files and tables.
    label, unit
        What it is, for plots.
    need
        What it is taken from.
    of
        Returns value and error.
    """

    name: str
    label: str
    unit: str
    need: Need
    of: Callable[[Observation], Value]

    @property
    def axis_label(self) -> str:
        """What stands along an axis: with the unit."""
        return f"{self.label} ({self.unit})"


def _input_rate(seen: Observation) -> Value:
    return _rate(seen, "input")


def _output_rate(seen: Observation) -> Value:
    return _rate(seen, "output")


def _rate(seen: Observation, which: str) -> Value:
    if seen.rates is None:
        return UNKNOWN
    rate = float(getattr(seen.rates, f"{which}_hz")[seen.channel])
    counts = float(getattr(seen.rates, f"{which}_counts")[seen.channel])
    # Of no count at all, the error is that of one.
    return rate, rate / math.sqrt(counts) if counts > 0 else 1 / seen.rates.seconds


def _dead_time(seen: Observation) -> Value:
    if seen.rates is None:
        return UNKNOWN
    dead = float(seen.rates.dead_percent[seen.channel])
    counts = float(seen.rates.input_counts[seen.channel])
    if not counts > 0:
        return UNKNOWN
    # Each pulse gives an event or not: a binomial distribution.
    share = min(max(dead / 100, 0.0), 1.0)
    return dead, 100 * math.sqrt(share * (1 - share) / counts)


def _peak_position(seen: Observation) -> Value:
    return seen.peak.position, seen.peak.position_error


def _peak_width(seen: Observation) -> Value:
    return seen.peak.width, seen.peak.width_error


def _peak_counts(seen: Observation) -> Value:
    return seen.peak.counts, seen.peak.counts_error


def _resolution(seen: Observation) -> Value:
    peak = seen.peak
    if not peak.is_there or peak.position <= 0:
        return UNKNOWN
    ratio = 100 * peak.width / peak.position
    relative = math.hypot(
        peak.width_error / peak.width, peak.position_error / peak.position
    )
    return ratio, ratio * relative


def _range_counts(seen: Observation) -> Value:
    if seen.spectrum is None:
        return UNKNOWN
    first, last = chosen_bins(seen.bins or (0, seen.spectrum.size), seen.spectrum.size)
    counts = int(seen.spectrum[first:last].sum(dtype=np.int64))
    return float(counts), math.sqrt(max(counts, 1))


def _baseline_noise(seen: Observation) -> Value:
    if seen.baselines is None:
        return UNKNOWN
    noise = robust_noise(seen.baselines)
    count = int(np.isfinite(seen.baselines).sum())
    # The median of deviations has 37 % of the efficiency of the standard deviation
    # (P. J. Rousseeuw, C. Croux, J. Am. Stat. Assoc. 88 (1993) 1273).
    return noise, noise / math.sqrt(2 * 0.37 * count) if count else math.nan


MEASURES: Final = {
    measure.name: measure
    for measure in (
        Measure(
            name="input_rate",
            label="Input rate",
            unit="Hz",
            need=Need.STATISTICS,
            of=_input_rate,
        ),
        Measure(
            name="output_rate",
            label="Output rate",
            unit="Hz",
            need=Need.STATISTICS,
            of=_output_rate,
        ),
        Measure(
            name="dead_time",
            label="Dead time",
            unit="%",
            need=Need.STATISTICS,
            of=_dead_time,
        ),
        Measure(
            name="peak_position",
            label="Peak position",
            unit="MCA bins",
            need=Need.SPECTRUM,
            of=_peak_position,
        ),
        Measure(
            name="peak_width",
            label="Peak width, FWHM",
            unit="MCA bins",
            need=Need.SPECTRUM,
            of=_peak_width,
        ),
        Measure(
            name="resolution",
            label="Resolution, FWHM / position",
            unit="%",
            need=Need.SPECTRUM,
            of=_resolution,
        ),
        Measure(
            name="peak_counts",
            label="Counts in the peak",
            unit="counts",
            need=Need.SPECTRUM,
            of=_peak_counts,
        ),
        Measure(
            name="range_counts",
            label="Counts in the range",
            unit="counts",
            need=Need.SPECTRUM,
            of=_range_counts,
        ),
        Measure(
            name="baseline_noise",
            label="Baseline noise, σ",
            unit="units of the energy",
            need=Need.BASELINES,
            of=_baseline_noise,
        ),
    )
}
"""What can be measured, by name."""


def find_measure(name: str) -> Measure:
    """Return a measure by its name.

    Raises
    ------
    ChoiceError
        If there is none of this name.
    """
    if name in MEASURES:
        return MEASURES[name]
    near = difflib.get_close_matches(name, MEASURES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ChoiceError(
        f"{name!r} cannot be measured{hint} (known: {', '.join(MEASURES)})"
    )
