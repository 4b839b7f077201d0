"""Wall times are exact, and nothing leaves its range in silence."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.timing import (
    NO_WALL_TIME,
    ClockAnchor,
    Placed,
    TimingError,
    WallClock,
    format_time_ns,
    parse_time_ns,
    place_times,
)

S = 10**9
LATEST = 9 * 10**18


@given(st.integers(0, LATEST))
def test_times_are_read_as_they_are_written(time_ns):
    assert parse_time_ns(format_time_ns(time_ns)) == time_ns
    assert parse_time_ns(time_ns) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 01:30+01:00", 1800 * S),
        ("2001-09-09T01:46:40.000000001Z", 10**18 + 1),
        ("2001-09-08T20:46:40.5 -0500", 10**18 + S // 2),
    ],
)
def test_times_of_any_zone(text, time_ns):
    assert parse_time_ns(text) == time_ns


def test_times_of_python():
    zone = dt.timezone(dt.timedelta(hours=2))
    time = dt.datetime(2026, 3, 1, 14, 0, 0, 123456, zone)
    assert parse_time_ns(time) == int(time.timestamp()) * S + 123_456_000


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("soon", "'soon' is no time, expected ISO 8601 with an offset from UTC"),
        ("2026-03-01T12:00:00", "is no time"),
        ("2026-13-01T12:00:00Z", "is no time"),
        ("2026-03-01T12:00:00.1234567891Z", "is no time"),
        (1.5, "1.5 is no time"),
        (True, "True is no time"),
        (dt.datetime(2026, 3, 1), "is no time"),  # noqa: DTZ001 - that is the point
        (-1, "-1 is out of range, expected one from 1970 to 2255"),
        (LATEST + 1, "out of range"),
    ],
)
def test_what_is_no_time(value, words):
    with pytest.raises(TimingError, match=words):
        parse_time_ns(value)


steps = st.lists(st.integers(0, 10**15), max_size=5)


@given(
    st.integers(0, LATEST - 10**16),
    steps,
    st.lists(st.tuples(st.integers(0, 5), st.integers(-(10**6), 2**61)), max_size=20),
)
def test_times_are_those_of_whole_numbers(first, steps, events):
    starts = [first]
    for step in steps:
        starts.append(starts[-1] + step)
    events = [(segment, time) for segment, time in events if segment < len(starts)]
    segments = np.array([segment for segment, _ in events], np.int64)
    clock = np.array([time for _, time in events], np.int64)
    times, wall = place_times(Placed(segments, clock), WallClock(starts))
    assert wall.tolist() == [starts[k] + time // 1000 for k, time in events]
    assert times.tolist() == [time + 1000 * (starts[k] - first) for k, time in events]


@given(
    st.none() | st.integers(0, LATEST - 10**16),
    st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**12)), max_size=5),
)
def test_gaps_follow_the_latest_time_of_each_segment(first, gaps):
    clock = WallClock()
    if first is None:
        clock.add_unknown()
    else:
        clock.add_start(first)
    offset = 0
    expected = [ClockAnchor(first, 0)]
    for span_ps, gap_ns in gaps:
        clock.add_gap(span_ps, gap_ns)
        offset += -(-span_ps // 1000) + gap_ns
        start = None if first is None else first + offset
        expected.append(ClockAnchor(start, 1000 * offset))
    assert clock.anchors == tuple(expected)
    if first is not None:
        # The times that were used give the same again.
        starts = [a.start_ns for a in clock.anchors if a.start_ns is not None]
        assert WallClock(starts).anchors == clock.anchors


def test_a_start_that_is_not_known_gives_no_wall_time():
    clock = WallClock()
    clock.add_unknown()
    clock.add_gap(1_500, 2)
    times, wall = place_times(Placed(np.array([0, 1]), np.array([7, 7])), clock)
    assert times.tolist() == [7, 4_007]
    assert wall.tolist() == [NO_WALL_TIME] * 2
    assert np.isnat(wall.view("datetime64[ns]")).all()


def test_starts_count_from_a_reference():
    assert WallClock([50], reference_ns=20).anchor(0) == ClockAnchor(50, 30_000)


def test_starts_that_cannot_be():
    with pytest.raises(TimingError, match="the starts are not in order: 1970-01-01T"):
        WallClock([5, 4])
    with pytest.raises(TimingError, match="106 days or more apart"):
        WallClock([0, 10**16])
    with pytest.raises(TimingError, match=r"segment 2 of the clocks .* 2 are known"):
        WallClock([5, 6]).anchor(2)
    with pytest.raises(TimingError, match=r"segment 0 .* 0 are known"):
        WallClock().add_gap(1, 1)


def test_times_that_do_not_fit():
    clock = WallClock([0, 9 * 10**15])
    placed = Placed(np.array([0, 1, 1]), np.array([0, 10**17, 10**18]))
    with pytest.raises(TimingError, match="event 2 is 1000000000000000000 ps behind"):
        place_times(placed, clock)


def test_no_events():
    none = np.zeros(0, np.int64)
    times, wall = place_times(Placed(none, none), WallClock())
    assert times.size == wall.size == 0
