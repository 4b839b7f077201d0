"""Joining and reordering tables of events, in memory that is used again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import CACHE_LINE, BufferPool
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events._ragged import gather_offsets, gather_samples
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES

# Touching fresh memory costs more than copying a table. Small tables stay out of
# it: the pool gives no small pieces.
_POOL = BufferPool()
_POOLED_BYTES: Final = 1 << 16

# Between columns, so that the same row of all columns does not fall into the same set
# of the caches. Nine lines: no multiple of the sets of any cache.
_STAGGER: Final = 9 * CACHE_LINE

# Copying all rows and then the few that move is faster than taking each from its
# place, unless more than this part of them moves: copying is 4 to 10 times as fast, and
# what moves costs twice.
_COPY_GAIN: Final = 4


def concatenated(tables: Sequence[Events]) -> Events:
    """Join tables one behind the other: ``Events.concatenate(tables)``."""
    first = tables[0]
    is_plain = all(table.columns == first.columns for table in tables)
    if len(tables) == 1 or not is_plain or not _is_pooled(tables):
        return Events.concatenate(tables)
    count = sum(map(len, tables))
    columns = _columns(first, count, sum(map(_sample_count, tables)))
    for name, column in columns.items():
        if name == TRACE_OFFSETS.name:
            _join_offsets(tables, column)
        else:
            np.concatenate([table[name] for table in tables], out=column)
    return Events._trusted(columns, count)  # noqa: SLF001  # own package


def _join_offsets(tables: Sequence[Events], offsets: NDArray[np.int64]) -> None:
    offsets[0] = 0
    start = 1
    for table in tables:
        behind = start + len(table)
        np.add(table.trace_offsets[1:], offsets[start - 1], out=offsets[start:behind])
        start = behind


def reordered(events: Events, rows: NDArray[np.intp]) -> Events:
    """Return a permutation of the events: ``events[rows]``."""
    if not _is_pooled([events]):
        return events[rows]
    columns = _columns(events, len(events), _sample_count(events))
    (moved,) = np.nonzero(rows != np.arange(rows.size))
    few = moved.size * _COPY_GAIN < rows.size
    sources = rows[moved]
    for name, column in columns.items():
        if name in _TRACES:
            continue
        if few:
            np.copyto(column, events[name])
            column[moved] = events[name][sources]
        else:
            # Any mode but the default one writes to `out` without a copy between.
            np.take(events[name], rows, axis=0, out=column, mode="clip")
    if TRACE_OFFSETS.name in columns:
        offsets, samples = (columns[name] for name in _TRACES)
        gather_offsets(events.trace_offsets, rows, offsets)
        gather_samples(
            events.trace_offsets, events.trace_samples, rows, offsets, samples
        )
    return Events._trusted(columns, len(events))  # noqa: SLF001  # own package


_TRACES: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)


def _sample_count(events: Events) -> int:
    has_traces = TRACE_SAMPLES.name in events.columns
    return len(events.trace_samples) if has_traces else 0


def _is_pooled(tables: Sequence[Events]) -> bool:
    return sum(table.nbytes for table in tables) >= _POOLED_BYTES


def _columns(like: Events, count: int, samples: int) -> dict[str, NDArray[Any]]:
    """Return columns with any content, the same ones as `like` has."""
    lengths = {TRACE_OFFSETS.name: count + 1, TRACE_SAMPLES.name: samples}
    columns = [
        (COLUMN[name], COLUMN[name].shape(lengths.get(name, count)))
        for name in like.columns
    ]
    starts = []
    total = 0
    for column, shape in columns:
        starts.append(total)
        size = math.prod(shape) * column.dtype.itemsize
        total += -(-size // CACHE_LINE) * CACHE_LINE + _STAGGER
    slab = _POOL.take(total)
    return {
        column.name: np.ndarray(shape, column.dtype, buffer=slab, offset=start)
        for (column, shape), start in zip(columns, starts, strict=True)
    }
