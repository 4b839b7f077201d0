"""Damaged streams: what is lost, what is not, and that every word is told.

The rule is in docs/format.md. The oracle follows it word by word; the other tests
say what it means for a user.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout, RejectReason, decode, encode
from pixie_pipe.testing.generators import random_events
from tests.support.damage import damages, sound_stream, with_length
from tests.support.streams import format_of, layouts, rows

NEWEST = Layout.find(500, 34688)


def check_balance(words: NDArray[np.uint32], layout: Layout) -> None:
    """Every word is in an event, in one rejection, or left over."""
    decoded = decode(words, layout)
    balance = decoded.balance
    assert balance.closes
    assert balance.read == words.size
    assert balance.rejected == decoded.rejected["word_count"].sum()
    assert balance.leftover == decoded.leftover_words.size
    ends = decoded.rejected["word_offset"] + decoded.rejected["word_count"]
    assert np.all(decoded.rejected["word_offset"][1:] >= ends[:-1])
    np.testing.assert_array_equal(
        encode(decoded.events, layout), words[~outside(decoded, words.size)]
    )


def outside(decoded: object, size: int) -> NDArray[np.bool_]:
    """Return which words are in no event."""
    mask = np.zeros(size, np.bool_)
    for offset, count, _ in decoded.rejected.tolist():  # type: ignore[attr-defined]
        mask[offset : offset + count] = True
    leftover = decoded.leftover_words.size  # type: ignore[attr-defined]
    mask[size - leftover :] = True
    return mask


@given(st.data())
def test_every_good_event_outside_the_damaged_one_is_recovered(
    data: st.DataObject,
) -> None:
    seed = data.draw(st.integers(0, 1 << 20))
    pieces, timestamps = sound_stream(NEWEST, seed, data.draw(st.integers(1, 30)))
    hurt = data.draw(st.integers(0, len(pieces) - 1))
    pieces[hurt] = data.draw(damages(pieces[hurt]))
    words = np.concatenate(pieces)
    # Named, because one of them may be cut before the other has been seen.
    decoded = decode(words, NEWEST, modules=[(0, 2), (1, 13)])
    found = decoded.events.timestamp.tolist()
    good = timestamps[:hurt] + timestamps[hurt + 1 :]
    assert [stamp for stamp in found if stamp in set(good)] == good
    check_balance(words, NEWEST)


@given(st.data())
def test_follows_the_rule_word_by_word(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    pieces, _ = sound_stream(layout, data.draw(st.integers(0, 1 << 20)), 12)
    for hurt in data.draw(st.lists(st.integers(0, 11), min_size=1, max_size=4)):
        if pieces[hurt].size:
            pieces[hurt] = data.draw(damages(pieces[hurt]))
    words = np.concatenate(pieces)
    modules = data.draw(st.sampled_from([None, [(0, 2)], [(0, 2), (1, 13)]]))
    limit = data.draw(st.sampled_from([None, 40]))
    oracle = format_of(layout, modules=modules, max_event_length=limit)
    _, rejected, rest = oracle.walk(words.tolist())
    decoded = decode(words, layout, modules=modules, max_event_length=limit)
    assert decoded.rejected.tolist() == rejected
    assert decoded.leftover_words.size == words.size - rest
    assert rows(decoded.events) == list(oracle.events(words.tolist()))
    assert decoded.balance.closes


@given(st.lists(st.integers(0, 0xFFFFFFFF), max_size=200), layouts())
@example([0] * 40, NEWEST)
@example([0xFFFFFFFF] * 40, NEWEST)
@example([0x00084020] * 40, NEWEST)
def test_any_words_at_all(values: list[int], layout: Layout) -> None:
    words = np.array(values, np.uint32)
    check_balance(words, layout)
    assert decode(words, layout).rejected.tolist() == format_of(layout).walk(values)[1]


@pytest.mark.parametrize("length", [8, 12, 254, 404, 4004, 16383])
@pytest.mark.parametrize("behind", [1, 2, 3, 50, 5000])
def test_a_hugely_long_event_swallows_nothing(length: int, behind: int) -> None:
    """Its length is stated twice, consistently, and may end where an event ends."""
    rng = np.random.default_rng(behind)
    events = random_events(NEWEST, behind + 1, rng)
    words = encode(events, NEWEST).reshape(-1, 4)
    words[0] = with_length(words[0], length)
    decoded = decode(words.ravel(), NEWEST)
    np.testing.assert_array_equal(decoded.events.timestamp, events.timestamp[1:])
    assert decoded.rejected.tolist() == [(0, 4, RejectReason.CUT)]


@pytest.mark.parametrize("kept", [1, 4, 5, 17, 100, 253])
def test_a_cut_trace_swallows_nothing(kept: int) -> None:
    """An event that lost its end, among events of the same length and others."""
    rng = np.random.default_rng(kept)
    events = random_events(NEWEST, 400, rng, trace_lengths=(0, 0, 0, 0, 500))
    pieces = [encode(events[i], NEWEST) for i in range(400)]
    hurt = next(i for i in range(100, 400) if pieces[i].size == 254)
    pieces[hurt] = pieces[hurt][:kept]
    decoded = decode(np.concatenate(pieces), NEWEST)
    expected = np.delete(events.timestamp, hurt)
    np.testing.assert_array_equal(decoded.events.timestamp, expected)
    assert decoded.rejected["word_count"].tolist() == [kept]


@pytest.mark.parametrize(
    ("word", "value", "reason"),
    [
        (0, 0x000A5020, RejectReason.HEADER_LENGTH),
        (0, 0x00000020, RejectReason.HEADER_LENGTH),
        (0, 0x000A4020, RejectReason.EVENT_LENGTH),
        (0, 0x00004020, RejectReason.EVENT_LENGTH),
        (0, 0x00084010, RejectReason.MODULE),
        (0, 0x000840F0, RejectReason.MODULE),
        (3, 0x00020000, RejectReason.EVENT_LENGTH),
    ],
)
def test_reasons(word: int, value: int, reason: RejectReason) -> None:
    words = encode(random_events(NEWEST, 9, np.random.default_rng(1)), NEWEST)
    words[16 + word] = value
    decoded = decode(words, NEWEST)
    assert decoded.rejected.tolist() == [(16, 4, reason)]
    assert len(decoded.events) == 8


def test_external_timestamps_before_their_firmware_are_damage() -> None:
    words = np.array([0x000C6020, 0, 0, 0, 1, 2] * 4, np.uint32)
    assert len(decode(words, Layout.find(250, 30979)).events) == 0
    assert len(decode(words, Layout.find(250, 30980)).events) == 4


def test_an_event_above_the_limit_is_damage() -> None:
    rng = np.random.default_rng(4)
    events = random_events(NEWEST, 20, rng, trace_lengths=(40,))
    words = encode(events, NEWEST)
    assert len(decode(words, NEWEST, max_event_length=24).events) == 20
    decoded = decode(words, NEWEST, max_event_length=23)
    assert decoded.rejected.tolist() == [(0, words.size, RejectReason.TOO_LONG)]


def test_known_modules_only() -> None:
    rng = np.random.default_rng(5)
    events = random_events(NEWEST, 60, rng, modules=((0, 2), (0, 3)))
    words = encode(events.sort("slot"), NEWEST)
    decoded = decode(words, NEWEST, modules=[(0, 3)])
    assert set(decoded.events.slot.tolist()) == {3}
    assert decoded.rejected["reason"].tolist() == [RejectReason.MODULE]
    assert decode(words, NEWEST, modules=[(0, 2), (0, 3)]).rejected.size == 0


def test_slot_zero_can_be_allowed() -> None:
    words = np.array([0x00084000, 0, 0, 0], np.uint32)
    assert len(decode(words, NEWEST).events) == 0
    assert len(decode(words, NEWEST, modules=[(0, 0)]).events) == 1
    assert len(decode(words, NEWEST.override(slots=(0, 15))).events) == 1


def test_one_good_event_between_two_damages_is_not_trusted() -> None:
    """Three plausible events, or the end of the data, bring the decoder back."""
    words = encode(random_events(NEWEST, 9, np.random.default_rng(6)), NEWEST)
    words[8] = words[16] = 0
    decoded = decode(words, NEWEST)
    assert decoded.rejected.tolist() == [(8, 12, RejectReason.HEADER_LENGTH)]
    assert len(decoded.events) == 6


def test_many_rejections_fit() -> None:
    events = random_events(NEWEST, 5000, np.random.default_rng(7))
    words = encode(events, NEWEST)
    words[::40] = 0
    decoded = decode(words, NEWEST)
    assert len(decoded.rejected) == 500
    assert len(decoded.events) == 4500


def test_zeros_behind_the_data_are_told() -> None:
    words = encode(random_events(NEWEST, 5, np.random.default_rng(8)), NEWEST)
    padded = np.concatenate([words, np.zeros(100, np.uint32)])
    decoded = decode(padded, NEWEST)
    assert len(decoded.events) == 5
    assert decoded.rejected.tolist() == [(20, 100, RejectReason.HEADER_LENGTH)]


def test_every_reason_is_described() -> None:
    assert len({reason.description for reason in RejectReason}) == len(RejectReason)
