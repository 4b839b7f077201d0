"""What the ADC of a channel sees of a deposit: shape, height, noise, level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from pixie_pipe.simulation.channel import CsrA

if TYPE_CHECKING:
    from pixie_pipe.simulation.channel import ChannelRegisters, Electronics
    from pixie_pipe.simulation.detectors import Detector

FULL_SCALE_KEV: Final = 3000.0
"""Energy that uses the part `_USED` of the range of energies."""
_USED: Final = 0.85

_ANTI_ALIAS_SAMPLES: Final = 1.5
"""Rise time of the filter before an ADC; without one, times and heights would depend on
where between two samples a pulse begins."""

_DAC_VOLTS: Final = 3.0
_ADC_VOLTS: Final = 2.0
"""Range of the offset DAC (PixieSDK: -1.5 to 1.5 V) and of the ADC."""
_LEVEL_AT_ZERO: Final = 0.1
"""Level of the baseline without offset, as a part of the range."""

_OPEN_RELAY: Final = 0.25
"""What an open input relay leaves of the signal (manual of the Pixie-16)."""


def offset_for(share: float, csra: int) -> int:
    """Return the offset DAC that puts the baseline at a part of the ADC's range.

    Parameters
    ----------
    share
        Where, of the range that the FPGA sees.
    csra
        The channel's ChanCSRa: an inverted signal has its baseline at the other end.
    """
    level = 1.0 - share if csra >> CsrA.INVERT & 1 else share
    volts = (level - _LEVEL_AT_ZERO) * _ADC_VOLTS
    return min(max(round(65536 * (volts / _DAC_VOLTS + 0.5)), 0), 65535)


@dataclass(frozen=True, slots=True)
class PulseShape:
    """The signal of a channel: ``A (exp(-t / decay) - exp(-t / rise))`` for each pulse.

    Attributes
    ----------
    rise, decay
        Time constants in samples.
    per_kev
        A in ADC units for one keV; negative for pulses that fall.
    level
        Baseline in ADC units.
    noise
        Standard deviation of the noise in ADC units.
    most
        Largest value of the ADC.
    """

    rise: float
    decay: float
    per_kev: float
    level: float
    noise: float
    most: int

    @classmethod
    def of(cls, detector: Detector, registers: ChannelRegisters) -> Self:
        """Return the signal of a detector as the FPGA sees it, already inverted."""
        kind = registers.kind
        sample_ns = kind.sample_ps * 1e-3
        volts = (registers.offset_dac / 65536 - 0.5) * _DAC_VOLTS
        level = _LEVEL_AT_ZERO + volts / _ADC_VOLTS
        sign = 1.0
        if registers.has(CsrA.INVERT):
            sign, level = -1.0, 1.0 - level
        gain = 1.0 if registers.has(CsrA.RELAY) else _OPEN_RELAY
        return cls(
            rise=math.hypot(detector.rise_ns / sample_ns, _ANTI_ALIAS_SAMPLES),
            decay=detector.decay_ns / sample_ns,
            per_kev=sign * gain * amplitude_per_kev(kind),
            level=level * kind.adc_most,
            noise=detector.noise * kind.adc_most,
            most=kind.adc_most,
        )

    def energy_per_kev(self, registers: ChannelRegisters) -> float:
        """Return the mean energy in ADC units that the slow filter gives for one keV.

        It holds if the registers have the decay time of the pulses and the flat top is
        longer than their rise: the sum over a pulse that begins anywhere between two
        samples is, in the mean, A times the difference of decay and rise.
        """
        fall = -math.expm1(-1 / self.decay)
        return (
            registers.kind.energy_scale * self.per_kev * fall * (self.decay - self.rise)
        )


def amplitude_per_kev(kind: Electronics) -> float:
    """Return A in ADC units for one keV: the range of energies holds the full scale."""
    energies = kind.layout.energy.mask + 1
    return _USED * energies / kind.energy_scale / FULL_SCALE_KEV
