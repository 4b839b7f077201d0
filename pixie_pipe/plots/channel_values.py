"""One value of each channel, such as decay times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    COLOURS,
    PlotError,
    checked_labels,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LEVEL_LABELS: Final = 8


def plot_channel_values(
    values: NDArray[Any],
    *,
    y_label: str,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw one point for each channel; nan leaves a gap.

    Parameters
    ----------
    values
        The values, shape (channels,).
    y_label
        What they are, with the unit.
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
    points = np.asarray(values, np.float64)
    if points.ndim != 1 or points.size == 0:
        raise PlotError(f"values have the shape {points.shape}, expected (channels,)")
    names = checked_labels(labels, points.size, "channels")
    figure = new_figure(max(5.0, 0.35 * points.size + 2.5), 4)
    axes = figure.add_subplot()
    axes.plot(np.arange(points.size), points, "o", color=COLOURS[0])
    axes.set_xlim(-0.5, points.size - 0.5)
    turned = points.size > _MOST_LEVEL_LABELS
    axes.set_xticks(np.arange(points.size), names, rotation=90 if turned else 0)
    axes.set_ylabel(y_label)
    axes.set_title(title)
    tidy(axes)
    return figure
