"""The FIFO of a module: finite, and silent when words are lost.

Words come one after the other, some time each, so that a read can end in the middle of
an event. Where a word finds the FIFO full, it is lost; so are those behind it until
somebody reads. Nothing in the data tells.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.errors import SimulationError

if TYPE_CHECKING:
    from pixie_pipe.simulation.chunks import Chunk

FIFO_WORDS: Final = 131_072
"""Words that the FIFO of a Pixie-16 holds (PixieSDK, hw::fifo_size_words)."""

LIBRARY_WORDS: Final = 100 * 65_536
"""Words of a module that XIA's library keeps until somebody reads them: 100 buffers, to
which a thread of its own moves what the FIFO holds (PixieSDK, ``buffers``)."""

WORD_PS: Final = 10_000
"""Time to write one word: a bus of 32 bits at 100 MHz."""


class _Arriving:
    """A chunk on its way into the FIFO."""

    def __init__(self, chunk: Chunk, free_ps: int) -> None:
        self.words = chunk.words
        self._ends = chunk.ends
        # Event i begins when it is ready and the ones before it are written.
        before = np.concatenate([[0], chunk.ends[:-1]])
        idle = np.maximum(chunk.ready_ps, free_ps) - before * WORD_PS
        self._shift = np.maximum.accumulate(idle)
        self._end_ps = self._shift + chunk.ends * WORD_PS
        self.taken = 0

    @property
    def end_ps(self) -> int:
        return int(self._end_ps[-1])

    def arrived(self, now_ps: int) -> int:
        """Return how many of its words have come by now."""
        event = int(np.searchsorted(self._end_ps, now_ps, "right"))
        if event == self._ends.size:
            return self.words.size
        before = int(self._ends[event - 1]) if event else 0
        partial = (now_ps - int(self._shift[event])) // WORD_PS
        return max(before, min(partial, int(self._ends[event])))


class Fifo:
    """The FIFO of one module.

    Parameters
    ----------
    size
        Words that it holds.

    Raises
    ------
    SimulationError
        If it holds none.
    """

    def __init__(self, size: int = FIFO_WORDS) -> None:
        if size < 1:
            raise SimulationError(f"a FIFO of {size} words, expected at least 1")
        self._size = size
        self._arriving: deque[_Arriving] = deque()
        self._held: deque[NDArray[np.uint32]] = deque()
        self._free_ps = 0
        self._is_full = False
        self.words_offered = 0
        self.level = 0
        self.words_written = 0
        self.words_dropped = 0
        self.overflows = 0
        self._lost: list[tuple[int, int]] = []

    def offer(self, chunk: Chunk) -> None:
        """Take events that are behind all before them."""
        arriving = _Arriving(chunk, self._free_ps)
        self._free_ps = arriving.end_ps
        self._arriving.append(arriving)
        self.words_offered += chunk.words.size

    def advance(self, now_ps: int | None) -> None:
        """Let the words come that are written by now; all if `now_ps` is None."""
        while self._arriving:
            chunk = self._arriving[0]
            count = chunk.words.size if now_ps is None else chunk.arrived(now_ps)
            if count > chunk.taken:
                self._write(chunk.words[chunk.taken : count])
                chunk.taken = count
            if count < chunk.words.size:
                return
            self._arriving.popleft()

    def _write(self, words: NDArray[np.uint32]) -> None:
        fit = min(words.size, self._size - self.level)
        if fit:
            self._held.append(words[:fit])
            self.level += fit
            self._is_full = False
        lost = words.size - fit
        if lost:
            begin = self.words_written + fit
            if self._lost and self._lost[-1][1] == begin:
                begin = self._lost.pop()[0]
            self._lost.append((begin, self.words_written + words.size))
            self.words_dropped += lost
            self.overflows += not self._is_full
            self._is_full = True
        self.words_written += words.size

    def read(self, most: int) -> NDArray[np.uint32]:
        """Return at most so many words, shape (n,), in memory of their own."""
        out = np.empty(min(most, self.level), np.uint32)
        done = 0
        while done < out.size:
            first = self._held[0]
            count = min(first.size, out.size - done)
            out[done : done + count] = first[:count]
            done += count
            if count < first.size:
                self._held[0] = first[count:]
            else:
                self._held.popleft()
        self.level -= out.size
        return out

    def damaged(self, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which events lost words, from their ends in the words written."""
        if not self._lost or not ends.size:
            return np.zeros(ends.size, np.bool_)
        lost = np.array(self._lost)
        begins = np.concatenate([[0], ends[:-1]])
        # The first loss that ends behind the begin of the event.
        number = np.searchsorted(lost[:, 1], begins, "right")
        inside = number < len(lost)
        result: NDArray[np.bool_] = inside & (
            lost[np.minimum(number, len(lost) - 1), 0] < ends
        )
        return result
