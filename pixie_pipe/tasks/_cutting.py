"""Words in, chunks out; words that there is no room for are read again later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.pipeline.data import Chunk, Stream, StreamKey, StreamMark, Words

if TYPE_CHECKING:
    from pixie_pipe.tasks._stream_cutter import StreamCutter

JOINED_NS: Final = 500_000_000
"""Time that they come from, in ns: later ones do not overtake those of other streams
by more than this."""

Offer = Callable[["Chunk | StreamMark"], bool]
"""Hands a datum on, or tells that there is no room for it now."""

ReadAgain = Callable[[Stream, int, int], NDArray[np.uint32]]
"""Returns so many words of a stream from an offset on, which came before."""


@dataclass(slots=True)
class _Waiting:
    """Words that came and are not cut."""

    stream: Stream
    offset: int
    count: int
    begun_ns: int
    time_ns: int
    final: bool
    trailing: bytes

    def join(self, words: Words, most: int) -> bool:
        """Take words that follow, unless there would be more than `most`."""
        count = self.count + words.words.size
        if count > most or words.time_ns - self.begun_ns > JOINED_NS:
            return False
        self.count = count
        self.time_ns = words.time_ns
        self.final, self.trailing = words.final, words.trailing
        return True


class Cutting:
    """Cuts the words of all streams, in the order in which they come.

    Whoever is behind it may be slow. Then words are not kept: only where they are is
    noted, and they are read again when there is room.

    Parameters
    ----------
    new_cutter
        Makes the cutter of a stream.
    offer
        Hands a datum on, if there is room.
    read_again
        Reads words that came before.
    joined_words
        Words of a stream that are read again at once, at most, unless more came at
        once.

    Attributes
    ----------
    cutters
        The cutters of the streams so far.
    waiting_words
        Words that are noted, to be read again.
    """

    def __init__(
        self,
        new_cutter: Callable[[Stream], StreamCutter],
        offer: Offer,
        read_again: ReadAgain,
        *,
        joined_words: int = 1 << 20,
    ) -> None:
        self._new_cutter = new_cutter
        self._offer = offer
        self._read_again = read_again
        self._joined_words = joined_words
        self.cutters: dict[StreamKey, StreamCutter] = {}
        self.waiting_words = 0
        # What is handed on next, then what follows it, then what has to be read again.
        self._next: Chunk | StreamMark | None = None
        self._under_way: Iterator[Chunk | StreamMark] = iter(())
        self._waiting: deque[_Waiting | StreamMark] = deque()
        # The last ones of each stream behind the last mark: more may join them.
        self._last: dict[StreamKey, _Waiting] = {}

    def take(self, item: Words | StreamMark) -> None:
        """Take the next words, or a mark between words."""
        if self.is_idle:
            self._under_way = self._begin(item)
            self.advance()
        elif isinstance(item, StreamMark):
            self._waiting.append(item)
            self._last.clear()
        else:
            self._note(item)

    def _note(self, words: Words) -> None:
        key = words.stream.key
        self.waiting_words += words.words.size
        last = self._last.get(key)
        if last is not None and last.join(words, self._joined_words):
            return
        self._last[key] = waiting = _Waiting(
            words.stream,
            words.offset,
            words.words.size,
            words.time_ns,
            words.time_ns,
            words.final,
            words.trailing,
        )
        self._waiting.append(waiting)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be handed on."""
        self._look_ahead()
        return self._next is None and not self._waiting

    def _look_ahead(self) -> None:
        if self._next is None:
            self._next = next(self._under_way, None)

    def advance(self) -> None:
        """Hand on what waits, as far as there is room."""
        while True:
            self._look_ahead()
            if self._next is not None:
                if not self._offer(self._next):
                    return
                self._next = None
            elif self._waiting:
                self._under_way = self._begin(self._take_up(self._waiting.popleft()))
            else:
                return

    def _take_up(self, item: _Waiting | StreamMark) -> Words | StreamMark:
        if isinstance(item, StreamMark):
            return item
        if self._last.get(item.stream.key) is item:
            del self._last[item.stream.key]
        self.waiting_words -= item.count
        return Words(
            self._read_again(item.stream, item.offset, item.count),
            item.stream,
            item.offset,
            item.time_ns,
            item.final,
            item.trailing,
        )

    def _begin(self, item: Words | StreamMark) -> Iterator[Chunk | StreamMark]:
        if isinstance(item, StreamMark):
            return iter((item,))
        key = item.stream.key
        if key not in self.cutters:
            self.cutters[key] = self._new_cutter(item.stream)
        return self.cutters[key].feed(item)

    def flush(self, seconds: float) -> None:
        """Hand on what has waited for so long for a chunk to be full, if it may."""
        self.advance()
        if self.is_idle:
            self._follow(cutter.flush(seconds) for cutter in self.cutters.values())

    def finish(self) -> None:
        """End the streams that have not ended, when everything else was handed on."""
        self._follow(
            iter((cutter.finish(),))
            for cutter in self.cutters.values()
            if not cutter.ended
        )

    def _follow(self, chunks: Iterable[Iterator[Chunk]]) -> None:
        self._under_way = chain.from_iterable(chunks)
        self.advance()
