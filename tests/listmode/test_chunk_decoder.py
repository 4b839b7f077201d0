"""Chunks decoded apart from each other give what one decode of the whole gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.listmode import (
    ChunkCutter,
    ChunkDecoder,
    ChunkError,
    Cut,
    Layout,
    LayoutError,
    RejectReason,
    decode,
    encode,
    event_positions,
    join_touching,
)
from pixie_pipe.testing.generators import random_events
from tests.support.chunks import (
    assert_same,
    check_positions,
    cut_up,
    damaged_words,
    decode_apart,
    header_soup,
)
from tests.support.damage import sound_stream, with_length
from tests.support.streams import format_of, layouts

NEWEST = Layout.find(500, 34688)
EVENT = [0x00084020, 1, 0, 5]

RESTRICTIONS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"modules": [(0, 2)]},
        {"modules": [(0, 2), (1, 13)]},
        {"max_event_length": 40},
    ]
)


def check(
    words: NDArray[np.uint32], layout: Layout, data: st.DataObject, **restrictions: Any
) -> None:
    """Cut and decode the words in a way that is drawn, and compare."""
    feeds = data.draw(st.lists(st.integers(0, words.size), max_size=20))
    cuts = data.draw(st.sets(st.integers(0, len(feeds))))
    compare(
        words, layout, feeds, list(cuts), data.draw(st.integers(0, 99)), restrictions
    )


def compare(
    words: NDArray[np.uint32],
    layout: Layout,
    feeds: list[int],
    cuts: list[int],
    seed: int,
    restrictions: dict[str, Any],
) -> list[Cut]:
    chunks = cut_up(words, layout, feeds, cuts, **restrictions)
    whole = decode(words, layout, **restrictions)
    assert_same(decode_apart(chunks, layout, seed, **restrictions), whole)
    return chunks


@given(st.data(), layouts(), RESTRICTIONS)
def test_damaged_streams_of_all_layouts(
    data: st.DataObject, layout: Layout, restrictions: dict[str, Any]
) -> None:
    check(data.draw(damaged_words(layout)), layout, data, **restrictions)


@given(st.data(), header_soup(), RESTRICTIONS)
def test_headers_everywhere(
    data: st.DataObject, words: NDArray[np.uint32], restrictions: dict[str, Any]
) -> None:
    check(words, NEWEST, data, **restrictions)


@given(st.data(), st.lists(st.integers(0, 0xFFFFFFFF), max_size=100), layouts())
def test_any_words_at_all(
    data: st.DataObject, values: list[int], layout: Layout
) -> None:
    check(np.array(values, np.uint32), layout, data)


@given(layouts(), RESTRICTIONS, st.data())
def test_event_positions_follow_the_rule_word_by_word(
    layout: Layout, restrictions: dict[str, Any], data: st.DataObject
) -> None:
    words = data.draw(damaged_words(layout))
    expected = format_of(layout, **restrictions).walk(words.tolist())[0]
    assert event_positions(words, layout, **restrictions).tolist() == expected


@given(header_soup(), RESTRICTIONS)
def test_event_positions_among_headers_everywhere(
    words: NDArray[np.uint32], restrictions: dict[str, Any]
) -> None:
    expected = format_of(NEWEST, **restrictions).walk(words.tolist())[0]
    assert event_positions(words, NEWEST, **restrictions).tolist() == expected


def event(length: int = 4, slot: int = 2) -> list[int]:
    trace = 2 * (length - 4) << 16
    filler = [0x01900190] * (length - 4)
    return [length << 17 | 4 << 12 | slot << 4, 1, 0, trace | 5, *filler]


# The kernels pass over 256 bare events at once, and then over short ones of modules
# that have been seen: what follows 256 and 266 bare events is found by either way.
CORNERS: dict[str, list[int]] = {
    "one word is left of the last of 256": EVENT * 255 + EVENT[:1] + EVENT * 300,
    "two words are left of the last of 256": EVENT * 255 + EVENT[:2] + EVENT * 300,
    "three words are left of the last of 256": EVENT * 255 + EVENT[:3] + EVENT * 300,
    "no module that can be here": event(slot=15) * 300 + EVENT * 5,
    "a short event lost its end": EVENT * 266 + event(24)[:4] + EVENT * 300,
    "a short event and its header are alone": EVENT * 266 + event(24)[:4] + EVENT * 2,
    "bare events are interrupted by an impossible module": (
        EVENT * 261 + event(slot=15) + EVENT * 300
    ),
    "short events are interrupted by an impossible module": (
        EVENT * 266 + event(8) + event(8, slot=15) + event(8) * 9
    ),
    "short events of a new module, of which one is inside another": (
        EVENT * 266 + event(8) + event(8, 3) * 2 + event(24)[:4] + event(4, 3) * 9
    ),
    "256 of a module, then one of another that lost its end": (
        event(slot=3) * 256 + event(24)[:4] + event(slot=3) * 300
    ),
    "rubbish behind short events": EVENT * 266 + event(8) * 300 + [0] * 9 + EVENT * 9,
    "a short event at the end": EVENT * 266 + event(8) * 256,
    "a trace of headers": EVENT * 266 + event(12)[:4] + event(8) + event(8) * 9,
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners_of_the_fast_ways(name: str) -> None:
    words = np.array(CORNERS[name], np.uint32)
    expected = format_of(NEWEST).walk(words.tolist())[0]
    assert event_positions(words, NEWEST).tolist() == expected
    for stop in (1, 1030, 1075, words.size - 8, words.size):
        compare(words, NEWEST, [500, stop], [0, 1], 1, {})


def a_bit_of_everything(seed: int) -> NDArray[np.uint32]:
    """Return a short stream with all kinds of events and of damage."""
    pieces, _ = sound_stream(NEWEST, seed, 14)
    pieces[2] = with_length(pieces[2], 60)
    pieces[5] = pieces[5][: pieces[5].size // 2]
    pieces[9][0] = 0
    return np.concatenate(pieces)


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_cut_at_every_word(seed: int) -> None:
    words = a_bit_of_everything(seed)
    assert decode(words, NEWEST).rejected.size >= 2
    for stop in range(words.size + 1):
        compare(words, NEWEST, [stop], [0], stop, {})


def test_cut_after_every_word() -> None:
    words = a_bit_of_everything(13)
    everywhere = list(range(words.size))
    chunks = compare(words, NEWEST, everywhere, everywhere, 1, {})
    assert len(chunks) > 14


def long_stream(kind: str) -> NDArray[np.uint32]:
    """Return a stream that is longer than the groups of the kernels."""
    rng = np.random.default_rng(3)
    kinds: dict[str, dict[str, Any]] = {
        "bare": {},
        "modules": {"modules": ((0, 2), (0, 3), (1, 13))},
        "sums": {"header_lengths": (8,)},
        "mixed": {"header_lengths": (4, 8, 18), "trace_lengths": (0, 0, 31, 150)},
        "traces": {"header_lengths": (4, 16), "trace_lengths": (400, 3000)},
    }
    count = 600 if kind == "traces" else 9000
    return encode(random_events(NEWEST, count, rng, **kinds[kind]), NEWEST)


@pytest.mark.parametrize("hurt", [0, 1, 30])
@pytest.mark.parametrize("kind", ["bare", "modules", "sums", "mixed", "traces"])
def test_long_streams(kind: str, hurt: int) -> None:
    words = long_stream(kind)
    rng = np.random.default_rng(hurt)
    words[rng.integers(0, words.size, hurt)] ^= np.uint32(0x00A5F00F)
    if hurt > 1:
        words = np.delete(words, rng.integers(0, words.size, 5))
    feeds = rng.integers(0, words.size, 40).tolist()
    chunks = compare(words, NEWEST, feeds, [2, 3, 10, 24, 25, 39], 1, {})
    assert len(chunks) > 4
    check_positions(words, NEWEST, decode(words, NEWEST))


@pytest.mark.parametrize(
    ("name", "count"), [("headers.bin", 24_598), ("traces.bin", 9)]
)
@pytest.mark.parametrize("hurt", [False, True])
def test_recorded_data(real_data: Path, name: str, count: int, *, hurt: bool) -> None:
    words = np.fromfile(real_data / name, "<u4")
    rng = np.random.default_rng(1)
    if hurt:
        at = event_positions(words, NEWEST)
        words[at[:: count // 4]] ^= np.uint32(0x00025000)
    whole = decode(words, NEWEST)
    assert (len(whole.events) < count) == (whole.rejected.size > 0) == hurt
    for seed in range(5):
        feeds = rng.integers(0, words.size, 30).tolist()
        compare(words, NEWEST, feeds, list(range(0, 30, seed + 1)), seed, {})
    check_positions(words, NEWEST, whole)


def test_a_lost_stretch_is_parted_and_joined() -> None:
    words = np.array(EVENT * 5 + [0] * 1000 + EVENT * 5, np.uint32)
    chunks = compare(words, NEWEST, [100, 500, 900], [0, 1, 2], 1, {})
    decoder = ChunkDecoder(NEWEST)
    tables = [
        decoder.decode(c.words, offset=c.offset, state=c.state, final=c.final).rejected
        for c in chunks
    ]
    assert [table.tolist() for table in tables] == [
        [(20, 80, 1)],
        [(100, 400, 1)],
        [(500, 400, 1)],
        [(900, 120, 1)],
    ]
    shuffled = np.concatenate(tables[::-1])
    assert join_touching(shuffled).tolist() == [(20, 1000, 1)]


def test_joining_leaves_rows_that_decoding_gives() -> None:
    """Events cut short may touch each other; so may stretches of two reasons."""
    cut = np.array([0x01904020, 1, 0, (200 - 4) * 2 << 16], np.uint32)
    words = np.concatenate([cut, np.array(EVENT * 5, np.uint32)])
    rejected = decode(words, NEWEST).rejected
    assert rejected["reason"].tolist() == [RejectReason.CUT]
    twice = np.concatenate([rejected, rejected])
    twice["word_offset"][1] = 4
    twice["word_count"] = 4
    assert join_touching(twice).tolist() == twice.tolist()
    twice["reason"] = [1, 2]
    assert join_touching(twice).tolist() == twice.tolist()
    twice["reason"] = 1
    assert join_touching(twice).tolist() == [(0, 8, 1)]
    twice["word_offset"][1] = 5
    assert join_touching(twice).tolist() == twice.tolist()
    assert join_touching(twice[:0]).tolist() == []


def test_a_module_seen_long_before_still_counts() -> None:
    """What was seen in the first chunk decides what is damage in the last."""
    other = [0x00084030, 1, 0, 5]
    swallower = [24 << 17 | 0x4020, 9, 0, 2 * 20 << 16]
    words = np.array(other * 4 + EVENT * 8 + swallower + other * 9, np.uint32)
    chunks = compare(words, NEWEST, [30, 45], [0, 1], 1, {})
    assert len(chunks) == 3
    assert decode(words, NEWEST).rejected.tolist() == [(48, 4, RejectReason.CUT)]
    last = chunks[2]
    fresh = ChunkCutter(NEWEST)
    fresh.feed(last.words)
    forgetful = fresh.finish()
    assert forgetful is not None
    part = ChunkDecoder(NEWEST).decode(
        last.words, offset=last.offset, state=forgetful.state, final=True
    )
    assert part.rejected.size == 0


def two_chunks() -> tuple[Cut, Cut]:
    """Return two chunks of a sound stream, the first with words to look ahead."""
    cutter = ChunkCutter(NEWEST)
    cutter.feed(np.array(EVENT * 10, np.uint32))
    first, last = cutter.cut(), cutter.finish()
    assert first is not None
    assert last is not None
    assert (first.look_ahead, last.look_ahead) == (4, 0)
    return first, last


def parts_of(chunk: Cut) -> dict[str, Any]:
    return {
        "words": chunk.words,
        "offset": chunk.offset,
        "state": chunk.state,
        "final": chunk.final,
    }


def test_parts_of_different_chunks_are_refused() -> None:
    first, last = two_chunks()
    decoder = ChunkDecoder(NEWEST)
    for wrong in (
        {"state": last.state},
        {"final": True},
        {"words": first.words[:3]},
        {"words": first.words[:-4]},
        {"offset": -1},
    ):
        with pytest.raises(ChunkError, match="chunk of"):
            decoder.decode(**parts_of(first) | wrong)
    # Other words, of which fewer are decided.
    wrong_words = {
        "words": np.resize(np.array([*EVENT[:3], 0xFFFFFFFF], np.uint32), 40)
    }
    with pytest.raises(ChunkError, match="the decoder decided 40 words"):
        decoder.decode(**parts_of(first) | wrong_words)
    # An error leaves nothing behind.
    assert len(decoder.decode(**parts_of(first)).events) == 9


def test_a_state_is_checked() -> None:
    first, _ = two_chunks()
    decoder = ChunkDecoder(NEWEST)
    for state in (b"", b"\0" * len(first.state), first.state[:-1], first.state + b"\0"):
        with pytest.raises(ChunkError, match="hand on the state of the Cut"):
            decoder.decode(**parts_of(first) | {"state": state})
    damaged = bytearray(first.state)
    damaged[28] = 5
    with pytest.raises(ChunkError, match="reason 5"):
        decoder.decode(**parts_of(first) | {"state": bytes(damaged)})
    damaged = bytearray(first.state)
    damaged[-1] = 0xFF
    with pytest.raises(ChunkError, match="modules have been seen"):
        decoder.decode(**parts_of(first) | {"state": bytes(damaged)})


@pytest.mark.parametrize(
    ("layout", "restrictions"),
    [
        (Layout.find(100, 34688), {}),
        (NEWEST.override(tick_ps=1), {}),
        (NEWEST, {"modules": [(0, 2)]}),
        (NEWEST, {"max_event_length": 100}),
    ],
)
def test_other_settings_are_refused(
    layout: Layout, restrictions: dict[str, Any]
) -> None:
    first, _ = two_chunks()
    with pytest.raises(ChunkError, match="give both the same"):
        ChunkDecoder(layout, **restrictions).decode(**parts_of(first))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(LayoutError):
        ChunkDecoder(NEWEST, modules=[(0, 16)])
    with pytest.raises(LayoutError):
        ChunkDecoder(NEWEST, max_event_length=3)
    with pytest.raises(ChunkError, match="keep the last 3"):
        ChunkDecoder(NEWEST).decode(b"\0" * 7, offset=0, state=b"", final=True)
