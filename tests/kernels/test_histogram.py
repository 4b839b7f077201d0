"""Places of bins are those of boost-histogram; what is added is counted."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe._jit import read_only
from pixie_pipe.kernels.histogram import (
    ChannelRows,
    add_counts,
    bins_of,
    first_bins,
    place_all,
    place_in_rows,
    place_pairs,
    remove_counts,
)

few = st.tuples(st.integers(0, 1), st.integers(2, 4), st.integers(0, 3))
identifiers = st.one_of(few, st.tuples(*[st.integers(0, 255)] * 3))
rows = st.lists(st.tuples(identifiers, st.integers(0, 65535)), max_size=40)
NONE = read_only(np.zeros(0, np.bool_))


def columns(items):
    numbers = np.array([item[0] for item in items], np.uint8).reshape(-1, 3)
    parts: Any = [read_only(np.ascontiguousarray(numbers[:, k])) for k in range(3)]
    return [*parts, read_only(np.array([item[1] for item in items], np.uint16))]


def located(items, table, low, bins, shift, gate=NONE):
    """Return the places of all events, with new rows where they are needed."""
    crate, slot, channel, values = columns(items)
    places = np.empty(len(items), np.uint32)
    done = filled = 0
    while True:
        done, filled = place_in_rows(
            crate, slot, channel, values, gate, done, table.module_rows, table.rows,
            low, float(bins << shift), bins, shift, places, filled,
        )  # fmt: skip
        if done == len(items):
            return places[:filled].tolist()
        table.add(items[done][0])


@given(
    rows,
    st.integers(0, 40_000),
    st.sampled_from([1, 100, 4096]),
    st.integers(0, 15),
    st.sampled_from([None, [(0, 2, 1), (1, 3)], []]),
    st.booleans(),
)
def test_places_in_rows(items, low, bins, shift, wanted, gated):
    gate = np.array([item[1] % 3 > 0 for item in items], np.bool_) if gated else NONE
    table = ChannelRows(wanted)
    found = located(items, table, float(low), bins, shift, read_only(gate))
    expected, known = [], []
    for number, (channel, value) in enumerate(items):
        meant = wanted is None or channel in wanted or channel[:2] in wanted
        if not meant or (gate.size and not gate[number]):
            continue
        if channel not in known:
            known.append(channel)
        k = min(max((value - low) // 2**shift, -1), bins)
        expected.append(known.index(channel) * (bins + 2) + k + 1)
    assert found == expected
    assert table.channels == known
    if wanted is None and not gated:
        places = np.empty(len(items), np.uint32)
        axis = map(np.int32, (low, bins, shift))
        ready: Any = (table.module_rows, first_bins(table.rows, bins), *axis, places)
        assert place_all(*columns(items), *ready)
        assert places.tolist() == expected


def test_place_all_refuses_channels_without_a_row():
    table = ChannelRows([(0, 2, 1)])
    table.add((0, 2, 1))
    table.add((0, 2, 2))
    for channel, is_known in [
        ((0, 2, 1), True),
        ((0, 2, 2), False),
        ((9, 9, 9), False),
    ]:
        ready: Any = (table.module_rows, first_bins(table.rows, 8))
        how: Any = (np.int32(0), np.int32(8), np.int32(0), np.empty(2, np.uint32))
        items = [((0, 2, 1), 5), (channel, 5)]
        assert place_all(*columns(items), *ready, *how) is is_known
        # And where all are of one module.
        items = [(channel, 5), (channel, 5)]
        assert place_all(*columns(items), *ready, *how) is is_known


axis_values = st.floats(-3e3, 3e3) | st.sampled_from([np.nan, np.inf, -np.inf, 0.1])


@given(
    st.lists(axis_values, max_size=20),
    st.floats(-1e3, 1e3),
    st.floats(0.01, 2e3),
    st.integers(1, 500),
)
def test_bins_are_those_of_boost_histogram(values, low, span, bins):
    high = low + span
    axis = bh.axis.Regular(bins, low, high)
    # The edges belong to the bins above them.
    values = np.array([*values, *axis.edges[:3], low, high])
    found = np.empty(values.size, np.uint32)
    bins_of(values, low, high - low, bins, found)
    histogram = bh.Histogram(axis, storage=bh.storage.Int64()).fill(values)
    counted = np.bincount(found, minlength=bins + 2)
    assert counted.tolist() == histogram.view(flow=True).tolist()


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(0, 60))
def test_what_was_added_at_the_first_places_is_taken_back(places, added):
    counts = np.arange(21, dtype=np.int64)
    noted = np.array(places, np.uint32)
    add_counts(counts, noted[:added])
    by_place = np.bincount(places[:added], minlength=21)
    assert counts.tolist() == (np.arange(21) + by_place).tolist()
    remove_counts(counts, noted[: int(counts.sum()) - sum(range(21))])
    assert counts.tolist() == list(range(21))


HEIGHT = 7
members = st.tuples(
    st.integers(0, 6), st.integers(-1, HEIGHT - 1), st.integers(-1, HEIGHT - 1)
)


def paired(numbers, x, y, most):
    """Return how often each place comes, and how many events were left out."""
    groups: Any = defaultdict(list)
    found: Any = defaultdict(int)
    left_out = latest = 0
    for number, a, b in zip(numbers, x, y, strict=True):
        if number == 0 or (a < 0 and b < 0):
            continue
        if number < latest or len(groups[number]) == most:
            left_out += 1
            continue
        latest = number
        for c, d in groups[number]:
            for one, other in ((a, d), (c, b)):
                if one >= 0 and other >= 0:
                    found[one * HEIGHT + other] += 1
        groups[number].append((a, b))
    return dict(found), left_out


@pytest.mark.parametrize("most", [2, 5])
@given(st.lists(members, max_size=40), st.lists(st.integers(1, 40), max_size=4))
def test_pairs_of_coincidences(most, events, cuts):
    numbers, x, y = np.array(events, np.int64).reshape(-1, 3).T.copy()
    store, state = np.zeros((most, 2), np.int64), np.zeros(3, np.int64)
    places = np.empty(2 * most, np.uint32)
    found: dict[int, int] = defaultdict(int)
    ends = sorted({min(cut, len(events)) for cut in cuts} | {len(events)})
    for first, last in zip([0, *ends], ends, strict=False):
        start = 0
        part: Any = [np.ascontiguousarray(one[first:last]) for one in (numbers, x, y)]
        while start < last - first:
            kernel: Any = place_pairs
            start, filled = kernel(*part, HEIGHT, store, state, start, places, 0)
            for place in places[:filled].tolist():
                found[place] += 1
    assert (dict(found), state[2]) == paired(numbers, x, y, most)
