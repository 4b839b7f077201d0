"""Words of one stream in, chunks out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.listmode import ChunkCutter
from pixie_pipe.listmode.result import NO_WORDS
from pixie_pipe.pipeline.data import Chunk, Stream, Words

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool
    from pixie_pipe.listmode import Cut

# The cutter is not called for less than this part of a chunk.
_LEAST_PART = 8


class StreamGapError(PixiePipeError, ValueError):
    """Words that do not continue their stream."""


class StreamCutter:
    """Joins the words of a stream and cuts them into chunks at event boundaries.

    Parameters
    ----------
    stream
        The stream.
    chunk_words
        Words of a chunk, roughly: it ends with a whole event.
    pool
        Memory for the chunks.
    clock
        Returns seconds; what the age of words is measured with.

    Attributes
    ----------
    words
        Number of words that came.
    ended
        Whether the last words have come.
    """

    def __init__(
        self,
        stream: Stream,
        chunk_words: int,
        *,
        pool: BufferPool,
        clock: Callable[[], float],
    ) -> None:
        self.stream = stream
        self.words = 0
        self.ended = False
        self._chunk_words = chunk_words
        self._clock = clock
        self._cutter = ChunkCutter(
            stream.decoding,
            modules=stream.modules,
            max_event_length=stream.max_event_length,
            pool=pool,
        )
        self._waiting_since: float | None = None
        self._cut_words = 0
        self._time_ns = 0

    def feed(self, words: Words) -> Iterator[Chunk]:
        """Take words, and give the chunks that are full; the last one if they end.

        Raises
        ------
        StreamGapError
            If they do not continue the stream.
        """
        if self.ended or words.offset != self.words:
            expected = (
                "nothing: it has ended" if self.ended else f"word {self.words} next"
            )
            raise StreamGapError(
                f"{self.stream}: words from word {words.offset} on came, expected "
                f"{expected}; the source must send every word once, in order"
            )
        self.words += words.words.size
        self._time_ns = words.time_ns
        yield from self._cut_full(words)
        if words.final:
            yield self.finish(words.trailing)
        elif self._waiting_since is None and self._cutter.pending_words:
            self._waiting_since = self._clock()

    def _cut_full(self, words: Words) -> Iterator[Chunk]:
        piece, at = words.words, 0
        while at < piece.size:
            room = self._chunk_words - self._cutter.pending_words
            behind = at + max(room, self._chunk_words // _LEAST_PART, 1)
            self._cutter.feed(piece[at:behind])
            at = behind
            if self._cutter.pending_words >= self._chunk_words:
                yield from self._cut()

    def flush(self, seconds: float) -> Iterator[Chunk]:
        """Give the words that have waited for at least so long, if there are any."""
        since = self._waiting_since
        if since is not None and self._clock() - since >= seconds:
            yield from self._cut()

    def finish(self, trailing: bytes = b"") -> Chunk:
        """End the stream; return its last chunk, which may have no words.

        Parameters
        ----------
        trailing
            Bytes behind the last whole word.
        """
        self.ended = True
        self._waiting_since = None
        cut = self._cutter.finish()
        if cut is not None:
            return self._chunk(cut, trailing)
        return Chunk(
            NO_WORDS,
            self.stream,
            self._cut_words,
            b"",
            time_ns=self._time_ns,
            final=True,
            trailing=trailing,
        )

    def _cut(self) -> Iterator[Chunk]:
        self._waiting_since = None
        cut = self._cutter.cut()
        if cut is not None:
            yield self._chunk(cut, b"")

    def _chunk(self, cut: Cut, trailing: bytes) -> Chunk:
        self._cut_words += cut.word_count
        return Chunk(
            cut.words,
            self.stream,
            cut.offset,
            cut.state,
            cut.look_ahead,
            time_ns=self._time_ns,
            final=cut.final,
            trailing=trailing,
        )
