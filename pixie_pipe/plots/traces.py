"""Traces of ADCs, with what the filters of the firmware make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixie_pipe.plots.figures import (
    COLOURS,
    MARK,
    MOST_PANELS,
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

_FEW: Final = 4
"""From so many traces in a panel on, single ones are drawn pale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCurves:
    """What filters make of one trace; each curve may be absent.

    Attributes
    ----------
    fast
        Answer of the fast (trigger) filter in ADC units, shape (samples,).
    threshold
        Threshold of the trigger in ADC units.
    cfd
        Answer of the CFD, shape (samples,).
    energy
        Answer of the energy filter in units of the energy, shape (samples,).
    trigger_us
        When the trigger came, in us from the first sample.
    energy_us
        When the energy is taken, in us from the first sample.
    """

    fast: NDArray[np.float64] | None = None
    threshold: float | None = None
    cfd: NDArray[np.float64] | None = None
    energy: NDArray[np.float64] | None = None
    trigger_us: float | None = None
    energy_us: float | None = None

    @property
    def panels(self) -> list[str]:
        """Names of the curves that are there, in the order of the filters."""
        return [name for name in _TITLES if getattr(self, name) is not None]


_TITLES: Final = {
    "fast": "Fast filter\n(ADC units)",
    "cfd": "CFD\n(arb. units)",
    "energy": "Energy filter\n(energy units)",
}


