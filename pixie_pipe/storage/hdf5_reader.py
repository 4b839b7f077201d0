"""Events of an HDF5 file that stays open, row by row as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.events import COLUMN
from pixie_pipe.storage._hdf5_tables import read_provenance
from pixie_pipe.storage.hdf5 import open_hdf5, read_rows, wanted_columns
from pixie_pipe.storage.time_index import read_time_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.events import Events
    from pixie_pipe.storage.provenance import Provenance
    from pixie_pipe.storage.raw import PathLike


class Hdf5Reader:
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

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(self._path)

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self._path.stat().st_size

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
