"""Events that look like those of a module with scintillators, made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout

_LINES_KEV: Final = (511.0, 661.7, 1173.2, 1332.5)
_LINE_SHARES: Final = (0.08, 0.16, 0.13, 0.13)
"""Part of all events in each line; the rest is the continuum."""

_CONTINUUM_KEV: Final = 450.0
_THRESHOLD_KEV: Final = 30.0
_FWHM_662: Final = 0.032
"""Width of the line at 662 keV, as a part of it; lines widen as sqrt(E)."""

_ENERGY_PER_KEV: Final = 8.0
_GAIN_SPREAD: Final = 0.03
_COINCIDENT: Final = 0.1
"""Part of the events that are followed at once by one in another channel."""
_JITTER_PS: Final = 5_000.0

_READOUT_PS: Final = 10_000_000.0
"""Longest filter of a channel: events are written when their filter has ended."""

_PILED_UP: Final = 0.01
_FORCED: Final = 0.02

_BASELINE: Final = 420.0
_NOISE: Final = 2.5
_ADC_MAX: Final = (1 << 14) - 1
_FILTER_SAMPLES: Final = 400
_QDC_SAMPLES: Final = 32

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What events are made.

    Attributes
    ----------
    layout
        The layout of the module.
    crate, slot
        The module.
    rate_hz
        Mean rate of the module.
    channels
        Number of channels that have events.
    trace_samples
        Length of the traces; an odd one is made even.
    energy_sums, qdc
        Whether the headers have energy sums, and QDC sums.
    """

    layout: Layout
    crate: int
    slot: int
    rate_hz: float
    channels: int = 16
    trace_samples: int = 0
    energy_sums: bool = False
    qdc: bool = False

    @property
    def event_length(self) -> int:
        """Length of an event in words."""
        return 4 + 4 * self.energy_sums + 8 * self.qdc + self.trace_samples // 2


@dataclass(frozen=True, slots=True)
class Block:
    """Events in the order in which a module sends them.

    Attributes
    ----------
    events
        The events.
    due_ticks
        When each of them is sent, in ticks, rising.
    period_ticks
        When the next block may begin.
    """

    events: Events
    due_ticks: Floats
    period_ticks: int


def generate(recipe: Recipe, count: int, rng: np.random.Generator) -> Block:
    """Make `count` events, the same ones for the same state of `rng`.

    Times are those of a Poisson process, a part of them coincident in two channels.
    Each channel has its own gain, and its own delay of readout: as from a module,
    events are in the order of time within a channel, and nearly so across channels.
    """
    layout = recipe.layout
    ticks, period = _times(recipe, count, rng)
    channel = _channels(recipe.channels, count, rng)
    delay = rng.uniform(0.3, 1.0, recipe.channels) * _READOUT_PS / layout.tick_ps
    written = np.minimum(ticks + delay[channel], period)
    order = np.argsort(written, kind="stable")
    ticks, channel = ticks[order], channel[order]

    kev = _energies_kev(count, rng)
    gain = _ENERGY_PER_KEV * (1 + _GAIN_SPREAD * rng.uniform(-1, 1, recipe.channels))
    energy = kev * gain[channel]
    forced = rng.random(count) < _FORCED
    columns: dict[str, NDArray[np.generic]] = {
        "crate": np.full(count, recipe.crate, np.uint8),
        "slot": np.full(count, recipe.slot, np.uint8),
        "channel": channel.astype(np.uint8),
        "energy": np.clip(energy, 0, layout.energy.mask).astype(np.uint16),
        "timestamp": ticks.astype(np.uint64),
        "pileup": rng.random(count) < _PILED_UP,
        "out_of_range": energy > layout.energy.mask,
    }
    columns |= _cfd(layout, forced, rng)
    if recipe.energy_sums:
        columns |= _energy_sums(energy, rng)
    if recipe.qdc:
        columns |= _qdc(energy, rng)
    if recipe.trace_samples >= 2:
        columns |= _traces(energy, recipe.trace_samples // 2 * 2, rng)
    return Block(Events(columns), written[order], period)


def _times(
    recipe: Recipe, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], int]:
    """Return times in ticks, nearly rising, and where the block ends."""
    tick_ps = recipe.layout.tick_ps
    gaps = rng.exponential(1e12 / (recipe.rate_hz * tick_ps), count + 1)
    time = np.cumsum(gaps)
    partner = np.flatnonzero(rng.random(count - 1) < _COINCIDENT) + 1
    jitter = rng.exponential(_JITTER_PS / tick_ps, partner.size)
    time[partner] = time[partner - 1] + jitter
    period = int(time.max()) + 1
    return time[:count].astype(np.int64), period


