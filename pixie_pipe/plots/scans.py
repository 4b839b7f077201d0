"""What was measured over the values of one parameter, or of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    MAP,
    PlotError,
    add_legend,
    add_title,
    checked_labels,
    grid_shape,
    new_figure,
    styles,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_scan_curves(
    x: NDArray[Any],
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
        (curves, points).
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
    try:
        places = np.broadcast_to(np.asarray(x, np.float64), values.shape)
        spread = None if errors is None else np.broadcast_to(errors, values.shape)
    except ValueError as error:
        raise PlotError(f"places, values and errors do not fit: {error}") from error
    figure = new_figure(8, 4.5)
    axes = figure.add_subplot()
    for number, style in enumerate(styles(len(values))):
        axes.errorbar(
            places[number],
            values[number],
            yerr=None if spread is None else spread[number],
            label=names[number],
            marker="o",
            markersize=3.5,
            linewidth=0.9,
            capsize=2,
            **style,
        )
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title)
    tidy(axes)
    add_legend(figure, axes)
    return figure


def plot_scan_maps(
    x: NDArray[Any],
    y: NDArray[Any],
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
        Values of the two parameters, shapes (columns,) and (rows,).
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
    names = checked_labels(labels, len(values), "channels")
    rows, columns = grid_shape(len(values), wide=False)
    figure = new_figure(max(6.5, 3.4 * columns + 1.5), 3.2 * rows + 1)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    known = values[np.isfinite(values)]
    limits = {"vmin": known.min(), "vmax": known.max()} if known.size else {}
    drawn = None
    for number, axes in enumerate(grid.ravel()):
        if number >= len(values):
            axes.remove()
            continue
        drawn = axes.pcolormesh(
            _edges(x), _edges(y), values[number], cmap=MAP, shading="flat", **limits
        )
        axes.set_title(names[number], fontsize="medium", loc="left")
        if number % columns == 0:
            axes.set_ylabel(y_label)
        if number + columns >= len(values):
            axes.set_xlabel(x_label)
            axes.tick_params(labelbottom=True)
    figure.colorbar(drawn, ax=grid, label=value_label)
    add_title(figure, title)
    return figure


def _edges(centres: NDArray[Any]) -> NDArray[np.float64]:
    """Return the edges of cells around values in ascending or descending order."""
    middles = np.asarray(centres, np.float64)
    if middles.size == 1:
        return np.array([middles[0] - 0.5, middles[0] + 0.5])
    inner = (middles[1:] + middles[:-1]) / 2
    return np.concatenate(
        ([2 * middles[0] - inner[0]], inner, [2 * middles[-1] - inner[-1]])
    )
