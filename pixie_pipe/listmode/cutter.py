"""Cut a stream into chunks that can be decoded apart from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode._chunk_state import ChunkState
from pixie_pipe.listmode._constants import WORD
from pixie_pipe.listmode._engine import Engine, Module
from pixie_pipe.listmode.errors import StreamFinishedError
from pixie_pipe.listmode.result import NO_WORDS
from pixie_pipe.listmode.words import whole_words

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout

# Words that are copied and then scanned: they stay in the cache between.
_STEP = 1 << 18

_NO_POSITIONS = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A chunk: what `ChunkDecoder.decode` takes.

    Attributes
    ----------
    words
        Words of the chunk, and behind them `look_ahead` words of the next one,
        which the rule of damage asks for; shape (n,), uint32.
    offset
        Index in the stream of the chunk's first word.
    state
        What a decoder needs to know of the stream before the chunk.
    final
        Whether the stream ends with this chunk.
    look_ahead
        Words that come again at the beginning of the next chunk: an event that
        is not complete or not decided yet. 0 in the final chunk.
    """

    words: NDArray[np.uint32]
    offset: int
    state: bytes
    final: bool
    look_ahead: int

    @property
    def word_count(self) -> int:
        """Words of the chunk itself, which no other chunk counts."""
        return self.words.size - self.look_ahead


class ChunkCutter:
    """Cuts one stream, fed in pieces of any size, where events begin.

    It judges headers as the decoder does, but fills no columns. A chunk ends where
    the decoder would be with the words fed so far, so decoding the chunks, in any
    order, gives what decoding the whole stream does. Where the stream is lost for
    long, a chunk may end within a stretch of rejected words (see `join_touching`).

    Parameters
    ----------
    layout, modules, max_event_length
        As for `decode`; those who decode the chunks must be given the same.
    pool
        Memory to use again for the words of chunks. By default the cutter makes a
        pool of its own.

    Raises
    ------
    LayoutError
        If `modules` or `max_event_length` are impossible in the layout.

    Examples
    --------
    >>> import numpy as np
    >>> event = np.array([0x0008402D, 1000, 0, 2345], np.uint32)
    >>> cutter = ChunkCutter(Layout.find(frequency=250, revision=30474))
    >>> for number in range(3):
    ...     cutter.feed(event)
    >>> cut, rest = cutter.cut(), cutter.finish()
    >>> (cut.offset, cut.word_count), (rest.offset, rest.word_count)
    ((0, 8), (8, 4))
    """

    def __init__(
        self,
        layout: Layout,
        *,
        modules: Iterable[Module] | None = None,
        max_event_length: int | None = None,
        pool: BufferPool | None = None,
    ) -> None:
        self.layout = layout
        self._engine = Engine(layout, modules, max_event_length)
        self._fingerprint = self._engine.fingerprint
        self._pool = BufferPool() if pool is None else pool
        self._buffer = NO_WORDS
        self._filled = 0
        self._decided = 0
        self._offset = 0
        self._memory = self._engine.memory
        self._expected = 0
        self._finished = False

    def feed(self, words: NDArray[np.uint32]) -> None:
        """Take the next piece of the stream.

        Parameters
        ----------
        words
            32-bit words, any number of them. The cutter keeps no reference.

        Raises
        ------
        TypeError
            If `words` are neither words nor bytes.
        ChunkError
            If they are bytes that do not end with a whole word.
        StreamFinishedError
            If `finish` was called before.
        """
        self._refuse_if_finished()
        piece = whole_words(words)
        self._make_room(piece.size)
        for first in range(0, piece.size, _STEP):
            part = piece[first : first + _STEP]
            filled = self._filled + part.size
            self._buffer[self._filled : filled] = part
            self._filled = filled
            self._decided += self._engine.scan(
                self._buffer[self._decided : filled],
                self._offset + self._decided,
                _NO_POSITIONS,
                final=False,
            )

    @property
    def pending_words(self) -> int:
        """Words of the chunk that `cut` would give."""
        return self._decided

    def cut(self) -> Cut | None:
        """Return all words that are decided as one chunk, or None if there are none.

        Raises
        ------
        StreamFinishedError
            If `finish` was called before.
        """
        self._refuse_if_finished()
        return self._take(final=False) if self._decided else None

    def finish(self) -> Cut | None:
        """End the stream: return all words that are left, or None if there are none.

        Raises
        ------
        StreamFinishedError
            If it was called before.
        """
        self._refuse_if_finished()
        self._finished = True
        self._decided = self._filled
        return self._take(final=True) if self._filled else None

    def _take(self, *, final: bool) -> Cut:
        words = self._buffer[: self._filled]
        rest = words[self._decided :]
        state = ChunkState(self._memory, words.size, rest.size, final)
        cut = Cut(
            words=words,
            offset=self._offset,
            state=state.pack(self._fingerprint),
            final=final,
            look_ahead=rest.size,
        )
        self._memory = self._engine.memory
        self._offset += self._decided
        self._expected = words.size
        self._buffer, self._filled, self._decided = NO_WORDS, 0, 0
        if rest.size:
            self._make_room(rest.size)
            self._buffer[: rest.size] = rest
            self._filled = rest.size
        return cut

    def _make_room(self, count: int) -> None:
        """Make the buffer so large that `count` more words fit."""
        needed = self._filled + count
        if needed <= self._buffer.size:
            return
        # As large as the last chunk, so that it need not grow step by step.
        size = max(needed, 2 * self._buffer.size, self._expected)
        lent = self._pool.take(size * WORD.itemsize)
        larger = lent[: lent.size // WORD.itemsize * WORD.itemsize].view(WORD)
        larger[: self._filled] = self._buffer[: self._filled]
        self._buffer = larger

    def _refuse_if_finished(self) -> None:
        if self._finished:
            raise StreamFinishedError(
                "the stream of this cutter was finished; make a new cutter for a new "
                "stream"
            )
