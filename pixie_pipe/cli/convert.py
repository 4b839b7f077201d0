"""``pixie-pipe convert``: raw files to a file of events."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.sources import SourceOptions

if TYPE_CHECKING:
    from pixie_pipe.storage import ConversionReport


def convert(
    *files: Path,
    output_file: Annotated[
        Path, Parameter(name=("--output", "-o"), help=output.FILE_HELP)
    ],
    source: SourceOptions | None = None,
    compression: Annotated[
        str | None, Parameter(help=output.COMPRESSION_HELP, show_default=False)
    ] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    quiet: Annotated[
        bool, Parameter(name=("--quiet", "-q"), negative="", show_default=False)
    ] = False,
) -> None:
    """Convert raw files to a file of events: HDF5, LH5, Parquet, ROOT.

    Files of one module are one stream, in the order given; files of several
    modules may be mixed. What cannot be decoded is left out, counted, and
    listed in the output with its place and the reason. For fewer columns or
    channels, or a range of time, see pixie-pipe export.

    Example: pixie-pipe convert run_*.bin --frequency 500 --revision 34688 -o run.h5

    Parameters
    ----------
    files
        Raw list-mode files in the order of the run.
    force
        Replace a file that exists.
    quiet
        Show neither progress nor summary. Notes on lost data and errors remain.
    """
    source = source or SourceOptions()
    with output.progress(quiet=quiet) as progress:
        streams = source.streams(files)
        from pixie_pipe.storage import convert as convert_streams

        report = convert_streams(
            streams,
            output_file,
            compression=compression,
            force=force,
            byte_order=source.byte_order,
            max_event_length=source.max_event_length,
            command=shlex.join(["pixie-pipe", *sys.argv[1:]]),
            progress=progress,
        )
    for note in report.notes:
        output.note(note)
    if not quiet:
        _print_summary(report)
    output.require_closed(report.balance)


def _print_summary(report: ConversionReport) -> None:
    from pixie_pipe._units import format_bytes, format_count

    modules = sorted({module for part in report.streams for module in part.modules})
    names = ", ".join(f"{crate}/{slot}" for crate, slot in modules)
    content = (
        f"{report.output}: {format_count(report.events)} events of "
        f"{'module' if len(modules) == 1 else 'modules'} {names or 'none'}, "
        f"{format_bytes(report.output_bytes)} from {format_bytes(report.input_bytes)}"
    )
    speed = output.speed_text(report.events, report.input_bytes, report.seconds)
    lines = [content, output.balance_text(report.balance), speed]
    output.results().print("\n".join(lines), soft_wrap=True)
