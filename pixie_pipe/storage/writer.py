"""What all writers of events share: the interface, and how one is chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, Block, Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.storage.provenance import Provenance

COMPRESSIONS: Mapping[str, tuple[str, ...]] = {
    ".h5": ("bitshuffle-lz4", "gzip", "none"),
    ".hdf5": ("bitshuffle-lz4", "gzip", "none"),
    ".parquet": ("zstd", "gzip", "none"),
    ".lh5": ("gzip", "bitshuffle-lz4", "none"),
    ".root": ("zlib", "lz4", "zstd", "none"),
    ".csv": ("none",),
}
"""Compressions by the ending of the output, the default first."""


_WRITERS = {
    ".h5": ("hdf5", "Hdf5Writer"),
    ".hdf5": ("hdf5", "Hdf5Writer"),
    ".parquet": ("parquet", "ParquetWriter"),
    ".lh5": ("lh5", "Lh5Writer"),
    ".root": ("root", "RootWriter"),
    ".csv": ("csv", "CsvWriter"),
}
"""Module and class of the writers; some need packages that may not be installed."""


class OutputError(PixiePipeError, ValueError):
    """An output that cannot be written as asked for."""


class OutputFailedError(PixiePipeError, OSError):
    """The system could not write an output."""


class EventWriter(Protocol):
    """Writes events to a file that appears when the context is left in peace."""

    def __enter__(self) -> Self:
        """Open the file under a temporary name."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        """Complete the file, or remove it if there was an error."""

    def write(self, events: Events) -> None:
        """Append events."""

    def write_rejected(
        self,
        rejected: NDArray[np.void],
        *,
        stream: int = 0,
        source: NDArray[np.int64] | int = 0,
    ) -> None:
        """Append a table of rejected words."""

    def describe(self, provenance: Provenance) -> None:
        """Tell where the events come from; the last call counts."""


def check_output(path: Path) -> None:
    """Refuse an output with an ending that no writer has.

    Raises
    ------
    OutputError
        If there is none.
    """
    if path.suffix.lower() not in COMPRESSIONS:
        raise OutputError(
            f"{path}: the ending {path.suffix!r} is no format of events, expected "
            f"{', '.join(COMPRESSIONS)}"
        )


def check_compression(path: Path, compression: str | None, suffix: str) -> str:
    """Return the compression to use for a file with this ending.

    Raises
    ------
    OutputError
        If the format has no such compression.
    """
    known = COMPRESSIONS[suffix]
    if compression is None:
        return known[0]
    if compression not in known:
        raise OutputError(
            f"{path}: there is no compression {compression!r} for {suffix} files, "
            f"expected {', '.join(known)}"
        )
    return compression


def chosen_columns(path: Path, columns: Iterable[str] | None) -> frozenset[str]:
    """Return the names of the columns that a file is to have.

    Parameters
    ----------
    path
        The file.
    columns
        The names that were asked for; None means all of the schema. ``trace_offsets``
        and ``trace_samples`` go together, and with ``trace_length``.

    Raises
    ------
    OutputError
        If there is no such column, or none at all.
    """
    if columns is None:
        return frozenset(COLUMN)
    asked = set(columns)
    unknown = sorted(asked.difference(COLUMN))
    if unknown:
        raise OutputError(
            f"{path}: there is no column {', '.join(map(repr, unknown))}; columns: "
            f"{', '.join(COLUMN)}"
        )
    if not asked:
        raise OutputError(f"{path}: no column was chosen, expected at least one")
    return with_traces(asked)


def with_traces(columns: Iterable[str]) -> frozenset[str]:
    """Return names of columns with those that they cannot be without.

    ``trace_offsets`` and ``trace_samples`` go together, and with ``trace_length``: the
    stated length of an odd trace is not that of its samples.
    """
    names = frozenset(columns)
    ragged = {TRACE_OFFSETS.name, TRACE_SAMPLES.name}
    return names | {*ragged, "trace_length"} if names & ragged else names


def only(events: Events, columns: Collection[str]) -> Events:
    """Return events with none but some columns, without copying."""
    kept = [name for name in events.columns if name in columns]
    if len(kept) == len(events.columns):
        return events
    # Not by `without`, to which "qdc" means the block.
    return Events({name: events[name] for name in kept})


def filled(path: Path, events: Events, columns: Collection[str]) -> Events:
    """Return events with exactly some columns.

    Those of a block that the events do not have are as `Events.concatenate` makes them
    for such events.

    Raises
    ------
    OutputError
        If the events have only some columns of a block.
    """
    absent = [name for name in COLUMN if name in columns and name not in events.columns]
    if not absent:
        return only(events, columns)
    missing = [
        name
        for name in absent
        if COLUMN[name].block in {Block.CORE, *events.blocks}
        and not COLUMN[name].is_derived
    ]
    if missing:
        raise OutputError(
            f"{path}: the events have no column {', '.join(map(repr, missing))}, "
            f"expected all columns of their blocks"
        )
    blocks = {COLUMN[name].block for name in absent}
    of_blocks = {name for name, column in COLUMN.items() if column.block in blocks}
    template = only(Events.empty(blocks), {*events.columns, *of_blocks})
    return only(Events.concatenate([template, events]), columns)


def open_writer(
    path: Path,
    *,
    compression: str | None = None,
    force: bool = False,
    columns: Iterable[str] | None = None,
) -> EventWriter:
    """Return the writer for the ending of a path.

    Parameters
    ----------
    path
        The file to make.
    compression
        One of `COMPRESSIONS` for this ending; the first by default.
    force
        Replace a file that exists.
    columns
        Names of the columns to write. By default all of the blocks that appear; but
        Parquet, ROOT and CSV, which must know their columns before the first event,
        have all columns of the schema then.

    Raises
    ------
    OutputError
        If the ending, the compression or a column is unknown.
    MissingExtraError
        If the format needs a package that is not installed.
    """
    check_output(path)
    home, name = _WRITERS[path.suffix.lower()]
    writer = getattr(import_module(f"pixie_pipe.storage.{home}"), name)
    opened: EventWriter = writer(
        path, compression=compression, force=force, columns=columns
    )
    return opened
