"""What the analysis of traces must know of a channel, in physical units."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.kernels import trace_numbers as kinds
from pixie_pipe.kernels.energy_filter import energy_coefficients
from pixie_pipe.kernels.fast_filter import LONGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TICKS: Final = {100: 1, 125: 1, 250: 2, 500: 5}
"""Samples of a tick of the filters by frequency in MSPS (PixieSDK 5.3.0)."""

_BASELINES: Final = {
    "mean": kinds.MEAN,
    "filter": kinds.FILTER,
    "header": kinds.HEADER,
}
_FITS: Final = {"log-linear": kinds.LOG_LINEAR, "sums": kinds.SUMS}

_CHOICES: Final = {
    "frequency_msps": tuple(_TICKS),
    "adc_bits": (12, 14, 16),
    "energy_baseline": tuple(_BASELINES),
    "cfd": ("samples", "module"),
    "cfd_interpolation": ("linear", "cubic"),
    "tau_fit": tuple(_FITS),
}

_POSITIVE: Final = (
    "baseline_us",
    "pulse_to_us",
    "trigger_rise_us",
    "trigger_threshold",
    "energy_rise_us",
    "tau_us",
    "cfd_fraction",
    "charge_short_us",
    "charge_long_us",
)
_NOT_NEGATIVE: Final = (
    "trace_delay_us",
    "pulse_from_us",
    "trigger_flat_us",
    "energy_flat_us",
    "energy_delay_us",
    "cfd_delay_us",
    "cfd_threshold",
    "charge_before_us",
)


class TraceSettingsError(PixiePipeError, ValueError):
    """Settings of the analysis that make no sense, or are not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """How the traces of a channel are analysed.

    Times are rounded to samples. What is None is not known, and what needs it is not
    computed.

    Attributes
    ----------
    frequency_msps
        Samples of the ADC in a microsecond: 100, 125, 250 or 500.
    adc_bits
        Bits of a sample: 12, 14 or 16.
    samples_per_tick
        Samples in a tick of the module; 0 is what is usual: 1, 1, 2 or 5.
    trace_delay_us
        Where the trigger of the module is in the trace (TRACE_DELAY). None: the fast
        filter looks for it.
    baseline_us
        Length of the quiet start of the trace, of which the baseline is taken.
    pulse_from_us, pulse_to_us
        Stretch of the trace in which the pulse has its maximum; by default all of it.
        In a long trace others may be higher.
    trigger_rise_us, trigger_flat_us
        Rise time and flat top of the fast filter.
    trigger_threshold
        Threshold of the fast filter, and least height of a pulse, in ADC units. None:
        8 standard deviations of the noise for the height, and no fast filter.
    energy_rise_us, energy_flat_us, tau_us
        Rise time, flat top and decay time of the energy filter.
    energy_delay_us
        From the trigger to the end of the energy filter's windows. None: its rise time
        and half of its flat top.
    slow_filter_range
        SLOW_FILTER_RANGE: the filter of the module has a value at every tick that is a
        multiple of ``2**slow_filter_range``, and the first one behind the delay is
        taken. Where the timestamp is that of a CFD, or with None: just the delay.
    energy_baseline
        Which baseline the energy has: ``"mean"``, that of `baseline_us`; ``"filter"``,
        the filter's answer to the first samples of the trace, as XIA's function has
        it; ``"header"``, that of the header.
    cfd
        ``"samples"``: a CFD on the samples. ``"module"``: that of the module.
    cfd_fraction
        Weight of what is not delayed; for a module ``1 - CFDScale / 8``.
    cfd_delay_us
        Delay of the CFD. None: there is no time, but at 500 MSPS that of the module.
    cfd_threshold
        CFDThresh, for that of a module.
    cfd_interpolation
        ``"linear"`` or ``"cubic"``, for a CFD on the samples.
    charge_before_us
        Start of the charge windows before the pulse reaches 10 % of its height.
    charge_short_us, charge_long_us
        Lengths of the charge windows.
    tau_fit
        ``"log-linear"``: a line through logarithms. ``"sums"``: PAASS's formula, which
        needs no baseline.

    Raises
    ------
    TraceSettingsError
        If a value is out of range.

    Examples
    --------
    >>> TraceSettings(frequency_msps=250, energy_rise_us=6.0, tau_us=46.0).sample_ns
    4.0
    """

    frequency_msps: int
    adc_bits: int = 14
    samples_per_tick: int = 0
    trace_delay_us: float | None = None
    baseline_us: float = 0.2
    pulse_from_us: float = 0.0
    pulse_to_us: float | None = None
    trigger_rise_us: float | None = None
    trigger_flat_us: float = 0.0
    trigger_threshold: float | None = None
    energy_rise_us: float | None = None
    energy_flat_us: float = 0.0
    tau_us: float | None = None
    energy_delay_us: float | None = None
    slow_filter_range: int | None = None
    energy_baseline: Literal["mean", "filter", "header"] = "mean"
    cfd: Literal["samples", "module"] = "samples"
    cfd_fraction: float = 0.5
    cfd_delay_us: float | None = None
    cfd_threshold: float = 0.0
    cfd_interpolation: Literal["linear", "cubic"] = "linear"
    charge_before_us: float = 0.0
    charge_short_us: float | None = None
    charge_long_us: float | None = None
    tau_fit: Literal["log-linear", "sums"] = "log-linear"

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise TraceSettingsError(
                    f"{name} is {getattr(self, name)!r}, expected one of "
                    f"{', '.join(map(repr, known))}"
                )
        for name in _POSITIVE:
            self._check(name, above=True)
        for name in _NOT_NEGATIVE:
            self._check(name, above=False)
        if self.samples_per_tick not in range(6):
            raise TraceSettingsError(
                f"samples_per_tick is {self.samples_per_tick!r}, expected 1 to 5, or 0 "
                f"for what is usual"
            )
        if self.slow_filter_range not in {None, *range(7)}:
            raise TraceSettingsError(
                f"slow_filter_range is {self.slow_filter_range!r}, expected 0 to 6"
            )
        if self.cfd_fraction > 1:
            raise TraceSettingsError(
                f"cfd_fraction is {self.cfd_fraction!r}, expected at most 1"
            )
        self._check_order("charge_short_us", "charge_long_us")
        self._check_order("pulse_from_us", "pulse_to_us")

    def _check(self, name: str, *, above: bool) -> None:
        value = getattr(self, name)
        if value is None:
            if _DEFAULT[name] is not None:
                raise TraceSettingsError(f"{name} is None, expected a number")
            return
        is_right = value > 0 if above else value >= 0
        if not (math.isfinite(value) and is_right):
            what = "positive number" if above else "number that is not negative"
            raise TraceSettingsError(f"{name} is {value!r}, expected a {what}")

    def _check_order(self, short: str, long: str) -> None:
        if (getattr(self, short) or 0.0) > (getattr(self, long) or math.inf):
            raise TraceSettingsError(
                f"{short} is {getattr(self, short)!r}, expected at most {long}, "
                f"{getattr(self, long)!r}"
            )

    @property
    def sample_ns(self) -> float:
        """Length of a sample in ns."""
        return 1e3 / self.frequency_msps

    @property
    def tick(self) -> int:
        """Samples in a tick of the module."""
        return self.samples_per_tick or _TICKS[self.frequency_msps]

    def samples(self, time_us: float | None, *, least: int = 0) -> int:
        """Return a time in samples; 0 if it is not known.

        Raises
        ------
        TraceSettingsError
            If it is longer than any trace.
        """
        if time_us is None:
            return 0
        count = max(round(time_us * self.frequency_msps), least)
        if count > LONGEST:
            raise TraceSettingsError(
                f"{time_us!r} us are {count} samples, expected at most {LONGEST}"
            )
        return count

    def numbers(self) -> NDArray[np.void]:
        """Return the settings in samples, as the kernels take them: a row, shape ()."""
        row = np.zeros((), kinds.NUMBERS)
        row["sample_ns"] = self.sample_ns
        row["full_scale"] = (1 << self.adc_bits) - 1
        row["tick"] = self.tick
        is_known = self.trace_delay_us is not None
        row["trace_delay"] = self.samples(self.trace_delay_us) if is_known else -1
        row["quiet"] = self.samples(self.baseline_us, least=1)
        first = row["pulse_from"] = self.samples(self.pulse_from_us)
        is_known = self.pulse_to_us is not None
        row["pulse_to"] = self.samples(self.pulse_to_us, least=first + 1)
        if not is_known:
            row["pulse_to"] = LONGEST
        row["threshold"] = self.trigger_threshold or 0.0
        row["tau_fit"] = _FITS[self.tau_fit]
        self._add_fast_filter(row)
        self._add_energy_filter(row)
        self._add_cfd(row)
        row["charge_before"] = self.samples(self.charge_before_us)
        row["charge_short"] = self.samples(self.charge_short_us)
        row["charge_long"] = self.samples(self.charge_long_us)
        return row

    def _add_fast_filter(self, row: NDArray[np.void]) -> None:
        if self.trigger_rise_us is None or self.trigger_threshold is None:
            return
        length = self.samples(self.trigger_rise_us, least=1)
        row["fast_length"] = length
        row["fast_gap"] = self.samples(self.trigger_flat_us)
        row["fast_level"] = _least_sum(self.trigger_threshold, length)

    def _add_energy_filter(self, row: NDArray[np.void]) -> None:
        if self.energy_rise_us is None or self.tau_us is None:
            return
        length = self.samples(self.energy_rise_us, least=1)
        gap = self.samples(self.energy_flat_us)
        row["slow_length"], row["slow_gap"] = length, gap
        row["c0"], row["c1"], row["c2"] = energy_coefficients(
            length, self.tau_us * 1e3, self.sample_ns, self.adc_bits
        )
        is_known = self.energy_delay_us is not None
        delay = self.samples(self.energy_delay_us) if is_known else length + gap // 2
        row["energy_delay"] = delay
        row["energy_grid"] = 1 << (self.slow_filter_range or 0)
        row["energy_baseline"] = _BASELINES[self.energy_baseline]

    def _add_cfd(self, row: NDArray[np.void]) -> None:
        delay = self.samples(self.cfd_delay_us, least=1)
        if self.cfd == "module":
            is_fixed = self.frequency_msps == 500
            kind = kinds.MODULE_FIXED if is_fixed else kinds.MODULE_FILTER
            needs = self.trigger_rise_us is None or self.trigger_threshold is None
            row["cfd"] = kinds.OFF if needs or not (delay or is_fixed) else kind
        else:
            row["cfd"] = kinds.SAMPLES if delay else kinds.OFF
        row["cfd_weight"] = self.cfd_fraction
        row["cfd_delay"] = delay
        row["cfd_threshold"] = self.cfd_threshold
        row["cfd_cubic"] = self.cfd_interpolation == "cubic"


_DEFAULT: Final = {field.name: field.default for field in fields(TraceSettings)}


def _least_sum(threshold: float, length: int) -> int:
    """Return the least whole number that is no less than `threshold` if divided."""
    level = math.ceil(threshold * length)
    # The product is rounded: the quotient is what is defined.
    while (level - 1) / length >= threshold:
        level -= 1
    while level / length < threshold:
        level += 1
    return level
