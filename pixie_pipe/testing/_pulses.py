"""Pulses of a scintillator as a 500 MSPS module records them, with energy sums."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ENERGY_PER_KEV = 8.0
"""Energy in ADC units for one keV."""
HIGHEST_ENERGY = 65535

TRACE_LENGTH = 100
"""Samples of a trace, 2 ns each."""

_SAMPLE_PS = 2000
_START = 40
"""Sample at which a pulse begins that comes at the start of a tick."""
_ADC_MAX = (1 << 14) - 1
_BASELINE = 410.0
_NOISE = 2.5
_RISE_NS, _DECAY_NS = 3.0, 30.0

# The slow filter of the firmware, with its coefficients for a 14-bit ADC (XIA's
# PixieSDK 5.3): energy = c0 * trailing + c1 * gap + c2 * leading - baseline. For a
# pulse that decays as exp(-t / tau), it gives the same wherever the pulse begins
# in the gap. The constants are those of a real measurement with LaBr3.
_LENGTH, _GAP = 20, 20
_EDGES = (18, 38, 58, 78)
"""Where the windows begin and end, in samples: trailing, gap, leading."""
_B = math.exp(-2.0 / _DECAY_NS)
_C1 = 4 * (1 - _B)
_C2 = _C1 / (1 - _B**_LENGTH)
_C0 = -_C2 * _B**_LENGTH

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pulses:
    """Traces and what the firmware computes from them.

    Attributes
    ----------
    samples
        Shape (events, TRACE_LENGTH).
    trailing, gap, leading
        Sums over the windows of the slow filter, shape (events,).
    baseline
        The filter's answer to the baseline, shape (events,).
    energy
        The filter's answer to the pulse, in ADC units, shape (events,).
    out_of_range
        Whether a sample left the range of the ADC, shape (events,).
    """

    samples: NDArray[np.uint16]
    trailing: NDArray[np.uint32]
    gap: NDArray[np.uint32]
    leading: NDArray[np.uint32]
    baseline: NDArray[np.float32]
    energy: NDArray[np.uint16]
    out_of_range: NDArray[np.bool_]

    @classmethod
    def simulate(
        cls,
        kev: _Floats,
        phase_ps: _Floats,
        second_kev: _Floats,
        second_after_ps: _Floats,
        rng: np.random.Generator,
    ) -> Self:
        """Record pulses of the energies `kev`, `phase_ps` behind the tick's start.

        A second pulse follows after `second_after_ps` where `second_kev` is not 0.
        """
        start = _START + phase_ps / _SAMPLE_PS
        volts = _shape(start) * _amplitude(kev)
        volts += _shape(start + second_after_ps / _SAMPLE_PS) * _amplitude(second_kev)
        level = _BASELINE + rng.normal(0.0, 0.5, kev.size)
        volts += level[:, np.newaxis] + rng.normal(0.0, _NOISE, volts.shape)
        samples = np.clip(np.rint(volts), 0, _ADC_MAX).astype(np.uint16)
        sums = _window_sums(samples)
        trailing, gap, leading = sums
        widths = np.array([_LENGTH, _GAP, _LENGTH])
        baseline = (_answer(widths) * level).astype(np.float32)
        energy = _answer(sums) - baseline
        return cls(
            samples=samples,
            trailing=trailing,
            gap=gap,
            leading=leading,
            baseline=baseline,
            energy=np.clip(np.rint(energy), 0, HIGHEST_ENERGY).astype(np.uint16),
            out_of_range=np.asarray(samples.max(axis=1, initial=0) == _ADC_MAX),
        )

    def sums(self) -> dict[str, NDArray[np.generic]]:
        """Return the columns of the energy sums by name."""
        return {
            "esum_trailing": self.trailing,
            "esum_gap": self.gap,
            "esum_leading": self.leading,
            "baseline": self.baseline,
        }


def _shape(start: _Floats) -> _Floats:
    """Return pulses of amplitude one that begin at the samples `start`."""
    time_ns = 2.0 * (np.arange(TRACE_LENGTH) - start[:, np.newaxis])
    passed = np.maximum(time_ns, 0.0)
    return np.exp(-passed / _DECAY_NS) - np.exp(-passed / _RISE_NS)


def _amplitude(kev: _Floats) -> _Floats:
    """Return the amplitude for which the filter gives the right energy."""
    mid_tick = _shape(np.array([_START + 2.5]))
    answer = float(_answer(_window_sums(mid_tick))[0])
    amplitude: _Floats = kev * ENERGY_PER_KEV / answer
    return amplitude[:, np.newaxis]


def _window_sums(samples: _Floats | NDArray[np.uint16]) -> NDArray[Any]:
    """Return trailing, gap and leading sum, shape (3, events)."""
    kind = np.float64 if samples.dtype.kind == "f" else np.uint32
    return np.stack(
        [
            samples[:, first:end].sum(axis=1, dtype=kind)
            for first, end in itertools.pairwise(_EDGES)
        ]
    )


def _answer(sums: NDArray[Any]) -> _Floats:
    """Return the filter's answer to trailing, gap and leading sum, shape (3, ...)."""
    answer: _Floats = np.array([_C0, _C1, _C2]) @ sums
    return answer
