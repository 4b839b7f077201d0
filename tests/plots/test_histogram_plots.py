"""What is in the plots of histograms."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.plots import (
    FittedCurve,
    PlotError,
    plot_histogram,
    plot_matrix,
    plot_rates_in_time,
    plot_residuals,
    plot_resolutions,
    save,
)

EDGES = np.linspace(0, 50, 51)
COUNTS = np.zeros(50, int)
COUNTS[10:20] = [1, 3, 10, 40, 90, 95, 42, 9, 2, 1]


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_a_spectrum_with_a_fitted_peak(scale, tmp_path):
    fit = FittedCurve(
        edges=EDGES[10:21], expected=COUNTS[10:20] * 1.1, peaks=[(14.9, "662 keV")]
    )
    figure = plot_histogram(COUNTS, EDGES, fits=[fit], scale=scale, title="Cs-137")
    (axes,) = figure.axes
    steps, fitted = axes.patches
    values = steps.get_data().values
    assert np.nansum(values) == COUNTS.sum()
    assert np.isnan(values).any() == (scale == "log")
    assert fitted.get_data().edges.tolist() == EDGES[10:21].tolist()
    (text,) = axes.texts
    assert text.get_text() == "662 keV"
    assert text.xy == (14.9, 90.0)
    assert axes.get_xlim() == (10, 20)
    assert axes.get_yscale() == scale
    assert figure.legends[0].get_texts()[1].get_text() == "Fit"
    assert save(figure, tmp_path / "spectrum.png").stat().st_size > 5000


def test_an_empty_spectrum_and_a_range():
    figure = plot_histogram(np.zeros(50, int), EDGES)
    assert figure.axes[0].get_xlim() == (0, 50)
    figure = plot_histogram(COUNTS, EDGES, x_range=(5, 30), x_label="ns")
    assert figure.axes[0].get_xlim() == (5, 30)
    assert figure.axes[0].get_xlabel() == "ns"


def test_a_matrix(tmp_path):
    counts = np.zeros((4, 3), int)
    counts[1, 2] = 7
    figure = plot_matrix(counts, np.arange(5.0), np.arange(4.0), scale="linear")
    axes = figure.axes[0]
    (mesh,) = axes.collections
    shown = mesh.get_array()
    # Rows of the picture are those of y, from below.
    assert shown.shape == (3, 4)
    assert shown[2, 1] == 7
    assert shown.count() == 1
    assert axes.get_xlabel() == "Energy x (ADC units)"
    assert save(figure, tmp_path / "matrix.png").stat().st_size > 5000


def test_rates_are_per_second():
    edges = np.arange(0.0, 60.0, 10.0)
    counts = {"a": np.array([100, 200, 0, 0, 0]), "b": np.array([0, 50, 50, 0, 0])}
    figure = plot_rates_in_time(counts, edges)
    axes = figure.axes[0]
    assert axes.patches[0].get_data().values.tolist() == [10, 20, 0, 0, 0]
    assert axes.get_xlim() == (0, 30)
    assert axes.get_ylabel() == "Rate (events/s)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


@pytest.mark.parametrize("plot", [plot_residuals, plot_resolutions])
def test_points_of_channels(plot):
    figure = plot({"a": ([511.0, 1274.5], [0.1, -0.2], [0.05, 0.1])})
    axes = figure.axes[0]
    (container,) = axes.containers
    line = container.lines[0]
    assert line.get_xdata().tolist() == [511.0, 1274.5]
    assert line.get_ydata().tolist() == [0.1, -0.2]
    assert "keV" in axes.get_ylabel()


def test_arrays_that_do_not_go_together():
    with pytest.raises(PlotError, match=r"counts have the shape \(50,\) and edges"):
        plot_histogram(COUNTS, EDGES[:-1])
    with pytest.raises(PlotError, match=r"expected \(2, 2\)"):
        plot_matrix(np.zeros((2, 3)), np.arange(3), np.arange(3))
    with pytest.raises(PlotError, match="there are no channels"):
        plot_residuals({})
    with pytest.raises(PlotError, match="there are 15 channels to draw"):
        plot_rates_in_time({str(n): COUNTS for n in range(15)}, EDGES)
