"""Histograms of channels are what np.bincount counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels.histogram import ChannelHistograms, HistogramError

few = st.tuples(st.integers(0, 1), st.integers(2, 4), st.integers(0, 3))
identifiers = st.one_of(few, st.tuples(*[st.integers(0, 255)] * 3))
rows = st.lists(st.tuples(identifiers, st.integers(0, 65535)), max_size=60)
bins_and_shift = st.tuples(st.sampled_from([1, 100, 4096, 65536]), st.integers(0, 15))


def events_of(items: list[tuple[tuple[int, int, int], int]]) -> Events:
    numbers = np.array([item[0] for item in items], np.uint8).reshape(-1, 3)
    return Events(
        {
            "crate": numbers[:, 0],
            "slot": numbers[:, 1],
            "channel": numbers[:, 2],
            "energy": np.array([item[1] for item in items], np.uint16),
        }
    )


def assert_counts(histograms: ChannelHistograms, items: Any) -> None:
    assert histograms.channels == list(dict.fromkeys(item[0] for item in items))
    for row, channel in enumerate(histograms.channels):
        energies = np.array([item[1] for item in items if item[0] == channel])
        counts = np.bincount(energies >> histograms.shift, minlength=65536)
        assert histograms.counts[row].tolist() == counts[: histograms.bins].tolist()
        assert histograms.overflow[row] == counts[histograms.bins :].sum()
    shape = (len(histograms.channels), histograms.bins)
    assert histograms.counts.shape == shape
    assert histograms.overflow.shape == shape[:1]


@given(st.lists(rows, max_size=4), bins_and_shift)
def test_batches_are_counted(batches, how):
    histograms = ChannelHistograms(how[0], shift=how[1])
    for batch in batches:
        histograms.fill(events_of(batch))
    assert_counts(histograms, [item for batch in batches for item in batch])


@given(rows, rows, bins_and_shift)
def test_merging_adds(one, other, how):
    histograms, more = (ChannelHistograms(how[0], shift=how[1]) for _ in range(2))
    histograms.fill(events_of(one))
    more.fill(events_of(other))
    histograms.merge(more)
    assert_counts(histograms, one + other)
    assert_counts(more, other)


@given(rows, rows, bins_and_shift)
def test_histograms_are_stored_and_filled_again(one, other, how):
    histograms = ChannelHistograms(how[0], shift=how[1])
    histograms.fill(events_of(one))
    stored = histograms.to_dict()
    assert {type(value) for value in stored.values()} == {int, np.ndarray}
    again = ChannelHistograms.from_dict(stored)
    again.fill(events_of(other))
    assert (again.bins, again.shift) == how
    assert_counts(again, one + other)
    assert_counts(histograms, one)
    assert stored["counts"].sum() + stored["overflow"].sum() == len(one)


def test_many_channels_and_many_events():
    rng = np.random.default_rng(1)
    count = 50_000
    items = list(
        zip(
            zip(
                [0] * count,
                rng.integers(2, 15, count).tolist(),
                rng.integers(0, 16, count).tolist(),
                strict=True,
            ),
            rng.integers(0, 65536, count).tolist(),
            strict=True,
        )
    )
    histograms = ChannelHistograms(shift=2)
    histograms.fill(events_of(items))
    assert histograms.bins == 32768
    assert len(histograms.channels) == 13 * 16
    assert histograms.counts.sum() == count
    assert_counts(histograms, items)


def test_counts_are_views_that_go_on():
    histograms = ChannelHistograms(10)
    batch = events_of([((0, 2, 1), 3)])
    histograms.fill(batch)
    counts = histograms.counts
    histograms.fill(batch)
    assert counts.tolist() == [[0, 0, 0, 2, 0, 0, 0, 0, 0, 0]]
    histograms.channels.clear()
    assert histograms.channels == [(0, 2, 1)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bins": 0}, "bins is 0, expected a whole number from 1 to 65536"),
        ({"bins": 65537}, "bins is 65537"),
        ({"shift": -1}, "shift is -1, expected a whole number from 0 to 15"),
        ({"shift": 16}, "shift is 16"),
    ],
)
def test_parameters_out_of_range(arguments, words):
    with pytest.raises(HistogramError, match=words):
        ChannelHistograms(**arguments)
    assert issubclass(HistogramError, PixiePipeError)
    assert issubclass(HistogramError, ValueError)


def test_columns_that_are_missing():
    events = events_of([((0, 2, 1), 3)]).without("slot", "energy")
    with pytest.raises(EventsError, match="without slot, energy cannot"):
        ChannelHistograms().fill(events)
    with pytest.raises(EventsError, match="columns: none"):
        ChannelHistograms().fill(Events({}))


@pytest.mark.parametrize("other", [{"bins": 8}, {"shift": 1}])
def test_other_bins_cannot_be_merged(other):
    histograms = ChannelHistograms(16, shift=0)
    with pytest.raises(HistogramError, match="expected 16 and 0"):
        histograms.merge(ChannelHistograms(**{"bins": 16, "shift": 0} | other))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"channels": np.zeros((1, 2), "u1")}, r"channels have shape \(1, 2\)"),
        ({"channels": np.zeros((2, 3), "u1")}, r"expected integers of shape \(1, 3\)"),
        ({"counts": np.zeros(16, "i8")}, r"counts have shape \(16,\)"),
        ({"counts": np.zeros((2, 16), "i8")}, r"counts have shape \(2, 16\)"),
        ({"counts": np.zeros((1, 16))}, "counts .* type float64"),
        ({"overflow": np.zeros((1, 1), "i8")}, r"overflow have shape \(1, 1\)"),
        ({"shift": 16}, "shift is 16"),
        (
            {
                "channels": np.zeros((2, 3), "u1"),
                "counts": np.zeros((2, 16), "i8"),
                "overflow": np.zeros(2, "i8"),
            },
            "channels have one twice",
        ),
    ],
)
def test_stored_data_that_do_not_fit(changed, words):
    histograms = ChannelHistograms(16)
    histograms.fill(events_of([((0, 2, 1), 3)]))
    with pytest.raises(HistogramError, match=words):
        ChannelHistograms.from_dict(histograms.to_dict() | changed)


def test_stored_data_that_are_incomplete():
    with pytest.raises(HistogramError, match="have no channels, overflow, shift"):
        ChannelHistograms.from_dict({"counts": np.zeros((0, 16), "i8")})
