"""One value of each channel, such as decay times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    PlotError,
    add_legend,
    checked_labels,
    new_figure,
    styles,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LEVEL_LABELS: Final = 3
"""More names than these run into each other."""

_MARKERS: Final = ("o", "_", "x", "+", "^", "v")
"""Of the values of a channel, which may lie on each other."""


def plot_channel_values(
    values: NDArray[Any] | Mapping[str, NDArray[Any]],
    *,
    y_label: str,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw one point for each channel; nan leaves a gap.

    Parameters
    ----------
    values
        The values, shape (channels,); or several for each channel, by their names.
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
    given = values if isinstance(values, Mapping) else {"": values}
    rows = {name: np.asarray(row, np.float64) for name, row in given.items()}
    count = next((row.size for row in rows.values()), 0)
    for row in rows.values():
        if row.shape != (count,) or count == 0:
            raise PlotError(f"values have the shape {row.shape}, expected (channels,)")
    names = checked_labels(labels, count, "channels")
    figure = new_figure(max(5.0, 0.35 * count + 2.5), 4)
    axes = figure.add_subplot()
    looks = zip(rows.items(), styles(len(rows)), _MARKERS, strict=False)
    for (name, row), style, marker in looks:
        axes.plot(
            np.arange(count),
            row,
            marker,
            color=style["color"],
            markersize=7,
            label=name,
        )
    axes.set_xlim(-0.5, count - 0.5)
    turned = count > _MOST_LEVEL_LABELS
    axes.set_xticks(np.arange(count), names, rotation=90 if turned else 0)
    axes.set_ylabel(y_label)
    axes.set_title(title)
    tidy(axes)
    add_legend(figure, axes)
    return figure
