"""The CFD follows its definition, and finds the times of pulses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.kernels._traces import TraceError
from pixie_pipe.kernels.cfd import filter_cfd, fixed_cfd, zero_crossings
from pixie_pipe.kernels.fast_filter import fast_filter
from tests.support.traces import Trace, fast, packed, sets_of_traces, split


@given(sets_of_traces, st.integers(1, 5), st.integers(1, 9), st.integers(0, 7))
def test_of_the_fast_filter(rows, length, delay, scale):
    samples, offsets = packed(rows)
    filtered = fast_filter(samples, offsets, length, 1)
    found = filter_cfd(filtered, offsets, length=length, delay=delay, scale=scale)
    for values, row in zip(split(found, offsets), rows, strict=True):
        ff = fast(row, length, 1)
        expected = [
            ((1 - scale / 8) * ff[k] - ff[k - delay]) * length
            for k in range(delay, len(row))
        ]
        first = expected[:1] or [math.nan]
        np.testing.assert_array_equal(values, first * min(delay, len(row)) + expected)


@given(sets_of_traces)
def test_of_the_samples(rows):
    samples, offsets = packed(rows)
    for values, x in zip(
        split(fixed_cfd(samples, offsets), offsets), rows, strict=True
    ):
        if len(x) < 12:
            assert all(math.isnan(value) for value in values)
            continue
        for k, value in enumerate(values):
            n = min(max(k, 10), len(x) - 2)
            assert value == (x[n] + x[n + 1]) - (x[n - 5] + x[n - 4]) - (
                x[n - 5] + x[n - 4]
            ) + (x[n - 10] + x[n - 9])


def crossing(cfd: list[float], first: int, threshold: float, longest: int):
    """Return sample and fraction by the definition."""
    armed = False
    for k in range(first, min(first + longest, len(cfd) - 1)):
        armed = armed or cfd[k] >= threshold
        if armed and cfd[k] > 0 >= cfd[k + 1]:
            fraction = cfd[k] / (cfd[k] - cfd[k + 1])
            return (k, fraction) if fraction < 1 else (k + 1, 0.0)
    return -1, 0.0


@given(
    st.lists(st.lists(st.floats(-9, 9), max_size=30), max_size=4),
    st.floats(0, 9),
    st.integers(1, 40),
    st.data(),
)
def test_crossings_follow_their_definition(rows, threshold, longest, data):
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    values = np.array([value for row in rows for value in row], float)
    first = np.array([data.draw(st.integers(0, 35)) for _ in rows], np.int64)
    sample, fraction = zero_crossings(
        values, offsets, first, threshold=threshold, longest=longest
    )
    expected = [
        crossing(row, int(begin), threshold, longest)
        for row, begin in zip(rows, first, strict=True)
    ]
    assert list(zip(sample.tolist(), fraction.tolist(), strict=True)) == expected


def pulse(start: float, height: float) -> Trace:
    """Return a pulse with a rise of some samples."""
    time = np.maximum(np.arange(120) - start, 0.0)
    shape = np.exp(-time / 40) - np.exp(-time / 3)
    return [int(value) for value in np.rint(2000 + height * shape)]


@pytest.mark.parametrize("kind", ["filter", "fixed"])
def test_times_do_not_depend_on_the_height(kind):
    starts = np.linspace(50, 52, 21)
    rows = [pulse(start, height) for height in (4000, 30000) for start in starts]
    samples, offsets = packed(rows)
    if kind == "filter":
        values = filter_cfd(
            fast_filter(samples, offsets, 10, 4), offsets, length=10, delay=8, scale=4
        )
    else:
        values = fixed_cfd(samples, offsets)
    sample, fraction = zero_crossings(values, offsets, 45, threshold=500.0, longest=60)
    late = (sample + fraction).reshape(2, -1) - starts
    assert np.ptp(late) < 0.2
    assert abs(late[0] - late[1]).max() < 0.05


def test_what_cannot_be_is_refused():
    values, offsets = np.zeros(20), np.array([0, 20])
    for wrong in ({"length": 0}, {"delay": 0}, {"scale": 8}):
        with pytest.raises(TraceError, match=f"{next(iter(wrong))} is"):
            filter_cfd(values, offsets, **{"length": 2, "delay": 1, "scale": 0} | wrong)
    with pytest.raises(TraceError, match="longest is 0"):
        zero_crossings(values, offsets, 0, threshold=1.0, longest=0)
