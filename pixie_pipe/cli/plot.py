"""``pixie-pipe plot``: pictures of a run: spectra, rates, coincidences, traces."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from pixie_pipe._channel_names import channel_name, read_place
from pixie_pipe.cli import output
from pixie_pipe.cli.plot_histograms import Source, opened_source
from pixie_pipe.cli.runs import Runs
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pixie_pipe.events import Events

What = Literal["spectrum", "rates", "time-differences", "matrix", "traces"]

_MOST_TRACES = 200
_MOST_CHANNELS = 7


def plot(
    what: What,
    source: str,
    *,
    output_file: Annotated[
        Path, Parameter(name=("--output", "-o"), help="The picture to write.")
    ],
    runs: Runs = Path("runs"),
    channels: Annotated[str | None, Parameter(show_default=False)] = None,
    histogram: Annotated[str | None, Parameter(show_default=False)] = None,
    from_events: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    bins: Annotated[
        int | None, Parameter(validator=validators.Number(gte=1), show_default=False)
    ] = None,
    range: Annotated[str | None, Parameter(show_default=False)] = None,
    kev: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    calibration: Annotated[Path | None, Parameter(show_default=False)] = None,
    linear: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Draw a run: spectrum, rates, time-differences, matrix or traces.

    Histograms that FillHistograms has left with the run are drawn; where there are
    none, or they are not as asked for, they are filled with the events of the run.

    Example: pixie-pipe plot spectrum 12 --channels 0/2/0,0/3/0 -o spectrum.png

    Parameters
    ----------
    what
        spectrum: energies of channels. rates: events in time. time-differences: of
        two channels. matrix: energies of coincidences, one against the other. traces:
        how many traces of each channel pass where.
    source
        Number of a run (-1: the last one), its directory, or a file of events or
        histograms.
    output_file
        The picture; .png, .svg, .pdf or .html.
    runs
        Directory of the runs.
    channels
        Channels with commas, such as 0/2/5; by default all, of time-differences those
        of the histogram.
    histogram
        Name of a histogram of the run.
    from_events
        Fill a new histogram, even if the run has one.
    bins, range
        Bins of a new histogram, and from where to where they go, FIRST:LAST, in ADC
        units (or keV), seconds (rates) or ns (time-differences).
    kev
        Draw energies in keV, of the column energy_kev that the task Calibrate adds.
    calibration
        Draw spectra in keV, by a file that calibrate has written.
    linear
        Draw counts on a linear scale.
    force
        Replace a file that exists.
    """
    from pixie_pipe.plots import require, save
    from pixie_pipe.plots.figures import check_format

    require()
    check_format(output_file)
    drawing = _Drawing(
        names=_names(channels),
        histogram=histogram,
        is_new=from_events or bins is not None or range is not None,
        declared=_declared(bins, range),
        column="energy_kev" if kev else "energy",
        calibration=calibration,
        scale="linear" if linear else "log",
    )
    with opened_source(source, runs) as opened:
        figure = _KINDS[what](drawing, opened)
    save(figure, output_file, force=force)
    output.note(f"{output_file} is written")


