"""Sound streams: the decoder against the plain-Python oracle, and the encoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Block
from pixie_pipe.listmode import Balance, Layout, LayoutError, decode, encode
from pixie_pipe.testing.generators import random_events
from tests.support.streams import (
    SDK_LAYOUTS,
    event_tables,
    format_of,
    header_lengths_of,
    layouts,
    newest_revision,
    rows,
)

NEWEST = Layout.find(500, 34688)


@given(st.data())
def test_decodes_what_was_encoded(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    events = data.draw(event_tables(layout))
    words = encode(events, layout)
    decoded = decode(words, layout)
    assert rows(decoded.events) == rows(events)
    assert decoded.rejected.size == 0
    assert decoded.leftover_words.size == 0
    assert decoded.balance.closes
    assert decoded.balance.decoded == words.size
    np.testing.assert_array_equal(encode(decoded.events, layout), words)


@given(st.data())
def test_answers_as_the_oracle(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    words = encode(data.draw(event_tables(layout)), layout)
    oracle = format_of(layout)
    assert rows(decode(words, layout).events) == list(oracle.events(words.tolist()))


@pytest.mark.parametrize(("frequency", "first"), SDK_LAYOUTS)
def test_every_field_of_every_layout(frequency: int, first: int) -> None:
    """Many events, so that whole groups of the kernel are filled."""
    layout = Layout.find(frequency, newest_revision(frequency, first))
    rng = np.random.default_rng(first)
    events = random_events(
        layout,
        3000,
        rng,
        header_lengths=header_lengths_of(layout),
        trace_lengths=(0, 1, 7, 40),
        modules=((0, 2), (3, 14)),
    )
    words = encode(events, layout)
    decoded = decode(words, layout)
    assert decoded.events.equals(events)
    oracle = format_of(layout)
    assert rows(decoded.events) == list(oracle.events(words.tolist()))


@pytest.mark.parametrize("count", [1, 5, 1023, 1024, 1025, 5000])
def test_bare_events_take_the_fast_way_to_the_same_end(count: int) -> None:
    rng = np.random.default_rng(count)
    events = random_events(NEWEST, count, rng)
    decoded = decode(encode(events, NEWEST), NEWEST)
    assert decoded.events.equals(events)
    assert decoded.balance.decoded == 4 * count
    assert decoded.balance.closes


@pytest.mark.parametrize("late", [0, 1, 1024, 1500])
@pytest.mark.parametrize("header", [6, 8, 12, 18])
def test_a_block_may_appear_late(late: int, header: int) -> None:
    rng = np.random.default_rng(late)
    events = type(random_events(NEWEST, 0, rng)).concatenate(
        [
            random_events(NEWEST, late, rng),
            random_events(
                NEWEST, 20, rng, header_lengths=(header,), trace_lengths=(6,)
            ),
            random_events(NEWEST, 10, rng),
        ]
    )
    decoded = decode(encode(events, NEWEST), NEWEST)
    assert rows(decoded.events) == rows(events)
    assert Block.TRACE in decoded.events.blocks


def test_blocks_are_absent_when_no_event_has_them() -> None:
    rng = np.random.default_rng(1)
    events = random_events(NEWEST, 10, rng, header_lengths=(12,))
    decoded = decode(encode(events, NEWEST), NEWEST)
    assert decoded.events.blocks == (Block.CORE, Block.QDC)


def test_time_is_exact_at_the_end_of_the_counter() -> None:
    """The largest times, where seconds in floating point are off by 0.5 ns."""
    for frequency, tick_ps in ((100, 10_000), (250, 8_000), (500, 10_000)):
        layout = Layout.find(frequency, 34688)
        words = np.array([0x00084020, 0xFFFFFFFF, 0xFFFF, 0], np.uint32)
        time = decode(words, layout).events.time_ps[0]
        assert int(time) == ((1 << 48) - 1) * tick_ps


@pytest.mark.parametrize(
    ("frequency", "field", "correction_ps"),
    [
        (100, 0x0000, 0),  # off
        (100, 0x4000, 5_000),
        (100, 0x7FFF, 10_000),  # 9999.69 ps rounded
        (100, 0x8000, 0),  # forced
        (100, 0xC000, 0),  # forced with a fraction: flagged, no correction
        (250, 0x2000, 2_000),
        (250, 0x4000, -4_000),  # source 1, fraction zero: valid
        (250, 0x6000, -2_000),
        (250, 0xC000, 0),  # forced
        (500, 0x0000, 0),  # off, not -2 ns
        (500, 0x1000, -1_000),
        (500, 0x2000, 0),
        (500, 0x8000, 6_000),
        (500, 0xE000, 0),  # source 7: failed
        (500, 0xF000, 0),
    ],
)
def test_cfd_policy(frequency: int, field: int, correction_ps: int) -> None:
    layout = Layout.find(frequency, 34688)
    words = np.array([0x00084020, 1000, field << 16, 0], np.uint32)
    events = decode(words, layout).events
    assert int(events.time_ps[0]) == 1000 * layout.tick_ps + correction_ps


def test_baseline_keeps_its_bits() -> None:
    """Zero, negative zero, denormals, infinity and not-a-number are plain floats."""
    patterns = [0, 0x80000000, 1, 0x7F800000, 0x7FC12345, 0x40490FDB]
    words = [[0x00108020, 0, 0, 0, 1, 2, 3, pattern] for pattern in patterns]
    events = decode(np.array(words, np.uint32).ravel(), NEWEST).events
    assert events.baseline.view(np.uint32).tolist() == patterns
    assert events.esum_trailing.tolist() == [1] * 6
    assert events.esum_leading.tolist() == [2] * 6
    assert events.esum_gap.tolist() == [3] * 6


def test_takes_bytes_and_arrays_of_any_kind() -> None:
    rng = np.random.default_rng(3)
    events = random_events(NEWEST, 50, rng, trace_lengths=(0, 10))
    words = encode(events, NEWEST)
    unaligned = np.frombuffer(b"x" + words.tobytes(), np.uint8)[1:]
    for data in (
        words.tobytes(),
        bytearray(words.tobytes()),
        memoryview(words.tobytes()),
        words.view(np.uint8),
        words.view(np.int32),
        words.astype(">u4"),
        words.reshape(1, -1),
        np.repeat(words, 2)[::2],
        unaligned,
    ):
        assert decode(data, NEWEST).events.equals(events)
    assert decode(words.byteswap(), NEWEST, byte_order="big").events.equals(events)
    swapped = words.byteswap().tobytes()
    assert decode(swapped, NEWEST, byte_order="big").events.equals(events)


def test_refuses_what_are_no_words() -> None:
    with pytest.raises(TypeError, match="float64, expected uint32 words"):
        decode(np.zeros(4), NEWEST)


def test_refuses_an_unknown_byte_order() -> None:
    with pytest.raises(ValueError, match="expected 'little' or 'big'"):
        decode(b"", NEWEST, byte_order="Big")  # type: ignore[arg-type]


def test_odd_bytes_are_kept_and_told() -> None:
    words = encode(random_events(NEWEST, 2, np.random.default_rng(1)), NEWEST)
    decoded = decode(words.tobytes() + b"abc", NEWEST)
    assert decoded.leftover_bytes == b"abc"
    assert decoded.balance.trailing_bytes == 3
    assert "3 bytes behind the last word" in str(decoded.balance)
    assert len(decoded.events) == 2


def test_nothing_decodes_to_nothing() -> None:
    decoded = decode(b"", NEWEST)
    assert len(decoded.events) == 0
    assert decoded.balance.closes
    assert decoded.rejected.size == 0


def test_an_incomplete_last_event_is_left_over() -> None:
    rng = np.random.default_rng(2)
    words = encode(random_events(NEWEST, 3, rng, trace_lengths=(20,)), NEWEST)
    for cut in range(1, 14):
        decoded = decode(words[:-cut], NEWEST)
        assert len(decoded.events) == 2
        np.testing.assert_array_equal(decoded.leftover_words, words[28:-cut])
        assert decoded.balance.leftover == 14 - cut
        assert decoded.balance.closes
        together = np.concatenate([decoded.leftover_words, words[-cut:]])
        assert len(decode(together, NEWEST).events) == 1


def test_restrictions_are_checked() -> None:
    with pytest.raises(LayoutError, match="module 16/2"):
        decode(b"", NEWEST, modules=[(16, 2)])
    with pytest.raises(LayoutError, match="list of modules is empty"):
        decode(b"", NEWEST, modules=[])
    with pytest.raises(LayoutError, match="max_event_length is 3 words, expected 4"):
        decode(b"", NEWEST, max_event_length=3)
    with pytest.raises(LayoutError, match="expected 4 to 8191"):
        decode(b"", Layout.find(100, 17562), max_event_length=9000)


def test_leftover_words_are_a_copy() -> None:
    words = encode(random_events(NEWEST, 2, np.random.default_rng(1)), NEWEST)
    decoded = decode(words[:-1], NEWEST)
    kept = decoded.leftover_words.tolist()
    words[:] = 0
    assert decoded.leftover_words.tolist() == kept


def test_balances_add_up() -> None:
    assert Balance(1, 2, 3, 4, 5) + Balance(10, 20, 30, 40, 50) == Balance(
        11, 22, 33, 44, 55
    )
