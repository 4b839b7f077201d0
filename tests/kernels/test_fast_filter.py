"""The fast filter and levels of traces follow their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.kernels._traces import TraceError
from pixie_pipe.kernels.fast_filter import fast_filter
from pixie_pipe.kernels.trace_levels import threshold_crossings, trace_baselines
from tests.support.traces import fast, packed, sets_of_traces, split


@given(sets_of_traces, st.integers(1, 8), st.integers(0, 8))
def test_it_follows_the_definition(rows, length, gap):
    samples, offsets = packed(rows)
    found = split(fast_filter(samples, offsets, length, gap), offsets)
    for values, row in zip(found, rows, strict=True):
        np.testing.assert_array_equal(values, fast(row, length, gap))


def test_a_step_gives_its_height_for_the_flat_top():
    samples, offsets = packed([[100] * 20 + [350] * 20])
    values = fast_filter(samples, offsets, 4, 3)
    assert values[:20].tolist() == [0.0] * 20
    assert values[19:24].tolist() == [0.0, 62.5, 125.0, 187.5, 250.0]
    assert (values == 250).sum() == 4
    assert threshold_crossings(values, offsets, 126.0).tolist() == [22]
    assert threshold_crossings(values, offsets, 250.0).tolist() == [23]
    assert threshold_crossings(values, offsets, 251.0).tolist() == [-1]


@given(sets_of_traces, st.integers(1, 10), st.floats(-1e5, 1e5), st.data())
def test_levels_follow_their_definitions(rows, count, threshold, data):
    samples, offsets = packed(rows)
    means = trace_baselines(samples, offsets, count)
    first = np.array([data.draw(st.integers(0, 70)) for _ in rows], np.int64)
    values = fast_filter(samples, offsets, 2, 1)
    reached = threshold_crossings(values, offsets, threshold, first)
    for i, row in enumerate(rows):
        expected = np.mean(row[:count]) if row else math.nan
        np.testing.assert_allclose(means[i], expected, rtol=1e-15)
        filtered = fast(row, 2, 1)
        above = [k for k in range(first[i], len(row)) if filtered[k] >= threshold]
        assert reached[i] == (above[0] if above else -1)


def test_traces_that_are_none_are_refused():
    samples, offsets = packed([[1, 2, 3]])
    assert issubclass(TraceError, PixiePipeError)
    with pytest.raises(TraceError, match="samples are int64 of 1 dimensions"):
        fast_filter(samples.astype(np.int64), offsets, 1, 0)
    with pytest.raises(TraceError, match="offsets go from 0 to 4"):
        fast_filter(samples, np.array([0, 4]), 1, 0)
    with pytest.raises(TraceError, match="expected rising ones"):
        fast_filter(samples, np.array([0, 2, 1, 3]), 1, 0)
    with pytest.raises(TraceError, match="float64 of shape"):
        fast_filter(samples, np.array([0.0, 3.0]), 1, 0)
    with pytest.raises(TraceError, match="length is 0, expected 1 to"):
        fast_filter(samples, offsets, 0, 0)
    with pytest.raises(TraceError, match="count is 0"):
        trace_baselines(samples, offsets, 0)
    with pytest.raises(TraceError, match="values are uint16"):
        threshold_crossings(samples, offsets, 1.0)  # type: ignore[arg-type]
    with pytest.raises(TraceError, match="one for each of the 1 traces"):
        threshold_crossings(samples.astype(float), offsets, 1.0, np.array([1, 2]))
