"""Events of a Parquet file that stays open, row by row as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.convert import TRACE, from_arrow
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import PathReader
from pixie_pipe.storage.parquet import (
    open_parquet,
    read_parquet_metadata,
    used_columns,
    wanted_columns,
)
from pixie_pipe.storage.provenance import Provenance
from pixie_pipe.storage.time_index import STRETCH

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike


class ParquetReader(PathReader):
    """Reads a Parquet file of events; an `EventReader`.

    Parameters
    ----------
    path
        A file that `ParquetWriter` made.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    ParquetError
        If the file is none of events.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = Path(path)
        self._file = open_parquet(path)
        metadata = self._file.metadata
        rows = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
        self._unpacked: dict[tuple[int, tuple[str, ...]], Events] = {}
        self._ends = np.cumsum(rows, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that some event has, or of all that were chosen."""
        used = set(used_columns(self._file, list(self._file.schema_arrow.names)))
        if TRACE in used:
            used |= {TRACE_OFFSETS.name, TRACE_SAMPLES.name}
        return tuple(name for name in COLUMN if name in used)

    @cached_property
    def provenance(self) -> Provenance:
        """Where the events come from."""
        metadata = read_parquet_metadata(self._path)
        return Provenance(tuple(metadata["streams"]), metadata["command"])

    @cached_property
    def time_index(self) -> NDArray[np.void] | None:
        """Limits of time of the row groups, from their statistics."""
        names = list(self._file.schema_arrow.names)
        if "time_ps" not in names:
            return None
        found: list[tuple[int, int, int, int]] = []
        first = 0
        for group, end in enumerate(self._ends.tolist()):
            statistics = _statistics(self._file, group)
            if end > first and (statistics is None or not statistics.has_min_max):
                return None
            if end > first:
                limits = int(statistics.min), int(statistics.max)
                found.append((first, end - first, *limits))
            first = end
        return np.array(found, STRETCH)

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows; see `EventReader.read`. Row groups are read whole.

        Raises
        ------
        ParquetError
            If there is no such column.
        """
        names = list(self._file.schema_arrow.names)
        wanted = wanted_columns(self._path, names, columns)
        low = int(np.searchsorted(self._ends, first, side="right"))
        high = int(np.searchsorted(self._ends, behind, side="left")) + 1
        parts = []
        for group in range(low, min(high, len(self._ends)) if behind > first else low):
            start = int(self._ends[group - 1]) if group else 0
            rows = slice(max(first - start, 0), behind - start)
            parts.append(self._group(group, tuple(wanted))[rows])
        if parts:
            return Events.concatenate(parts)
        return from_arrow(self._file.read_row_groups([], columns=wanted))

    def _group(self, group: int, columns: tuple[str, ...]) -> Events:
        """Read a row group, or return it if it was read just now.

        A row group is unpacked as a whole, however few of its rows are wanted.
        """
        if (group, columns) not in self._unpacked:
            table = self._file.read_row_group(group, columns=list(columns))
            # Two: those of the rows, and their trace lengths beside.
            self._unpacked = dict(list(self._unpacked.items())[-1:])
            self._unpacked[group, columns] = from_arrow(table)
        return self._unpacked[group, columns]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _statistics(file: Any, group: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the statistics of ``time_ps`` in a row group; None if it has none."""
    found = file.metadata.row_group(group)
    for number in range(found.num_columns):
        column = found.column(number)
        if column.path_in_schema == "time_ps":
            return column.statistics
    return None
