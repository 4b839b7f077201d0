"""Writing events to HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.bench.data import SAMPLES, header_events, trace_events
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import GIGA, MILLION, memcpy, one_core, timed
from pixie_pipe.kernels.bitshuffle import compress, most_compressed_bytes
from pixie_pipe.storage import Hdf5Writer

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings
    from pixie_pipe.events import Events

_EVENTS: Final = 4_000_000
_TRACES: Final = 200_000
_BATCH_BYTES: Final = 4 << 20
_CHUNK: Final = 1 << 17


def measure(settings: Settings) -> Section:
    """Measure header-only events and traces."""
    cases = {
        "header only": header_events(settings.events(_EVENTS)),
        f"{SAMPLES}-sample traces": trace_events(settings.events(_TRACES)),
    }
    rows = {}
    with one_core():
        for name, events in cases.items():
            rows[name] = _compare(events, settings)
    return Section(
        "Writing",
        "Batches of 4 MiB to an HDF5 file, every column with bitshuffle-LZ4, one core. "
        "GB are those of the columns. The filter alone compresses the same columns and "
        "writes nothing.",
        (Table("events", rows),),
    )


def _compare(events: Events, settings: Settings) -> dict[str, Figure]:
    path = settings.directory / "written.h5"
    rows = max(1, len(events) * _BATCH_BYTES // events.nbytes)
    batches = [events[first : first + rows] for first in range(0, len(events), rows)]
    copy = memcpy(events.nbytes)
    # Once for nothing: kernels and the library are loaded.
    _compress(events[:1])
    _write(path, [events[:1]])
    copies, times, filters = [], [], []
    for _ in range(settings.rounds):
        copies.append(timed(copy))
        filters.append(timed(lambda: _compress(events)))
        times.append(timed(lambda: _write(path, batches)))
    size = path.stat().st_size
    path.unlink()
    return {
        "M events/s": figure([len(events) / seconds / MILLION for seconds in times]),
        "GB/s": figure([events.nbytes / seconds / GIGA for seconds in times]),
        "ratio to memcpy": ratio(copies, times),
        "ratio to the filter": ratio(filters, times),
        "bytes/event": figure(size / len(events)),
    }


def _write(path: Path, batches: list[Events]) -> None:
    with Hdf5Writer(path, force=True) as writer:
        for batch in batches:
            writer.write(batch)


def _compress(events: Events) -> None:
    target = np.zeros(most_compressed_bytes(_CHUNK * 64), np.uint8)
    for name in events.columns:
        column = events[name]
        for first in range(0, len(column), _CHUNK):
            compress(column[first : first + _CHUNK], target)
