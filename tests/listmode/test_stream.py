"""The stream decoder: it does not matter how a stream is cut into pieces."""

from __future__ import annotations

import gc
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.events import Events
from pixie_pipe.listmode import (
    Decoded,
    Layout,
    StreamDecoder,
    StreamFinishedError,
    decode,
    encode,
)
from pixie_pipe.testing.generators import random_events
from tests.support.damage import damages, sound_stream, with_length

NEWEST = Layout.find(500, 34688)


def in_pieces(data: bytes, cuts: list[int]) -> Decoded:
    """Feed `data` cut at `cuts` and put together what comes out."""
    decoder = StreamDecoder(NEWEST)
    events, rejected = [], []
    edges = [0, *sorted(cuts), len(data)]
    for start, stop in itertools.pairwise(edges):
        decoder.feed(data[start:stop])
        part = decoder.take()
        assert part.balance.closes
        assert part.leftover_words.size == 0
        events.append(part.events)
        rejected.append(part.rejected)
    last = decoder.finish()
    assert decoder.balance == last.balance
    return Decoded(
        Events.concatenate([*events, last.events]),
        np.concatenate([*rejected, last.rejected]),
        last.leftover_words,
        last.leftover_bytes,
        last.balance,
    )


def assert_same(one: Decoded, other: Decoded) -> None:
    assert one.events.equals(other.events)
    assert one.rejected.tolist() == other.rejected.tolist()
    assert one.leftover_words.tolist() == other.leftover_words.tolist()
    assert one.leftover_bytes == other.leftover_bytes
    assert one.balance == other.balance


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """Draw a stream with some damage, and maybe odd bytes behind it."""
    pieces, _ = sound_stream(NEWEST, draw(st.integers(0, 1 << 20)), 15)
    for hurt in draw(st.lists(st.integers(0, 14), max_size=4)):
        if pieces[hurt].size:
            pieces[hurt] = draw(damages(pieces[hurt]))
    return np.concatenate(pieces).tobytes() + draw(st.binary(max_size=3))


@given(damaged_streams(), st.data())
def test_pieces_of_any_size(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=12))
    assert_same(in_pieces(data, cuts), decode(data, NEWEST))


