"""A small simulated measurement: what a module sends that looks at a Co-60 source.

Three detectors on a 500 MSPS module: two LaBr3(Ce) scintillators on channels 0 and
1, the second with energy sums and traces, and a germanium detector on channel 2.

The physics, as far as it shows in a spectrum:

- Co-60 emits 1173.2 and 1332.5 keV in cascade; K-40 (1460.8 keV) and Tl-208 (2614.5
  keV) are the room (ENSDF, National Nuclear Data Center). Both quanta of a decay
  are seen sometimes: a coincidence, or a sum peak.
- A quantum that is not absorbed as a whole leaves the energy of one Compton
  scattering, distributed as Klein and Nishina have it (Z. Phys. 52, 853, 1929; per
  electron energy in Evans, The Atomic Nucleus, 1955), or of several, between the
  Compton edge and the peak.
- Lines widen as sqrt(E): 2.9 % at 662 keV in LaBr3, 1.9 keV at 1332 keV in germanium
  (Knoll, Radiation Detection and Measurement, chapters 8 and 12).
- Muons leave more than the range of the ADC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.testing._pulses import (
    ENERGY_PER_KEV,
    HIGHEST_ENERGY,
    TRACE_LENGTH,
    Pulses,
)
from pixie_pipe.testing.generators import time_of

CRATE, SLOT = 0, 2
LAYOUT = Layout.find(frequency=500, revision=34688)

_Floats = NDArray[np.float64]

_ELECTRON_KEV = 511.0
_CO60_KEV = (1173.2, 1332.5)
_SUB_TICK_PS = 2000
"""A tick of 10 ns is five samples of 2 ns; the CFD source tells which."""


@dataclass(frozen=True, slots=True)
class _Detector:
    """A detector and the channel that reads it.

    Attributes
    ----------
    share
        Part of all quanta that it detects.
    peak
        Part of its 1332 keV quanta that is absorbed as a whole.
    fwhm_662_kev
        Width of a line at 662 keV.
    jitter_ps
        Standard deviation of its times.
    filter_ps
        Length of its energy filter: a second pulse within is piled up, and the
        event is written after it.
    """

    share: float
    peak: float
    fwhm_662_kev: float
    jitter_ps: float
    filter_ps: int


_DETECTORS = (
    _Detector(0.42, 0.30, 19.2, 150.0, 400_000),
    _Detector(0.18, 0.30, 19.2, 150.0, 400_000),
    _Detector(0.40, 0.22, 1.4, 4000.0, 9_000_000),
)
_TRACE_CHANNEL = 1

_RATE_HZ = 3300.0
_COINCIDENCE = 0.04
"""Chance that the second quantum of a decay is detected, too."""

# What is detected, and how much of it: a line in keV, or the continuum of the room
# and the muons, marked with zero and minus one.
_ROOM, _MUON = 0.0, -1.0
_ORIGINS = (
    (*_CO60_KEV, 1460.8, 2614.5, _ROOM, _MUON),
    (0.36, 0.36, 0.07, 0.03, 0.177, 0.003),
)

_THRESHOLD_KEV = 25.0
_CFD_SURE_KEV = 120.0
"""Below this, more and more pulses are too small for the CFD."""


def sample_events(count: int = 50_000, *, seed: int = 1) -> Events:
    """Return simulated events of one module, in the order in which it writes them.

    Parameters
    ----------
    count
        Number of events.
    seed
        Start of the random numbers: the same one gives the same events.

    Returns
    -------
    Events
        Events of crate 0, slot 2, channels 0 to 2, which `encode` takes with the
        layout 500-34688.
    """
    rng = np.random.default_rng(seed)
    # Some fall below the threshold or pile up; more than enough are made.
    quanta = _detected_quanta(int(1.3 * count) + 100, rng)
    pulses = _piled_up(quanta)
    written = (
        pulses.time_ps + np.array([d.filter_ps for d in _DETECTORS])[pulses.channel]
    )
    order = np.argsort(written, kind="stable")[:count]
    return _events(pulses.take(order), rng)


@dataclass(frozen=True, slots=True)
class _Quanta:
    """What the detectors saw, one row for each pulse; `second_kev` piled up on it."""

    time_ps: _Floats
    channel: NDArray[np.intp]
    kev: _Floats
    second_kev: _Floats
    second_after_ps: _Floats

    def take(self, rows: NDArray[np.intp]) -> _Quanta:
        return _Quanta(
            self.time_ps[rows],
            self.channel[rows],
            self.kev[rows],
            self.second_kev[rows],
            self.second_after_ps[rows],
        )


def _detected_quanta(count: int, rng: np.random.Generator) -> _Quanta:
    """Return deposited energies above threshold in the order of time."""
    values, shares = _ORIGINS
    shares_of_detectors = [detector.share for detector in _DETECTORS]
    time = np.cumsum(rng.exponential(1e12 / _RATE_HZ, count))
    line = rng.choice(values, count, p=shares)
    channel = rng.choice(len(_DETECTORS), count, p=shares_of_detectors)
    kev = _deposited(line, channel, rng)

    # The other quantum of the same decay.
    first, second = _CO60_KEV
    is_cascade = (line == first) | (line == second)
    partner = np.flatnonzero(is_cascade & (rng.random(count) < _COINCIDENCE))
    partner_line = np.where(line[partner] == first, second, first)
    partner_channel = rng.choice(len(_DETECTORS), partner.size, p=shares_of_detectors)
    partner_kev = _deposited(partner_line, partner_channel, rng)
    together = partner_channel == channel[partner]
    kev[partner[together]] += partner_kev[together]

    time = np.concatenate([time, time[partner[~together]]])
    channel = np.concatenate([channel, partner_channel[~together]])
    kev = np.concatenate([kev, partner_kev[~together]])
    kev = _resolved(kev, channel, rng)
    jitter = np.array([detector.jitter_ps for detector in _DETECTORS])[channel]
    # Late by a fixed time, so that no jitter makes a time negative.
    time += rng.normal(0.0, 1.0, time.size) * jitter + 1e6
    rows = np.argsort(time, kind="stable")
    rows = rows[kev[rows] > _THRESHOLD_KEV]
    none = np.zeros(time.size)
    return _Quanta(time, channel, kev, none, none).take(rows)


def _deposited(
    line: _Floats, channel: NDArray[np.intp], rng: np.random.Generator
) -> _Floats:
    """Return the energy in keV that quanta of energy `line` leave in a detector."""
    kev = np.empty(line.size)
    peak = np.array([detector.peak for detector in _DETECTORS])[channel]
    fate = rng.random(line.size)
    for value in np.unique(line):
        rows = np.flatnonzero(line == value)
        if value == _ROOM:
            kev[rows] = rng.exponential(320.0, rows.size)
        elif value == _MUON:
            # A wide bump above everything else, its tail beyond the ADC's range.
            kev[rows] = rng.gamma(6.0, 1400.0, rows.size)
        else:
            kev[rows] = _scattered(float(value), rows.size, rng)
            # The larger the energy, the fewer are absorbed as a whole.
            absorbed = fate[rows] < peak[rows] * (1332.5 / value) ** 0.8
            kev[rows[absorbed]] = value
    return kev


def _scattered(line: float, count: int, rng: np.random.Generator) -> _Floats:
    """Return energies in keV left by Compton scattering of quanta of energy `line`."""
    alpha = line / _ELECTRON_KEV
    edge = line * 2 * alpha / (1 + 2 * alpha)
    electron = np.linspace(0.0, edge, 2048)
    part = electron / line
    density = (
        2.0
        + part**2 / (alpha**2 * (1 - part) ** 2)
        + part / (1 - part) * (part - 2 / alpha)
    )
    cumulated = np.cumsum(density)
    kev = np.interp(rng.random(count), cumulated / cumulated[-1], electron)
    several = rng.random(count) < 0.15
    kev[several] = rng.uniform(0.6 * edge, line, int(several.sum()))
    return kev


def _resolved(
    kev: _Floats, channel: NDArray[np.intp], rng: np.random.Generator
) -> _Floats:
    fwhm = np.array([detector.fwhm_662_kev for detector in _DETECTORS])[channel]
    sigma = fwhm / 2.355 * np.sqrt(kev / 662.0)
    return kev + rng.normal(0.0, 1.0, kev.size) * sigma


def _piled_up(quanta: _Quanta) -> _Quanta:
    """Merge pulses of a channel that come within the energy filter of one before."""
    kept = []
    for channel, detector in enumerate(_DETECTORS):
        rows = np.flatnonzero(quanta.channel == channel)
        time = quanta.time_ps[rows]
        after = np.diff(time, append=np.inf)
        is_hidden = np.concatenate([[False], after[:-1] < detector.filter_ps])
        has_second = np.flatnonzero((after < detector.filter_ps) & ~is_hidden)
        quanta.second_kev[rows[has_second]] = quanta.kev[rows[has_second + 1]]
        quanta.second_after_ps[rows[has_second]] = after[has_second]
        kept.append(rows[~is_hidden])
    return quanta.take(np.sort(np.concatenate(kept)))


def _events(pulses: _Quanta, rng: np.random.Generator) -> Events:
    count = pulses.kev.size
    tick_ps = LAYOUT.tick_ps
    timestamp = (pulses.time_ps // tick_ps).astype(np.uint64)
    phase_ps = pulses.time_ps - timestamp * tick_ps
    sample = phase_ps // _SUB_TICK_PS
    within = (phase_ps - sample * _SUB_TICK_PS) / _SUB_TICK_PS
    forced = rng.random(count) > pulses.kev / _CFD_SURE_KEV
    failed = LAYOUT.cfd_failed_source
    assert failed is not None
    fraction = np.where(forced, 0, np.floor(within * 2**LAYOUT.cfd_fraction.width))

    # While the filter still looks at the first pulse, the second adds a part.
    overlap = rng.random(count)
    energy = (pulses.kev + overlap * pulses.second_kev) * ENERGY_PER_KEV
    columns: dict[str, NDArray[np.generic]] = {
        "crate": np.full(count, CRATE, np.uint8),
        "slot": np.full(count, SLOT, np.uint8),
        "channel": pulses.channel.astype(np.uint8),
        "energy": np.rint(np.clip(energy, 0, HIGHEST_ENERGY)).astype(np.uint16),
        "timestamp": timestamp,
        "cfd_fraction": fraction.astype(np.uint16),
        "cfd_source": np.where(forced, failed, 1 + sample).astype(np.uint8),
        "cfd_forced": forced,
        "pileup": pulses.second_kev > 0,
        "out_of_range": energy > HIGHEST_ENERGY,
    }
    columns["time_ps"] = time_of(LAYOUT, columns)
    _add_traces(columns, pulses, phase_ps, rng)
    return Events(columns)


def _add_traces(
    columns: dict[str, NDArray[np.generic]],
    quanta: _Quanta,
    phase_ps: _Floats,
    rng: np.random.Generator,
) -> None:
    """Add traces, and the energies that the filter finds in them, where recorded."""
    recorded = quanta.channel == _TRACE_CHANNEL
    rows = np.flatnonzero(recorded)
    pulses = Pulses.simulate(
        quanta.kev[rows],
        phase_ps[rows],
        quanta.second_kev[rows],
        quanta.second_after_ps[rows],
        rng,
    )
    columns["energy"][rows] = pulses.energy
    columns["out_of_range"][rows] = pulses.out_of_range
    columns["esum_valid"] = recorded
    for name, values in pulses.sums().items():
        column = np.zeros(recorded.size, values.dtype)
        column[rows] = values
        columns[name] = column
    length = np.where(recorded, TRACE_LENGTH, 0).astype(np.uint16)
    columns["trace_length"] = length
    columns["trace_offsets"] = np.concatenate([[0], np.cumsum(length, dtype=np.int64)])
    columns["trace_samples"] = pulses.samples.reshape(-1)
