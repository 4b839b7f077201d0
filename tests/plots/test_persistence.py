"""How many traces pass where: against a count by hand of every cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.plots import (
    PlotError,
    persistence,
    plot_event_persistence,
    plot_persistence,
    save,
)

traces_with_times = st.lists(
    st.tuples(
        st.lists(st.integers(0, 40), min_size=1, max_size=25).map(np.array),
        st.integers(-12, 12),
    ),
    min_size=1,
    max_size=6,
)


def covered_by_hand(traces):
    """Return the times from which, and until when, half of the traces are there."""
    begun = [
        time
        for time in range(-50, 50)
        if sum(start <= time for _, start in traces) >= len(traces) / 2
    ]
    not_ended = [
        time
        for time in range(-50, 50)
        if sum(start + len(trace) > time for trace, start in traces) >= len(traces) / 2
    ]
    return begun[0], not_ended[-1] + 1


def share_by_hand(traces, density, first, end):
    """Return the part of the traces that pass each cell, one cell after the other."""
    rows, columns = density.share.shape
    per_column = (density.end - first) // columns
    per_row = (density.high - density.low) // rows
    passing, present = np.zeros((rows, columns)), np.zeros(columns)
    for column in range(columns):
        times = range(first + column * per_column, first + (column + 1) * per_column)
        for trace, start in traces:
            levels = {
                time: int(trace[time - start])
                for time in (*times, times.stop)
                if 0 <= time - start < len(trace) and first <= time < end
            }
            if not levels.keys() & set(times):
                continue
            present[column] += 1
            for row in range(rows):
                bottom = density.low + row * per_row
                is_above = max(levels.values()) >= bottom
                if is_above and min(levels.values()) < bottom + per_row:
                    passing[row, column] += 1
    return passing / np.maximum(present, 1)


@pytest.mark.parametrize("cells", [(600, 240), (7, 5)])
@given(traces=traces_with_times)
def test_every_cell_has_the_traces_that_pass_it(cells, traces):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(persistence, "_MOST_COLUMNS", cells[0])
        patch.setattr(persistence, "_MOST_ROWS", cells[1])
        patch.setattr(persistence, "_AT_ONCE", 2)
        density = persistence._density(traces, None)
    first, end = covered_by_hand(traces)
    if density is None:
        assert first >= end or not any(
            start < end and start + len(trace) > first for trace, start in traces
        )
        return
    assert density.first == first
    assert end <= density.end < end + max(end - first, 1)
    assert density.share.shape[0] <= cells[1]
    assert density.share.shape[1] <= cells[0]
    expected = share_by_hand(traces, density, first, end)
    np.testing.assert_allclose(np.nan_to_num(density.share), expected)
    # White is where nothing is.
    assert (np.isnan(density.share) == (expected == 0)).all()


def pulse(at, height=400, size=500):
    after = np.arange(size) - at
    samples = 1000 + np.where(after >= 0, height * np.exp(-after / 100), 0)
    return np.round(samples).astype(np.uint16)


def test_aligned_traces_lie_on_each_other():
    places = [100, 137, 180]
    figure = plot_persistence(
        [[pulse(at) for at in places]], 0.01, at=[places], labels=["a"], title="ADC"
    )
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "Time from the pulse (µs)",
        "ADC units",
    )
    assert figure.get_suptitle() == "ADC"
    assert axes.get_title("left") == "a: 3 traces"
    assert bar.get_ylabel() == "Part of the traces (%)"
    (image,) = axes.images
    values = np.unique(image.get_array().compressed())
    np.testing.assert_allclose(values, [100])
    first, end, *_ = image.get_extent()
    # Two of three have begun at -137 and not ended before 363 samples.
    assert (first, end) == pytest.approx((-1.37, 3.63))


def test_traces_without_a_place_are_left_out():
    traces = [[pulse(100), pulse(200), pulse(300)], [pulse(100)]]
    at = [[100, np.nan, 300], [np.nan]]
    figure = plot_persistence(traces, at=at, labels=["a", "b"])
    first, second, _ = figure.axes
    assert first.get_title("left") == "a: 2 of 3 traces"
    assert second.get_title("left") == "b: 0 of 1 trace"
    assert (len(first.images), len(second.images)) == (1, 0)
    assert second.get_xlabel() == "Sample from the pulse"


def test_a_range_of_times():
    figure = plot_persistence([[pulse(100)] * 3], 0.01, span_us=(0.5, 1.5))
    assert figure.axes[0].images[0].get_extent()[:2] == pytest.approx((0.5, 1.51))
    beyond = plot_persistence([[pulse(100)]], 0.01, span_us=(50, 60))
    assert not beyond.axes[0].images


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"traces": []}, "no samples"),
        ({"traces": [[]]}, "no samples"),
        ({"labels": ["a", "b"]}, "2 labels for 1 channels"),
        ({"sample_us": [1.0, 2.0]}, "2 sample times"),
        ({"at": [[1.0, 2.0]]}, "the sample at the time 0 for each trace"),
        ({"span_us": (2, 1)}, "time range is 2 to 1"),
    ],
)
def test_what_does_not_go_together(arguments, text):
    with pytest.raises(PlotError, match=text):
        plot_persistence(**{"traces": [[pulse(100)]], **arguments})


def test_the_traces_of_events_of_each_channel(tmp_path):
    sizes = [500, 0, 300, 500]
    traces = [pulse(100, size=size) for size in sizes]
    columns: dict[str, Any] = {
        "crate": np.zeros(4, np.uint8),
        "slot": np.full(4, 2, np.uint8),
        "channel": np.array([3, 3, 3, 7], np.uint8),
        "trace_length": np.array(sizes, np.uint16),
        "trace_offsets": np.cumsum([0, *sizes]),
        "trace_samples": np.concatenate(traces),
    }
    events = Events(columns)
    figure = plot_event_persistence(events, 0.002, at=100, title="Run 7")
    first, second, _ = figure.axes
    assert [axes.get_title("left") for axes in (first, second)] == [
        "c0-s02 ch 03: 2 traces",
        "c0-s02 ch 07: 1 trace",
    ]
    assert second.get_xlabel() == "Time from the trigger (µs)"
    assert first.images[0].get_extent()[0] == pytest.approx(-0.2)
    # Where one of two has ended, the other is all there is.
    np.testing.assert_allclose(first.images[0].get_array().compressed(), 100)
    save(figure, tmp_path / "events.png")
    with pytest.raises(PlotError, match="no samples"):
        plot_event_persistence(events[1:2])
