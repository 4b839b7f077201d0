"""Offsets are added to times exactly, and never out of their range."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels.time_offsets import (
    TimeOffsetError,
    TimeOffsets,
    shift_and_sort,
)

LOW, HIGH = -(2**63), 2**63 - 1

numbers = st.integers(0, 3) | st.sampled_from([63, 255])
offsets_of_places = st.dictionaries(
    st.tuples(numbers, numbers) | st.tuples(numbers, numbers, numbers),
    st.integers(-(10**6), 10**6) | st.sampled_from([LOW // 2, HIGH // 2]),
    max_size=6,
)
rows = st.lists(
    st.tuples(numbers, numbers, numbers, st.integers(LOW, HIGH)), max_size=30
)


def table(rows, **columns):
    crate, slot, channel, times = zip(*rows, strict=True) if rows else [()] * 4
    return Events(
        {"crate": crate, "slot": slot, "channel": channel, "time_ps": times} | columns
        if rows
        else {name: [] for name in ("crate", "slot", "channel", "time_ps")}
    )


@given(rows, offsets_of_places)
def test_each_event_gets_the_offsets_of_its_module_and_its_channel(rows, places):
    offsets = TimeOffsets(places)
    expected = [
        time + places.get((crate, slot), 0) + places.get((crate, slot, channel), 0)
        for crate, slot, channel, time in rows
    ]
    events = table(rows)
    before = events.time_ps.copy()
    wrong = [i for i, time in enumerate(expected) if not LOW <= time <= HIGH]
    if wrong:
        with pytest.raises(TimeOffsetError, match=f"event {wrong[0]} of channel"):
            offsets.shift(events)
    else:
        assert offsets.shift(events).time_ps.tolist() == expected
    assert np.array_equal(events.time_ps, before)


@given(rows.filter(len), offsets_of_places, offsets_of_places)
def test_sums_do_what_both_do(rows, one, other):
    events = table([(*row[:3], row[3] // 16) for row in rows])
    small = [
        {p: offset // 16 for p, offset in places.items()} for places in (one, other)
    ]
    first, second = map(TimeOffsets, small)
    together = (first + second).shift(events)
    assert together.equals(second.shift(first.shift(events)))


@given(offsets_of_places)
def test_the_disorder_is_what_two_channels_of_a_module_differ_by(places):
    def total(*place):
        return places.get(place[:2], 0) + places.get(place, 0)

    every = [*range(4), 63, 255]
    spreads = [
        max(offsets) - min(offsets)
        for crate in every
        for slot in every
        for offsets in [[total(crate, slot, channel) for channel in every]]
    ]
    assert TimeOffsets(places).disorder_ps == max(spreads)


@given(st.integers(LOW, HIGH))
def test_three_decimals_of_ns_are_exact(ps):
    offsets = TimeOffsets.from_ns({"0/2": Decimal(ps) / 1000})
    assert offsets.to_dict() == {"0/2": ps}


def test_numbers_are_read_as_they_are_written():
    written = {
        "0/2": 0.1,
        " 1/13/15 ": -2.0004,
        "1/13/14": 1e5,
        "3/3": 2,
        "4/4": 0.0005,
    }
    assert TimeOffsets.from_ns(written).to_dict() == {
        "0/2": 100,
        "1/13/14": 100_000_000,
        "1/13/15": -2000,
        "3/3": 2000,
        "4/4": 0,
    }


def test_no_offsets_give_the_same_table():
    events = table([(0, 2, 5, 7)])
    assert TimeOffsets({}).shift(events) is events
    assert TimeOffsets({(0, 2): 0}).shift(events) is events
    assert TimeOffsets({}).disorder_ps == 0


def test_other_columns_are_shared_and_traces_stay():
    events = table([(0, 2, 5, 7), (0, 3, 5, 7)], energy=[1, 2]).with_columns(
        trace_offsets=[0, 2, 3], trace_samples=[7, 8, 9]
    )
    shifted = TimeOffsets({(0, 3, 5): -2}).shift(events)
    assert shifted.time_ps.tolist() == [7, 5]
    assert shifted.energy is events.energy
    assert shifted.trace(0).tolist() == [7, 8]


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        ({"0": 1}, "for '0', expected crate/slot or crate/slot/channel"),
        ({"0/2/x": 1}, "for '0/2/x'"),
        ({7: 1}, "for 7"),
        ({"0/256": 1}, r"for '0/256', expected .* numbers from 0 to 255"),
        ({"0/2": "x"}, "the time offset of 0/2 is 'x', expected a number in ns"),
        ({"0/2": True}, "is True"),
        ({"0/2": float("nan")}, "is nan"),
        ({"0/2": float("inf")}, "is inf"),
        ({"0/2": 1e17}, "is 100000000000000000000 ps, expected a number of 64 bits"),
        ({"0/2": 9e15, "0/2/3": 9e15}, "of 0/2/3 is 18000000000000000000 ps"),
        ({"0/2": 1, "00/02": 1}, "the offset of 0/2 stands twice"),
    ],
)
def test_offsets_that_cannot_be(offsets, words):
    with pytest.raises(TimeOffsetError, match=words):
        TimeOffsets.from_ns(offsets)


def test_offsets_in_ps_are_whole_numbers():
    for wrong in (1.5, True):
        with pytest.raises(TimeOffsetError, match=f"is {wrong}, expected whole ps"):
            TimeOffsets({(0, 2): cast("int", wrong)})


def test_events_need_what_offsets_go_by():
    events = table([(0, 2, 5, 7)]).without("channel")
    with pytest.raises(EventsError, match="without channel cannot be given"):
        TimeOffsets({(0, 2): 1}).shift(events)


@given(rows.filter(len), offsets_of_places)
def test_a_table_is_shifted_and_sorted(rows, places):
    events = table([(*row[:3], row[3] // 16) for row in rows], energy=range(len(rows)))
    offsets = TimeOffsets({place: offset // 16 for place, offset in places.items()})
    found = shift_and_sort(events, offsets)
    assert found.equals(offsets.shift(events).sort())


def test_tables_with_traces_are_sorted_with_them():
    events = table([(0, 2, 5, 7), (0, 3, 5, 8), (0, 2, 1, 1)]).with_columns(
        trace_offsets=[0, 2, 3, 5], trace_samples=[7, 8, 9, 4, 5]
    )
    found = shift_and_sort(events, {"0/2/5": 0.002})
    assert found.time_ps.tolist() == [1, 8, 9]
    assert [found.trace(i).tolist() for i in range(3)] == [[4, 5], [9], [7, 8]]
    assert shift_and_sort(found) is found
    with pytest.raises(EventsError, match="without time_ps cannot be sorted"):
        shift_and_sort(events.without("time_ps"))
