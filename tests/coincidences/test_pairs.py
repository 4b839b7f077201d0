"""Pairs of events and sums of energies are those of plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.coincidences import (
    ChannelError,
    CoincidenceError,
    addback,
    build_coincidences,
    choose_channels,
    energy_matrix,
    time_difference_histogram,
    time_differences,
)
from pixie_pipe.events import Events, EventsError
from tests.support.coincidence_draws import definitions, tables
from tests.support.coincidence_oracle import delay_of, is_of, plain_coincidences

choices = st.sampled_from(
    ["0/2/0", "0/2/1", "0/2", "0/3", ["0/2/1", "0/4/0"], ["0/2", "0/3", "0/4"], "9/9/9"]
)


def channels_of(events: Events) -> list[tuple[int, int, int]]:
    columns = (events.crate, events.slot, events.channel)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def plain_pairs(events, definition, a, b):
    """Return the rows of all pairs."""
    channels = channels_of(events)
    side_a, side_b = choose_channels(a), choose_channels(b)
    return [
        (x, y)
        for rows in plain_coincidences(events, definition).members
        for x in rows
        for y in rows
        if x != y and is_of(channels[x], side_a) and is_of(channels[y], side_b)
    ]


def with_energies(events: Events, seed: int) -> Events:
    rng = np.random.default_rng(seed)
    return events.with_columns(energy=rng.integers(0, 40, len(events), np.uint16))


@given(tables(), definitions(), choices, choices)
def test_time_differences(events, definition, a, b):
    times = [
        time + delay_of(channel, definition)
        for time, channel in zip(
            events.time_ps.tolist(), channels_of(events), strict=True
        )
    ]
    expected = [times[y] - times[x] for x, y in plain_pairs(events, definition, a, b)]
    found = build_coincidences(events, definition=definition)
    assert time_differences(found, a, b).tolist() == expected
    # The width does not divide the range: the last bin ends at 8 ps.
    histogram = time_difference_histogram(found, a, b, low_ps=-7, high_ps=6, bin_ps=3)
    edges = [-7, -4, -1, 2, 5, 8]
    assert histogram.edges_ps.tolist() == edges
    assert histogram.counts.tolist() == [
        sum(low <= value < low + 3 for value in expected) for low in edges[:-1]
    ]
    assert histogram.below == sum(value < -7 for value in expected)
    assert histogram.above == sum(value >= 8 for value in expected)


@given(tables(), definitions(), choices, choices, st.integers(0, 99))
def test_energies_against_energies(events, definition, a, b, seed):
    events = with_energies(events, seed)
    edges_a, edges_b = [0.5, 3, 10, 39], [-1, 20, 40]
    expected = np.zeros((3, 2), int)
    outside = 0
    for x, y in plain_pairs(events, definition, a, b):
        i = [k for k in range(3) if edges_a[k] <= events.energy[x] < edges_a[k + 1]]
        j = [k for k in range(2) if edges_b[k] <= events.energy[y] < edges_b[k + 1]]
        if i and j:
            expected[i[0], j[0]] += 1
        else:
            outside += 1
    found = build_coincidences(events, definition=definition)
    matrix = energy_matrix(found, a, b, edges_a, edges_b)
    assert matrix.counts.tolist() == expected.tolist()
    assert matrix.outside == outside
    assert (matrix.edges_a.tolist(), matrix.edges_b.tolist()) == (edges_a, edges_b)


def test_any_column_and_equal_edges():
    events = Events(
        {
            "crate": [0, 0, 0],
            "slot": [2, 2, 2],
            "channel": [0, 1, 1],
            "time_ps": [0, 1, 2],
            "baseline": [1.5, 2.5, float("nan")],
        }
    )
    found = build_coincidences(events, window_ns=1)
    matrix = energy_matrix(found, "0/2/0", "0/2/1", [1, 2, 3], column="baseline")
    assert matrix.counts.tolist() == [[0, 1], [0, 0]]
    assert matrix.outside == 1
    with pytest.raises(EventsError, match="no column 'energy'"):
        energy_matrix(found, "0/2/0", "0/2/1", [1, 2])
    for edges in ([1], [1, 1], [[1, 2]], [2, 1], [1, float("nan")]):
        with pytest.raises(CoincidenceError, match="two or more rising numbers"):
            energy_matrix(found, "0/2/0", "0/2/1", edges, column="baseline")
    for low, high, width in ((0, 10, 0), (10, 10, 1), (0, 1 << 40, 1)):
        with pytest.raises(CoincidenceError, match="expected a width of 1 ps"):
            time_difference_histogram(
                found, "0/2", "0/2", low_ps=low, high_ps=high, bin_ps=width
            )


GROUPS = [["0/2/0", "0/3/0"], "0/2/1", ("0/3/1", "0/4/0")]


def plain_addback(events, window_ps):
    channels = channels_of(events)
    late = events.late.tolist() if "late" in events.columns else [False] * len(events)
    sums: list[list[int]] = []
    for group in GROUPS:
        own = choose_channels(group)
        mine: list[list[int]] = []
        for row in range(len(events)):
            if not is_of(channels[row], own):
                continue
            if late[row]:
                sums.append([row])
            elif (
                mine and events.time_ps[row] - events.time_ps[mine[-1][0]] <= window_ps
            ):
                mine[-1].append(row)
            else:
                mine.append([row])
        sums += mine
    return sums


@given(tables(), st.integers(0, 12), st.integers(0, 99))
def test_addback(events, window_ps, seed):
    events = with_energies(events, seed)
    sums = plain_addback(events, window_ps)
    found = addback(events, GROUPS, window_ns=window_ps / 1000)
    energies = events.energy.tolist()
    expected = sorted(
        (max(rows, key=lambda row: (energies[row], -row)), rows) for rows in sums
    )
    by_row = np.argsort(found.row)
    assert found.row[by_row].tolist() == [row for row, _ in expected]
    assert found.energy[by_row].tolist() == [
        sum(energies[row] for row in rows) for _, rows in expected
    ]
    assert found.multiplicity[by_row].tolist() == [len(rows) for _, rows in expected]
    assert found.energy.sum() == sum(energies[r] for rows in sums for r in rows)
    assert (np.diff(found.time_ps) >= 0).all()
    channels = channels_of(events)
    for k in range(len(found)):
        row = found.row[k]
        assert (found.crate[k], found.slot[k], found.channel[k]) == channels[row]
        assert found.time_ps[k] == events.time_ps[row]
        assert is_of(channels[row], choose_channels(GROUPS[found.group[k]]))


def test_sums_as_a_data_frame():
    events = Events(
        {
            "crate": [0] * 4,
            "slot": [2] * 4,
            "channel": [0, 1, 2, 0],
            "time_ps": [0, 1000, 2000, 90_000],
            "energy": [300, 400, 5, 65535],
        }
    )
    sums = addback(events, ["0/2/0-1"], window_ns=5)
    assert repr(sums) == "<Addback: 2 sums of 3 events>"
    frame = sums.to_pandas()
    assert frame.energy.tolist() == [700, 65535]
    assert frame.channel.tolist() == [1, 0]
    assert frame.time_ps.tolist() == [1000, 90_000]


def test_what_cannot_be_summed_is_refused():
    events = Events(
        {"crate": [0], "slot": [2], "channel": [0], "time_ps": [0], "energy": [1]}
    )
    with pytest.raises(ChannelError, match="in group 1 and, some of them, in group 0"):
        addback(events, ["0/2/0-3", "0/2/2"], window_ns=5)
    with pytest.raises(EventsError, match="no column 'energy_of'"):
        addback(events, ["0/2"], window_ns=5, column="energy_of")
    backwards = Events.concatenate([events, events.with_columns(time_ps=[-5])])
    with pytest.raises(CoincidenceError, match="in the order of their times"):
        addback(backwards, ["0/2"], window_ns=5)