def plot_traces(
    traces: Sequence[ArrayLike] | NDArray[Any],
    sample_us: float | Sequence[float] | None = None,
    *,
    labels: Sequence[str] | None = None,
    filters: Sequence[FilterCurves | None] | None = None,
    overlaid: bool = False,
    title: str = "",
) -> Figure:
    """Draw traces of channels, each with axes of its own or all in one.

    Parameters
    ----------
    traces
        For each channel one trace, shape (samples,), or several, shape (n, samples),
        in ADC units.
    sample_us
        Time between two samples in us, one for all channels or one for each; None
        or nan: the axis counts samples.
    labels
        Names of the channels.
    filters
        For each channel what the filters make of its (first) trace, or None. It is
        drawn below the trace along the same time, each curve with axes of its own,
        for their scales have nothing in common.
    overlaid
        Draw all channels into one; goes without `filters`.
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
    channels = [np.atleast_2d(np.asarray(channel)) for channel in traces]
    names = checked_labels(labels, len(channels), "channels")
    steps = checked_steps(sample_us, len(channels))
    curves = _checked_filters(filters, channels)
    if not channels or any(channel.size == 0 for channel in channels):
        raise PlotError("there are no samples to draw")
    if overlaid:
        if any(curves):
            raise PlotError("filters are drawn for single channels, not overlaid")
        return _overlaid(channels, steps, names, title)
    if any(curves):
        return _with_filters(channels, steps, names, curves, title)
    return _one_by_one(channels, steps, names, title)


def checked_steps(sample_us: float | Sequence[float] | None, count: int) -> list[float]:
    """Return the time between samples of each channel in µs; nan if it is not known.

    Raises
    ------
    PlotError
        If there are more or fewer times than channels.
    """
    if sample_us is None:
        return [math.nan] * count
    steps: NDArray[np.float64] = np.asarray(sample_us, np.float64)
    if steps.ndim == 0:
        return [float(steps) if steps > 0 else math.nan] * count
    if steps.shape != (count,):
        raise PlotError(f"there are {steps.size} sample times for {count} channels")
    return [float(step) if step > 0 else math.nan for step in steps]


def _checked_filters(
    filters: Sequence[FilterCurves | None] | None, channels: Sequence[NDArray[Any]]
) -> list[FilterCurves | None]:
    if filters is None:
        return [None] * len(channels)
    if len(filters) != len(channels):
        raise PlotError(
            f"there are filters of {len(filters)} channels and traces of "
            f"{len(channels)}"
        )
    for number, (curves, channel) in enumerate(zip(filters, channels, strict=True)):
        for name in curves.panels if curves else ():
            size = getattr(curves, name).size
            if size != channel.shape[1]:
                raise PlotError(
                    f"channel {number}: the {name} filter has {size} samples, the "
                    f"trace {channel.shape[1]}"
                )
    return list(filters)


def _times(samples: int, step: float) -> NDArray[np.float64]:
    return np.arange(samples, dtype=np.float64) * (1.0 if math.isnan(step) else step)


def time_label(step: float, origin: str = "") -> str:
    """Return what stands along the time axis, and from where it counts."""
    return f"Sample{origin}" if math.isnan(step) else f"Time{origin} (µs)"


def _draw(
    axes: Axes, channel: NDArray[Any], step: float, label: str, **style: Any
) -> None:
    """Draw the traces of one channel; the name is that of the first."""
    times = _times(channel.shape[1], step)
    alpha = 1.0 if len(channel) < _FEW else max(0.15, _FEW / len(channel))
    for number, trace in enumerate(channel):
        axes.plot(
            times,
            trace,
            label="_" if number else label,
            linewidth=0.9,
            alpha=alpha,
            **style,
        )
    axes.margins(x=0.01)


def _overlaid(
    channels: Sequence[NDArray[Any]],
    steps: Sequence[float],
    names: Sequence[str],
    title: str,
) -> Figure:
    if len({math.isnan(step) for step in steps}) > 1:
        raise PlotError("the time of samples is known for some of the channels only")
    figure = new_figure(9, 4.5)
    axes = figure.add_subplot()
    rows = zip(channels, steps, names, styles(len(channels)), strict=True)
    for channel, step, name, style in rows:
        _draw(axes, channel, step, name, **style)
    axes.set_xlabel(time_label(steps[0]))
    axes.set_ylabel("ADC units")
    axes.set_title(title)
    tidy(axes)
    add_legend(figure, axes)
    return figure


def _one_by_one(
    channels: Sequence[NDArray[Any]],
    steps: Sequence[float],
    names: Sequence[str],
    title: str,
) -> Figure:
    # Within a column, only the lowest axes tell the time if all times are alike.
    times = {
        (channel.shape[1], step) for channel, step in zip(channels, steps, strict=True)
    }
    panels = new_panels(names, sharex=len(times) == 1)
    rows = zip(panels.axes, channels, steps, names, strict=True)
    for axes, channel, step, name in rows:
        _draw(axes, channel, step, name, color=COLOURS[0])
        tidy(axes)
    panels.label(list(map(time_label, steps)), "ADC units")
    add_title(panels.figure, title)
    return panels.figure


def _with_filters(
    channels: Sequence[NDArray[Any]],
    steps: Sequence[float],
    names: Sequence[str],
    filters: Sequence[FilterCurves | None],
    title: str,
) -> Figure:
    present = {name for curves in filters if curves for name in curves.panels}
    panels = [name for name in _TITLES if name in present]
    count = len(channels) * (1 + len(panels))
    if count > MOST_PANELS:
        raise PlotError(
            f"{len(channels)} channels with filters need {count} panels, expected at "
            f"most {MOST_PANELS}; choose fewer channels"
        )
    columns = min(len(channels), 1 if len(channels) == 1 else 2)
    rows = math.ceil(len(channels) / columns)
    figure = new_figure(
        8 if columns == 1 else 6.5 * columns, rows * (2.4 + 1.3 * len(panels))
    )
    parts = figure.subfigures(rows, columns, squeeze=False).ravel()
    for number, part in enumerate(parts[: len(channels)]):
        ratios = [2.0, *[1.3] * len(panels)]
        grid = part.subplots(
            len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios
        ).ravel()
        channel, step = channels[number], steps[number]
        _draw(grid[0], channel, step, names[number], color=COLOURS[0])
        grid[0].set_title(names[number], fontsize="medium", loc="left")
        grid[0].set_ylabel("Trace\n(ADC units)")
        _draw_filters(grid, panels, filters[number] or FilterCurves(), step)
        grid[-1].set_xlabel(time_label(step))
        part.align_ylabels(grid)
    add_title(figure, title)
    return figure


def _draw_filters(
    grid: Sequence[Axes], panels: Sequence[str], curves: FilterCurves, step: float
) -> None:
    """Draw the curves of one channel below its trace, and what happens when."""
    for axes, panel in zip(grid[1:], panels, strict=True):
        values = getattr(curves, panel)
        if values is not None:
            times = _times(values.size, step)
            axes.plot(times, values, color=COLOURS[1], linewidth=0.9, label=panel)
        axes.set_ylabel(_TITLES[panel])
        if panel == "fast" and curves.threshold is not None:
            _draw_threshold(axes, curves.threshold)
        if panel == "cfd":
            axes.axhline(0, color=MARK, linewidth=0.8)
    _draw_moments(grid, curves)
    for axes in grid:
        tidy(axes)


def _draw_threshold(axes: Axes, threshold: float) -> None:
    axes.axhline(
        threshold, color=MARK, linewidth=0.9, linestyle="--", label="threshold"
    )
    axes.annotate(
        f"threshold {threshold:g}",
        (1, threshold),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        fontsize="x-small",
        color=MARK,
    )


def _draw_moments(grid: Sequence[Axes], curves: FilterCurves) -> None:
    """Mark the trigger, and where the energy is taken, through all panels."""
    # The names stand at the outer sides of the two lines, which may be close.
    moments = (
        ("trigger", curves.trigger_us, ":", "right"),
        ("energy", curves.energy_us, "-.", "left"),
    )
    for text, moment, line, side in moments:
        if moment is None:
            continue
        for axes in grid:
            axes.axvline(moment, color=MARK, linewidth=0.9, linestyle=line, label=text)
        grid[0].annotate(
            text,
            (moment, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3 if side == "left" else -3, -8),
            textcoords="offset points",
            ha=side,
            fontsize="x-small",
            color=MARK,
        )
        # Room above the pulse for the names.
        grid[0].margins(y=0.2)
