"""What all sources of words have in common: marks, offsets, the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.pipeline.data import Stream, StreamMark, Words

if TYPE_CHECKING:
    from pixie_pipe.pipeline.task import Task

_NO_WORDS: Final = np.zeros(0, np.uint32)


class OutgoingStreams:
    """Sends the words of a source's streams in the form that all tasks rely on.

    All streams are announced before the first words; each ends with final words,
    maybe none, and a mark. The ledger of the task counts what was sent.

    Parameters
    ----------
    task
        The source. Its ledger gets ``words_read`` and ``trailing_bytes``.
    streams
        Its streams, by their numbers.
    """

    def __init__(self, task: Task, streams: Sequence[Stream]) -> None:
        self._task = task
        self.streams = tuple(streams)
        self.offsets = [0] * len(streams)
        self._ended = [False] * len(streams)
        self._announced = False
        task.ledger["words_read"] = 0
        task.ledger["trailing_bytes"] = 0

    @property
    def is_over(self) -> bool:
        """Whether all streams have ended."""
        return all(self._ended)

    def has_ended(self, number: int) -> bool:
        """Tell whether a stream has ended."""
        return self._ended[number]

    def announce(self, starts_ns: Sequence[Sequence[int]] = ()) -> None:
        """Announce all streams, if that was not done.

        Parameters
        ----------
        starts_ns
            When the modules of each stream were started, if that is known.
        """
        if not self._announced:
            self._announced = True
            for number, stream in enumerate(self.streams):
                starts = tuple(starts_ns[number]) if starts_ns else ()
                self._task.send(StreamMark(stream, starts_ns=starts))

    def tell_start(self, start_ns: int) -> None:
        """Tell when the modules of all streams were started, before their words."""
        for stream in self.streams:
            self._task.send(StreamMark(stream, starts_ns=(start_ns,)))

    def send(
        self,
        number: int,
        words: NDArray[np.uint32] = _NO_WORDS,
        *,
        time_ns: int = 0,
        final: bool = False,
        trailing: bytes = b"",
    ) -> None:
        """Send the next words of a stream; nothing if there are none to send.

        Parameters
        ----------
        number
            The stream.
        words
            The words, shape (n,), uint32. They must not be changed afterwards.
        time_ns
            Host's clock when they were read, in ns since the epoch.
        final, trailing
            Whether the stream ends with them, and the bytes behind them.
        """
        self.announce()
        if not words.size and not final:
            return
        stream, offset = self.streams[number], self.offsets[number]
        self.offsets[number] += words.size
        self._task.ledger["words_read"] += words.size
        self._task.ledger["trailing_bytes"] += len(trailing)
        self._task.send(Words(words, stream, offset, time_ns, final, trailing))
        if final:
            self._ended[number] = True
            self._task.send(StreamMark(stream, ended=True))

    def end(self, number: int, trailing: bytes = b"") -> None:
        """End a stream, if that was not done."""
        if not self._ended[number]:
            self.send(number, final=True, trailing=trailing)
