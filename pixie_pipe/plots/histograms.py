"""Histograms: spectra with fitted peaks, matrices, time differences, rates, residuals.

The counts and edges of a `pixie_pipe.spectra` histogram, or of any other one, are
arrays; more about what they are is in the labels that the caller gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    COLOURS,
    MAP,
    MARK,
    PlotError,
    add_legend,
    add_title,
    new_figure,
    styles,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pixie_pipe.plots.spectra import Scale

_LEAST: Final = 0.7
"""Where a logarithmic axis of counts begins: single counts stand above it."""

_MARGIN: Final = 1.25
"""Room above the highest bin, on a linear axis, for the names of peaks."""

_LABEL_WIDTH: Final = 0.02
"""Width of the name of a peak, as a part of that of the axes."""

_MOST_CURVES: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedCurve:
    """A fit to be drawn over a spectrum.

    Attributes
    ----------
    edges
        Edges of the bins that were fitted, shape (bins + 1,).
    expected
        Counts of these bins by the fit, shape (bins,).
    peaks
        Positions of its peaks, and what is written there.
    """

    edges: NDArray[np.float64]
    expected: NDArray[np.float64]
    peaks: Sequence[tuple[float, str]] = ()


def plot_histogram(
    counts: NDArray[Any],
    edges: NDArray[Any],
    *,
    fits: Sequence[FittedCurve] = (),
    scale: Scale = "log",
    x_label: str = "Energy (ADC units)",
    x_range: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw one histogram as steps: a spectrum, or time differences.

    Parameters
    ----------
    counts, edges
        Counts, shape (bins,), and edges of the bins, shape (bins + 1,).
    fits
        Fits that are drawn over it.
    scale
        The count axis. On the logarithmic one, empty bins are left out.
    x_label, title
        Texts.
    x_range
        What is drawn; by default from the first bin with counts to the last.

    Raises
    ------
    PlotError
        If the arguments do not go together.
    MissingExtraError
        If matplotlib is not installed.
    """
    counts, edges = _checked(counts, edges)
    figure = new_figure(9, 4.5)
    axes = figure.add_subplot()
    heights = np.where(counts > 0, counts, np.nan) if scale == "log" else counts
    look: dict[str, Any] = {"baseline": None, "linewidth": 0.9}
    axes.stairs(heights, edges, color=COLOURS[0], label="Counts", **look)
    for number, fit in enumerate(fits):
        label = "Fit" if number == 0 else None
        axes.stairs(
            fit.expected,
            fit.edges,
            color=COLOURS[1],
            label=label,
            **look | {"zorder": 3},
        )
    low, high = x_range or _filled(counts, edges)
    for fit in fits:
        _name_peaks(axes, fit, counts, edges, (high - low) * _LABEL_WIDTH)
    axes.set_xlim(low, high)
    axes.set_xlabel(x_label)
    axes.set_ylabel("Counts per bin")
    _scale_counts(axes, scale, float(counts.max(initial=1)))
    tidy(axes)
    add_title(figure, title)
    add_legend(figure, axes)
    return figure


def plot_histograms(
    curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
    *,
    scale: Scale = "log",
    x_label: str = "Energy (ADC units)",
    title: str = "",
) -> Figure:
    """Draw a few histograms as steps, one over the other.

    Parameters
    ----------
    curves
        Counts, shape (bins,), and edges of the bins, shape (bins + 1,), by name.
    scale
        The count axis. On the logarithmic one, empty bins are left out.
    x_label, title
        Texts.

    Raises
    ------
    PlotError
        If there are none, or more than can be told apart, or shapes do not fit.
    MissingExtraError
        If matplotlib is not installed.
    """
    if not 1 <= len(curves) <= len(COLOURS):
        raise PlotError(
            f"there are {len(curves)} histograms to draw, expected 1 to {len(COLOURS)}"
        )
    figure = new_figure(9, 4.5)
    axes = figure.add_subplot()
    limits, highest = [], 1.0
    for (name, curve), style in zip(curves.items(), styles(len(curves)), strict=True):
        counts, edges = _checked(*curve)
        heights = np.where(counts > 0, counts, np.nan) if scale == "log" else counts
        axes.stairs(heights, edges, label=name, baseline=None, linewidth=0.9, **style)
        limits.append(_filled(counts, edges))
        highest = max(highest, float(counts.max(initial=1)))
    axes.set_xlim(min(low for low, _ in limits), max(high for _, high in limits))
    axes.set_xlabel(x_label)
    axes.set_ylabel("Counts per bin")
    _scale_counts(axes, scale, highest)
    tidy(axes)
    add_title(figure, title)
    add_legend(figure, axes)
    return figure


def _name_peaks(
    axes: Axes,
    fit: FittedCurve,
    counts: NDArray[Any],
    edges: NDArray[Any],
    width: float,
) -> None:
    for position, text in fit.peaks:
        # Above all counts that the name would cover.
        is_covered = edges[1:] > position - width / 2
        is_covered &= edges[:-1] < position + width / 2
        height = float(counts[is_covered].max(initial=1))
        axes.annotate(
            text, (position, height), xytext=(0, 5), textcoords="offset points",
            ha="center", va="bottom", fontsize="small", rotation=90,
        )  # fmt: skip


def _scale_counts(axes: Axes, scale: Scale, highest: float) -> None:
    if scale == "log":
        axes.set_yscale("log")
        axes.set_ylim(_LEAST, max(highest, 1.0) * 10)
    else:
        axes.set_ylim(0, max(highest, 1.0) * _MARGIN)


