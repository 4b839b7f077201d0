"""Streams cut into chunks, and put together again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.listmode import (
    Balance,
    ChunkCutter,
    ChunkDecoder,
    Cut,
    Decoded,
    Layout,
    decode,
    encode,
    event_positions,
    join_touching,
)
from tests.support.damage import damages, sound_stream
from tests.support.streams import event_tables


def cut_up(
    words: NDArray[np.uint32],
    layout: Layout,
    feeds: Sequence[int],
    cuts: Sequence[int],
    **restrictions: Any,
) -> list[Cut]:
    """Feed pieces that end at `feeds`; cut after the pieces with the numbers `cuts`.

    Checks what must hold of the chunks themselves.
    """
    cutter = ChunkCutter(layout, **restrictions)
    chunks: list[Cut] = []
    start = 0
    for number, stop in enumerate([*sorted(feeds), words.size]):
        piece = words[start:stop].copy()
        cutter.feed(piece)
        piece[:] = 0x00084020  # no reference is kept
        start = stop
        if number in cuts:
            pending = cutter.pending_words
            chunk = cutter.cut()
            assert cutter.pending_words == 0
            assert (chunk.word_count if chunk else 0) == pending
            if chunk:
                chunks.append(chunk)
            assert cutter.cut() is None
    last = cutter.finish()
    if last:
        chunks.append(last)
    at = 0
    for chunk in chunks:
        assert chunk.offset == at
        assert chunk.words.flags.c_contiguous
        assert chunk.word_count > 0
        assert len(chunk.state) <= 100
        assert chunk.final == (chunk is last)
        behind = at + chunk.words.size
        np.testing.assert_array_equal(chunk.words, words[at:behind])
        at += chunk.word_count
    assert at == words.size
    return chunks


def decode_apart(
    chunks: Sequence[Cut], layout: Layout, seed: int, **restrictions: Any
) -> Decoded:
    """Decode chunks in a random order by several decoders, and join the results."""
    order = random.Random(seed)
    workers = [ChunkDecoder(layout, **restrictions) for _ in range(3)]
    parts: dict[int, Decoded] = {}
    for chunk in order.sample(chunks, len(chunks)):
        part = order.choice(workers).decode(
            chunk.words.tobytes() if order.random() < 0.2 else chunk.words,
            offset=chunk.offset,
            state=chunk.state,
            final=chunk.final,
        )
        assert part.balance.closes
        assert part.balance.read == chunk.word_count
        assert part.balance.leftover == part.leftover_words.size
        assert chunk.final or part.balance.leftover == 0
        assert part.leftover_bytes == b""
        parts[chunk.offset] = part
    ordered = [parts[chunk.offset] for chunk in chunks]
    for part, chunk in zip(ordered, chunks, strict=True):
        check_inside(part, chunk)
    whole = Events.concatenate([part.events for part in ordered] or [Events.empty()])
    tables = [part.rejected for part in ordered]
    return Decoded(
        events=whole,
        rejected=join_touching(np.concatenate([decode(b"", layout).rejected, *tables])),
        leftover_words=np.concatenate(
            [np.zeros(0, np.uint32), *(part.leftover_words for part in ordered)]
        ),
        leftover_bytes=b"",
        balance=sum((part.balance for part in ordered), Balance()),
    )


def check_inside(part: Decoded, chunk: Cut) -> None:
    """Check that rejected words are words of the chunk."""
    rejected = part.rejected
    ends = rejected["word_offset"] + rejected["word_count"]
    assert np.all(rejected["word_count"] > 0)
    assert np.all(rejected["word_offset"] >= chunk.offset)
    assert np.all(ends <= chunk.offset + chunk.word_count)


def assert_same(one: Decoded, other: Decoded) -> None:
    """Check that all is the same, the account of words too."""
    assert one.events.equals(other.events)
    assert one.rejected.tolist() == other.rejected.tolist()
    assert one.leftover_words.tolist() == other.leftover_words.tolist()
    assert one.balance == other.balance
    assert one.balance.closes


def check_positions(
    words: NDArray[np.uint32], layout: Layout, whole: Decoded, **restrictions: Any
) -> None:
    """Check that positions are those of the events that decoding gives."""
    positions = event_positions(words, layout, **restrictions)
    assert positions.dtype == np.int64
    low = words[positions + 1].astype(np.uint64)
    high = (words[positions + 2] & np.uint32(0xFFFF)).astype(np.uint64)
    stamps = low | high << np.uint64(32)
    assert stamps.tolist() == whole.events.timestamp.tolist()
    outside = np.zeros(words.size + 1, np.bool_)
    for offset, count, _ in whole.rejected.tolist():
        outside[offset : offset + count] = True
    outside[words.size - whole.leftover_words.size :] = True
    assert not outside[positions].any()
    assert not outside[positions + 3].any()


@st.composite
def damaged_words(draw: st.DrawFn, layout: Layout) -> NDArray[np.uint32]:
    """Draw a stream with all kinds of events, and some damage."""
    if draw(st.booleans()):
        count = draw(st.integers(1, 25))
        pieces, _ = sound_stream(layout, draw(st.integers(0, 1 << 20)), count)
    else:
        events = draw(event_tables(layout))
        count = len(events)
        pieces = [encode(events[i], layout) for i in range(count)]
    for hurt in draw(st.lists(st.integers(0, max(count, 1) - 1), max_size=6)):
        if count and 0 < pieces[hurt].size < 200:
            pieces[hurt] = draw(damages(pieces[hurt]))
    return np.concatenate([np.zeros(0, np.uint32), *pieces])


@st.composite
def header_soup(draw: st.DrawFn) -> NDArray[np.uint32]:
    """Draw words full of headers of the newest layout, most events cut short.

    Traces hold headers, too, so that runs begin and end anywhere.
    """
    atoms = draw(
        st.lists(
            st.tuples(
                st.sampled_from([4, 4, 4, 5, 6, 7, 8, 11, 12, 16, 40, 300, 16000]),
                st.sampled_from([2, 2, 2, 3, 13, 0]),
                st.one_of(st.just(1 << 14), st.integers(0, 20)),
            ),
            max_size=60,
        )
    )
    words: list[int] = []
    for number, (length, slot, kept) in enumerate(atoms):
        header = [
            length << 17 | 4 << 12 | slot << 4,
            number,
            slot << 4,
            2 * (length - 4) << 16,
        ]
        filler = [0x01900190] * (min(length, 60) - 4)
        words += (header + filler)[:kept]
    return np.array(words, np.uint32)
