"""Filling energy spectra of channels, one core."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boost_histogram as bh
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.bench.chain import BenchError
from pixie_pipe.bench.data import header_events
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import MILLION, memcpy, one_core, timed
from pixie_pipe.pipeline.lasting_memory import LastingMemory
from pixie_pipe.spectra import Spectra, parse_channel

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings
    from pixie_pipe.events import Events

_EVENTS: Final = 2_000_000
_BATCH: Final = 100_000
_BINS: Final = 16_384
_SHIFT: Final = 2
_NEEDED: Final = ("crate", "slot", "channel", "energy")


def measure(settings: Settings) -> Section:
    """Measure the kernel, in memory of the process and in memory that outlives it."""
    events = header_events(settings.events(_EVENTS))
    batches = [
        events[first : first + _BATCH] for first in range(0, len(events), _BATCH)
    ]
    with tempfile.TemporaryDirectory(dir=settings.directory) as directory, one_core():
        rows = _compare(batches, events, Path(directory), settings.rounds)
    return Section(
        "Filling histograms",
        f"Energy spectra of {len(_channels(events))} channels with {_BINS} bins, "
        f"filled with batches of {_BATCH} header-only events. Lasting memory outlives "
        "the process: a task that may be replaced has it, with a checkpoint after "
        "each batch. numpy: `np.bincount` of the energies of each channel. "
        "boost-histogram: `fill` of a histogram with an axis of channels. The memcpy "
        "is that of the four columns.",
        (Table("spectra", rows),),
    )


def _channels(events: Events) -> list[str]:
    spectra = Spectra()
    spectra.fill(events)
    return list(spectra["energy"].channels)


def _compare(
    batches: list[Events], events: Events, directory: Path, rounds: int
) -> dict[str, dict[str, Figure]]:
    """Return the speed of each way to fill them."""
    plain = Spectra()
    memory = LastingMemory(directory / "counts")
    lasting = Spectra(memory=memory)
    channels = _channels(events)

    def fill_plain() -> None:
        for batch in batches:
            plain.fill(batch)

    def fill_lasting() -> None:
        for batch in batches:
            lasting.fill(batch)
            memory.checkpoint()
            lasting.state()

    ways: dict[str, Callable[[], Any]] = {
        "kernel": fill_plain,
        "kernel, lasting memory": fill_lasting,
        "np.bincount": lambda: _bincounts(batches, channels),
        "boost-histogram": lambda: _boost(batches, channels),
    }
    _check(ways, plain, lasting, channels)
    copy = memcpy(sum(events[name].nbytes for name in _NEEDED))
    copies: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        copies.append(timed(copy))
        for name, way in ways.items():
            times[name].append(timed(way))
    return {
        name: {
            "M events/s": figure([len(events) / one / MILLION for one in seconds]),
            "ratio to memcpy": ratio(copies, seconds),
            "times np.bincount": ratio(times["np.bincount"], seconds),
            "times boost-histogram": ratio(times["boost-histogram"], seconds),
        }
        for name, seconds in times.items()
    }


def _check(
    ways: dict[str, Callable[[], Any]],
    plain: Spectra,
    lasting: Spectra,
    channels: list[str],
) -> None:
    """Do it once for nothing, and see that all count the same."""
    ways["kernel"]()
    ways["kernel, lasting memory"]()
    theirs = (ways["np.bincount"](), ways["boost-histogram"]())
    mine = np.array([plain["energy"][name] for name in channels])
    same = np.array([lasting["energy"][name] for name in channels])
    if not all(np.array_equal(mine, other) for other in (same, *theirs)):
        raise BenchError("the spectra are not the same")


def _bincounts(batches: list[Events], channels: list[str]) -> NDArray[np.int64]:
    counts = np.zeros((len(channels), _BINS), np.int64)
    numbers = [parse_channel(name) for name in channels]
    for batch in batches:
        for row, (crate, slot, channel) in enumerate(numbers):
            chosen = batch.channel == channel
            chosen &= batch.slot == slot
            chosen &= batch.crate == crate
            energies = batch.energy[chosen] >> _SHIFT
            counts[row] += np.bincount(energies, minlength=_BINS)
    return counts


def _boost(batches: list[Events], channels: list[str]) -> NDArray[np.int64]:
    numbers = [parse_channel(name) for name in channels]
    codes = [crate << 16 | slot << 8 | channel for crate, slot, channel in numbers]
    histogram = bh.Histogram(
        bh.axis.IntCategory(codes),
        bh.axis.Regular(_BINS, 0, _BINS << _SHIFT),
        storage=bh.storage.Int64(),
    )
    for batch in batches:
        code = batch.crate.astype(np.int64) << 16 | batch.slot.astype(np.int64) << 8
        histogram.fill(code | batch.channel, batch.energy)
    return np.asarray(histogram.view())
