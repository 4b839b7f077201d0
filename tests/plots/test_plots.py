"""What is in the plots: axes, labels, curves and their data."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from pixie_pipe import plots
from pixie_pipe._extras import MissingExtraError
from pixie_pipe.plots import (
    FilterCurves,
    PlotError,
    plot_baselines,
    plot_channel_values,
    plot_rates,
    plot_scan_curves,
    plot_scan_maps,
    plot_spectra,
    plot_traces,
    save,
)
from pixie_pipe.storage.atomic import OutputExistsError

NAMES = ["c0-s02 ch 00", "c0-s02 ch 01"]
FAST_LENGTH, FAST_GAP = 10, 4
SLOW_LENGTH, SLOW_GAP = 40, 20


@pytest.fixture
def trace():
    samples = np.full(500, 1000.0)
    after = np.arange(300)
    samples[200:] += 400 * np.exp(-after / 100)
    return np.round(samples).astype(np.uint16)


def fast_filter(samples, length=FAST_LENGTH, gap=FAST_GAP):
    """The fast filter by its definition: late mean less early mean."""
    offset = 2 * length + gap - 1
    x = samples.astype(float)
    out = np.empty(x.size)
    for k in range(offset, x.size):
        late = x[k - length + 1 : k + 1].sum()
        early = x[k - offset : k - offset + length].sum()
        out[k] = (late - early) / length
    out[:offset] = out[offset]
    return out


def cfd(fast, delay=8, weight=0.5):
    out = np.empty(fast.size)
    out[delay:] = (weight * fast[delay:] - fast[:-delay]) * FAST_LENGTH
    out[:delay] = out[delay]
    return out


def energy_filter(samples, tau=100.0):
    b = np.exp(-1 / tau)
    length, gap = SLOW_LENGTH, SLOW_GAP
    c0 = -(1 - b) * b**length / (1 - b**length)
    c2 = (1 - b) / (1 - b**length)
    x = samples.astype(float)
    out = np.zeros(x.size)
    for k in range(2 * length + gap - 1, x.size):
        window = x[k - 2 * length - gap + 1 : k + 1]
        early, middle, late = np.split(window, [length, length + gap])
        out[k] = c0 * early.sum() + (1 - b) * middle.sum() + c2 * late.sum()
    first = 2 * length + gap - 1
    return np.where(np.arange(x.size) < first, 0, out - out[first])


def labels(axes):
    return axes.get_xlabel(), axes.get_ylabel()


def test_traces_have_axes_each_with_the_time_in_us(trace):
    figure = plot_traces([trace, trace + 7], 0.004, labels=NAMES, title="ADC traces")
    assert figure.get_suptitle() == "ADC traces"
    assert [axes.get_title("left") for axes in figure.axes] == NAMES
    first, last = figure.axes
    (line,) = last.lines
    np.testing.assert_array_equal(line.get_ydata(), trace + 7)
    np.testing.assert_allclose(line.get_xdata(), np.arange(500) * 0.004)
    assert labels(last) == ("Time (µs)", "ADC units")
    assert labels(first) == ("", "ADC units")


def test_several_traces_of_a_channel_are_drawn_into_one(trace):
    figure = plot_traces([np.stack([trace] * 6)], 0.004)
    (axes,) = figure.axes
    assert len(axes.lines) == 6
    assert axes.lines[0].get_alpha() < 1


def test_without_its_time_samples_are_counted(trace):
    figure = plot_traces([trace])
    assert figure.axes[0].get_xlabel() == "Sample"
    assert figure.axes[0].lines[0].get_xdata()[-1] == 499


def test_overlaid_traces_have_a_legend_outside_of_the_axes(trace):
    figure = plot_traces([trace, trace + 7], 0.004, labels=NAMES, overlaid=True)
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == NAMES
    assert labels(axes) == ("Time (µs)", "ADC units")
    assert len({line.get_color() for line in axes.lines}) == 2
    (legend,) = figure.legends
    figure.draw_without_rendering()
    assert legend.get_window_extent().x0 >= axes.get_window_extent().x1


def test_sixteen_channels_differ_in_colour_or_line(trace):
    figure = plot_traces([trace] * 16, 0.004, overlaid=True)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == 16


def test_filters_stand_below_their_trace(trace):
    fast = fast_filter(trace)
    trigger = int(np.argmax(fast > 50))
    curves = FilterCurves(
        fast=fast,
        threshold=50.0,
        cfd=cfd(fast),
        energy=energy_filter(trace),
        trigger_us=trigger * 0.004,
        energy_us=(trigger + 60) * 0.004,
    )
    assert curves.energy is not None
    # The trigger comes within the rise time, and the energy is the height.
    assert 200 <= trigger < 200 + FAST_LENGTH
    assert curves.energy.max() == pytest.approx(400, abs=1)
    assert curves.panels == ["fast", "cfd", "energy"]
    figure = plot_traces([trace], 0.004, filters=[curves])
    top, fast_axes, cfd_axes, energy_axes = figure.axes or figure.subfigs[0].axes
    for axes, expected in (
        (top, trace),
        (fast_axes, curves.fast),
        (cfd_axes, curves.cfd),
        (energy_axes, curves.energy),
    ):
        assert expected is not None
        np.testing.assert_allclose(axes.lines[0].get_ydata(), expected)
        lines = {line.get_label(): line for line in axes.lines}
        assert lines["trigger"].get_xdata()[0] == pytest.approx(trigger * 0.004)
        assert lines["energy"].get_xdata() is not None
    thresholds = [line for line in fast_axes.lines if line.get_label() == "threshold"]
    assert list(thresholds[0].get_ydata()) == [50, 50]
    assert "threshold 50" in {text.get_text() for text in fast_axes.texts}
    assert labels(fast_axes) == ("", "Fast filter\n(ADC units)")
    assert labels(energy_axes) == ("Time (µs)", "Energy filter\n(energy units)")


def test_only_curves_that_are_there_get_axes(trace):
    curves = FilterCurves(fast=fast_filter(trace))
    figure = plot_traces([trace, trace], 0.004, filters=[curves, None])
    assert [len(part.axes) for part in figure.subfigs] == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"traces": []}, "no samples"),
        ({"labels": ["a", "b"]}, "2 labels for 1 channels"),
        ({"sample_us": [1.0, 2.0]}, "2 sample times for 1"),
        ({"filters": []}, "filters of 0 channels"),
        ({"filters": [FilterCurves(fast=np.zeros(3))]}, "has 3 samples, the trace 500"),
        (
            {"filters": [FilterCurves(fast=np.zeros(500))], "overlaid": True},
            "not overlaid",
        ),
    ],
)
def test_traces_that_do_not_go_together(trace, arguments, text):
    with pytest.raises(PlotError, match=text):
        plot_traces(**{"traces": [trace], **arguments})


def test_more_channels_than_can_be_read(trace):
    with pytest.raises(PlotError, match="65 panels"):
        plot_traces([trace] * 65, 0.004)
    assert plot_traces([trace] * 65, 0.004, overlaid=True).axes


def steps_of(axes):
    return [patch.get_data() for patch in axes.patches]


def test_spectra_with_a_range_and_wider_bins():
    counts = np.arange(100, dtype=np.uint32)
    figure = plot_spectra(
        [counts, counts * 2], labels=NAMES, scale="linear", rebin=4, bins=(10, 51)
    )
    (axes,) = figure.axes
    first, second = steps_of(axes)
    assert list(first.edges) == list(range(10, 51, 4))
    expected = counts[10:50].reshape(-1, 4).sum(axis=1)
    np.testing.assert_array_equal(first.values, expected)
    np.testing.assert_array_equal(second.values, expected * 2)
    assert labels(axes) == ("MCA bin", "Counts / 4 bins")
    assert axes.get_xlim() == (10, 51)
    assert axes.get_yscale() == "linear"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == NAMES


def test_a_logarithmic_spectrum_leaves_empty_bins_out():
    figure = plot_spectra([np.array([0, 5, 0, 100], np.uint32)])
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    (steps,) = steps_of(axes)
    np.testing.assert_array_equal(steps.values, [np.nan, 5, np.nan, 100])
    assert not figure.legends


def test_a_linear_plot_ends_before_a_few_overflows():
    counts = np.zeros(32768, np.uint32)
    counts[:1000] = 100
    counts[-1] = 3
    assert plot_spectra([counts], scale="linear").axes[0].get_xlim()[1] < 1100
    assert plot_spectra([counts], scale="log").axes[0].get_xlim()[1] == 32768


def test_many_spectra_get_axes_each():
    counts = np.ones((16, 64), np.uint32)
    names = [f"ch {number}" for number in range(16)]
    figure = plot_spectra(counts, labels=names)
    assert [axes.get_title("left") for axes in figure.axes] == names
    assert len(plot_spectra(counts, overlaid=True).axes[0].patches) == 16
    assert len(plot_spectra(counts[:7]).axes) == 1
    assert len(plot_spectra(counts[:2], overlaid=False).axes) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"counts": []}, "at least one"),
        ({"counts": [np.zeros((2, 2))]}, "shape"),
        ({"rebin": 0}, "rebin is 0"),
        ({"bins": (5, 5)}, "range is 5 to 5"),
    ],
)
def test_spectra_that_make_no_sense(arguments, text):
    with pytest.raises(PlotError, match=text):
        plot_spectra(**{"counts": [np.ones(10)], **arguments})


def test_empty_spectra_can_be_drawn(tmp_path):
    save(plot_spectra([np.zeros(100, np.uint32)]), tmp_path / "empty.png")


def test_baselines_are_histograms():
    values = [np.array([1.0, 1, 2, np.nan]), np.array([5.0])]
    figure = plot_baselines(values, labels=NAMES)
    assert [axes.patches[0].get_data().values.sum() for axes in figure.axes] == [3, 1]
    assert figure.axes[0].get_title("left") == "c0-s02 ch 00: 1.3, σ 0.47"
    assert figure.axes[-1].get_xlabel() == "Baseline (units of the energy)"
    with pytest.raises(PlotError, match="one row"):
        plot_baselines(np.zeros((2, 3, 4)))


def test_a_channel_without_baselines():
    figure = plot_baselines([np.array([np.nan])], labels=["a"])
    assert figure.axes[0].get_title("left") == "a: none"


def test_channel_values_have_a_point_each():
    values = np.array([40.0, np.nan, 42.0])
    figure = plot_channel_values(
        values, y_label="Decay time (µs)", labels=["a", "b", "c"]
    )
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), values)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b", "c"]
    assert axes.get_ylabel() == "Decay time (µs)"


def test_scan_curves_have_error_bars():
    x = np.array([1.0, 2, 3])
    values = np.array([[1.0, 4, 9], [2, np.nan, 4]])
    errors = np.full((2, 3), 0.5)
    figure = plot_scan_curves(
        x, values, errors, x_label="TAU", y_label="Width (bins)", labels=NAMES
    )
    (axes,) = figure.axes
    assert labels(axes) == ("TAU", "Width (bins)")
    assert len(axes.containers) == 2
    line, _, (bars,) = axes.containers[0]
    np.testing.assert_array_equal(line.get_ydata(), values[0])
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [[0.5, 1.5], [3.5, 4.5], [8.5, 9.5]]
    with pytest.raises(PlotError, match="do not fit"):
        plot_scan_curves(x[:2], values, x_label="", y_label="")


def test_a_map_of_each_channel_in_the_same_colours():
    values = np.arange(12.0).reshape(2, 2, 3)
    figure = plot_scan_maps(
        np.array([10.0, 20, 40]),
        np.array([1.0, 2]),
        values,
        x_label="TAU",
        y_label="GAIN",
        value_label="Width (bins)",
        labels=NAMES,
    )
    first, second, colours = figure.axes
    np.testing.assert_array_equal(second.collections[0].get_array(), values[1])
    assert first.collections[0].get_clim() == second.collections[0].get_clim()
    assert first.collections[0].get_clim() == (0, 11)
    assert second.get_title("left") == NAMES[1]
    assert labels(first) == ("TAU", "GAIN")
    assert colours.get_ylabel() == "Width (bins)"
    # The cells meet half way between the values.
    assert first.get_xlim() == (5, 50)


def test_curves_and_maps_of_values_in_any_order():
    figure = plot_scan_curves(
        [3.0, 1, 2], np.array([[9.0, 1, 4]]), x_label="", y_label=""
    )
    (line,) = figure.axes[0].lines[:1]
    np.testing.assert_array_equal(line.get_xydata(), [[1, 1], [2, 4], [3, 9]])
    values = np.array([[[1.0, 2, 3], [4, 5, 6]]])
    figure = plot_scan_maps(
        [3.0, 1, 2], [8.0, 5], values, x_label="", y_label="", value_label=""
    )
    cells = figure.axes[0].collections[0]
    np.testing.assert_array_equal(cells.get_array(), [[5, 6, 4], [2, 3, 1]])
    assert figure.axes[0].get_xlim() == (0.5, 3.5)


def test_words_stand_along_the_axes():
    words = ["positive", "negative"]
    figure = plot_scan_curves(
        words, np.array([[9.0, 1]]), x_label="Polarity", y_label=""
    )
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == words
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 9], [1, 1]])
    assert axes.lines[0].get_linewidth() == 0
    figure = plot_scan_maps(
        [2.0, 1], words, np.ones((1, 2, 2)), x_label="", y_label="", value_label=""
    )
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == words


def test_maps_of_single_values_and_of_nothing(tmp_path):
    one = np.array([1.0])
    for value in (3.0, np.nan):
        figure = plot_scan_maps(
            one, one, np.full((1, 1, 1), value), x_label="", y_label="", value_label=""
        )
        save(figure, tmp_path / "map.png", force=True)
    with pytest.raises(PlotError, match="expected \\(channels, 1, 1\\)"):
        plot_scan_maps(
            one, one, np.zeros((1, 2, 1)), x_label="", y_label="", value_label=""
        )


def test_rates_over_time():
    seconds = np.array([1.0, 2, 3])
    rates = np.array([[10.0, 11, 12], [20, np.nan, 22]])
    figure = plot_rates(seconds, rates, rates / 2, rates / 10, labels=NAMES)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Input rate (Hz)",
        "Output rate (Hz)",
        "Dead time (%)",
    ]
    assert figure.axes[-1].get_xlabel() == "Time (s)"
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_ydata(), rates[1] / 2)
    with pytest.raises(PlotError, match="Input rate"):
        plot_rates(seconds, rates[:, :2], rates, rates)


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_files_of_all_formats(tmp_path, trace, suffix, magic):
    path = tmp_path / f"trace{suffix}"
    figure = plot_traces([trace], 0.004)
    assert save(figure, path) == path
    assert path.read_bytes().startswith(magic)
    with pytest.raises(OutputExistsError):
        save(figure, path)
    save(figure, str(path), force=True)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_other_formats_are_refused(tmp_path, trace):
    with pytest.raises(PlotError, match=r"ends in \.png, \.svg, \.pdf"):
        save(plot_traces([trace]), tmp_path / "trace.jpg")


def test_no_display_and_no_pyplot(tmp_path):
    code = f"""
import sys
import numpy as np
from pixie_pipe.plots import plot_spectra, save
save(plot_spectra([np.ones(100, "u4")]), {str(tmp_path / "s.png")!r})
assert "matplotlib.pyplot" not in sys.modules
"""
    environment = {**os.environ, "MPLBACKEND": "TkAgg"}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.png").stat().st_size > 1000


def test_matplotlib_is_missing(monkeypatch, trace):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    for what in (plots.require, lambda: plot_traces([trace])):
        with pytest.raises(MissingExtraError, match=r"pixie-pipe\[plot\]"):
            what()


def test_the_package_shows_what_it_has():
    assert dir(plots) == sorted(plots.__all__)
