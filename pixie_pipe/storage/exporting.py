"""Events of a table to a file of any format, in memory that does not grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage.provenance import Provenance
from pixie_pipe.storage.writer import check_output, open_writer

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.storage.conversion import Progress
    from pixie_pipe.storage.event_table import EventTable
    from pixie_pipe.storage.raw import PathLike
    from pixie_pipe.storage.writer import EventWriter

Channels = Collection[tuple[int, ...]]
"""Channels as (crate, slot, channel), whole modules as (crate, slot)."""

_IDENTIFIERS = ("crate", "slot", "channel")
_SAMPLES = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)
_PROGRESS_PERIOD = 0.1  # seconds


class ExportError(PixiePipeError, ValueError):
    """Events that cannot be exported as asked for."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did.

    Attributes
    ----------
    output
        The file that was written.
    events
        Number of events in it.
    source_events
        Number of events of the table.
    input_bytes, output_bytes
        Sizes of what the table reads and of the output.
    seconds
        How long it took.
    """

    output: Path
    events: int
    source_events: int
    input_bytes: int
    output_bytes: int
    seconds: float


def export(
    table: EventTable,
    output: PathLike,
    *,
    columns: Sequence[str] | None = None,
    channels: Channels | None = None,
    compression: str | None = None,
    force: bool = False,
    any_size: bool = False,
    command: str = "",
    progress: Progress | None = None,
    finish: Callable[[EventWriter], None] | None = None,
) -> ExportReport:
    """Write events of a table to a file of another format.

    Parameters
    ----------
    table
        The events: those of `EventTable.between` are a range of time.
    output
        The file to write; its ending chooses the format: ``.h5``, ``.hdf5``,
        ``.lh5``, ``.parquet``, ``.root`` or ``.csv``. It appears when it is complete.
    columns
        Names of the columns to write; by default all that the table has, for CSV
        without the samples of traces.
    channels
        (crate, slot, channel) or (crate, slot) of the events to write; by default all.
    compression
        One of those of the format.
    force
        Replace an output that exists.
    any_size
        Write more than a million events to CSV.
    command
        The command line or call, kept in the output.
    progress
        Called at most ten times a second, and once at the end.
    finish
        Called with the writer when all events are written, to add what it can hold.

    Raises
    ------
    ExportError
        If there is no such column, or the output is what the events are read from.
    OutputError
        If the ending or the compression is unknown, or there are too many events.
    OutputExistsError, OutputPathError
        If the output exists and `force` is not set, or cannot be written.
    MissingExtraError
        If the format needs a package that is not installed.
    """
    started = time.monotonic()
    path = Path(output)
    check_output(path)
    _refuse_source(path, table)
    chosen = _chosen(path, table, columns)
    wanted = None if channels is None else _keys(channels)
    needed = {*chosen, *(_IDENTIFIERS if wanted is not None else ())}
    total = len(table)
    done = written = 0
    next_call = started
    with _writer(path, compression, chosen, force=force, any_size=any_size) as writer:
        # CSV tells it before the first event.
        writer.describe(Provenance(table.provenance.streams, command))
        for batch in table.keep(*needed).batches():
            events = batch if wanted is None else batch[_matches(batch, wanted)]
            done += len(batch)
            written += len(events)
            writer.write(events)
            if progress is not None and time.monotonic() >= next_call:
                next_call = time.monotonic() + _PROGRESS_PERIOD
                progress(table.size * done // total, table.size, written)
        if finish is not None:
            finish(writer)
    if progress is not None:
        progress(table.size, table.size, written)
    return ExportReport(
        output=path,
        events=written,
        source_events=total,
        input_bytes=table.size,
        output_bytes=path.stat().st_size,
        seconds=time.monotonic() - started,
    )


def _writer(
    path: Path,
    compression: str | None,
    columns: list[str],
    *,
    force: bool,
    any_size: bool,
) -> EventWriter:
    if any_size and path.suffix.lower() == ".csv":
        from pixie_pipe.storage.csv import CsvWriter

        return CsvWriter(path, force=force, columns=columns, most_rows=None)
    return open_writer(path, compression=compression, force=force, columns=columns)


def _chosen(path: Path, table: EventTable, columns: Sequence[str] | None) -> list[str]:
    if columns is not None:
        return list(table.keep(*columns).columns)
    if path.suffix.lower() == ".csv":
        return [name for name in table.columns if name not in _SAMPLES]
    return list(table.columns)


def _refuse_source(path: Path, table: EventTable) -> None:
    source = Path(table.name)
    if path.exists() and source.exists() and path.samefile(source):
        raise ExportError(
            f"{path}: is what the events are read from, expected another name for the "
            f"output"
        )


def _keys(channels: Channels) -> NDArray[np.bool_]:
    """Return for each channel of all whether it is meant, by its number."""
    wanted = np.zeros((256, 256, 256), np.bool_)
    for channel in channels:
        if not 2 <= len(channel) <= 3 or not all(0 <= n < 256 for n in channel):
            raise ExportError(
                f"there is no channel {'/'.join(map(str, channel))}: expected crate, "
                f"slot and channel, or crate and slot, each from 0 to 255"
            )
        wanted[channel] = True
    return wanted


def _matches(events: Events, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    matches: NDArray[np.bool_] = wanted[events.crate, events.slot, events.channel]
    return matches