def plot_matrix(
    counts: NDArray[Any],
    x_edges: NDArray[Any],
    y_edges: NDArray[Any],
    *,
    x_label: str = "Energy x (ADC units)",
    y_label: str = "Energy y (ADC units)",
    scale: Scale = "log",
    title: str = "",
) -> Figure:
    """Draw a histogram of two axes as a map; empty bins are white.

    Parameters
    ----------
    counts
        Counts, shape (bins of x, bins of y).
    x_edges, y_edges
        Edges of the bins.
    x_label, y_label, title
        Texts.
    scale
        Of the colours.

    Raises
    ------
    PlotError
        If the arguments do not go together.
    MissingExtraError
        If matplotlib is not installed.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(x_edges) - 1, len(y_edges) - 1):
        raise PlotError(
            f"counts have the shape {counts.shape}, expected "
            f"({len(x_edges) - 1}, {len(y_edges) - 1}) as the edges have"
        )
    from matplotlib.colors import LogNorm, Normalize

    figure = new_figure(7, 5.5)
    axes = figure.add_subplot()
    highest = float(max(counts.max(initial=0), 2))
    norm = LogNorm(1, highest) if scale == "log" else Normalize(0, highest)
    shown = np.ma.masked_equal(counts.T, 0)
    # One picture, not a shape for each bin: a matrix has millions of them.
    mesh = axes.pcolormesh(
        x_edges, y_edges, shown, cmap=MAP, norm=norm, rasterized=True
    )
    figure.colorbar(mesh, ax=axes, label="Counts per bin")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    add_title(figure, title)
    return figure


def plot_rates_in_time(
    counts: Mapping[str, NDArray[Any]],
    edges_s: NDArray[Any],
    *,
    title: str = "",
) -> Figure:
    """Draw the rates of channels against time.

    Parameters
    ----------
    counts
        Events in each bin of time by name of the channel, shape (bins,).
    edges_s
        Edges of the bins in s, shape (bins + 1,).
    title
        Text.

    Raises
    ------
    PlotError
        If the arguments do not go together, or there are more channels than can be
        told apart.
    MissingExtraError
        If matplotlib is not installed.
    """
    if not 1 <= len(counts) <= _MOST_CURVES:
        raise PlotError(
            f"there are {len(counts)} channels to draw, expected 1 to {_MOST_CURVES}; "
            f"choose fewer"
        )
    figure = new_figure(9, 4.5)
    axes = figure.add_subplot()
    ends = []
    for (name, one), style in zip(counts.items(), styles(len(counts)), strict=True):
        filled, edges = _checked(one, edges_s)
        rates = filled / np.diff(edges)
        axes.stairs(rates, edges, label=name, baseline=None, linewidth=1.0, **style)
        ends.append(_filled(filled, edges))
    axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Time (s)")
    axes.set_ylabel("Rate (events/s)")
    tidy(axes)
    add_title(figure, title)
    add_legend(figure, axes)
    return figure


def plot_residuals(
    residuals: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    *,
    title: str = "",
) -> Figure:
    """Draw by how much calibrations miss their lines.

    Parameters
    ----------
    residuals
        Energies of the lines in keV, residuals and their standard errors in keV, by
        name of the channel.
    title
        Text.

    Raises
    ------
    PlotError
        If there are no channels.
    MissingExtraError
        If matplotlib is not installed.
    """
    return _points(
        residuals, "Calibrated less known energy (keV)", title, has_zero=True
    )


def plot_resolutions(
    resolutions: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    *,
    title: str = "",
) -> Figure:
    """Draw the resolution of channels against energy.

    Parameters
    ----------
    resolutions
        Energies of the lines in keV, widths (FWHM) and their standard errors in keV, by
        name of the channel.
    title
        Text.

    Raises
    ------
    PlotError
        If there are no channels.
    MissingExtraError
        If matplotlib is not installed.
    """
    return _points(resolutions, "Resolution, FWHM (keV)", title, has_zero=False)


def _points(
    values: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    label: str,
    title: str,
    *,
    has_zero: bool,
) -> Figure:
    if not values:
        raise PlotError("there are no channels to draw")
    figure = new_figure(9, 4.5)
    axes = figure.add_subplot()
    if has_zero:
        axes.axhline(0, color=MARK, linewidth=0.8)
    for (name, (kev, found, errors)), style in zip(
        values.items(), styles(len(values)), strict=True
    ):
        axes.errorbar(
            kev, found, errors, label=name, fmt="o", markersize=4, capsize=2,
            color=style["color"],
        )  # fmt: skip
    axes.margins(y=0.1)
    if not has_zero:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("Energy (keV)")
    axes.set_ylabel(label)
    tidy(axes)
    add_title(figure, title)
    add_legend(figure, axes)
    return figure


def _checked(
    counts: NDArray[Any], edges: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    counts, edges = np.asarray(counts), np.asarray(edges)
    if counts.ndim != 1 or edges.shape != (counts.size + 1,):
        raise PlotError(
            f"counts have the shape {counts.shape} and edges {edges.shape}, expected "
            f"(bins,) and (bins + 1,)"
        )
    return counts, edges


def _filled(counts: NDArray[Any], edges: NDArray[Any]) -> tuple[float, float]:
    """Return from where to where there are counts."""
    filled = np.flatnonzero(counts)
    if not filled.size:
        return float(edges[0]), float(edges[-1])
    return float(edges[filled[0]]), float(edges[filled[-1] + 1])
