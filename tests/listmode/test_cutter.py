"""The cutter: what it holds, and where it cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode import (
    ChunkCutter,
    ChunkError,
    Layout,
    LayoutError,
    StreamDecoder,
    StreamFinishedError,
    encode,
)
from pixie_pipe.testing.generators import random_events
from tests.support.chunks import damaged_words, header_soup
from tests.support.streams import layouts

NEWEST = Layout.find(500, 34688)
EVENT = [0x00084020, 1, 0, 5]


def follows_the_decoder(
    words: NDArray[np.uint32], layout: Layout, stops: list[int]
) -> None:
    """Check that as much is decided as by a decoder that is fed the same."""
    cutter, decoder = ChunkCutter(layout), StreamDecoder(layout)
    start = 0
    for stop in [*sorted(stops), words.size]:
        cutter.feed(words[start:stop])
        decoder.feed(words[start:stop])
        start = stop
        assert cutter.pending_words == stop - decoder.balance.leftover


@given(st.data(), layouts())
def test_all_is_decided_that_the_decoder_decides(
    data: st.DataObject, layout: Layout
) -> None:
    words = data.draw(damaged_words(layout))
    stops = data.draw(st.lists(st.integers(0, words.size), max_size=20))
    follows_the_decoder(words, layout, stops)


@given(st.data(), header_soup())
def test_all_is_decided_among_headers_everywhere(
    data: st.DataObject, words: NDArray[np.uint32]
) -> None:
    stops = data.draw(st.lists(st.integers(0, words.size), max_size=20))
    follows_the_decoder(words, NEWEST, stops)


def test_an_event_waits_for_the_header_behind_it() -> None:
    cutter = ChunkCutter(NEWEST)
    for word in EVENT + EVENT[:3]:
        cutter.feed(np.array([word], np.uint32))
        assert cutter.pending_words == 0
        assert cutter.cut() is None
    cutter.feed(np.array(EVENT[3:], np.uint32))
    assert cutter.pending_words == 4
    chunk = cutter.cut()
    assert chunk is not None
    assert chunk.words.tolist() == EVENT * 2
    assert (chunk.word_count, chunk.look_ahead) == (4, 4)
    assert (chunk.offset, chunk.final) == (0, False)
    rest = cutter.finish()
    assert rest is not None
    assert rest.words.tolist() == EVENT
    assert (rest.word_count, rest.look_ahead) == (4, 0)
    assert (rest.offset, rest.final) == (4, True)


def test_nothing_gives_no_chunk() -> None:
    cutter = ChunkCutter(NEWEST)
    cutter.feed(np.zeros(0, np.uint32))
    assert cutter.cut() is None
    assert cutter.finish() is None


def test_a_finished_stream_takes_no_more() -> None:
    cutter = ChunkCutter(NEWEST)
    cutter.finish()
    with pytest.raises(StreamFinishedError, match="make a new cutter"):
        cutter.feed(np.zeros(1, np.uint32))
    with pytest.raises(StreamFinishedError):
        cutter.cut()
    with pytest.raises(StreamFinishedError):
        cutter.finish()


def test_a_chunk_belongs_to_its_owner() -> None:
    """Neither does the cutter write to it, nor is the next one changed by it."""
    cutter = ChunkCutter(NEWEST)
    cutter.feed(np.array(EVENT * 100, np.uint32))
    first = cutter.cut()
    assert first is not None
    first.words[:] = 7
    cutter.feed(np.array(EVENT * 100, np.uint32))
    second = cutter.finish()
    assert second is not None
    assert second.words.tolist() == EVENT * 101
    assert set(first.words.tolist()) == {7}


class CountingPool(BufferPool):
    """A pool that knows how much was lent at once, at most."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        self.sizes.append(size)
        return super().take(size)


@pytest.mark.parametrize("value", [0, 0xFFFFFFFF, 0x00084000])
def test_rubbish_without_end_needs_no_more_memory(value: int) -> None:
    pool = CountingPool()
    cutter = ChunkCutter(NEWEST, pool=pool)
    rubbish = np.full(1 << 16, value, np.uint32)
    for _ in range(20):
        cutter.feed(rubbish)
        chunk = cutter.cut()
        assert chunk is not None
        assert chunk.look_ahead < 8
    assert max(pool.sizes) <= 4 * ((1 << 16) + 8)


def test_headers_without_end_are_held_for_three_events_at_most() -> None:
    """Each states the longest event, so that all wait for words far behind."""
    long = np.array([0x7FFE0000 | 4 << 12 | 0x20, 1, 0, 32758 << 16], np.uint32)
    cutter = ChunkCutter(NEWEST)
    for _ in range(40):
        cutter.feed(np.resize(long, 4096))
        chunk = cutter.cut()
        assert chunk is None or chunk.look_ahead <= 4 * 16384
    assert chunk is not None


def test_one_large_piece_and_small_ones() -> None:
    rng = np.random.default_rng(1)
    words = encode(random_events(NEWEST, 100_000, rng), NEWEST)
    cutter = ChunkCutter(NEWEST)
    cutter.feed(words)
    assert cutter.pending_words == words.size - 4
    chunk = cutter.cut()
    assert chunk is not None
    np.testing.assert_array_equal(chunk.words, words)
    for start in range(0, 40_000, 100):
        cutter.feed(words[start : start + 100])
    rest = cutter.finish()
    assert rest is not None
    np.testing.assert_array_equal(
        rest.words, np.concatenate([words[-4:], words[:40_000]])
    )


def test_what_cannot_be_words_is_refused() -> None:
    cutter = ChunkCutter(NEWEST)
    with pytest.raises(TypeError, match="float64"):
        cutter.feed(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ChunkError, match="keep the last 2"):
        cutter.feed(np.zeros(6, np.uint8))
    with pytest.raises(LayoutError):
        ChunkCutter(NEWEST, modules=[])


def test_every_other_word_of_an_array() -> None:
    cutter = ChunkCutter(NEWEST)
    cutter.feed(np.repeat(np.array(EVENT * 3, np.uint32), 2)[::2])
    chunk = cutter.finish()
    assert chunk is not None
    assert chunk.words.tolist() == EVENT * 3