def a_bit_of_everything(seed: int) -> bytes:
    """Return a short stream with all kinds of events and of damage."""
    pieces, _ = sound_stream(NEWEST, seed, 14)
    pieces[2] = with_length(pieces[2], 60)
    pieces[5] = pieces[5][: pieces[5].size // 2]
    pieces[9][0] = 0
    return np.concatenate(pieces).tobytes()


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_cut_at_every_byte(seed: int) -> None:
    data = a_bit_of_everything(seed)
    whole = decode(data, NEWEST)
    assert whole.rejected.size >= 2
    for cut in range(len(data) + 1):
        assert_same(in_pieces(data, [cut]), whole)


@pytest.mark.parametrize("size", [1, 3, 4, 7, 64, 1021])
def test_cut_into_equal_pieces(size: int) -> None:
    data = a_bit_of_everything(13)
    cuts = list(range(size, len(data), size))
    assert_same(in_pieces(data, cuts), decode(data, NEWEST))


def test_large_pieces_of_many_kinds() -> None:
    """Pieces larger than what is first joined to the undecided words."""
    rng = np.random.default_rng(1)
    events = random_events(
        NEWEST, 4000, rng, header_lengths=(4, 18), trace_lengths=(0, 0, 3000)
    )
    words = encode(events, NEWEST)
    words[words.size // 2 : words.size // 2 + 5000] = 0
    data = words.tobytes()
    cuts = sorted(rng.integers(0, len(data), 20).tolist())
    assert_same(in_pieces(data, cuts), decode(data, NEWEST))


def test_an_event_waits_for_the_header_behind_it() -> None:
    """Only that header tells that the event was not cut short."""
    words = encode(random_events(NEWEST, 2, np.random.default_rng(1)), NEWEST)
    decoder = StreamDecoder(NEWEST)
    decoder.feed(words[:4])
    assert len(decoder.take().events) == 0
    assert decoder.balance.leftover == 4
    decoder.feed(words[4:7])
    assert len(decoder.take().events) == 0
    decoder.feed(words[7:])
    assert len(decoder.take().events) == 1
    assert len(decoder.finish().events) == 1


def test_rubbish_needs_no_memory() -> None:
    """Words that are given up are not kept, and are told at the end as one row."""
    decoder = StreamDecoder(NEWEST)
    rubbish = np.zeros(1 << 16, np.uint32)
    for count in range(1, 20):
        decoder.feed(rubbish)
        assert decoder.balance.closes
        assert decoder.balance.rejected >= (count << 16) - 4
    assert decoder.finish().rejected.tolist() == [(0, 19 << 16, 1)]


def test_keeps_no_reference_to_what_it_is_fed() -> None:
    words = encode(
        random_events(NEWEST, 50, np.random.default_rng(2), trace_lengths=(9,)), NEWEST
    )
    decoder = StreamDecoder(NEWEST)
    buffer = np.empty(37, np.uint8)
    data = words.view(np.uint8)
    parts = []
    for start in range(0, data.size, 37):
        piece = buffer[: data[start : start + 37].size]
        piece[:] = data[start : start + 37]
        decoder.feed(piece)
        buffer[:] = 0xFF
        parts.append(decoder.take().events)
    parts.append(decoder.finish().events)
    assert Events.concatenate(parts).equals(decode(words, NEWEST).events)


def test_an_untaken_batch_is_not_lost() -> None:
    words = encode(random_events(NEWEST, 100, np.random.default_rng(3)), NEWEST)
    decoder = StreamDecoder(NEWEST)
    for piece in np.split(words, 10):
        decoder.feed(piece)
    assert len(decoder.finish().events) == 100


def test_a_batch_is_not_overwritten_while_it_is_used() -> None:
    rng = np.random.default_rng(4)
    words = encode(random_events(NEWEST, 40_000, rng, trace_lengths=(0, 8)), NEWEST)
    decoder = StreamDecoder(NEWEST)
    kept = []
    for piece in np.array_split(words, 8):
        decoder.feed(piece)
        kept.append(decoder.take().events)
    kept.append(decoder.finish().events)
    assert Events.concatenate(kept).equals(decode(words, NEWEST).events)


def test_a_batch_has_the_blocks_of_its_own_events() -> None:
    """What one batch had is expected of the next, but not shown if it is not there."""
    rng = np.random.default_rng(6)
    plain = encode(random_events(NEWEST, 2000, rng), NEWEST)
    full = encode(
        random_events(NEWEST, 50, rng, header_lengths=(18,), trace_lengths=(4,)),
        NEWEST,
    )
    decoder = StreamDecoder(NEWEST)
    batches = []
    for words in (plain, full, plain, plain):
        decoder.feed(words)
        batches.append(decoder.take().events)
    # The last event of each piece comes out with the next piece.
    assert [len(events) for events in batches] == [1999, 50, 2000, 2000]
    assert [len(events.blocks) for events in batches] == [1, 5, 5, 1]
    batches.append(decoder.finish().events)
    whole = decode(np.concatenate([plain, full, plain, plain]), NEWEST).events
    assert Events.concatenate(batches).equals(whole)


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    pool = BufferPool()
    lent = pool.take(1 << 20)
    address = lent.ctypes.data
    column = lent[64:128].view(np.int64)
    del lent
    gc.collect()
    other = pool.take(1 << 20)
    assert other.ctypes.data != address
    column[:] = 5
    del column
    gc.collect()
    again = pool.take(1 << 20)
    assert again.ctypes.data == address


def test_a_pool_does_not_give_much_for_little() -> None:
    pool = BufferPool()
    lent = pool.take(64 << 20)
    address = lent.ctypes.data
    del lent
    gc.collect()
    assert pool.take(1000).ctypes.data != address
    assert pool.take((64 << 20) - 1000).ctypes.data == address


def test_a_finished_stream_takes_no_more() -> None:
    decoder = StreamDecoder(NEWEST)
    decoder.finish()
    with pytest.raises(StreamFinishedError, match="make a new decoder"):
        decoder.feed(b"")
    with pytest.raises(StreamFinishedError):
        decoder.finish()


def test_big_endian_bytes() -> None:
    words = encode(random_events(NEWEST, 20, np.random.default_rng(5)), NEWEST)
    decoder = StreamDecoder(NEWEST, byte_order="big")
    data = words.byteswap().tobytes()
    decoder.feed(data[:33])
    decoder.feed(data[33:])
    assert decoder.finish().events.equals(decode(words, NEWEST).events)


class DirtyPool(BufferPool):
    """A pool whose memory is full of what was there before."""

    def take(self, size: int) -> NDArray[np.uint8]:
        lent = super().take(size)
        lent[:] = 0xA5
        return lent


def test_nothing_of_what_was_in_memory_before_is_seen() -> None:
    rng = np.random.default_rng(8)
    parts = [
        random_events(NEWEST, n, rng, header_lengths=headers, trace_lengths=traces)
        for n, headers, traces in (
            (50, (4,), (0,)),
            (50, (4, 18), (0, 6)),
            (50, (8, 12), (6,)),
            (5000, (4,), (0,)),
            (50, (4, 6), (0, 1)),
            (50, (4,), (0,)),
        )
    ]
    words = [encode(part, NEWEST) for part in parts]
    together = np.concatenate(words)
    expected = Events.concatenate(parts)
    assert decode(together, NEWEST, pool=DirtyPool()).events.equals(expected)
    decoder = StreamDecoder(NEWEST, pool=DirtyPool())
    batches = []
    for piece in words:
        decoder.feed(piece)
        batches.append(decoder.take().events)
    batches.append(decoder.finish().events)
    assert Events.concatenate(batches).equals(expected)
    # Each batch by itself, too: joining them makes new offsets.
    again = [encode(batch, NEWEST) for batch in batches]
    np.testing.assert_array_equal(np.concatenate(again), together)
