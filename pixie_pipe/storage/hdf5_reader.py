"""Events of HDF5 files: read at once, or from a file that stays open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin  # noqa: F401 - for its filters
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import PathReader
from pixie_pipe.storage._hdf5_tables import read_provenance
from pixie_pipe.storage.file_notes import FORMAT, FORMAT_VERSION
from pixie_pipe.storage.time_index import read_time_index
from pixie_pipe.storage.writer import with_traces

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.storage.provenance import Provenance
    from pixie_pipe.storage.raw import PathLike


class Hdf5Error(PixiePipeError, ValueError):
    """An HDF5 file that holds no events of pixie_pipe, or not those asked for."""


@dataclass(frozen=True)
class Hdf5Metadata:
    """What an HDF5 file of events says beside the events.

    Attributes
    ----------
    events
        Number of events.
    columns
        Names of the columns.
    provenance
        The streams that the events come from, and the command.
    rejected
        Rejected words, one row for each stretch, of type `REJECTED_ROW`.
    created
        When the file was made, in UTC.
    versions
        Versions of pixie_pipe and other packages, by name.
    """

    events: int
    columns: tuple[str, ...]
    provenance: Provenance
    rejected: NDArray[np.void]
    created: datetime
    versions: dict[str, str]


def read_hdf5(
    path: PathLike, rows: slice | None = None, *, columns: Iterable[str] | None = None
) -> Events:
    """Read events from an HDF5 file.

    Parameters
    ----------
    path
        A file that `Hdf5Writer` made.
    rows
        Which events; by default all. Its step must be 1.
    columns
        Names of columns to read; by default all. ``trace_offsets`` and
        ``trace_samples`` come together, and with ``trace_length``.

    Returns
    -------
    Events
        The events, in the order of the file.

    Raises
    ------
    Hdf5Error
        If the file is none of events, or has no such column.
    """
    with open_hdf5(path) as file:
        group = file["events"]
        names = [name for name in COLUMN if name in group]
        count = len(group[names[0]])
        wanted = names if columns is None else wanted_columns(path, names, columns)
        first, behind, step = (rows or slice(None)).indices(count)
        if step != 1:
            raise Hdf5Error(f"{path}: rows have a step of {step}, expected 1")
        return read_rows(group, first, max(first, behind), wanted)


def read_rows(
    group: h5py.Group, first: int, behind: int, columns: Iterable[str]
) -> Events:
    """Read rows of some columns of ``/events``; the ragged ones come together."""
    wanted = set(columns)
    found: dict[str, NDArray[Any]] = {
        name: group[name][first:behind]
        for name in wanted
        if name not in (TRACE_OFFSETS.name, TRACE_SAMPLES.name)
    }
    if TRACE_OFFSETS.name in wanted:
        offsets = group[TRACE_OFFSETS.name][first : behind + 1]
        samples = group[TRACE_SAMPLES.name][offsets[0] : offsets[-1]]
        found[TRACE_OFFSETS.name] = offsets - offsets[0]
        found[TRACE_SAMPLES.name] = samples
    return Events(found)


def read_hdf5_metadata(path: PathLike) -> Hdf5Metadata:
    """Read what an HDF5 file of events says beside the events.

    Parameters
    ----------
    path
        A file that `Hdf5Writer` made.

    Returns
    -------
    Hdf5Metadata
        Layouts, sources, balance, rejected words, versions.

    Raises
    ------
    Hdf5Error
        If the file is none of events.
    """
    with open_hdf5(path) as file:
        columns = tuple(name for name in COLUMN if name in file["events"])
        return Hdf5Metadata(
            events=len(file["events"][columns[0]]),
            columns=columns,
            provenance=read_provenance(file),
            rejected=file["rejected"][:],
            created=datetime.fromisoformat(file.attrs["created"]),
            versions={
                name.removesuffix("_version"): str(text)
                for name, text in file.attrs.items()
                if name.endswith("_version") and name != "format_version"
            },
        )


def open_hdf5(path: PathLike) -> h5py.File:
    """Open a file of events for reading.

    Raises
    ------
    Hdf5Error
        If there is none, or it is of another format or version.
    """
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError as error:
        raise Hdf5Error(f"{path}: there is no such file") from error
    except OSError as error:
        raise Hdf5Error(f"{path}: cannot be opened as HDF5: {error}") from error
    found = file.attrs.get("format"), file.attrs.get("format_version")
    if found != (FORMAT, FORMAT_VERSION):
        file.close()
        raise Hdf5Error(
            f"{path}: format and version are {found[0]!r} and {found[1]}, expected "
            f"{FORMAT!r} and {FORMAT_VERSION}"
        )
    return file


def wanted_columns(
    path: PathLike, names: Sequence[str], columns: Iterable[str]
) -> list[str]:
    """Return the columns to read for those that were asked for, in their order.

    Raises
    ------
    Hdf5Error
        If the file has no such column.
    """
    asked = with_traces(columns)
    unknown = asked.difference(names)
    if unknown:
        raise Hdf5Error(
            f"{path}: has no column {', '.join(map(repr, sorted(unknown)))}; columns: "
            f"{', '.join(names)}"
        )
    return [name for name in names if name in asked]


class Hdf5Reader(PathReader):
    """Reads an HDF5 file of events; an `EventReader`.

    Parameters
    ----------
    path
        A file that `Hdf5Writer` made.

    Raises
    ------
    Hdf5Error
        If the file is none of events.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = Path(path)
        self._file = open_hdf5(path)
        self._group = self._file["events"]
        self._columns = tuple(name for name in COLUMN if name in self._group)
        self._count = len(self._group[self._columns[0]])

    def __len__(self) -> int:
        return self._count

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the schema."""
        return self._columns

    @cached_property
    def provenance(self) -> Provenance:
        """Where the events come from."""
        return read_provenance(self._file)

    @cached_property
    def time_index(self) -> NDArray[np.void] | None:
        """Limits of time of stretches of rows; None in older files."""
        return read_time_index(self._file)

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows; see `EventReader.read`.

        Raises
        ------
        Hdf5Error
            If there is no such column.
        """
        wanted = wanted_columns(self._path, self._columns, columns)
        return read_rows(self._group, first, behind, wanted)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
