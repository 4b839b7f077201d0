"""``pixie-pipe scan``: parameters set to many values, and what is measured then."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    ChannelOptions,
    DriverOptions,
    check_outputs,
    choices_as_usage,
)
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.scanning import Axis, Scan, ScanResult
    from pixie_pipe.scanning.scanner import Progress

_Values = Annotated[str, Parameter(allow_leading_hyphen=True)]


def scan(
    parameter: str,
    values: _Values,
    parameter2: str | None = None,
    values2: _Values | None = None,
    /,
    *,
    measure: Annotated[tuple[str, ...], Parameter(negative="")],
    output_file: Annotated[Path, Parameter(name=("--output", "-o"))],
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    seconds: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 10.0,
    bins: Annotated[str | None, Parameter(name="--range", show_default=False)] = None,
    settle: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 0.0,
    plot: Annotated[Path | None, Parameter(show_default=False)] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    quiet: Annotated[
        bool, Parameter(name=("--quiet", "-q"), negative="", show_default=False)
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Set a parameter, or two, to many values, and measure at each of them.

    All chosen channels get the same values, and the old ones at the end, also after
    an error and Ctrl-C. Each point is written at once; the same command goes on
    where a scan was interrupted.

    What can be measured: input_rate, output_rate, dead_time, peak_position,
    peak_width, resolution, peak_counts, range_counts, baseline_noise.

    Example: pixie-pipe scan ENERGY_RISETIME 1:8:0.5 --measure resolution
    --range 1900:2100 --driver simulated --channels 0 -o rise.jsonl --plot rise.png

    Parameters
    ----------
    parameter
        Name of a parameter of channels or modules, as XIA has it, or of bits:
        EnableCFD, RejectPileup.
    values
        Its values: START:STOP:STEP, values with commas, or both. Words with commas
        for named bits: on,off or positive,negative.
    parameter2
        A second parameter; all its values are set for each of the first.
    values2
        Values of the second parameter.
    measure
        What is measured. May be repeated.
    output_file
        File of the results, JSON Lines; one of the same scan is gone on with.
    seconds
        How long data are taken at each point.
    bins
        Range of bins in which peaks and counts are looked for, FIRST:END; by default
        the clearest peak of all, and all counts.
    settle
        Time to wait after values were set, in s.
    plot
        File of a plot, .png, .svg or .pdf; one for each measure, if there are several.
    force
        Replace plots that exist.
    dry_run
        Tell what would be done; open nothing.
    quiet
        Show neither progress nor table. Notes and errors remain.
    json
        Print the results as one JSON document.
    """
    from pixie_pipe.scanning import run_scan

    if (parameter2 is None) != (values2 is None):
        raise UsageError(f"{parameter2} has no values; expected such as 10:100:5")
    with choices_as_usage():
        definition = _definition(
            [(parameter, values), (parameter2 or "", values2 or "")],
            measure,
            seconds=seconds,
            bins=bins,
            settle=settle,
        )
        chosen = (which or ChannelOptions()).chosen()
    if dry_run:
        _tell(definition)
        return
    plots = _plot_files(plot, definition)
    check_outputs(list(plots.values()), {}, force=force)
    with (
        choices_as_usage(),
        (driver or DriverOptions()).opened() as digitizer,
        _progress(definition.axes, quiet=quiet or json) as progress,
    ):
        try:
            result = run_scan(
                digitizer, definition, output=output_file, progress=progress, **chosen
            )
        except KeyboardInterrupt:
            output.note(
                f"interrupted; the old values are back, and the same command goes on "
                f"with {output_file}"
            )
            raise
    for text in result.notes:
        output.note(text)
    if json:
        _write_json(result)
    elif not quiet:
        output.results().print(result.table(), soft_wrap=True)
    for name, path in plots.items():
        result.plot(path, measure=name, force=force)


def _definition(
    parameters: list[tuple[str, str]],
    measures: tuple[str, ...],
    *,
    seconds: float,
    bins: str | None,
    settle: float,
) -> Scan:
    from pixie_pipe.scanning import Scan, parse_bins
    from pixie_pipe.scanning.definition import make_axes

    return Scan(
        axes=make_axes((name, text) for name, text in parameters if name),
        measures=measures,
        seconds=seconds,
        bins=None if bins is None else parse_bins(bins),
        settle_s=settle,
    )


def _tell(definition: Scan) -> None:
    from pixie_pipe._units import format_count, format_duration_ps

    axes = [
        f"{axis.label}: {', '.join(axis.words)}"
        if axis.words
        else f"{axis.label}: {len(axis.values)} values from {axis.values[0]:g} to "
        f"{axis.values[-1]:g}"
        for axis in definition.axes
    ]
    least = format_duration_ps(round(definition.least_seconds * 1e12))
    output.results().print(
        "\n".join(
            [
                *axes,
                f"measured: {', '.join(definition.measures)}",
                f"{format_count(len(definition))} points, {least} at least",
            ]
        ),
        soft_wrap=True,
    )


def _plot_files(plot: Path | None, definition: Scan) -> dict[str, Path]:
    """Return the file for the plot of each measure."""
    if plot is None:
        return {}
    if len(definition.measures) == 1:
        return {definition.measures[0]: plot}
    return {name: plot.with_stem(f"{plot.stem}-{name}") for name in definition.measures}


@contextmanager
def _progress(axes: Sequence[Axis], *, quiet: bool) -> Iterator[Progress | None]:
    """Show a progress bar on stderr if that is a terminal."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(compact=True),
        console=output.messages(),
        transient=True,
        expand=True,
    )
    task = bar.add_task("scanning", total=None)

    def update(done: int, total: int, point: Mapping[str, Any]) -> None:
        pairs = zip(axes, point["values"], strict=True)
        values = ", ".join(axis.text(value) for axis, value in pairs)
        bar.update(task, description=f"at {values}", completed=done, total=total)

    with bar:
        yield update


def _write_json(result: ScanResult) -> None:
    from pixie_pipe.cli.output import write_json

    write_json(
        {
            "format": 1,
            **result.scan.to_dict(),
            "channels": [target.to_dict() for target in result.targets],
            "points": [result.points[number] for number in sorted(result.points)],
        }
    )
