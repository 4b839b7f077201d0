"""Decode words that are all there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pixie_pipe.listmode._constants import WORD
from pixie_pipe.listmode._engine import Engine, Module
from pixie_pipe.listmode.result import Balance, Decoded
from pixie_pipe.listmode.words import ByteOrder, Data, as_bytes, as_words

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool
    from pixie_pipe.listmode.layout import Layout


def decode(
    words: Data,
    layout: Layout,
    *,
    modules: Iterable[Module] | None = None,
    max_event_length: int | None = None,
    byte_order: ByteOrder = "little",
    pool: BufferPool | None = None,
) -> Decoded:
    """Decode all events of a stream of words.

    Bad data raise no error: words that belong to no event are listed, and
    decoding goes on behind them. See ``docs/format.md`` for the rule of what
    counts as damaged.

    Parameters
    ----------
    words
        The stream from its first word to its last: an array of 32-bit words, or
        bytes.
    layout
        Layout of the module, from `Layout.find`.
    modules
        (crate, slot) of all modules that can appear. By default any crate and
        the legal slots, 2 to 14.
    max_event_length
        Longest event that can appear, in words.
    byte_order
        ``"big"`` for bytes that were written the other way round, and for an array
        of words that were read the wrong way round. (An array whose type is
        big-endian has the right values already: leave the option as it is.)
    pool
        Memory to use again, see `BufferPool`.

    Returns
    -------
    Decoded
        The events, the rejected words, the words of an incomplete last event, and
        the balance of all words.

    Raises
    ------
    TypeError
        If `words` are neither words nor bytes.
    LayoutError
        If `modules` or `max_event_length` are impossible in the layout.

    Examples
    --------
    >>> import numpy as np
    >>> words = np.array([0x0008402D, 1000, 0, 2345], np.uint32)
    >>> decoded = decode(words, Layout.find(frequency=250, revision=30474))
    >>> decoded.events.energy, decoded.events.time_ps
    (array([2345], dtype=uint16), array([8000000]))
    """
    data = as_bytes(words)
    whole = data.nbytes // WORD.itemsize * WORD.itemsize
    stream = as_words(data[:whole], byte_order)
    engine = Engine(layout, modules, max_event_length)
    columns = engine.new_columns(stream.size, pool)
    used = engine.run(stream, 0, columns, final=True)
    rejected = engine.take_rejected()
    return Decoded(
        events=engine.events(columns),
        rejected=rejected,
        leftover_words=stream[used:].copy(),
        leftover_bytes=data[whole:].tobytes(),
        balance=Balance(
            read=stream.size,
            decoded=engine.decoded_words,
            rejected=int(rejected["word_count"].sum()),
            leftover=stream.size - used,
            trailing_bytes=data.nbytes - whole,
        ),
    )
