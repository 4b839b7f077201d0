"""Memory for the columns that the decoder's kernel writes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import CACHE_LINE, empty_aligned
from pixie_pipe.events import Block, Column, Events, columns_of
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.listmode import _constants
from pixie_pipe.listmode._constants import CORE_WORDS
from pixie_pipe.listmode._state import Columns

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool

_BITS = {
    Block.ENERGY_SUMS: _constants.ENERGY_SUMS,
    Block.QDC: _constants.QDC,
    Block.EXTERNAL_TIME: _constants.EXTERNAL_TIME,
    Block.TRACE: _constants.TRACE,
}

_KERNEL_BLOCKS = (Block.CORE, *_BITS)


class ColumnBuffers:
    """Columns for all events that some words can hold.

    There is room for the shortest events; memory that no event reaches is never
    touched. Optional blocks get memory when the first event has them.
    """

    def __init__(self, word_count: int, pool: BufferPool | None) -> None:
        self._word_count = word_count
        self._capacity = word_count // CORE_WORDS
        self._pool = pool
        self._arrays: dict[str, NDArray[Any]] = {}
        self._kernel_columns: Columns | None = None
        self._add(dict.fromkeys(columns_of(Block.CORE), self._capacity))

    def add_blocks(self, blocks: int, rows: int) -> None:
        """Make room for `blocks` (bits); the first `rows` events do not have them."""
        for block, bit in _BITS.items():
            if not blocks & bit:
                continue
            sizes = dict.fromkeys(columns_of(block), self._capacity)
            if block is Block.TRACE:
                sizes[TRACE_OFFSETS] = self._capacity + 1
                sizes[TRACE_SAMPLES] = 2 * self._word_count
            self._add(sizes)
            for column in columns_of(block):
                self._arrays[column.name][:rows] = 0
            if block is Block.TRACE:
                self._arrays[TRACE_OFFSETS.name][: rows + 1] = 0

    def _add(self, rows: dict[Column, int]) -> None:
        """Give memory to columns with so many rows."""
        starts = []
        total = 0
        for column, count in rows.items():
            starts.append(total)
            size = count * column.width * column.dtype.itemsize
            total += -(-size // CACHE_LINE) * CACHE_LINE
        slab = self._pool.take(total) if self._pool else empty_aligned(total)
        for (column, count), start in zip(rows.items(), starts, strict=True):
            self._arrays[column.name] = np.ndarray(
                column.shape(count), column.dtype, buffer=slab, offset=start
            )
        self._kernel_columns = None

    def for_kernel(self) -> Columns:
        """Return the columns as the kernel wants them; absent ones are empty."""
        if self._kernel_columns is None:
            self._kernel_columns = Columns(*self._kernel_arrays())
        return self._kernel_columns

    def _kernel_arrays(self) -> Iterator[NDArray[Any]]:
        for block in _KERNEL_BLOCKS:
            for column in columns_of(block):
                values = self._arrays.get(column.name)
                if values is None:
                    values = _absent(column)
                if column.dtype == np.bool_:
                    values = values.view(np.uint8)
                elif column.dtype == np.float32:
                    values = values.view(np.uint32)
                yield values
        if TRACE_OFFSETS.name in self._arrays:
            yield self._arrays[TRACE_OFFSETS.name][1:]
            yield self._arrays[TRACE_SAMPLES.name].view(np.uint32)
        else:
            yield _absent(TRACE_OFFSETS)
            yield _absent(TRACE_SAMPLES).view(np.uint32)

    def events(self, count: int, samples: int) -> Events:
        """Return the first `count` events, with `samples` samples of traces."""
        columns = {name: values[:count] for name, values in self._arrays.items()}
        if TRACE_OFFSETS.name in self._arrays:
            offsets = self._arrays[TRACE_OFFSETS.name]
            columns[TRACE_OFFSETS.name] = offsets[: count + 1]
            columns[TRACE_SAMPLES.name] = self._arrays[TRACE_SAMPLES.name][:samples]
        return Events._trusted(columns, count)  # noqa: SLF001  # within the package


@cache
def _absent(column: Column) -> NDArray[Any]:
    return np.empty(column.shape(0), column.dtype)
