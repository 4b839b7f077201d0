"""Histograms of baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    COLOURS,
    PlotError,
    add_title,
    checked_labels,
    new_panels,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS: Final = 60


def plot_baselines(
    baselines: NDArray[Any] | Sequence[NDArray[Any]],
    *,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw a histogram of the baselines of each channel, with axes of its own.

    Parameters
    ----------
    baselines
        For each channel its baselines in units of the energy, shape (values,); nan is
        left out.
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
    values = [np.asarray(channel, np.float64) for channel in baselines]
    if any(channel.ndim != 1 for channel in values):
        raise PlotError("expected one row of baselines for each channel")
    finite = [channel[np.isfinite(channel)] for channel in values]
    names = checked_labels(labels, len(values), "channels")
    panels = new_panels(list(map(_heading, names, finite)))
    for axes, channel in zip(panels.axes, finite, strict=True):
        tidy(axes)
        if channel.size == 0:
            axes.set(xticks=[], yticks=[])
            continue
        heights, edges = np.histogram(channel, _BINS)
        axes.stairs(heights, edges, color=COLOURS[0], fill=True, alpha=0.75)
        axes.ticklabel_format(axis="x", useOffset=False)
        axes.locator_params(axis="x", nbins=5)
    panels.label("Baseline (units of the energy)", "Baselines")
    add_title(panels.figure, title)
    return panels.figure


def _heading(name: str, values: NDArray[np.float64]) -> str:
    if values.size == 0:
        return f"{name}: none"
    return f"{name}: {np.mean(values):.1f}, σ {np.std(values):.2f}"
