"""What was measured over the values of one parameter, or of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    MAP,
    PlotError,
    add_legend,
    add_title,
    checked_labels,
    new_figure,
    new_panels,
    styles,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_SIDE: Final = 0.4
"""Part of the room of a word that points of all curves take."""


def plot_scan_curves(
    x: NDArray[Any] | Sequence[float] | Sequence[str],
    values: NDArray[Any],
    errors: NDArray[Any] | None = None,
    *,
    x_label: str,
    y_label: str,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw curves with error bars, all into one.

    Parameters
    ----------
    x
        Values of the parameter, shape (points,), or of each curve, shape
        (curves, points), in any order; or a word for each point, which then are not
        connected.
    values
        What was measured, shape (curves, points); nan leaves a gap.
    errors
        Standard errors, of the same shape.
    x_label, y_label
        What the axes are, with units.
    labels
        Names of the curves.
    title
        Title of the picture.

    Raises
    ------
    PlotError
        If the arguments do not go together.
    MissingExtraError
        If matplotlib is not installed.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise PlotError(
            f"the values have the shape {values.shape}, expected (curves, points)"
        )
    names = checked_labels(labels, len(values), "curves")
    words, numbers = _places(x)
    try:
        places = np.broadcast_to(numbers, values.shape)
        spread = None if errors is None else np.broadcast_to(errors, values.shape)
    except ValueError as error:
        raise PlotError(f"places, values and errors do not fit: {error}") from error
    figure = new_figure(8, 4.5)
    axes = figure.add_subplot()
    for number, style in enumerate(styles(len(values))):
        # Values may come in any order; a line goes from each to the next larger one.
        order = np.argsort(places[number], kind="stable")
        # Over words, bars stand side by side.
        aside = _SIDE * (number / len(values) - 0.5 + 0.5 / len(values))
        axes.errorbar(
            places[number][order] + (aside if words else 0),
            values[number][order],
            yerr=None if spread is None else spread[number][order],
            label=names[number],
            marker="o",
            markersize=3.5,
            elinewidth=0.9,
            linewidth=0 if words else 0.9,
            capsize=2,
            **style,
        )
    if words:
        axes.set_xticks(numbers, words)
        axes.set_xlim(-0.5, len(words) - 0.5)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title)
    tidy(axes)
    add_legend(figure, axes)
    return figure


def plot_scan_maps(
    x: NDArray[Any] | Sequence[float] | Sequence[str],
    y: NDArray[Any] | Sequence[float] | Sequence[str],
    values: NDArray[Any],
    *,
    x_label: str,
    y_label: str,
    value_label: str,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw a map of each channel; all have the same colours.

    Parameters
    ----------
    x, y
        Values of the two parameters, or words for them, shapes (columns,) and
        (rows,); numbers in any order.
    values
        What was measured, shape (channels, rows, columns); nan is left white.
    x_label, y_label, value_label
        What axes and colours are, with units.
    labels
        Names of the channels.
    title
        Title of the picture.

    Raises
    ------
    PlotError
        If the arguments do not go together, or there are more channels than can be
        read.
    MissingExtraError
        If matplotlib is not installed.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 3 or values.shape[1:] != (len(y), len(x)):
        raise PlotError(
            f"the values have the shape {values.shape}, expected (channels, {len(y)}, "
            f"{len(x)})"
        )
    x_words, x_numbers = _places(x)
    y_words, y_numbers = _places(y)
    # Cells stand side by side in the order of their values.
    columns, rows = np.argsort(x_numbers), np.argsort(y_numbers)
    edges = _edges(x_numbers[columns]), _edges(y_numbers[rows])
    names = checked_labels(labels, len(values), "channels")
    panels = new_panels(names, wide=False, sharex=True, sharey=True)
    known = values[np.isfinite(values)]
    limits = {"vmin": known.min(), "vmax": known.max()} if known.size else {}
    ordered = values[:, rows][:, :, columns]
    for axes, cells in zip(panels.axes, ordered, strict=True):
        drawn = axes.pcolormesh(*edges, cells, cmap=MAP, shading="flat", **limits)
        if x_words:
            axes.set_xticks(x_numbers, x_words)
        if y_words:
            axes.set_yticks(y_numbers, y_words)
    panels.label(x_label, y_label)
    panels.figure.colorbar(drawn, ax=panels.axes, label=value_label)
    add_title(panels.figure, title)
    return panels.figure


def _places(
    values: NDArray[Any] | Sequence[float] | Sequence[str],
) -> tuple[list[str], NDArray[np.float64]]:
    """Return words and where they stand along an axis; none, and numbers, for those."""
    words = [value for value in values if isinstance(value, str)]
    if words:
        return words, np.arange(len(words), dtype=np.float64)
    return [], np.asarray(values, np.float64)


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of cells around values in ascending order."""
    if centres.size == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(
        ([2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]])
    )
