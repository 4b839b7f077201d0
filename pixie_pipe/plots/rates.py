"""Rates of channels over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    PlotError,
    add_legend,
    add_title,
    checked_labels,
    new_figure,
    styles,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_rates(
    seconds: NDArray[Any],
    input_hz: NDArray[Any],
    output_hz: NDArray[Any],
    dead_percent: NDArray[Any],
    *,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw input rate, output rate and dead time, one below the other.

    Parameters
    ----------
    seconds
        Times since the start, shape (readings,).
    input_hz, output_hz
        Rates in Hz, shape (channels, readings); nan where they are not known.
    dead_percent
        Dead times in percent, of the same shape.
    labels
        Names of the channels.
    title
        Title of the picture.

    Raises
    ------
    PlotError
        If the arguments do not go together.
    MissingExtraError
        If matplotlib is not installed.
    """
    times = np.asarray(seconds, np.float64)
    panels = {
        "Input rate (Hz)": np.asarray(input_hz, np.float64),
        "Output rate (Hz)": np.asarray(output_hz, np.float64),
        "Dead time (%)": np.asarray(dead_percent, np.float64),
    }
    for name, values in panels.items():
        if values.ndim != 2 or values.shape[1] != times.size:
            raise PlotError(
                f"{name}: the shape is {values.shape}, expected (channels, "
                f"{times.size})"
            )
    names = checked_labels(labels, len(panels["Dead time (%)"]), "channels")
    figure = new_figure(9, 6.5)
    grid = figure.subplots(3, 1, sharex=True)
    for axes, (name, values) in zip(grid, panels.items(), strict=True):
        rows = zip(values, names, styles(len(names)), strict=True)
        for curve, label, style in rows:
            axes.plot(
                times,
                curve,
                label=label,
                marker=".",
                markersize=4,
                linewidth=0.9,
                **style,
            )
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        tidy(axes)
    grid[-1].set_xlabel("Time (s)")
    figure.align_ylabels(grid)
    add_title(figure, title)
    add_legend(figure, grid[0])
    return figure
