"""Spectra of several channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.plots.figures import (
    COLOURS,
    Panels,
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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scale: TypeAlias = Literal["log", "linear"]

_MARGIN: Final = 1.03
"""How far the energy axis goes beyond the counts."""

_LINEAR_SHARE: Final = 0.999
"""Part of the counts that a linear plot shows by default: a few overflows would press
everything else aside. A logarithmic one shows all."""

_MOST_OVERLAID: Final = len(COLOURS)
"""More spectra than these in one cannot be told apart; each gets its own axes."""


def plot_spectra(
    counts: NDArray[Any] | Sequence[NDArray[Any]],
    *,
    labels: Sequence[str] | None = None,
    scale: Scale = "log",
    rebin: int = 1,
    bins: tuple[int, int] | None = None,
    overlaid: bool | None = None,
    title: str = "",
    x_label: str = "MCA bin",
) -> Figure:
    """Draw spectra as steps.

    Parameters
    ----------
    counts
        Counts of each channel, shape (channels, bins).
    labels
        Names of the channels.
    scale
        The count axis. On the logarithmic one, empty bins are left out.
    rebin
        How many bins are added up to one; those left over at the end are not drawn.
    bins
        First bin and the one behind the last of what is drawn; by default from 0 to
        where the counts end.
    overlaid
        Draw all into one, or each with axes of its own; by default a few into one.
    title, x_label
        Texts.

    Raises
    ------
    PlotError
        If the arguments do not go together, or there are more spectra than can be
        read.
    MissingExtraError
        If matplotlib is not installed.
    """
    spectra = [np.asarray(spectrum) for spectrum in counts]
    if not spectra or any(spectrum.ndim != 1 for spectrum in spectra):
        raise PlotError("expected spectra of shape (channels, bins), at least one")
    names = checked_labels(labels, len(spectra), "spectra")
    if rebin < 1:
        raise PlotError(f"rebin is {rebin}, expected at least 1")
    first, last = bins if bins is not None else (0, _last_bin(spectra, scale))
    if not 0 <= first < last:
        raise PlotError(
            f"the range is {first} to {last}, expected a first bin of at least 0 and "
            f"a larger one behind the last"
        )
    if len(spectra) <= _MOST_OVERLAID if overlaid is None else overlaid:
        figure = new_figure(9, 4.5)
        panels = Panels(figure, [figure.add_subplot()], 1)
    else:
        panels = new_panels(names, sharex=True)
    is_alone = len(panels.axes) == 1
    for number, style in enumerate(styles(len(spectra))):
        axes = panels.axes[0 if is_alone else number]
        heights, edges = _steps(spectra[number], first, last, rebin)
        if scale == "log":
            heights = np.where(heights > 0, heights, np.nan)
        look = style if is_alone else {"color": COLOURS[0]}
        axes.stairs(
            heights, edges, label=names[number], baseline=None, linewidth=0.9, **look
        )
    for axes in panels.axes:
        axes.set_xlim(first, last)
        if not is_alone:
            axes.locator_params(axis="x", nbins=5)
        _finish(axes, scale)
    panels.label(x_label, "Counts per bin" if rebin == 1 else f"Counts / {rebin} bins")
    add_title(panels.figure, title)
    if is_alone:
        add_legend(panels.figure, panels.axes[0])
    return panels.figure


def _steps(
    spectrum: NDArray[Any], first: int, last: int, rebin: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the counts of the bins that are drawn, and their edges."""
    chosen = spectrum[first:last]
    whole = chosen.size // rebin * rebin
    summed = chosen[:whole].reshape(-1, rebin).sum(axis=1, dtype=np.int64)
    return summed, first + rebin * np.arange(summed.size + 1)


def _finish(axes: Axes, scale: Scale) -> None:
    if scale == "log":
        axes.set_yscale("log")
        # Single counts stand above the axis.
        axes.set_ylim(bottom=0.7)
    else:
        axes.set_ylim(bottom=0)
    tidy(axes)


def _last_bin(spectra: Sequence[NDArray[Any]], scale: Scale) -> int:
    """Return the bin behind the last one that is drawn by default."""
    most = max(spectrum.size for spectrum in spectra)
    ends = []
    for spectrum in spectra:
        sums = np.cumsum(spectrum, dtype=np.int64)
        if sums.size and sums[-1]:
            share = 1.0 if scale == "log" else _LINEAR_SHARE
            ends.append(int(np.searchsorted(sums, math.ceil(share * sums[-1]))) + 1)
    if not ends:
        return most
    return min(most, int(max(ends) * _MARGIN) + 1)
