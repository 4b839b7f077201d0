"""Joining and reordering tables of events, in memory that is used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import CACHE_LINE, BufferPool
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.schema import TRACE_OFFSETS

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
    columns = _columns(first, sum(map(len, tables)))
    for name, column in columns.items():
        np.concatenate([table[name] for table in tables], out=column)
    return Events._trusted(columns, sum(map(len, tables)))  # noqa: SLF001  # own package


def reordered(events: Events, rows: NDArray[np.intp]) -> Events:
    """Return a permutation of the events: ``events[rows]``."""
    if not _is_pooled([events]):
        return events[rows]
    columns = _columns(events, len(events))
    (moved,) = np.nonzero(rows != np.arange(rows.size))
    if moved.size * _COPY_GAIN < rows.size:
        sources = rows[moved]
        for name, column in columns.items():
            np.copyto(column, events[name])
            column[moved] = events[name][sources]
        return Events._trusted(columns, len(events))  # noqa: SLF001  # own package
    for name, column in columns.items():
        # Any mode but the default one writes to `out` without a copy between.
        np.take(events[name], rows, axis=0, out=column, mode="clip")
    return Events._trusted(columns, len(events))  # noqa: SLF001  # own package


def _is_pooled(tables: Sequence[Events]) -> bool:
    """Tell whether tables are large and have no traces, whose size is not known."""
    return sum(table.nbytes for table in tables) >= _POOLED_BYTES and not any(
        TRACE_OFFSETS.name in table.columns for table in tables
    )


def _columns(like: Events, count: int) -> dict[str, NDArray[Any]]:
    """Return columns with any content, the same ones as `like` has."""
    columns = [COLUMN[name] for name in like.columns]
    starts = []
    total = 0
    for column in columns:
        starts.append(total)
        size = count * column.width * column.dtype.itemsize
        total += -(-size // CACHE_LINE) * CACHE_LINE + _STAGGER
    slab = _POOL.take(total)
    return {
        column.name: np.ndarray(
            column.shape(count), column.dtype, buffer=slab, offset=start
        )
        for column, start in zip(columns, starts, strict=True)
    }