class _Drawing:
    """What is asked for, and a method for each kind of picture."""

    def __init__(
        self,
        *,
        names: list[str],
        histogram: str | None,
        is_new: bool,
        declared: dict[str, Any],
        column: str,
        calibration: Path | None,
        scale: Literal["log", "linear"],
    ) -> None:
        self.names = names
        self.histogram = histogram
        self.is_new = is_new
        self.declared = declared
        self.column = column
        self.calibration = calibration
        self.scale = scale

    def spectrum(self, source: Source) -> Figure:
        """Draw energies of channels."""
        from pixie_pipe.plots import plot_histogram, plot_histograms

        found: Any = self._histogram(source, kind="spectrum", column=self.column)
        channels = self._present(found.channels)
        calibrations = self._calibrations(source, channels)
        label = "Energy (keV)" if calibrations else found.axis.label
        curves = {
            name: (found[name], calibrations.get(name, _as_it_is)(found.axis.positions))
            for name in channels
        }
        if len(curves) > 1:
            return plot_histograms(
                curves, scale=self.scale, x_label=label, title=source.title
            )
        ((name, (counts, edges)),) = curves.items()
        title = ", ".join(part for part in (source.title, name) if part)
        return plot_histogram(
            counts, edges, scale=self.scale, x_label=label, title=title
        )

    def rates(self, source: Source) -> Figure:
        """Draw events in time."""
        from pixie_pipe.plots import plot_rates_in_time

        if not self.is_new:
            self.declared = _time_bins(source)
        found: Any = self._histogram(source, kind="rate")
        counts = {name: found[name] for name in self._present(found.channels)}
        return plot_rates_in_time(counts, found.axis.edges, title=source.title)

    def time_differences(self, source: Source) -> Figure:
        """Draw time differences of two channels."""
        from pixie_pipe.plots import plot_histogram

        pair = {"channels": self.names} if self.names else {}
        if self.names and len(self.names) != 2:
            raise UsageError(
                f"--channels has {len(self.names)}, expected two: a time difference is "
                f"from the first one to the other"
            )
        found: Any = self._histogram(source, kind="time_difference", **pair)
        (axis,) = found.axes
        title = " to ".join(found.declaration.channels)
        return plot_histogram(
            found.counts[1:-1],
            axis.edges,
            scale=self.scale,
            x_label=axis.label,
            title=f"{source.title}, {title}" if source.title else title,
        )

    def matrix(self, source: Source) -> Figure:
        """Draw energies of coincidences, one against the other."""
        from pixie_pipe.plots import plot_matrix

        sides = {"x": self.names[:1], "y": self.names[1:2]} if self.names else {}
        found: Any = self._histogram(source, kind="matrix", column=self.column, **sides)
        x, y = found.axes
        return plot_matrix(
            found.counts[1:-1, 1:-1],
            x.positions,
            y.positions,
            x_label=x.label,
            y_label=y.label,
            scale=self.scale,
            title=source.title,
        )

    def traces(self, source: Source) -> Figure:
        """Draw how many traces of each channel pass where."""
        from pixie_pipe.plots import plot_event_persistence

        table = source.events
        if "trace_samples" not in table.columns:
            raise UsageError("the events have no traces")
        events = _some_traces(table, [_place(name) for name in self.names])
        return plot_event_persistence(events, title=source.title)

    def _histogram(self, source: Source, **wanted: Any) -> Any:  # noqa: ANN401 - of any kind
        is_new = self.is_new or bool(wanted.get("x"))
        lacks_pair = wanted["kind"] == "time_difference" and "channels" not in wanted
        if (
            lacks_pair
            and self.histogram is None
            and not source.has_kind(wanted["kind"])
        ):
            raise UsageError(
                "time differences are of two channels: name them with --channels, "
                "two channels, with a comma between them"
            )
        return source.histogram(
            {**self.declared, **wanted}, name=self.histogram, is_new=is_new
        )

    def _present(self, channels: list[str]) -> list[str]:
        if not self.names:
            if len(channels) > _MOST_CHANNELS:
                output.note(
                    f"{_MOST_CHANNELS} of {len(channels)} channels are drawn; "
                    f"choose others with --channels"
                )
            return sorted(channels)[:_MOST_CHANNELS]
        for name in self.names:
            if name not in channels:
                raise UsageError(
                    f"the channel {name} has no events; there are: "
                    f"{', '.join(sorted(channels)) or 'none'}"
                )
        return self.names

    def _calibrations(
        self, source: Source, channels: list[str]
    ) -> dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
        if self.calibration is None:
            return {}
        from pixie_pipe.calibration import read_calibrations

        known = read_calibrations(self.calibration).at(run=source.number).channels
        missing = [name for name in channels if name not in known]
        if missing:
            raise UsageError(
                f"{self.calibration} has no calibration of {', '.join(missing)}"
            )
        return {name: known[name] for name in channels}


_KINDS: dict[str, Callable[[_Drawing, Source], Figure]] = {
    "spectrum": _Drawing.spectrum,
    "rates": _Drawing.rates,
    "time-differences": _Drawing.time_differences,
    "matrix": _Drawing.matrix,
    "traces": _Drawing.traces,
}


def _as_it_is(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return edges


def _names(channels: str | None) -> list[str]:
    """Return full names of channels.

    Raises
    ------
    UsageError
        If one is none.
    """
    return [channel_name(*_place(text)) for text in (channels or "").split(",") if text]


def _place(text: str) -> tuple[int, int, int]:
    place = read_place(text)
    if place is None or len(place) != 3:
        raise UsageError(
            f"--channels {text}: expected crate/slot/channel, such as 0/2/5"
        )
    return place[0], place[1], place[2]


def _declared(bins: int | None, ends: str | None) -> dict[str, Any]:
    declared: dict[str, Any] = {}
    if bins is not None:
        declared["bins"] = bins
    if ends is not None:
        try:
            first, last = map(float, ends.split(":"))
        except ValueError as error:
            raise UsageError(
                f"--range {ends}: expected FIRST:LAST, such as 0:2000"
            ) from error
        declared["range"] = [first, last]
    return declared


def _time_bins(source: Source) -> dict[str, Any]:
    """Return bins that the whole run fits into."""
    limits = source.events.time_limits_ps()
    seconds = 1.0 if limits is None else max(limits[1] * 1e-12, 1e-6)
    return {"bins": 200, "range": [0.0, math.nextafter(seconds, math.inf)]}


def _some_traces(table: Any, places: list[tuple[int, int, int]]) -> Events:  # noqa: ANN401 - a table of events
    """Return the first events of each channel that have a trace."""
    import numpy as np

    from pixie_pipe.events import Events

    parts: list[Events] = []
    taken: dict[tuple[int, ...], int] = {}
    for batch in table.batches():
        rows = np.zeros(len(batch), bool)
        for row in batch.channels():
            place = int(row["crate"]), int(row["slot"]), int(row["channel"])
            if places and place not in places:
                continue
            own = (
                (batch.crate == place[0])
                & (batch.slot == place[1])
                & (batch.channel == place[2])
                & (batch.trace_length > 0)
            )
            chosen = np.flatnonzero(own)[: _MOST_TRACES - taken.get(place, 0)]
            taken[place] = taken.get(place, 0) + chosen.size
            rows[chosen] = True
        parts.append(batch[rows])
        if taken and all(count >= _MOST_TRACES for count in taken.values()):
            break
    return Events.concatenate(parts)
