"""Call each kernel of the built-in tasks once, on next to nothing.

Numba compiles a kernel anew for each combination of types, and arrays that may be
written to are another type than those that may not, as they come over links. What is
called here is all that a running pipeline calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.events import Events
from pixie_pipe.kernels._merging import moved
from pixie_pipe.kernels._parts import Part
from pixie_pipe.kernels.bitshuffle import compress, most_compressed_bytes
from pixie_pipe.kernels.channel_table import ChannelRange
from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition, Mode
from pixie_pipe.kernels.coincidences import CoincidenceBuilder
from pixie_pipe.kernels.external_time import ExternalTimes
from pixie_pipe.kernels.histogram import note_counts
from pixie_pipe.kernels.time_offsets import TimeOffsets
from pixie_pipe.kernels.time_order import time_order
from pixie_pipe.kernels.time_shift import shift_timestamps
from pixie_pipe.kernels.time_sorter import TimeSorter
from pixie_pipe.kernels.wall_time import assign_wall_times
from pixie_pipe.listmode import (
    ChunkCutter,
    ChunkDecoder,
    Layout,
    encode,
    event_positions,
)
from pixie_pipe.spectra import Spectra

if TYPE_CHECKING:
    from pixie_pipe.listmode import Cut

_LAYOUT = (500, 34688)


def warm_up() -> None:
    """Load the kernels, or compile them."""
    events = _some_events()
    layout = Layout.find(*_LAYOUT)
    words = encode(events, layout)
    shift_timestamps(words, event_positions(words, layout), 1)
    pool = BufferPool()
    cutter = ChunkCutter(layout, pool=pool)
    cutter.feed(words)
    _decode(ChunkDecoder(layout, pool=pool), cutter.finish())
    swapped = np.arange(len(events))
    swapped[:2] = 1, 0
    for batch in (events, events[::-1], events[swapped]):
        arrived = _read_only(batch)
        for each in (batch, arrived, arrived[1:]):
            _sort(each)
    arrived = _read_only(events)
    _merge(events)
    TimeOffsets({(0, 2): 1}).shift(arrived)
    assign_wall_times(arrived, gap_s=1)
    ExternalTimes(1).apply(arrived)
    for each in (events, arrived):
        _build_coincidences(each)
    _fill(arrived)
    _order()
    compress(
        events.energy, np.zeros(most_compressed_bytes(events.energy.nbytes), np.uint8)
    )


def _some_events() -> Events:
    """Return events of two modules with traces, in order."""
    count = 16
    return Events(
        {
            "crate": np.zeros(count, np.uint8),
            "slot": np.array([2, 3] * (count // 2), np.uint8),
            "channel": np.arange(count, dtype=np.uint8),
            "energy": np.zeros(count, np.uint16),
            "timestamp": np.arange(count, dtype=np.uint64),
            "time_ps": 10_000 * np.arange(count, dtype=np.int64),
            "cfd_fraction": np.zeros(count, np.uint16),
            "cfd_source": np.zeros(count, np.uint8),
            "cfd_forced": np.zeros(count, np.bool_),
            "pileup": np.zeros(count, np.bool_),
            "out_of_range": np.zeros(count, np.bool_),
            "trace_offsets": 2 * np.arange(count + 1),
            "trace_samples": np.zeros(2 * count, np.uint16),
        }
    )


def _read_only(events: Events) -> Events:
    """Return events as they come over a link."""
    columns = {name: events[name].copy() for name in events.columns}
    for column in columns.values():
        column.flags.writeable = False
    return Events(columns)


def _decode(decoder: ChunkDecoder, cut: Cut | None) -> None:
    assert cut is not None
    decoder.decode(cut.words, offset=cut.offset, state=cut.state, final=cut.final)


def _sort(batch: Events) -> None:
    sorter = TimeSorter(0, max_wait_ps=1, max_bytes=1 << 20)
    for _ in range(2):
        sorter.add(batch, stream=0)
    sorter.finish()


def _merge(events: Events) -> None:
    """Merge parts that alternate, parts that hardly overlap, and rows in no order."""
    count = len(events)
    wide = events.with_columns(
        qdc=np.zeros((count, 8), np.uint32),
        qdc_valid=np.ones(count, bool),
        esum_valid=np.ones(count, bool),
        esum_trailing=np.arange(count, dtype=np.uint32),
        esum_leading=np.zeros(count, np.uint32),
        esum_gap=np.zeros(count, np.uint32),
        baseline=np.zeros(count, np.float32),
    )
    times = 2 * np.arange(count)
    half = count // 2
    stretches = np.array([[half, 0, count - half], [0, count - half, half]])
    for rows in (slice(0, count), stretches, np.arange(count)[::-1].copy()):
        for later in (1, 2 * count - 3):
            moved(
                [Part(wide, rows, times + delay, wide.nbytes) for delay in (0, later)]
            )


def _build_coincidences(batch: Events) -> None:
    """Build coincidences in each mode, and with delays."""
    channels = (ChannelRange(0, 2, 0, 255),)
    for definition in (
        CoincidenceDefinition(),
        CoincidenceDefinition(mode=Mode.FIRST, count_channels=True),
        CoincidenceDefinition(mode=Mode.TRIGGER, trigger=channels),
        CoincidenceDefinition(delays_ps=((channels[0], 1),)),
    ):
        builder = CoincidenceBuilder(definition)
        builder.add(batch)
        builder.finish()


def _fill(events: Events) -> None:
    """Fill histograms of all kinds."""
    events = events.with_columns(coincidence=np.ones(len(events), np.int64))
    pair = ["c0-s02-ch00", "c0-s03-ch00"]
    spectra = Spectra(
        [
            {"kind": "spectrum"},
            {"kind": "rate"},
            {"kind": "time_difference", "channels": pair},
            {"kind": "matrix"},
        ]
    )
    spectra.fill(events)
    spectra.finish()
    # What LastingArray uses beside, with memory that can be written to.
    counts, places = np.zeros(1, np.int64), np.zeros(1, np.int64)
    note_counts(counts, places, places.copy())


def _order() -> None:
    """Sort times that need one method after the other."""
    rising = np.arange(64, dtype=np.int64)
    one_swap = np.concatenate([rising[::-1][:2], rising[2:]])
    swaps = rising.reshape(-1, 8)[:, [1, 0, 2, 3, 4, 5, 6, 7]].ravel()
    crowded = np.concatenate([rising[::-1], np.array([1 << 40])])
    for times in (one_swap, swaps, np.ascontiguousarray(rising[::-1]), crowded):
        frozen: NDArray[np.int64] = times.copy()
        frozen.flags.writeable = False
        for each in (times, frozen):
            time_order(each)
