"""``pixie-pipe export``: events of runs, files and raw files to other formats."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from pixie_pipe._channel_names import read_place
from pixie_pipe.cli import output
from pixie_pipe.cli.sources import SourceOptions
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.runs import Run
    from pixie_pipe.storage import EventTable
    from pixie_pipe.storage.exporting import ExportReport
    from pixie_pipe.storage.writer import EventWriter

_GROUP = Group("What is exported", sort_key=0)

Format = Literal["h5", "lh5", "parquet", "root", "csv"]


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which events are exported, and what of them."""

    columns: Annotated[
        tuple[str, ...],
        Parameter(
            help="Columns to write: --columns time_ps energy. By default all, for CSV "
            "without the samples of traces.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = ()
    channels: Annotated[
        tuple[str, ...],
        Parameter(
            help="Channels to write, as crate/slot/channel, or modules as crate/slot: "
            "--channels 0/2/5 0/3.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = ()
    start: Annotated[
        float | None,
        Parameter(
            help="Leave out events before this time in s, as time_ps counts.",
            show_default=False,
        ),
    ] = None
    stop: Annotated[
        float | None,
        Parameter(help="Leave out events from this time on in s.", show_default=False),
    ] = None

    def of(self, table: EventTable) -> EventTable:
        """Return the events of the range of time."""
        if self.start is None and self.stop is None:
            return table
        return table.between(self.start, self.stop)

    def numbers(self) -> list[tuple[int, ...]] | None:
        """Return the channels; None for all.

        Raises
        ------
        UsageError
            If a text is no channel.
        """
        found: list[tuple[int, ...]] = []
        for text in self.channels:
            place = read_place(text)
            if place is None or len(place) > 3:
                raise UsageError(
                    f"--channels {text}: expected crate/slot/channel or crate/slot, "
                    f"such as 0/2/5"
                )
            found.append(place)
        return found or None


def export(
    *sources: str,
    output_file: Annotated[
        Path | None,
        Parameter(name=("--output", "-o"), help=output.FILE_HELP, show_default=False),
    ] = None,
    format: Annotated[Format | None, Parameter(show_default=False)] = None,
    selection: Selection | None = None,
    source: SourceOptions | None = None,
    compression: Annotated[
        str | None, Parameter(help=output.COMPRESSION_HELP, show_default=False)
    ] = None,
    from_raw: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    all_rows: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    runs: Annotated[Path, Parameter(env_var="PIXIE_PIPE_RUNS")] = Path("runs"),
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    quiet: Annotated[
        bool, Parameter(name=("--quiet", "-q"), negative="", show_default=False)
    ] = False,
) -> None:
    """Write events to HDF5, LH5, Parquet, ROOT or CSV.

    The source is the number of a run, the directory of one, a file of events, or
    raw files; for these say what they are, as for pixie-pipe convert.

    Example: pixie-pipe export 42 -o run42.root --channels 0/2/5 --stop 60

    Parameters
    ----------
    sources
        A run, a file of events, or raw files in the order of the run.
    format
        Format, if no file is named: run_0042.root, or as the source is called.
    from_raw
        Decode the raw files of a run, even if it has a file of events.
    all_rows
        Write more than a million events to CSV.
    runs
        Directory of runs.
    force
        Replace a file that exists.
    quiet
        Show neither progress nor summary. Notes and errors remain.
    """
    selection = selection or Selection()
    channels = selection.numbers()
    with (
        _notes(),
        output.progress(quiet=quiet) as progress,
        _opened(sources, runs, source or SourceOptions(), from_raw=from_raw) as opened,
    ):
        from pixie_pipe.storage.exporting import export as export_events

        report = export_events(
            selection.of(opened.table),
            _output(output_file, format, opened.stem),
            columns=selection.columns or None,
            channels=channels,
            compression=compression,
            force=force,
            any_size=all_rows,
            command=shlex.join(["pixie-pipe", *sys.argv[1:]]),
            progress=progress,
            finish=opened.finish,
        )
    if not quiet:
        _print_summary(report)


@dataclass(frozen=True, slots=True)
class _Opened:
    """Events to export, what the output is called, and what goes with it."""

    table: EventTable
    stem: str
    finish: Callable[[EventWriter], None] | None = None


@contextmanager
def _opened(
    sources: Sequence[str], runs: Path, options: SourceOptions, *, from_raw: bool
) -> Iterator[_Opened]:
    """Open what is exported, whatever it is."""
    if not sources:
        raise UsageError(
            "no source was given; name a run, a file of events or raw files"
        )
    from pixie_pipe.storage import open_events
    from pixie_pipe.storage.reader import is_event_file

    first = Path(sources[0])
    if len(sources) == 1 and (sources[0].isdecimal() or first.is_dir()):
        from pixie_pipe.runs import open_run

        with open_run(sources[0], runs, from_raw=from_raw) as run:
            yield _Opened(run.events, f"run_{run.number:04d}", _histograms_of(run))
        return
    if from_raw:
        raise UsageError("--from-raw is for runs; name raw files as they are")
    if any(map(is_event_file, sources)):
        if len(sources) > 1:
            raise UsageError(
                f"{len(sources)} sources were given, but a file of events is exported "
                f"alone"
            )
        with open_events(first) as table:
            yield _Opened(table, first.stem)
        return
    from pixie_pipe.storage import EventTable
    from pixie_pipe.storage.raw_reader import RawReader

    streams = options.streams([Path(text) for text in sources])
    reader = RawReader(
        streams,
        byte_order=options.byte_order,
        max_event_length=options.max_event_length,
    )
    yield _Opened(EventTable(reader), first.stem)


def _histograms_of(run: Run) -> Callable[[EventWriter], None]:
    def finish(writer: EventWriter) -> None:
        write: Any = getattr(writer, "write_histogram", None)
        if write is None:
            return
        from pixie_pipe.runs import RunContentError

        try:
            spectra = run.histograms
        except RunContentError:
            return
        for histogram in spectra:
            for name, part in _parts(histogram):
                write(name, part)

    return finish


def _parts(histogram: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - of any kind
    """Return a histogram, parted into channels, for boost-histogram."""
    from pixie_pipe.spectra import ChannelHistogram

    # In a directory of their own: a histogram may be called as the tree is.
    name = f"histograms/{histogram.name}"
    if not isinstance(histogram, ChannelHistogram):
        yield name, histogram.boost()
        return
    for channel in histogram.channels:
        # To ROOT's interpreter, a hyphen is a minus.
        yield f"{name}/{channel.replace('-', '_')}", histogram.boost(channel)


def _output(path: Path | None, format: str | None, stem: str) -> Path:
    if path is None:
        if format is None:
            raise UsageError("no output was given; name a file with -o, or a --format")
        return Path(f"{stem}.{format}")
    if format is not None and path.suffix.lower() != f".{format}":
        raise UsageError(
            f"--format {format}: the output is called {path}; leave one of both out"
        )
    return path


@contextmanager
def _notes() -> Iterator[None]:
    """Print what is warned of as notes."""
    from pixie_pipe.storage import DataWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        try:
            yield
        finally:
            for warning in caught:
                if issubclass(warning.category, DataWarning):
                    output.note(str(warning.message))


def _print_summary(report: ExportReport) -> None:
    from pixie_pipe._units import format_bytes, format_count

    of = ""
    if report.events != report.source_events:
        of = f" of {format_count(report.source_events)}"
    content = (
        f"{report.output}: {format_count(report.events)}{of} events, "
        f"{format_bytes(report.output_bytes)} from {format_bytes(report.input_bytes)}"
    )
    speed = output.speed_text(report.events, report.input_bytes, report.seconds)
    output.results().print(f"{content}\n{speed}", soft_wrap=True)
