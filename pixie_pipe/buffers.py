"""Memory that is used again: large arrays come back when their last view is gone."""

from __future__ import annotations

import threading
import weakref

import numpy as np
from numpy.typing import NDArray

# Slabs kept for the next request. A decoder needs one for each block of columns
# and has two batches in flight.
_MAX_FREE = 12

# A slab is not given away for a request this many times smaller than itself.
_MAX_WASTE = 8

_SMALLEST = 1 << 16


class BufferPool:
    """Lends arrays and takes their memory back when nobody refers to it any more.

    The first touch of fresh memory costs more than decoding into it. A pool
    avoids that for whoever decodes piece after piece. No call gives memory back:
    an array, and every view made of it, keeps its memory until the last of them
    is garbage collected. A pool may be shared by threads.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> NDArray[np.uint8]:
        """Return at least `size` bytes of memory with any content, shape (n,)."""
        slab = self._reuse(size)
        if slab is None:
            slab = np.empty(max(size, _SMALLEST), np.uint8)
        # numpy gives the views of a view the owner of the memory as their base.
        # An array made from the buffer protocol counts as that owner, so it lives
        # exactly as long as any view of it.
        lent = np.frombuffer(slab.data, np.uint8)
        weakref.finalize(lent, self._give_back, slab).atexit = False
        return lent

    def _reuse(self, size: int) -> NDArray[np.uint8] | None:
        with self._lock:
            fitting = [
                (slab.nbytes, index)
                for index, slab in enumerate(self._free)
                if size <= slab.nbytes <= max(_MAX_WASTE * size, _SMALLEST)
            ]
            return self._free.pop(min(fitting)[1]) if fitting else None

    def _give_back(self, slab: NDArray[np.uint8]) -> None:
        with self._lock:
            self._free.append(slab)
            if len(self._free) > _MAX_FREE:
                del self._free[0]
