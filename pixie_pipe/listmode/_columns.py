"""Memory for the columns that the decoder's kernel writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

# Between columns, so that the same row of all columns does not fall into the same set
# of the caches where the number of rows is a power of two. Nine lines: no multiple of
# the sets of any cache.
_STAGGER = 9 * CACHE_LINE

_KERNEL_BLOCKS = (Block.CORE, *_BITS)


class ColumnBuffers:
    """Columns for all events that some words can hold.

    There is room for the shortest events; memory that no event reaches is never
    touched. Optional blocks get memory at once if they are expected (bits), else
    when the first event has them.
    """

    def __init__(
        self, word_count: int, pool: BufferPool | None, expected_blocks: int = 0
    ) -> None:
        self._word_count = word_count
        self._capacity = word_count // CORE_WORDS
        self._pool = pool
        self._arrays: dict[str, NDArray[Any]] = {}
        self._kernel_columns: Columns | None = None
        core = [(column, self._capacity) for column in columns_of(Block.CORE)]
        self._add([*core, *self._columns_of(expected_blocks)])
        if expected_blocks & _constants.TRACE:
            self._arrays[TRACE_OFFSETS.name][0] = 0

    def add_blocks(self, blocks: int, rows: int) -> None:
        """Make room for `blocks` (bits); the first `rows` events do not have them."""
        added = list(self._columns_of(blocks))
        self._add(added)
        for column, _ in added:
            if column is not TRACE_SAMPLES:
                # One row more: there is one more offset than events.
                self._arrays[column.name][: rows + 1] = 0

    def _columns_of(self, blocks: int) -> Iterator[tuple[Column, int]]:
        """Yield the columns of some blocks (bits) and how many rows they need."""
        for block, bit in _BITS.items():
            if blocks & bit:
                for column in columns_of(block):
                    yield column, self._capacity
        if blocks & _constants.TRACE:
            yield TRACE_OFFSETS, self._capacity + 1
            yield TRACE_SAMPLES, 2 * self._word_count

    def _add(self, rows: Sequence[tuple[Column, int]]) -> None:
        """Give memory to columns with so many rows."""
        starts = []
        total = 0
        for column, count in rows:
            starts.append(total)
            size = count * column.width * column.dtype.itemsize
            total += -(-size // CACHE_LINE) * CACHE_LINE + _STAGGER
        slab = self._pool.take(total) if self._pool else empty_aligned(total)
        for (column, count), start in zip(rows, starts, strict=True):
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

    def events(self, count: int, samples: int, blocks: int) -> Events:
        """Return the first `count` events, with the blocks (bits) that they have.

        `samples` is the number of samples of their traces.
        """
        columns = {
            column.name: self._arrays[column.name][:count]
            for block in _KERNEL_BLOCKS
            if block is Block.CORE or blocks & _BITS[block]
            for column in columns_of(block)
        }
        if blocks & _constants.TRACE:
            offsets = self._arrays[TRACE_OFFSETS.name]
            columns[TRACE_OFFSETS.name] = offsets[: count + 1]
            columns[TRACE_SAMPLES.name] = self._arrays[TRACE_SAMPLES.name][:samples]
        return Events._trusted(columns, count)  # noqa: SLF001  # within the package


@cache
def _absent(column: Column) -> NDArray[Any]:
    return np.empty(column.shape(0), column.dtype)
