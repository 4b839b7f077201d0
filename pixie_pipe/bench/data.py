"""Raw files to measure with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout, encode
from pixie_pipe.testing.generators import random_events

if TYPE_CHECKING:
    from pixie_pipe.events import Events

FREQUENCY = 500
REVISION = 34688
LAYOUT = Layout.find(frequency=FREQUENCY, revision=REVISION)

SAMPLES = 500
"""Samples of a trace."""

CHANNELS = 16
"""Channels of a module."""

CHANNEL_KHZ = 50.0
DELAY_US = 5.0
"""Rate of a busy channel, and by how much its events come too late at most."""

_NS_PER_MS = 1e6
_PS_PER_NS = 1000

# Random values for all events would take longer than the benchmark.
_DIFFERENT = 250_000
_DIFFERENT_TRACES = 25_000


def header_events(count: int) -> Events:
    """Return events of four words."""
    return random_events(LAYOUT, count, np.random.default_rng(1))


def busy_module_events(count: int) -> Events:
    """Return events of many channels of one module, out of order as it sends them."""
    rng = np.random.default_rng(1)
    mean_ns = _NS_PER_MS / (CHANNELS * CHANNEL_KHZ)
    time_ns = np.cumsum(rng.exponential(mean_ns, count))
    came = time_ns + rng.uniform(0, DELAY_US * 1000, count)
    times = (time_ns[np.argsort(came)] * _PS_PER_NS).astype(np.int64)
    return random_events(LAYOUT, count, rng).with_columns(time_ps=times)


def trace_events(count: int) -> Events:
    """Return events with traces."""
    return random_events(
        LAYOUT, count, np.random.default_rng(1), trace_lengths=(SAMPLES,)
    )


def write_headers(path: Path, events: int) -> int:
    """Write a raw file of events of four words; return its bytes."""
    return _write(path, header_events(_DIFFERENT), events)


def write_traces(path: Path, events: int) -> int:
    """Write a raw file of events with traces; return its bytes."""
    return _write(path, trace_events(_DIFFERENT_TRACES), events)


def _write(path: Path, table: Events, events: int) -> int:
    with path.open("wb") as file:
        for words in _tiles(table, events):
            file.write(words.data)
        file.flush()
        # Nothing is to be written back while the clock runs.
        os.fsync(file.fileno())
        return file.tell()


def _tiles(table: Events, events: int) -> Iterator[NDArray[np.uint32]]:
    """Yield words of so many events, whose time goes on from tile to tile."""
    words = encode(table, LAYOUT).reshape(len(table), -1)
    stamps = table.timestamp
    span = stamps[-1] + np.uint64(1000)
    upper = words[:, 2] & np.uint32(0xFFFF0000)
    for number in range(-(-events // len(table))):
        now = stamps + np.uint64(number) * span
        words[:, 1] = now.astype(np.uint32)
        words[:, 2] = upper | (now >> np.uint64(32)).astype(np.uint32)
        yield words[: events - number * len(table)]


def read_through(path: Path) -> None:
    """Bring a file into the page cache."""
    buffer = bytearray(4 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
