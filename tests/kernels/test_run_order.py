"""The order of several runs is that of a stable sort of all their times."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.kernels import _run_order
from pixie_pipe.kernels._run_order import run_order
from pixie_pipe.kernels.time_order import time_order

LOW, HIGH = -(2**63), 2**63 - 1


def check(runs):
    runs = [np.sort(np.array(run, np.int64)) for run in runs]
    expected = np.argsort(np.concatenate(runs), kind="stable")
    np.testing.assert_array_equal(run_order(runs), expected)


def small_runs(times):
    return st.lists(st.lists(times, min_size=1, max_size=20), min_size=1, max_size=9)


@given(
    small_runs(st.integers(0, 40))
    | small_runs(st.integers(0, 10**6))
    | small_runs(st.integers(LOW, HIGH) | st.sampled_from([LOW, HIGH]))
)
def test_any_runs(runs):
    check(runs)


@given(st.data())
def test_batches_of_modules_one_behind_the_other(data):
    """Many batches, some small: cut from few streams whose batches may overlap."""
    runs = []
    for seed in range(data.draw(st.integers(1, 5))):
        rng = np.random.default_rng(seed)
        times = np.cumsum(rng.integers(0, 3, data.draw(st.integers(1, 600))))
        times -= rng.integers(0, 2, times.size)
        cuts = sorted(data.draw(st.lists(st.integers(0, times.size), max_size=8)))
        pieces = [times[a:b] for a, b in pairwise([0, *cuts, times.size]) if a < b]
        runs += pieces
    check(data.draw(st.permutations(runs)))


@pytest.mark.parametrize("count", [1, 2, 8, 31, 32, 33, 100])
def test_many_runs_that_overlap(count, monkeypatch):
    called = []

    def noted(times):
        called.append(times.size)
        return time_order(times)

    monkeypatch.setattr(_run_order, "time_order", noted)
    rng = np.random.default_rng(count)
    check([rng.integers(0, 10**9, 200) for _ in range(count)])
    assert bool(called) == (count > 32)


@pytest.mark.parametrize("where", [0, 500, 10**6, 2 * 10**6])
def test_a_few_times_among_many(where):
    rng = np.random.default_rng(1)
    many = [rng.integers(0, 10**6, 5000), rng.integers(0, 10**6, 4000)]
    few = [[where + 1, where + 90], [where + 3, where + 90, where + 10**5]]
    check([few[0], *many, few[1]])


def test_times_are_not_changed():
    runs = [np.array([1, 5]), np.array([2, 5])]
    for run in runs:
        run.flags.writeable = False
    assert run_order(runs).tolist() == [0, 2, 1, 3]