def _channels(channels: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return channels, never the same one twice running where there are several."""
    if channels == 1:
        return np.zeros(count, np.int64)
    return np.cumsum(rng.integers(1, channels, count)) % channels


def _energies_kev(count: int, rng: np.random.Generator) -> Floats:
    continuum = _THRESHOLD_KEV + rng.exponential(_CONTINUUM_KEV, count)
    lines = np.array([0.0, *_LINES_KEV])
    shares = [1 - sum(_LINE_SHARES), *_LINE_SHARES]
    kev = lines[rng.choice(lines.size, count, p=shares)]
    sigma = _FWHM_662 / 2.355 * np.sqrt(662.0 * kev)
    return np.where(kev > 0, kev + sigma * rng.normal(size=count), continuum)


def _cfd(
    layout: Layout, forced: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    count = forced.size
    failed = layout.cfd_failed_source
    has_flag = bool(layout.cfd_forced.width) or failed is not None
    forced = forced & has_flag
    fraction = rng.integers(0, layout.cfd_fraction.mask + 1, count)
    # One source for each sample of a tick, where the firmware tells it.
    first = -layout.cfd_source_offset
    samples = layout.tick_ps // layout.cfd_unit_ps if layout.cfd_source.width else 1
    source = rng.integers(first, first + samples, count)
    if failed is not None:
        source[forced] = failed
    fraction[forced] = 0
    return {
        "cfd_fraction": fraction.astype(np.uint16),
        "cfd_source": source.astype(np.uint8),
        "cfd_forced": forced,
    }


def _energy_sums(
    energy: Floats, rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    count = energy.size
    level = _BASELINE + rng.normal(0, _NOISE / 10, count)
    empty = level * _FILTER_SAMPLES
    sums = {
        "esum_trailing": empty,
        "esum_gap": (level + energy / 8) * (_FILTER_SAMPLES / 4),
        "esum_leading": empty + energy / 4 * _FILTER_SAMPLES,
    }
    columns: dict[str, NDArray[np.generic]] = {
        name: values.astype(np.uint32) for name, values in sums.items()
    }
    columns["baseline"] = level.astype(np.float32)
    columns["esum_valid"] = np.ones(count, np.bool_)
    return columns


def _qdc(energy: Floats, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    # Before the pulse, and seven windows of its decay.
    shape = np.array([0.0, 1.0, 0.6, 0.36, 0.22, 0.13, 0.08, 0.05])
    level = _BASELINE + rng.normal(0, _NOISE / 5, (energy.size, 8))
    sums = (level + energy[:, None] / 4 * shape) * _QDC_SAMPLES
    return {
        "qdc": sums.astype(np.uint32),
        "qdc_valid": np.ones(energy.size, np.bool_),
    }


def _traces(
    energy: Floats, length: int, rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    """Return traces: a fast rise after a quarter of the length, and a decay."""
    count = energy.size
    after = np.arange(length) - length / 4
    decay = max(length / 6, 4.0)
    pulse = np.where(after > 0, np.exp(-after / decay) - np.exp(-after), 0.0)
    samples = np.empty((count, length), np.uint16)
    for row in range(count):
        values = _BASELINE + energy[row] / 4 * pulse + rng.normal(0, _NOISE, length)
        samples[row] = np.clip(values, 0, _ADC_MAX)
    return {
        "trace_length": np.full(count, length, np.uint16),
        "trace_offsets": np.arange(count + 1, dtype=np.int64) * length,
        "trace_samples": samples.reshape(-1),
    }
