"""Bringing events into time order, one core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.bench.chain import BenchError
from pixie_pipe.bench.data import (
    CHANNEL_KHZ,
    CHANNELS,
    DELAY_US,
    SAMPLES,
    busy_module_events,
    header_events,
    trace_events,
)
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import MILLION, memcpy, one_core, timed
from pixie_pipe.events import Events
from pixie_pipe.kernels.time_sorter import TimeSorter

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_EVENTS: Final = 2_000_000
_TRACES: Final = 100_000
_MODULES: Final = 4
_MANY_MODULES: Final = 16
_BATCH: Final = 100_000
_TRACE_BATCH: Final = 4000


def measure(settings: Settings) -> Section:
    """Measure one module and several, in order and not, header only and with traces."""
    headers = header_events(settings.events(_EVENTS))
    traces = trace_events(settings.events(_TRACES))
    busy = busy_module_events(settings.events(_EVENTS))
    cases = {
        "header only, 1 module": (headers, _BATCH, 1),
        f"header only, {_MODULES} modules": (headers, _BATCH, _MODULES),
        f"header only, {_MANY_MODULES} modules": (headers, _BATCH, _MANY_MODULES),
        f"header only, {CHANNELS} busy channels": (busy, _BATCH, 1),
        f"{SAMPLES}-sample traces, 1 module": (traces, _TRACE_BATCH, 1),
    }
    rows = {}
    with one_core():
        for name, (events, batch, modules) in cases.items():
            rows[name] = _compare(name, events, batch, modules, settings.rounds)
    return Section(
        "Sorting",
        "Batches of events through a `TimeSorter`, with a window of 100 us. numpy: a "
        "stable argsort of all times at once, and all columns taken in that order. "
        f"Busy channels are {CHANNELS} of one module, {CHANNEL_KHZ:g} kHz each, whose "
        f"events come up to {DELAY_US:g} us late, each by another time.",
        (Table("events", rows),),
    )


def _compare(
    name: str, events: Events, batch: int, modules: int, rounds: int
) -> dict[str, Figure]:
    batches = _batches(events, batch, modules)
    whole = Events.concatenate([part for part, _ in batches])
    copy = memcpy(whole.nbytes)

    def sort() -> int:
        sorter = TimeSorter(
            100_000_000, max_wait_ps=1 << 80, max_bytes=1 << 30, min_rows=1
        )
        for number in range(modules):
            sorter.add_module((0, number))
        count = 0
        for part, stream in batches:
            found = sorter.add(part, stream=stream)
            count += 0 if found is None else len(found)
        return count + len(sorter.finish())

    def with_numpy() -> int:
        rows = np.argsort(whole.time_ps, kind="stable")
        return len(whole[rows])

    if sort() != len(events) or with_numpy() != len(events):
        raise BenchError(f"{name}: not all events were sorted")
    copies, times, theirs = [], [], []
    for _ in range(rounds):
        copies.append(timed(copy))
        times.append(timed(sort))
        theirs.append(timed(with_numpy))
    return {
        "M events/s": figure([len(events) / seconds / MILLION for seconds in times]),
        "ratio to memcpy": ratio(copies, times),
        "times numpy": ratio(theirs, times),
    }


def _batches(events: Events, batch: int, modules: int) -> list[tuple[Events, int]]:
    """Return batches of one module each, as they come from a decoder."""
    parts = []
    for start in range(0, len(events), batch * modules):
        stretch = events[start : start + batch * modules]
        for number in range(modules):
            part = stretch[np.arange(number, len(stretch), modules)]
            if len(part):
                slot = np.full(len(part), number, np.uint8)
                crate = np.zeros(len(part), np.uint8)
                parts.append((part.with_columns(slot=slot, crate=crate), number))
    return parts
