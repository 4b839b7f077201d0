"""Timestamps are shifted in raw words, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.kernels.time_shift import TimeShiftError, shift_timestamps
from pixie_pipe.listmode import decode, encode, event_positions
from tests.support.streams import event_tables, layouts

ROUND = 1 << 48
TICKS = st.one_of(
    st.integers(-(1 << 70), 1 << 70),
    st.sampled_from([0, 1, -1, 1 << 32, -(1 << 32), ROUND - 1, ROUND, 1 - ROUND]),
)


@given(st.data(), TICKS)
def test_events_of_all_layouts_come_out_later(data: st.DataObject, ticks: int) -> None:
    layout = data.draw(layouts())
    events = data.draw(event_tables(layout))
    words = encode(events, layout)
    shift_timestamps(words, event_positions(words, layout), ticks)
    stamps = [(stamp + ticks) % ROUND for stamp in events.timestamp.tolist()]
    after = decode(words, layout).events
    assert after.timestamp.tolist() == stamps
    # Back again, every bit is as it was.
    np.testing.assert_array_equal(
        encode(after.with_columns(timestamp=events.timestamp), layout),
        encode(events, layout),
    )


@given(st.lists(st.integers(0, 0xFFFFFFFF), min_size=4, max_size=60), TICKS, st.data())
def test_follows_the_definition(
    values: list[int], ticks: int, data: st.DataObject
) -> None:
    rows = data.draw(st.sets(st.integers(0, len(values) // 4 - 1)))
    expected = list(values)
    for row in rows:
        low, high = values[4 * row + 1 : 4 * row + 3]
        stamp = ((high & 0xFFFF) << 32 | low) + ticks
        expected[4 * row + 1] = stamp % (1 << 32)
        expected[4 * row + 2] = (high & 0xFFFF0000) | (stamp >> 32) % (1 << 16)
    words = np.array(values, np.uint32)
    positions = 4 * np.array(sorted(rows), np.int64)
    shift_timestamps(words, positions, ticks)
    assert words.tolist() == expected


def test_a_part_of_an_array_is_shifted_where_it_is() -> None:
    words = np.zeros(16, np.uint32)
    shift_timestamps(words[8:], np.array([0], np.int64), -1)
    assert words.tolist() == [0] * 9 + [0xFFFFFFFF, 0xFFFF] + [0] * 5
    shift_timestamps(words[::2], np.array([4], np.int64), 5)
    assert words[10] == 0xFFFF + 5


def test_what_cannot_be_shifted_is_refused() -> None:
    words = np.zeros(8, np.uint32)
    for position in (-1, 5, 8):
        with pytest.raises(TimeShiftError, match="there are 8 words"):
            shift_timestamps(words, np.array([0, position]), 1)
    with pytest.raises(TimeShiftError, match="expected a row of int64"):
        shift_timestamps(words, np.array([0], np.int32), 1)
    with pytest.raises(TimeShiftError, match="words are int64"):
        shift_timestamps(words.astype(np.int64), np.array([0]), 1)
    with pytest.raises(TypeError):
        shift_timestamps(words, np.array([0]), 1.5)  # type: ignore[arg-type]
    words.flags.writeable = False
    with pytest.raises(TimeShiftError, match="writeable=False"):
        shift_timestamps(words, np.array([0]), 1)


def test_no_events_need_no_words() -> None:
    words = np.zeros(0, np.uint32)
    shift_timestamps(words, np.zeros(0, np.int64), 5)
