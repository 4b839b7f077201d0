"""Decode chunks of streams, in any order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode._chunk_state import ChunkState
from pixie_pipe.listmode._constants import CUT
from pixie_pipe.listmode._engine import Engine, Module
from pixie_pipe.listmode.errors import ChunkError
from pixie_pipe.listmode.result import REJECTED, Balance, Decoded, join_rejected
from pixie_pipe.listmode.words import Data, whole_words

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout


class ChunkDecoder:
    """Decodes the chunks of a `ChunkCutter`, each by itself.

    The events of all chunks of a stream, in the order of their offsets, are those
    of one `decode` of the whole; the sum of the balances is its balance; and so are
    the rejected words, once `join_touching` has joined what was cut. Between calls
    nothing is remembered: any chunk of any stream with the same settings may come.

    Parameters
    ----------
    layout, modules, max_event_length
        As for `decode`, and the same as the cutter's.
    pool
        Memory to use again for the columns. By default the decoder makes a pool of
        its own.

    Raises
    ------
    LayoutError
        If `modules` or `max_event_length` are impossible in the layout.
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

    def decode(self, words: Data, *, offset: int, state: bytes, final: bool) -> Decoded:
        """Decode one chunk.

        Parameters
        ----------
        words, offset, state, final
            Those of the `Cut`; `words` may be bytes.

        Returns
        -------
        Decoded
            Its balance is that of this chunk alone, without the words that it has
            to look ahead; offsets of rejected words are those of the stream. Words
            are left over only in a final chunk.

        Raises
        ------
        TypeError
            If `words` are neither words nor bytes.
        ChunkError
            If words, state and `final` are not those of one `Cut`, or if it was
            cut with other settings.
        """
        data = whole_words(words)
        known = ChunkState.unpack(state, self._fingerprint)
        if known.final != final or known.size != data.size or offset < 0:
            raise ChunkError(
                f"chunk of {data.size} words at word {offset}, final={final}, has the "
                f"state of one of {known.size} words, final={known.final}: hand on all "
                f"that is in one Cut together"
            )
        engine = self._engine
        engine.restart(known.memory, offset)
        columns = engine.new_columns(data.size, self._pool)
        used = engine.run(data, offset, columns, final=final)
        expected = data.size - known.look_ahead
        if not final and used != expected:
            raise ChunkError(
                f"chunk of {data.size} words at word {offset}: the decoder decided "
                f"{used} words, the cutter {expected}; the words are not those that "
                f"were cut, or the state is another chunk's"
            )
        rejected = self._rejected(offset + used)
        return Decoded(
            events=engine.events(columns),
            rejected=rejected,
            leftover_words=data[used:expected].copy(),
            leftover_bytes=b"",
            balance=Balance(
                read=expected,
                decoded=engine.decoded_words,
                rejected=int(rejected["word_count"].sum()),
                leftover=expected - used,
            ),
        )

    def _rejected(self, end: int) -> NDArray[np.void]:
        """Return the rejected words, with those lost at the end of the chunk."""
        tables = [self._engine.take_rejected()]
        # A run may begin at the very first word: then no word of this chunk is lost.
        tables[0] = tables[0][tables[0]["word_count"] > 0]
        lost_from = self._engine.lost_from
        if lost_from is not None and lost_from < end:
            reason = self._engine.memory.lost_reason
            row = (lost_from, end - lost_from, reason)
            tables.append(np.array([row], REJECTED))
        return join_rejected(tables)


def join_touching(rejected: NDArray[np.void]) -> NDArray[np.void]:
    """Join rows of stretches that were parted where a chunk ended.

    Parameters
    ----------
    rejected
        Rejected words of one stream, of type `REJECTED`, in any order.

    Returns
    -------
    ndarray
        The table as `decode` gives it for the whole stream, in the order of the
        stream.
    """
    rows = rejected[np.argsort(rejected["word_offset"], kind="stable")]
    ends = rows["word_offset"] + rows["word_count"]
    # Events cut short may touch in the whole stream, too, and are never parted.
    # Stretches that were lost for the same other reason touch only where parted.
    goes_on = (
        (rows["word_offset"][1:] == ends[:-1])
        & (rows["reason"][1:] == rows["reason"][:-1])
        & (rows["reason"][1:] != CUT)
    )
    first = np.flatnonzero(np.concatenate([np.ones(len(rows[:1]), np.bool_), ~goes_on]))
    joined = rows[first]
    if joined.size:
        joined["word_count"] = np.add.reduceat(rows["word_count"], first)
    return joined
