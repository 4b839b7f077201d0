"""Call each kernel once, on next to nothing, from words to events in order.

Numba compiles a kernel anew for each combination of types, and arrays that may be
written to are another type than those that may not, as they come over links. What is
called here is all that a running pipeline calls that reads, sorts and writes. Other
tasks have files of their own for that (`Task.preparations`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.kernels._merging import moved
from pixie_pipe.kernels._parts import Part
from pixie_pipe.kernels.bitshuffle import compress, most_compressed_bytes
from pixie_pipe.kernels.external_time import ExternalTimes
from pixie_pipe.kernels.time_offsets import TimeOffsets
from pixie_pipe.kernels.time_order import time_order
from pixie_pipe.kernels.time_shift import shift_timestamps
from pixie_pipe.kernels.time_sorter import TimeSorter
from pixie_pipe.listmode import (
    ChunkCutter,
    ChunkDecoder,
    Layout,
    encode,
    event_positions,
)
from pixie_pipe.tasks._warm_up_events import read_only, some_events

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.listmode import Cut

_LAYOUT = (500, 34688)


def warm_up() -> None:
    """Load the kernels, or compile them."""
    events = some_events()
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
        arrived = read_only(batch)
        for each in (batch, arrived, arrived[1:]):
            _sort(each)
    _merge(events)
    arrived = read_only(events)
    TimeOffsets({(0, 2): 1}).shift(arrived)
    ExternalTimes(1).apply(arrived)
    _order()
    compress(
        events.energy, np.zeros(most_compressed_bytes(events.energy.nbytes), np.uint8)
    )


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
