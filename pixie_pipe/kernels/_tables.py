"""Columns for tables of events, in memory that is used again."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import CACHE_LINE, BufferPool
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES

# Touching fresh memory costs more than copying a table.
POOL: Final = BufferPool()

# The pool gives no small pieces.
_POOLED_BYTES: Final = 1 << 16

# Between columns, so that the same row of all columns does not fall into the same set
# of the caches. Nine lines: no multiple of the sets of any cache.
_STAGGER: Final = 9 * CACHE_LINE


def is_pooled(nbytes: int) -> bool:
    """Tell whether a table of this size is worth being made by `new_columns`."""
    return nbytes >= _POOLED_BYTES


def new_columns(like: Events, count: int, samples: int) -> dict[str, NDArray[Any]]:
    """Return columns for a table, with any content.

    Parameters
    ----------
    like
        A table with the same columns.
    count
        Number of events.
    samples
        Number of samples of all traces.
    """
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
    slab = POOL.take(total)
    return {
        column.name: np.ndarray(shape, column.dtype, buffer=slab, offset=start)
        for (column, shape), start in zip(columns, starts, strict=True)
    }
