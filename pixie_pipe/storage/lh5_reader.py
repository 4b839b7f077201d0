"""Events of an LH5 file that `Lh5Writer` made, in the order in which they were."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin  # noqa: F401 - for its filters
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import NotedReader
from pixie_pipe.storage._lh5_table import ROW, WAVEFORM, name_of
from pixie_pipe.storage.file_notes import FORMAT, FORMAT_VERSION
from pixie_pipe.storage.lh5 import ATTRIBUTE, IDENTIFIERS, Lh5Error
from pixie_pipe.storage.writer import filled

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike

_RAGGED = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)


@dataclass(slots=True)
class _Channel:
    """The table of one channel, and how far it was read last."""

    table: h5py.Group
    rows: h5py.Dataset
    row: int = 0
    position: int = 0

    def position_of(self, row: int) -> int:
        """Return the position of the first event at this row of the file or behind."""
        if row == self.row:
            return self.position
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            if self.rows[middle] < row:
                low = middle + 1
            else:
                high = middle
        return low

    def find(self, first: int, behind: int) -> tuple[int, NDArray[np.int64]]:
        """Return the position of the first of some rows, and which of them it has."""
        low = self.position_of(first)
        rows: NDArray[np.int64] = self.rows[low : low + behind - first]
        rows = rows[: int(np.searchsorted(rows, behind))]
        # Whoever reads on begins here.
        self.row, self.position = behind, low + len(rows)
        return low, rows


class Lh5Reader(NotedReader):
    """Reads an LH5 file of events; an `EventReader`.

    Parameters
    ----------
    path
        A file that `Lh5Writer` made.

    Raises
    ------
    Lh5Error
        If the file is none of events, or none that pixie_pipe made.
    """

    _error = Lh5Error

    def __init__(self, path: PathLike) -> None:
        self._path = Path(path)
        try:
            self._file = h5py.File(path, "r")
        except FileNotFoundError as error:
            raise Lh5Error(f"{path}: there is no such file") from error
        except OSError as error:
            raise Lh5Error(f"{path}: cannot be opened as LH5: {error}") from error
        self._document: dict[str, Any] = json.loads(
            self._file.attrs.get(ATTRIBUTE, "{}")
        )
        found = self._document.get("format"), self._document.get("format_version")
        if found != (FORMAT, FORMAT_VERSION):
            self._file.close()
            raise Lh5Error(
                f"{path}: format and version are {found[0]!r} and {found[1]}, expected "
                f"{FORMAT!r} and {FORMAT_VERSION}: only LH5 files of pixie_pipe are "
                f"read"
            )
        self._channels = [
            _Channel(group["raw"], group["raw"][ROW]) for group in self._file.values()
        ]

    def __len__(self) -> int:
        return int(self._document["events"])

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows; see `EventReader.read`.

        Raises
        ------
        Lh5Error
            If there is no such column.
        """
        wanted = self._wanted(columns)
        parts, rows = [], []
        for channel in self._channels:
            low, found = channel.find(first, behind)
            if len(found):
                parts.append(self._read(channel, low, low + len(found), wanted))
                rows.append(found)
        if not parts:
            empty = Events.empty({COLUMN[name].block for name in self.columns})
            return Events({name: empty[name] for name in COLUMN if name in wanted})
        return Events.concatenate(parts)[np.argsort(np.concatenate(rows))]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(
        self, channel: _Channel, low: int, high: int, wanted: frozenset[str]
    ) -> Events:
        table = channel.table
        # The core block tells what an event has that does not have the others.
        needed = wanted | set(IDENTIFIERS)
        found: dict[str, NDArray[Any]] = {}
        for name in COLUMN:
            if name in needed and name not in _RAGGED and name_of(name) in table:
                values = table[name_of(name)][low:high]
                found[name] = values.astype(COLUMN[name].dtype, copy=False)
        if TRACE_OFFSETS.name in wanted:
            found |= _traces(table, low, high)
            found.setdefault("trace_length", np.zeros(high - low, np.uint16))
        return filled(self._path, Events(found), wanted)


def _traces(table: h5py.Group, low: int, high: int) -> dict[str, NDArray[Any]]:
    if WAVEFORM not in table:
        offsets = np.zeros(high - low + 1, TRACE_OFFSETS.dtype)
        samples = np.empty(0, TRACE_SAMPLES.dtype)
    elif isinstance(values := table[WAVEFORM]["values"], h5py.Dataset):
        samples = values[low:high].reshape(-1)
        offsets = np.arange(high - low + 1, dtype=np.int64) * values.shape[1]
    else:
        ends = values["cumulative_length"]
        start = int(ends[low - 1]) if low else 0
        offsets = np.concatenate([[start], ends[low:high]]).astype(np.int64)
        samples = values["flattened_data"][start : int(offsets[-1])]
        offsets -= start
    return {TRACE_OFFSETS.name: offsets, TRACE_SAMPLES.name: samples}
