"""Persistence plots: many traces of a channel as a density.

A cell tells how many of the traces pass it, as on the screen of an oscilloscope that
does not forget. Traces are lines: between two samples they pass all that lies between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.plots.figures import (
    MAP,
    PlotError,
    add_title,
    checked_labels,
    new_panels,
    tidy,
)
from pixie_pipe.plots.traces import checked_steps, time_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from pixie_pipe.events import Events

_MOST_COLUMNS: Final = 600
_MOST_ROWS: Final = 240
"""More cells than these are smaller than the dots of a picture."""

_LEAST_COVER: Final = 0.5
"""Aligned traces end at different times: what fewer than this part of them has is not
drawn."""

_AT_ONCE: Final = 64
"""Traces that are counted together: what that needs stays within a few MB."""

_HIGHEST: Final = 1 << 20
"""Above any sample, and -1 is below: what stands where a trace has none."""

_HEIGHT: Final = 2.4
"""Of axes, in inches: those of traces are too low for a density."""


_SHARE: Final = "Part of the traces (%)"


@dataclass(frozen=True, slots=True)
class _Density:
    """How many traces pass the cells of a grid of time and ADC units.

    Attributes
    ----------
    share
        Part of the traces that there are at this time, shape (rows, columns); nan
        where none passes.
    first, end
        The samples that the columns go from and to; 0 is where traces are aligned.
    low, high
        The ADC units that the rows go from and to.
    """

    share: NDArray[np.float64]
    first: int
    end: int
    low: int
    high: int


def plot_persistence(
    traces: Sequence[Sequence[ArrayLike]] | Sequence[NDArray[Any]],
    sample_us: float | Sequence[float] | None = None,
    *,
    labels: Sequence[str] | None = None,
    at: Sequence[ArrayLike] | None = None,
    origin: str = "pulse",
    span_us: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw how many traces of each channel pass where.

    Parameters
    ----------
    traces
        For each channel its traces in ADC units, of any lengths.
    sample_us
        Time between two samples in µs, one for all channels or one for each; None
        or nan: the axis counts samples.
    labels
        Names of the channels.
    at
        For each channel the sample of each trace that is drawn at the time 0; traces
        for which it is nan are left out. Without it, all begin at 0.
    origin
        What happens then, for the label of the axis.
    span_us
        First and last time to draw, in µs (in samples, where their time is not known).
    title
        Title of the picture.

    Raises
    ------
    PlotError
        If the arguments do not go together, there are no traces, or there are more
        channels than can be read.
    MissingExtraError
        If matplotlib is not installed.
    """
    channels = [[np.asarray(trace) for trace in channel] for channel in traces]
    names = checked_labels(labels, len(channels), "channels")
    steps = checked_steps(sample_us, len(channels))
    if not channels or not any(trace.size for channel in channels for trace in channel):
        raise PlotError("there are no samples to draw")
    densities, headings = [], []
    for channel, start, step, name in zip(
        channels, _checked_starts(at, channels), steps, names, strict=True
    ):
        kept = [
            (trace, int(-begin))
            for trace, begin in zip(channel, np.round(start), strict=True)
            if trace.size and np.isfinite(begin)
        ]
        densities.append(_density(kept, _span(span_us, step)))
        headings.append(_heading(name, len(kept), len(channel)))
    times = {
        (density.first, density.end, f"{step:g}") if density else None
        for density, step in zip(densities, steps, strict=True)
    }
    panels = new_panels(headings, height=_HEIGHT, sharex=len(times) == 1)
    least = 100 / max(10, *map(len, channels))
    norm = optional_import("matplotlib.colors", "plot").LogNorm(least, 100)
    image = None
    for axes, density, step in zip(panels.axes, densities, steps, strict=True):
        tidy(axes)
        if density is None:
            axes.set(xticks=[], yticks=[])
        else:
            image = _draw(axes, density, step, norm)
    since = "" if at is None else f" from the {origin}"
    panels.label([time_label(step, since) for step in steps], "ADC units")
    if image is not None:
        bar = panels.figure.colorbar(image, ax=panels.axes, label=_SHARE)
        bar.formatter = "{x:g}"
    add_title(panels.figure, title)
    return panels.figure


def _heading(name: str, kept: int, count: int) -> str:
    part = "" if kept == count else f"{kept} of "
    plural = "" if count == 1 else "s"
    return f"{name}: {part}{count} trace{plural}"


