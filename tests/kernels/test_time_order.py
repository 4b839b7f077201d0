"""The order in time is that of numpy's stable sort, by every way that leads to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.kernels import time_order as kernel
from pixie_pipe.kernels.time_order import time_order

INT64 = np.iinfo(np.int64)


def assert_ordered(times: NDArray[np.int64]) -> None:
    order = time_order(times)
    assert order.dtype == np.intp
    assert order.tolist() == np.argsort(times, kind="stable").tolist()


def run(rng: np.random.Generator, count: int, mean: float) -> NDArray[np.int64]:
    return np.cumsum(rng.exponential(mean, count)).astype(np.int64)


def disordered(count: int, places: float, seed: int = 1) -> NDArray[np.int64]:
    """Return times that are out of order by some places."""
    rng = np.random.default_rng(seed)
    times = run(rng, count, 1000)
    jitter = rng.integers(0, max(1, int(1000 * places)), count)
    return times[np.argsort(times + jitter)] + 2 * 10**18


def bursts(count: int) -> NDArray[np.int64]:
    """Return times that are in few places of their range, in any order."""
    rng = np.random.default_rng(3)
    return 10**9 * rng.integers(0, 5, count) + rng.integers(0, 100, count)


anything = st.lists(st.integers(INT64.min, INT64.max), max_size=40)
near = st.lists(st.integers(-5, 5), max_size=60)


@given(st.one_of(anything, near))
def test_any_times(times):
    assert_ordered(np.array(times, np.int64))


@given(
    st.lists(st.lists(st.integers(0, 1000)).map(sorted), min_size=1, max_size=9),
    st.sampled_from([0, -(2**63), 2**63 - 1001]),
)
def test_runs_one_behind_the_other(runs, start):
    times = np.array([time for run in runs for time in run], np.int64) + start
    assert_ordered(times)


@given(
    st.integers(2, 300),
    st.floats(0, 50),
    st.integers(0, 2**32 - 1),
)
def test_disorder_of_a_few_places(count, places, seed):
    assert_ordered(disordered(count, places, seed))


def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which kernels are called."""
    called: list[str] = []

    def noting(name: str) -> None:
        function = getattr(kernel, name)

        def noted(*arguments: Any) -> Any:
            called.append(name)
            return function(*arguments)

        monkeypatch.setattr(kernel, name, noted)

    for name in ("_merge_runs", "_insert", "_distribute", "_radix_sort"):
        noting(name)
    return called


CASES = {
    "none": np.zeros(0, np.int64),
    "one": np.array([INT64.min]),
    "equal": np.full(2000, 7),
    "in order": disordered(20_000, 0),
    "extremes in order": np.array([INT64.min, 0, INT64.max]),
    "extremes": np.array([0, INT64.max, INT64.min, -1, 0]),
    "two runs": np.concatenate(
        [run(np.random.default_rng(k), 9000 + k, 1e6) for k in range(2)]
    ),
    "eight runs": np.concatenate(
        [run(np.random.default_rng(k), 500 * k, 1e6) for k in range(1, 9)]
    ),
    "little disorder": disordered(20_000, 0.5),
    "disorder": disordered(20_000, 30),
    "any order": np.random.default_rng(1).permutation(disordered(20_000, 0)),
    "backwards": disordered(5000, 0)[::-1],
    "crowds": bursts(20_000),
    "far": np.append(np.random.default_rng(1).permutation(5000), INT64.min),
    "long runs, many": np.concatenate(
        [run(np.random.default_rng(k), 900, 1e6) for k in range(20)]
    ),
}
WAYS = {
    "two runs": ["_merge_runs"],
    "eight runs": ["_merge_runs"],
    "little disorder": ["_insert"],
    "disorder": ["_distribute", "_insert"],
    "any order": ["_distribute", "_insert"],
    "backwards": ["_distribute", "_insert"],
    "crowds": ["_distribute", "_insert", "_radix_sort"],
    "long runs, many": ["_insert", "_distribute", "_insert"],
}


@pytest.mark.parametrize("name", CASES)
def test_each_way(monkeypatch, name):
    called = ways(monkeypatch)
    assert_ordered(CASES[name])
    assert called == WAYS.get(name, [])


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=50), st.integers(0, 3))
def test_radix_sort_of_any_words(times, row_bits):
    words = np.array(times, np.uint64) << np.uint64(row_bits)
    found = kernel._radix_sort(words.copy(), np.empty_like(words), row_bits, 41)
    assert found.tolist() == np.sort(words).tolist()


def test_insertion_gives_up_and_loses_nothing():
    words = np.arange(100, dtype=np.uint64)[::-1].copy()
    assert not kernel._insert(words, 300)
    assert sorted(words.tolist()) == list(range(100))
    assert kernel._insert(words, 10_000)
    assert words.tolist() == list(range(100))


@pytest.mark.parametrize("bits", range(52, 65))
@pytest.mark.parametrize("runs", [2, 20])
def test_times_and_rows_that_just_fit_a_word_or_do_not(bits, runs):
    # 1000 rows take ten bits, which leaves 54 for the times.
    rng = np.random.default_rng(bits)
    times = rng.integers(0, 2**bits - 1, (runs, 1000 // runs), np.uint64, endpoint=True)
    times[0, 0], times[-1, -1] = 0, 2**bits - 1
    signed = (np.sort(times).ravel() ^ np.uint64(1 << 63)).view(np.int64)
    assert_ordered(signed)


def test_the_result_is_not_overwritten_by_the_next():
    times = np.random.default_rng(1).permutation(disordered(20_000, 0))
    order = time_order(times)
    time_order(times[::-1])
    assert order.tolist() == np.argsort(times, kind="stable").tolist()


def test_columns_of_any_layout():
    times = np.arange(2000)[::-1].copy()
    times.flags.writeable = False
    assert time_order(times[::2]).tolist() == list(range(1000))[::-1]
    assert time_order(times.astype(">i8")).tolist() == list(range(2000))[::-1]
