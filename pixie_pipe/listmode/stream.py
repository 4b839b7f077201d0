"""Decode a stream that comes in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.events import Events
from pixie_pipe.listmode._constants import WORD
from pixie_pipe.listmode._engine import Engine, Module
from pixie_pipe.listmode.errors import StreamFinishedError
from pixie_pipe.listmode.result import NO_WORDS, Balance, Decoded, join_rejected
from pixie_pipe.listmode.words import ByteOrder, Data, as_bytes, as_words

if TYPE_CHECKING:
    from pixie_pipe.listmode._columns import ColumnBuffers
    from pixie_pipe.listmode.layout import Layout

# Words of a new piece that are first joined to the undecided ones; more only if
# these do not suffice. A few short events, or a longer trace at the second try.
_FIRST_JOIN = 1 << 10


class StreamDecoder:
    """Decodes one stream, fed in pieces that may be cut at any byte.

    It owns no file and no socket. The events, rejections and balance are those
    of one `decode` of the whole stream, however it is cut. An event is given out
    when the header behind it has come, since only that tells that the event was
    not cut short.

    Parameters
    ----------
    layout
        Layout of the module.
    modules, max_event_length, byte_order, pool
        As for `decode`. Without a pool the decoder makes one of its own; the
        memory of a batch is used again when the batch is gone.

    Examples
    --------
    >>> import io
    >>> decoder = StreamDecoder(Layout.find(frequency=250, revision=30474))
    >>> file = io.BytesIO(bytes.fromhex("2d400800e80300000000000029090000") * 3)
    >>> while piece := file.read(10):
    ...     decoder.feed(piece)
    >>> len(decoder.take().events), len(decoder.finish().events)
    (2, 1)
    """

    def __init__(
        self,
        layout: Layout,
        *,
        modules: Iterable[Module] | None = None,
        max_event_length: int | None = None,
        byte_order: ByteOrder = "little",
        pool: BufferPool | None = None,
    ) -> None:
        self.layout = layout
        self._engine = Engine(layout, modules, max_event_length)
        self._byte_order: ByteOrder = byte_order
        self._pool = BufferPool() if pool is None else pool
        self._undecided = NO_WORDS
        self._odd_bytes = b""
        self._read = 0
        self._rejected_words = 0
        self._parts: list[Events] = []
        self._rejected: list[NDArray[np.void]] = []
        self._finished = False

    def feed(self, data: Data) -> None:
        """Decode the next piece of the stream as far as possible.

        Parameters
        ----------
        data
            Bytes, or an array of 32-bit words; of any size. The decoder keeps no
            reference to it.

        Raises
        ------
        TypeError
            If the data are neither words nor bytes.
        StreamFinishedError
            If `finish` was called before.
        """
        self._refuse_if_finished()
        piece = self._whole_words(as_bytes(data))
        if piece.size == 0:
            return
        base = self._read - self._undecided.size
        self._read += piece.size
        columns = self._engine.new_columns(
            self._undecided.size + piece.size, self._pool
        )
        if self._undecided.size:
            start = self._join(piece, base, columns)
            base = self._read - (piece.size - start)
            piece = piece[start:]
        if piece.size:
            used = self._engine.run(piece, base, columns, final=False)
            self._undecided = piece[used:].copy()
        self._collect(columns)

    def take(self) -> Decoded:
        """Return what was decoded since the last call.

        Its leftover is empty; its balance is that of the stream so far.
        """
        decoded = Decoded(
            events=self._taken_events(),
            rejected=join_rejected(self._rejected),
            leftover_words=NO_WORDS,
            leftover_bytes=b"",
            balance=self.balance,
        )
        self._rejected = []
        return decoded

    def finish(self) -> Decoded:
        """End the stream: decide on the last words and return what was not taken.

        Raises
        ------
        StreamFinishedError
            If it was called before.
        """
        self._refuse_if_finished()
        self._finished = True
        words = self._undecided
        columns = self._engine.new_columns(words.size, self._pool)
        used = self._engine.run(words, self._read - words.size, columns, final=True)
        self._undecided = words[used:]
        self._collect(columns)
        decoded = Decoded(
            events=self._taken_events(),
            rejected=join_rejected(self._rejected),
            leftover_words=self._undecided,
            leftover_bytes=self._odd_bytes,
            balance=self.balance,
        )
        self._rejected = []
        return decoded

    @property
    def balance(self) -> Balance:
        """Where the words fed so far went; `leftover` are those that wait."""
        lost_from = self._engine.lost_from
        waiting = self._undecided.size
        given_up = 0
        if lost_from is not None:
            given_up = self._read - waiting - lost_from
        return Balance(
            read=self._read,
            decoded=self._engine.decoded_words,
            rejected=self._rejected_words + given_up,
            leftover=waiting,
            trailing_bytes=len(self._odd_bytes),
        )

    def _refuse_if_finished(self) -> None:
        if self._finished:
            raise StreamFinishedError(
                "the stream of this decoder was finished; make a new decoder for a "
                "new stream"
            )

    def _whole_words(self, data: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """Return the words that the odd bytes kept and `data` make together."""
        if self._odd_bytes:
            kept = np.frombuffer(self._odd_bytes, np.uint8)
            data = np.concatenate([kept, data])
        whole = data.nbytes // WORD.itemsize * WORD.itemsize
        self._odd_bytes = data[whole:].tobytes()
        return as_words(data[:whole], self._byte_order)

    def _join(
        self, piece: NDArray[np.uint32], base: int, columns: ColumnBuffers
    ) -> int:
        """Decode the undecided words with the first ones of `piece`.

        Copies no more of the piece than it takes to leave the undecided words
        behind. Returns where in the piece decoding must go on.
        """
        joined = self._undecided
        taken = 0
        step = _FIRST_JOIN
        while True:
            behind = taken + step
            joined = np.concatenate([joined, piece[taken:behind]])
            taken = min(behind, piece.size)
            used = self._engine.run(joined, base, columns, final=False)
            joined = joined[used:]
            base += used
            if joined.size <= taken:
                self._undecided = NO_WORDS
                return taken - joined.size
            if taken == piece.size:
                self._undecided = joined.copy()
                return taken
            step *= 4

    def _collect(self, columns: ColumnBuffers) -> None:
        if self._engine.event_count:
            self._parts.append(self._engine.events(columns))
        rejected = self._engine.take_rejected()
        if rejected.size:
            self._rejected.append(rejected)
            self._rejected_words += int(rejected["word_count"].sum())

    def _taken_events(self) -> Events:
        parts, self._parts = self._parts, []
        return Events.concatenate(parts) if parts else Events.empty()
