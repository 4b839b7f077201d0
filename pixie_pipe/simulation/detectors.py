"""Detectors: what a quantum leaves in them, and the pulse that it makes.

The chance of an interaction is ``1 - exp(-p (E / 100 keV)^-3 - a (E / 662 keV)^-0.5)``:
photoelectric absorption and Compton scattering with their usual dependence on the
energy (Knoll, Radiation Detection and Measurement, chapter 2), with numbers for a
crystal of common size. The scattering is that of Klein and Nishina (Z. Phys. 52, 853,
1929; for the electron's energy: Evans, The Atomic Nucleus, 1955, chapter 23).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.errors import unknown
from pixie_pipe.simulation.sources import ELECTRON_KEV, ROOM

Floats = NDArray[np.float64]

FWHM_PER_SIGMA: Final = math.sqrt(8 * math.log(2))
_POINTS: Final = 4096
"""Points of the tables of random energies: finer than any detector resolves."""

_ROOM_CONTINUUM_KEV: Final = 320.0
"""The continuum of a room falls about as exp(-E / 320 keV)."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A kind of detector with its preamplifier or photomultiplier.

    Attributes
    ----------
    name
        Its name.
    photo, scatter
        p and a of the chance of an interaction.
    caught
        Part of the scattered quanta whose whole energy is absorbed in the end.
    fwhm_0_kev, fwhm_662_kev
        Width of a line at energy 0 (electronics) and at 662 keV; the rest grows as
        sqrt(E), the statistics of the carriers.
    rise_ns, decay_ns
        Time constants of the pulse ``exp(-t / decay) - exp(-t / rise)``.
    jitter_ps
        Standard deviation of the time from the quantum to the pulse.
    noise
        Standard deviation of the noise, as a part of the ADC's range.
    threshold_kev
        What its trigger is set to unless told otherwise.
    fast_us, slow_us
        (rise time, flat top) of the fast and of the slow filter, unless told otherwise.
    """

    name: str
    photo: float
    scatter: float
    caught: float
    fwhm_0_kev: float
    fwhm_662_kev: float
    rise_ns: float
    decay_ns: float
    jitter_ps: float
    noise: float
    threshold_kev: float
    fast_us: tuple[float, float]
    slow_us: tuple[float, float]

    def chance(self, kev: float) -> float:
        """Return the chance that a quantum of this energy leaves something."""
        return 1 - math.exp(-sum(self._parts(kev)))

    def peak_share(self, kev: float) -> float:
        """Return which part of what leaves something leaves everything."""
        absorbed, scattered = self._parts(kev)
        return (absorbed + self.caught * scattered) / (absorbed + scattered)

    def _parts(self, kev: float) -> tuple[float, float]:
        return self.photo * (kev / 100) ** -3, self.scatter * (kev / 662) ** -0.5

    def fwhm_kev(self, kev: Floats | float) -> Floats:
        """Return the width of lines of these energies in keV."""
        electronic = self.fwhm_0_kev**2
        statistical = (self.fwhm_662_kev**2 - electronic) * np.asarray(kev) / 661.657
        return np.sqrt(electronic + statistical)

    def deposits(self, kev: float, count: int, rng: np.random.Generator) -> Floats:
        """Return the energies in keV that `count` interacting quanta leave."""
        left = compton_electrons(kev, count, rng)
        # Several scatterings fill the gap between the edge and the peak.
        edge = compton_edge(kev)
        several = rng.random(count) < _SEVERAL
        left[several] = rng.uniform(0.6 * edge, kev, int(several.sum()))
        left[rng.random(count) < self.peak_share(kev)] = kev
        return left

    def room(self, count: int, rng: np.random.Generator) -> Floats:
        """Return the energies in keV that `count` quanta of the room leave."""
        left = rng.exponential(_ROOM_CONTINUUM_KEV, count)
        chosen = rng.random(count)
        for line in ROOM:
            rows = np.flatnonzero((chosen >= 0) & (chosen < line.per_decay))
            left[rows] = self.deposits(line.kev, rows.size, rng)
            chosen -= line.per_decay
        return left

    def seen(self, kev: Floats, rng: np.random.Generator) -> Floats:
        """Return deposited energies as the statistics of the carriers leave them."""
        spread = self.fwhm_kev(kev) / FWHM_PER_SIGMA
        return np.maximum(kev + spread * rng.standard_normal(kev.size), 0.0)


_SEVERAL: Final = 0.15
"""Part of the scattered quanta that scatter again before they escape."""

# Resolutions and times are those of common crystals (Knoll, chapters 8 and 12). The
# decay of LaBr3 is that of recorded traces, 30 ns.
DETECTORS: Final[Mapping[str, Detector]] = {
    detector.name: detector
    for detector in (
        Detector(
            name="LaBr3",
            photo=25.0,
            scatter=1.35,
            caught=0.25,
            fwhm_0_kev=1.5,
            fwhm_662_kev=19.2,
            rise_ns=5.0,
            decay_ns=30.0,
            jitter_ps=120.0,
            noise=2e-4,
            threshold_kev=25.0,
            fast_us=(0.05, 0.0),
            slow_us=(0.1, 0.16),
        ),
        Detector(
            name="NaI",
            photo=42.0,
            scatter=2.0,
            caught=0.45,
            fwhm_0_kev=2.0,
            fwhm_662_kev=46.0,
            rise_ns=25.0,
            decay_ns=230.0,
            jitter_ps=700.0,
            noise=2e-4,
            threshold_kev=25.0,
            fast_us=(0.1, 0.02),
            slow_us=(0.6, 0.4),
        ),
        Detector(
            name="HPGe",
            photo=11.0,
            scatter=2.3,
            caught=0.25,
            fwhm_0_kev=0.8,
            fwhm_662_kev=1.4,
            rise_ns=40.0,
            decay_ns=50_000.0,
            jitter_ps=4000.0,
            noise=1e-4,
            threshold_kev=10.0,
            fast_us=(0.12, 0.08),
            slow_us=(4.0, 0.8),
        ),
    )
}


def find_detector(name: str) -> Detector:
    """Return the detector of this name, in capitals or not.

    Raises
    ------
    SimulationError
        If there is none.
    """
    for detector in DETECTORS.values():
        if detector.name.lower() == name.lower():
            return detector
    raise unknown("detector", name, DETECTORS)


def compton_edge(kev: float) -> float:
    """Return the largest energy that one scattering leaves, in keV."""
    return kev * 2 * kev / (ELECTRON_KEV + 2 * kev)


@functools.cache
def _electron_table(kev: float) -> tuple[Floats, Floats]:
    """Return electron energies and the part of scatterings that leave less."""
    alpha = kev / ELECTRON_KEV
    electron = np.linspace(0.0, compton_edge(kev), _POINTS)
    part = electron / kev
    density = (
        2.0
        + part**2 / (alpha**2 * (1 - part) ** 2)
        + part / (1 - part) * (part - 2 / alpha)
    )
    middle = (density[1:] + density[:-1]) / 2
    summed = np.concatenate([[0.0], np.cumsum(middle)])
    return electron, summed / summed[-1]


def compton_electrons(kev: float, count: int, rng: np.random.Generator) -> Floats:
    """Return energies in keV that one scattering leaves, by Klein and Nishina."""
    electron, below = _electron_table(kev)
    return np.interp(rng.random(count), below, electron)


def backscattered(kev: float, count: int, rng: np.random.Generator) -> Floats:
    """Return energies in keV of quanta that surroundings scatter back by 120° or more.

    They make the backscatter peak near ``E / (1 + 2 E / 511 keV)``.
    """
    electron, below = _electron_table(kev)
    least = kev - kev / (1 + 1.5 * kev / ELECTRON_KEV)
    start = np.interp(least, electron, below)
    return kev - np.interp(rng.uniform(start, 1.0, count), below, electron)
