"""The settings of a channel as its FPGA has them: registers, from DSP variables.

Variables have the names of XIA's DSP code, their values are raw 32-bit words: counts of
filter steps or ticks, bits, two's complements, and for PreampTau an IEEE-754 float.
Rounding and limits of values in physical units are not the FPGA's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from pixie_pipe._firmware import LONGEST_FILTER, PEAK_BEFORE
from pixie_pipe.kernels.energy_filter import EnergyCoefficients, energy_coefficients
from pixie_pipe.simulation.errors import SimulationError

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout

BITS_BY_FREQUENCY: Final[Mapping[int, int]] = {100: 14, 125: 16, 250: 14, 500: 14}
"""Bits of the ADC unless told otherwise; others are sold, too."""

_QDC_COUNT: Final = 8

_WINDOWS_END_BEFORE: Final = 1
"""How many steps before PeakSep the windows of the slow filter end: as recorded traces
have it."""


class CsrA(IntEnum):
    """Bits of ChanCSRa (PixieSDK; manual of the Pixie-16 for bits 15 to 21)."""

    GOOD = 2
    INVERT = 5
    HISTOGRAM = 7
    TRACE = 8
    QDC = 9
    CFD = 10
    ENERGY_SUMS = 12
    RELAY = 14
    PILEUP_REJECT = 15
    PILEUP_INVERSE = 16
    ENERGY_CUT = 17
    EXTERNAL_TIME = 21


@dataclass(frozen=True, slots=True)
class Electronics:
    """What a module is made of, as far as it decides what its channels do.

    Attributes
    ----------
    layout
        The layout of its data.
    bits
        Bits of the ADC.
    """

    layout: Layout
    bits: int

    @classmethod
    def of(cls, layout: Layout, bits: int | None = None) -> Self:
        """Return the electronics of a module, with the usual ADC unless told otherwise.

        Raises
        ------
        SimulationError
            If there is no such ADC, or the clocks of the layout do not go together.
        """
        kind = cls(layout, bits or BITS_BY_FREQUENCY[layout.frequency])
        if kind.bits not in {12, 14, 16}:
            raise SimulationError(f"an ADC has 12, 14 or 16 bits, not {kind.bits}")
        if layout.tick_ps % kind.sample_ps:
            raise SimulationError(
                f"layout {layout.name} has ticks of {layout.tick_ps} ps and samples of "
                f"{kind.sample_ps} ps, expected whole samples in a tick"
            )
        return kind

    @property
    def channels(self) -> int:
        """Number of channels: 32 on boards of Rev H, else 16."""
        return 32 if self.layout.channel.width > 4 else 16

    @property
    def sample_ps(self) -> int:
        """Length of a sample in ps."""
        return 1_000_000 // self.layout.frequency

    @property
    def samples_per_tick(self) -> int:
        """Samples of the ADC in a tick of the FPGA: 1, 2 or 5."""
        return self.layout.tick_ps // self.sample_ps

    @property
    def adc_most(self) -> int:
        """Largest value of the ADC."""
        return (1 << self.bits) - 1

    @property
    def energy_scale(self) -> int:
        """ADC units of the energy in one of the ADC's: 16, 4, 1."""
        return 1 << (16 - self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRegisters:
    """Settings of one channel.

    Attributes
    ----------
    kind
        The module.
    csr_a
        ChanCSRa.
    fast_length, fast_gap, slow_length, slow_gap
        In steps of ``2**fast_range`` and ``2**slow_range`` ticks.
    fast_threshold
        In ADC units times the samples of the rise time.
    fast_range, slow_range
        FastFilterRange and SlowFilterRange of the module.
    peak_sample, peak_separation
        When the energy is taken, and how far apart pulses must be, in steps of the
        slow filter.
    tau_us
        PreampTau in µs.
    cfd_delay, cfd_scale, cfd_threshold
        In ticks; 0 to 7; units of the CFD.
    qdc_lengths
        In samples; at 500 MSPS in ticks.
    trace_length
        In samples.
    trace_delay
        In ticks before the trigger.
    energy_low
        Above it, ChanCSRa bit 17 suppresses traces.
    log2_bin, log2_weight
        A bin of the histogram is ``2**log2_bin`` wide; a new value of the baseline
        counts ``2**-log2_weight``.
    baseline_cut
        Largest distance of a value from the mean to be counted; 0: any.
    offset_dac
        0 to 65535.
    trace_spacing
        Xwait: distance of the samples of `adc_traces` in units of 10 ns.
    """

    kind: Electronics
    csr_a: int
    fast_length: int
    fast_gap: int
    fast_threshold: int
    fast_range: int
    slow_length: int
    slow_gap: int
    slow_range: int
    peak_sample: int
    peak_separation: int
    tau_us: float
    cfd_delay: int
    cfd_scale: int
    cfd_threshold: int
    qdc_lengths: tuple[int, ...]
    trace_length: int
    trace_delay: int
    energy_low: int
    log2_bin: int
    log2_weight: int
    baseline_cut: int
    offset_dac: int
    trace_spacing: int

    @classmethod
    def from_variables(
        cls, variables: Mapping[str, Any], channel: int, kind: Electronics
    ) -> Self:
        """Make the registers of a channel from the DSP variables of its module.

        Parameters
        ----------
        variables
            By name: values of all channels, shape (channels,), uint32; those of the
            module alone as a number or of shape (1,).
        channel
            Number of the channel.
        kind
            The module.

        Raises
        ------
        SimulationError
            If a variable is missing, or the channel is used and a value is one that
            its FPGA cannot work with.
        """
        given = _Variables(variables, channel)
        slow_length, slow_gap = given["SlowLength"], given["SlowGap"]
        slow_range, fast_range = given["SlowFilterRange"], given["FastFilterRange"]
        registers = cls(
            kind=kind,
            csr_a=given["ChanCSRa"],
            fast_length=given["FastLength"],
            fast_gap=given["FastGap"],
            fast_threshold=given["FastThresh"],
            fast_range=fast_range,
            slow_length=slow_length,
            slow_gap=slow_gap,
            slow_range=slow_range,
            peak_sample=given["PeakSample"],
            peak_separation=given["PeakSep"],
            tau_us=given.real("PreampTau"),
            cfd_delay=given["CFDDelay"],
            cfd_scale=given["CFDScale"],
            cfd_threshold=given["CFDThresh"],
            qdc_lengths=tuple(given[f"QDCLen{i}"] for i in range(_QDC_COUNT)),
            trace_length=given["TraceLength"] & ~1,
            trace_delay=given.trace_delay(fast_range),
            energy_low=given["EnergyLow"],
            log2_bin=given.negative("Log2Ebin"),
            log2_weight=given.negative("Log2Bweight"),
            baseline_cut=given["BLcut"],
            offset_dac=given["OffsetDAC"],
            trace_spacing=given["Xwait"],
        )
        if registers.has(CsrA.GOOD):
            registers._check(channel)
        return registers

    def _check(self, channel: int) -> None:
        limits = {
            "SlowFilterRange": (self.slow_range, 1, 6),
            "FastFilterRange": (self.fast_range, 0, 6),
            "FastLength": (self.fast_length, 1, LONGEST_FILTER),
            "FastLength + FastGap": (
                self.fast_length + self.fast_gap,
                1,
                LONGEST_FILTER,
            ),
            "SlowLength": (self.slow_length, 1, LONGEST_FILTER),
            "SlowLength + SlowGap": (
                self.slow_length + self.slow_gap,
                1,
                LONGEST_FILTER,
            ),
            "FastThresh": (self.fast_threshold, 1, 65535),
            "PreampTau in µs": (self.tau_us, 1e-3, 1e6),
            "CFDDelay": (self.cfd_delay, 1, 63),
            "CFDScale": (self.cfd_scale, 0, 7),
            "TraceLength": (self.trace_length, 0, self._longest_trace()),
            "largest QDCLen": (max(self.qdc_lengths), 0, 32767),
            "Log2Bweight": (self.log2_weight, 0, 16),
            "Log2Ebin": (self.log2_bin, 0, 16),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise SimulationError(
                    f"channel {channel}: {name} is {value}, expected {least:g} to "
                    f"{most:g}; set the parameter that it comes from, or switch the "
                    f"channel off (ChanCSRa bit {CsrA.GOOD.value})"
                )

    def _longest_trace(self) -> int:
        layout = self.kind.layout
        longest_header = 18
        return min(
            layout.trace_length.mask, 2 * (layout.event_length.mask - longest_header)
        )

    def has(self, bit: CsrA) -> bool:
        """Tell whether a bit of ChanCSRa is set."""
        return bool(self.csr_a >> bit & 1)

    @property
    def fast_samples(self) -> tuple[int, int]:
        """Rise time and flat top of the fast filter in samples."""
        step = self.kind.samples_per_tick << self.fast_range
        return self.fast_length * step, self.fast_gap * step

    @property
    def slow_samples(self) -> tuple[int, int]:
        """Rise time and flat top of the slow filter in samples."""
        step = self.kind.samples_per_tick << self.slow_range
        return self.slow_length * step, self.slow_gap * step

    @property
    def peak_ticks(self) -> int:
        """Ticks from the trigger to the end of the energy filter's windows."""
        behind = PEAK_BEFORE[self.slow_range] - _WINDOWS_END_BEFORE
        return (self.peak_sample + behind) << self.slow_range

    @property
    def pileup_ticks(self) -> int:
        """Ticks after a trigger in which another one is a pile-up."""
        return self.peak_separation << self.slow_range

    @property
    def coefficients(self) -> EnergyCoefficients:
        """Coefficients of the energy filter."""
        return energy_coefficients(
            self.slow_samples[0],
            self.tau_us * 1e3,
            self.kind.sample_ps * 1e-3,
            self.kind.bits,
        )

    @property
    def qdc_samples(self) -> tuple[int, ...]:
        """Lengths of the QDC windows in samples."""
        step = self.kind.samples_per_tick if self.kind.layout.frequency == 500 else 1
        return tuple(length * step for length in self.qdc_lengths)


class _Variables:
    """Looks up the variables of one channel."""

    def __init__(self, variables: Mapping[str, Any], channel: int) -> None:
        self._variables = variables
        self._channel = channel

    def __getitem__(self, name: str) -> int:
        if name not in self._variables:
            raise SimulationError(
                f"the variable {name} is missing, expected all that a channel needs; "
                f"given: {', '.join(sorted(self._variables)) or 'none'}"
            )
        values = np.asarray(self._variables[name])
        if values.size == 1:
            return int(values.reshape(-1)[0])
        if values.ndim != 1 or self._channel >= values.size:
            raise SimulationError(
                f"the variable {name} has shape {values.shape}, expected one value for "
                f"each channel, among them channel {self._channel}"
            )
        return int(values[self._channel])

    def real(self, name: str) -> float:
        """Return a float whose bits are stored."""
        return float(np.uint32(self[name]).view(np.float32))

    def negative(self, name: str) -> int:
        """Return n that is stored as 2^32 - n."""
        return -self[name] & 0xFFFFFFFF

    def trace_delay(self, fast_range: int) -> int:
        """Return TraceDelay in ticks; PAFlength has it added to TriggerDelay."""
        if "TraceDelay" in self._variables:
            steps = self["TraceDelay"]
        else:
            steps = self["PAFlength"] - (self["TriggerDelay"] >> fast_range)
        return max(steps, 0) << fast_range
