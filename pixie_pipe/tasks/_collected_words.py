"""Small reads of a module, joined to frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool

_WORD_BYTES: Final = 4


class CollectedWords:
    """Collects the words of one module until a frame is full, or has waited.

    Parameters
    ----------
    frame_words
        Words of a full frame, at least 1.
    latency_s
        Longest time for which words wait, in seconds.
    pool
        Memory to use again.
    """

    def __init__(self, frame_words: int, latency_s: float, pool: BufferPool) -> None:
        self._frame_words = frame_words
        self._latency_s = latency_s
        self._pool = pool
        self._frame: NDArray[np.uint32] | None = None
        self._filled = 0
        self._since_s = 0.0
        self._time_ns = 0

    @property
    def room(self) -> int:
        """Words that fit into the frame; at least 1 where `is_due` frames are taken."""
        return self._frame_words - self._filled

    def add(self, words: NDArray[np.uint32], now_s: float, time_ns: int) -> None:
        """Append words, no more than there is room for.

        Parameters
        ----------
        words
            The words, shape (n,).
        now_s
            Time in seconds of the clock that `is_due` is asked with.
        time_ns
            Host's clock, in ns since the epoch.
        """
        if self._frame is None:
            size = self._frame_words * _WORD_BYTES
            self._frame = self._pool.take(size)[:size].view(np.uint32)
            self._since_s = now_s
            self._time_ns = time_ns
        behind = self._filled + words.size
        self._frame[self._filled : behind] = words
        self._filled = behind

    def is_due(self, now_s: float) -> bool:
        """Tell whether the frame is full, or the first words have waited enough."""
        if not self._filled:
            return False
        return not self.room or now_s - self._since_s >= self._latency_s

    def take(self) -> tuple[NDArray[np.uint32], int]:
        """Return the words, maybe none, and when the first of them came, in ns."""
        frame = np.zeros(0, np.uint32) if self._frame is None else self._frame
        words = frame[: self._filled]
        self._frame, self._filled = None, 0
        return words, self._time_ns
