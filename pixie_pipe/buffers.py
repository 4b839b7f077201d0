"""Memory that is used again: large arrays come back when their last view is gone."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Slabs kept of each size for the next request: a decoder has a few batches in
# flight.
_MAX_FREE = 4

# Sizes are rounded up to powers of two, from this exponent on, so that requests of
# nearly the same size use the same memory. What is not used is not touched.
_SMALLEST_EXPONENT = 16


CACHE_LINE = 64


def empty_aligned(size: int) -> NDArray[np.uint8]:
    """Return `size` bytes of fresh memory that begin at a cache line, shape (n,).

    Where they begin elsewhere, as memory from numpy does, every other vector that
    a kernel writes lies across two lines.
    """
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size]


Allocator = Callable[[int], "NDArray[np.uint8] | None"]
"""Returns so many bytes, or None if it has no more."""


class _Memory:
    """Where the pools of this process take their memory from."""

    allocate: Allocator | None = None


def use_memory(allocate: Allocator | None) -> None:
    """Let all pools of this process take their memory from somewhere else.

    Parameters
    ----------
    allocate
        Returns memory of a size, aligned to cache lines, that may be used again when
        its last view is gone; None: the usual memory again.
    """
    _Memory.allocate = allocate


class BufferPool:
    """Lends arrays and takes their memory back when nobody refers to it any more.

    The first touch of fresh memory costs more than decoding into it. A pool
    avoids that for whoever decodes piece after piece. No call gives memory back:
    an array, and every view made of it, keeps its memory until the last of them
    is garbage collected. A pool may be shared by threads.

    Parameters
    ----------
    allocate
        Where to take memory from, as for `use_memory`; by default what that says.
    """

    def __init__(self, allocate: Allocator | None = None) -> None:
        self._allocate = allocate
        self._free: defaultdict[int, list[NDArray[np.uint8]]] = defaultdict(list)

    def take(self, size: int) -> NDArray[np.uint8]:
        """Return at least `size` bytes of memory with any content, shape (n,)."""
        exponent = max(_SMALLEST_EXPONENT, (size - 1).bit_length())
        # Popping and appending are atomic, so threads need no lock.
        try:
            slab = self._free[exponent].pop()
        except IndexError:
            slab = self._new_slab(1 << exponent)
        # numpy gives the views of a view the owner of the memory as their base.
        # An array made from the buffer protocol counts as that owner, so it lives
        # exactly as long as any view of it.
        lent = np.frombuffer(slab.data, np.uint8)
        weakref.finalize(lent, self._give_back, exponent, slab).atexit = False
        return lent

    def take_array(self, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return an array with any content, shape (count,)."""
        size = count * np.dtype(dtype).itemsize
        if size < 1 << _SMALLEST_EXPONENT:
            return np.empty(count, dtype)
        return self.take(size)[:size].view(dtype)

    def take_parts(self, sizes: Sequence[int]) -> list[NDArray[np.uint8]]:
        """Return memory for several arrays, one behind the other.

        Parameters
        ----------
        sizes
            Bytes of each.

        Returns
        -------
        list of ndarray
            With any content, each of just its size and from a cache line on.
        """
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] + -(-size // CACHE_LINE) * CACHE_LINE)
        slab = self.take(starts.pop())
        return [
            slab[start : start + size]
            for start, size in zip(starts, sizes, strict=True)
        ]

    def _give_back(self, exponent: int, slab: NDArray[np.uint8]) -> None:
        free = self._free[exponent]
        if len(free) < _MAX_FREE:
            free.append(slab)

    def _new_slab(self, size: int) -> NDArray[np.uint8]:
        allocate = self._allocate or _Memory.allocate
        slab = None if allocate is None else allocate(size)
        return empty_aligned(size) if slab is None else slab