def plot_event_persistence(
    events: Events,
    sample_us: float | None = None,
    *,
    at: float | None = None,
    span_us: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw how many traces of the events of each channel pass where.

    The modules have aligned them already: all have the trigger at the same sample.

    Parameters
    ----------
    events
        With traces.
    sample_us
        Time between two samples in µs; None: the axis counts samples.
    at
        The sample with the trigger, to be drawn at the time 0: TRACE_DELAY over
        `sample_us`. Without it, traces begin at 0.
    span_us, title
        As for `plot_persistence`.

    Raises
    ------
    PlotError
        If there are no traces, or more channels than can be read.
    EventsError
        If the events have no columns of traces, or do not tell their channels.
    MissingExtraError
        If matplotlib is not installed.
    """
    names, traces = [], []
    places = events["crate"], events["slot"], events["channel"]
    has_trace = events["trace_length"] > 0
    for crate, slot, channel, _ in events.channels().tolist():
        wanted = (crate, slot, channel)
        is_this = [column == one for column, one in zip(places, wanted, strict=True)]
        rows = np.flatnonzero(np.logical_and.reduce([*is_this, has_trace]))
        if rows.size:
            names.append(f"c{crate}-s{slot:02d} ch {channel:02d}")
            traces.append([events.trace(row) for row in rows.tolist()])
    zeros = None if at is None else [[at] * len(channel) for channel in traces]
    return plot_persistence(
        traces,
        sample_us,
        labels=names,
        at=zeros,
        origin="trigger",
        span_us=span_us,
        title=title,
    )


def _checked_starts(
    at: Sequence[ArrayLike] | None, channels: Sequence[Sequence[NDArray[Any]]]
) -> list[NDArray[np.float64]]:
    """Return for each channel the sample of each trace that is at the time 0."""
    if at is None:
        return [np.zeros(len(channel)) for channel in channels]
    starts = [np.asarray(start, np.float64) for start in at]
    shapes = [(len(channel),) for channel in channels]
    if [start.shape for start in starts] != shapes:
        raise PlotError("expected the sample at the time 0 for each trace of a channel")
    return starts


def _span(span_us: tuple[float, float] | None, step: float) -> tuple[int, int] | None:
    """Return the samples of a time range: the first, and the one behind the last."""
    if span_us is None:
        return None
    first, last = (time / (1.0 if math.isnan(step) else step) for time in span_us)
    if not first < last:
        raise PlotError(
            f"the time range is {span_us[0]:g} to {span_us[1]:g}, expected a first "
            f"time and a later one"
        )
    return math.floor(first), math.ceil(last) + 1


def _density(
    traces: Sequence[tuple[NDArray[Any], int]], span: tuple[int, int] | None
) -> _Density | None:
    """Count traces in cells; each comes with the time of its first sample."""
    first, end = _covered(traces)
    if span is not None:
        first, end = max(first, span[0]), min(end, span[1])
    shown = [
        (trace[max(first - start, 0) : end - start], max(start, first))
        for trace, start in traces
        if start < end and start + trace.size > first
    ]
    if not shown:
        return None
    low = min(int(trace.min()) for trace, _ in shown)
    high = max(int(trace.max()) for trace, _ in shown) + 1
    per_column = math.ceil((end - first) / _MOST_COLUMNS)
    columns = math.ceil((end - first) / per_column)
    per_row = math.ceil((high - low) / _MOST_ROWS)
    rows = math.ceil((high - low) / per_row)
    changes = np.zeros((rows + 1, columns), np.int64)
    present = np.zeros(columns, np.int64)
    for begin in range(0, len(shown), _AT_ONCE):
        some = [(trace, start - first) for trace, start in shown[begin:][:_AT_ONCE]]
        bottom, top = _extents(some, columns, per_column)
        there, column = np.nonzero(top >= 0)
        present += np.bincount(column, minlength=columns)
        for sign, values in ((1, bottom), (-1, top + per_row)):
            row = (values[there, column] - low) // per_row
            found = np.bincount(row * columns + column, minlength=changes.size)
            changes += sign * found.reshape(changes.shape)
    counts = np.cumsum(changes, axis=0)[:-1].astype(np.float64)
    counts[counts == 0] = np.nan
    share = counts / np.maximum(present, 1)
    return _Density(
        share, first, first + columns * per_column, low, low + rows * per_row
    )


def _covered(traces: Sequence[tuple[NDArray[Any], int]]) -> tuple[int, int]:
    """Return the first time and the one behind the last that enough traces have."""
    starts = np.sort([start for _, start in traces])
    ends = np.sort([start + trace.size for trace, start in traces])
    if not traces:
        return 0, 0
    # By then so many have begun, and so many have not ended.
    needed = math.ceil(_LEAST_COVER * len(traces)) - 1
    return int(starts[needed]), int(ends[-1 - needed])


def _extents(
    traces: Sequence[tuple[NDArray[Any], int]], columns: int, per_column: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lowest and highest sample of traces in each column.

    The first sample of the next column belongs to both: there the line goes.

    Returns
    -------
    tuple of ndarray
        Of shape (traces, columns); where a trace is not, the highest is -1.
    """
    padded = np.full((len(traces), columns * per_column + 1), -1, np.int64)
    for row, (trace, start) in zip(padded, traces, strict=True):
        row[start : start + trace.size] = trace[: row.size - start]
    inside = padded[:, :-1].reshape(len(traces), columns, per_column)
    behind = padded[:, per_column::per_column]
    top = inside.max(axis=2)
    top = np.where(top >= 0, np.maximum(top, behind), -1)
    bottom = np.where(inside < 0, _HIGHEST, inside).min(axis=2)
    bottom = np.minimum(bottom, np.where(behind < 0, _HIGHEST, behind))
    return bottom, top


def _draw(axes: Axes, density: _Density, step: float, norm: Any) -> AxesImage:  # noqa: ANN401 - matplotlib's own
    scale = 1.0 if math.isnan(step) else step
    image = axes.imshow(
        100 * density.share,
        # Dark where many are: on white, what is rare must not be the most striking.
        cmap=f"{MAP}_r",
        norm=norm,
        zorder=1,  # above the grid
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(
            density.first * scale,
            density.end * scale,
            density.low,
            density.high,
        ),
    )
    edge = 0.03 * (density.high - density.low)
    axes.set_ylim(density.low - edge, density.high + edge)
    return image
