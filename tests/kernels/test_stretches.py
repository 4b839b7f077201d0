"""Orders as stretches: the same as numpy's stable argsort."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.kernels._stretches import (
    count_stretches,
    cut,
    expanded,
    nearly_ordered,
    numbers,
    stretches_between,
    stretches_of,
)


@st.composite
def nearly_sorted(draw: st.DrawFn) -> NDArray[np.int64]:
    """Times in order, with some that are moved back by a little, or far."""
    size = draw(st.integers(0, 400))
    times = np.cumsum(
        draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), dtype=int
    )
    for place, shift in draw(
        st.lists(st.tuples(st.integers(0, 399), st.integers(-40, 40)), max_size=8)
    ):
        if place < size:
            times[place] += shift
    return times.astype(np.int64)


@given(nearly_sorted(), st.data())
def test_the_order_is_the_stable_one(times, data):
    stretches = nearly_ordered(times)
    if stretches is None:
        return
    order = np.argsort(times, kind="stable")
    np.testing.assert_array_equal(expanded(stretches), order)
    # By place, one behind the other, and not empty.
    places = np.concatenate([[0], np.cumsum(stretches[:, 2])])
    np.testing.assert_array_equal(stretches[:, 1], places[:-1])
    assert (stretches[:, 2] > 0).all() or times.size == 0
    start, stop = sorted(data.draw(st.integers(0, times.size)) for _ in range(2))
    part = cut(stretches, start, stop)
    np.testing.assert_array_equal(expanded(part), order[start:stop])


@pytest.mark.parametrize("swaps", [0, 1, 60])
def test_few_that_are_near_their_places_are_found(swaps):
    times = np.arange(10_000)
    for place in range(100, 100 + 150 * swaps, 150):
        times[place] -= 7
    times.flags.writeable = False
    stretches = nearly_ordered(times)
    assert stretches is not None
    # Before, the late one, those that it passes, behind.
    assert len(stretches) <= 1 + 9 * swaps
    np.testing.assert_array_equal(expanded(stretches), np.argsort(times, kind="stable"))


@pytest.mark.parametrize(
    "times",
    [
        np.arange(1000)[::-1],
        np.tile([1, 0], 500),
        np.concatenate([np.arange(500), [0], np.arange(500, 999)]),
        np.repeat(np.arange(20), 50).reshape(20, 50).T.ravel(),
    ],
    ids=["backwards", "each second", "one from far", "interleaved"],
)
def test_what_is_not_nearly_in_order_is_left_to_others(times):
    assert nearly_ordered(times) is None


def test_each_window_that_can_be_is_sorted():
    for size in range(2, 70):
        times = np.arange(5000)
        times[1000 : 1000 + size] = times[1000 : 1000 + size][::-1].copy()
        stretches = nearly_ordered(times)
        assert (stretches is None) == (size > 65)
        if stretches is not None:
            np.testing.assert_array_equal(
                expanded(stretches), np.argsort(times, kind="stable")
            )


def rows_and_places(stretches):
    return [
        (row + k, place + k) for row, place, n in stretches.tolist() for k in range(n)
    ]


def assert_none_could_be_longer(stretches):
    listed = stretches.tolist()
    assert all(count > 0 for *_, count in listed)
    assert all(
        (row + count, place + count) != (after[0], after[1])
        for (row, place, count), after in pairwise(listed)
    )


@given(st.lists(st.integers(0, 30), max_size=50), st.lists(st.integers(0, 30)))
def test_stretches_of_rows_and_places(values, others):
    rows = np.argsort(values, kind="stable").astype(np.intp)
    found = count_stretches(rows)
    stretches = stretches_of(rows, found)
    assert len(stretches) == found
    assert rows_and_places(stretches) == list(
        zip(rows.tolist(), range(rows.size), strict=True)
    )
    assert_none_could_be_longer(stretches)
    places = np.argsort(others, kind="stable").astype(np.intp)
    both = min(rows.size, places.size)
    stretches = stretches_between(rows[:both], places[:both])
    assert rows_and_places(stretches) == list(
        zip(rows[:both].tolist(), places[:both].tolist(), strict=True)
    )
    assert_none_could_be_longer(stretches)


def test_numbers_of_any_form():
    assert numbers(slice(2, 4)) == slice(2, 4)
    np.testing.assert_array_equal(numbers(np.array([3, 1])), [3, 1])
    np.testing.assert_array_equal(numbers(np.array([[4, 0, 2], [9, 2, 1]])), [4, 5, 9])
