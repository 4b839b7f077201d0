"""Events as LH5: HDF5 as the tools of LEGEND open it, lh5, dspeed and pygama.

A table for each channel, ``ch000205/raw`` for crate 0, slot 2, channel 5, with one
object for each column, ``waveform`` for the traces, and ``timestamp`` in seconds. The
rules of the format are those of https://legend-exp.github.io/legend-data-format-specs;
h5py alone writes it. ``row`` keeps the order of all events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.storage._file_parts import NotedWriter
from pixie_pipe.storage._lh5_table import Lh5Table
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.file_notes import FileNotes
from pixie_pipe.storage.writer import (
    OutputError,
    check_compression,
    chosen_columns,
    only,
)

if TYPE_CHECKING:
    from pixie_pipe.storage.provenance import Provenance
    from pixie_pipe.storage.raw import PathLike

ATTRIBUTE: Final = "pixie_pipe"
"""Attribute of the file with what it says beside the events, a JSON text."""

IDENTIFIERS: Final = ("crate", "slot", "channel")

_NS_PER_MSPS: Final = 1000


class Lh5Error(PixiePipeError, ValueError):
    """An LH5 file that holds no events of pixie_pipe, or not those asked for."""


class Lh5Writer(NotedWriter):
    """Writes events to an LH5 file, batch after batch.

    A context manager like `Hdf5Writer`.

    Parameters
    ----------
    path
        The file to make.
    compression
        ``"gzip"`` (the default: any reader), ``"bitshuffle-lz4"`` or ``"none"``.
    force
        Replace a file that exists.
    columns
        Names of the columns to write, beside crate, slot and channel; by default all.

    Raises
    ------
    OutputError
        If there is no such compression or column.
    OutputExistsError, OutputPathError
        On entering or leaving the context, as for `new_file`.

    Notes
    -----
    A trace of another length than those before it in its channel makes the waveforms of
    this channel a vector of vectors; what was written of them is written again then.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        compression: str | None = None,
        force: bool = False,
        columns: Iterable[str] | None = None,
    ) -> None:
        self._path = Path(path)
        self._compression = check_compression(self._path, compression, ".lh5")
        self._force = force
        self._chosen = chosen_columns(self._path, columns) | set(IDENTIFIERS)
        self._seen: set[str] = set() if columns is None else set(self._chosen)
        self._notes = FileNotes()
        self._tables: dict[tuple[int, ...], Lh5Table] = {}
        self._rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._opened = stack.enter_context(new_file(self._path, force=self._force))
            self._file = stack.enter_context(
                h5py.File(self._opened.path, "w", libver=("earliest", "v110"))
            )
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def write(self, events: Events) -> None:
        """Append events.

        Raises
        ------
        OutputError
            If a column of the core block is missing.
        """
        missing = [
            name
            for name in Events.empty().columns
            if name in self._chosen and name not in events.columns
        ]
        if missing:
            raise OutputError(
                f"{self._path}: the events have no column "
                f"{', '.join(map(repr, missing))}, expected all columns of the block "
                f"'core'"
            )
        events = only(events, self._chosen)
        self._seen.update(events.columns)
        for channel, rows in _rows_by_channel(events):
            if channel not in self._tables:
                self._tables[channel] = Lh5Table(
                    self._path,
                    self._file.create_group(f"{group_name(*channel)}/raw"),
                    self._compression,
                )
            self._tables[channel].write(events[rows], rows + self._rows)
        self._rows += len(events)
        self._opened.send_to_disk()

    def _finish(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        periods = _sample_periods_ns(self._notes.provenance)
        for (crate, slot, _), table in self._tables.items():
            table.finish(periods.get((crate, slot)))
        names = sorted(group_name(*channel) for channel in self._tables)
        for name in names:
            self._file[name].attrs["datatype"] = "struct{raw}"
        self._file.attrs["datatype"] = f"struct{{{','.join(names)}}}"
        seen = self._seen or set(Events.empty().columns) & self._chosen
        document = self._notes.document(
            columns=[name for name in COLUMN if name in seen], events=self._rows
        )
        self._file.attrs[ATTRIBUTE] = json.dumps(document)


def group_name(crate: int, slot: int, channel: int) -> str:
    """Return the name of a channel's group: ``ch000205``.

    Two digits each; three each if one of them needs three, so that no two channels have
    the same name.
    """
    digits = 3 if max(crate, slot, channel) >= 100 else 2
    return "ch" + "".join(f"{number:0{digits}d}" for number in (crate, slot, channel))


def _rows_by_channel(
    events: Events,
) -> Iterator[tuple[tuple[int, ...], NDArray[np.int64]]]:
    """Return each channel and its rows, ascending."""
    keys = np.zeros(len(events), np.uint32)
    for name in IDENTIFIERS:
        keys = keys << 8 | events[name]
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    for rows in np.split(order, edges) if len(order) else ():
        key = int(keys[rows[0]])
        yield (key >> 16, key >> 8 & 0xFF, key & 0xFF), rows


def _sample_periods_ns(provenance: Provenance) -> dict[tuple[int, int], float]:
    """Return the time between samples by (crate, slot)."""
    return {
        module: _NS_PER_MSPS / stream.layout.frequency
        for stream in provenance.streams
        for module in stream.modules
    }
