"""Events in HDF5 files: one dataset per column. The format is in docs/hdf5.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import COLUMN, Block, Events, columns_of
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES, Column
from pixie_pipe.listmode.result import RejectReason
from pixie_pipe.storage._bitshuffle import Compress, as_it_is, chunk_compressor
from pixie_pipe.storage._chunks import ChunkedDataset
from pixie_pipe.storage._file_parts import StackWriter
from pixie_pipe.storage._hdf5_tables import write_provenance
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.file_notes import FORMAT, FORMAT_VERSION
from pixie_pipe.storage.provenance import Provenance
from pixie_pipe.storage.time_index import TimeIndexBuilder, write_time_index
from pixie_pipe.storage.versions import versions
from pixie_pipe.storage.writer import (
    OutputError,
    check_compression,
    chosen_columns,
    only,
)

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike

CHUNK_ROWS = 1 << 17
"""Most rows of a chunk. Fewer cost time in calls of the library, more make reading a
few rows slow."""

CHUNK_BYTES = 1 << 20
"""Most bytes of a chunk: as many as h5py keeps unpacked of a dataset by default, so
that reading row after row does not unpack a chunk again and again."""

_RAGGED = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)

REJECTED_ROW = np.dtype(
    [
        ("stream", "u4"),
        ("source", "u4"),
        ("word_offset", "i8"),
        ("word_count", "i8"),
        ("reason", "u1"),
    ]
)
"""A row of ``/rejected``; the offset counts words from the start of the stream."""


def filters_of(compression: str) -> dict[str, Any]:
    """Return the arguments of ``create_dataset`` for a compression."""
    if compression == "bitshuffle-lz4":
        return dict(hdf5plugin.Bitshuffle())
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    return {}


def compressor_of(compression: str) -> Compress | None:
    """Return what does the work of the filters without the library, or None."""
    if compression == "bitshuffle-lz4":
        return chunk_compressor()
    return as_it_is if compression == "none" else None


class Hdf5Writer(StackWriter):
    """Writes events to an HDF5 file, batch after batch.

    A context manager: the file gets its name when the context is left without an
    error, and is on the disk then. Otherwise nothing remains of it.

    Parameters
    ----------
    path
        The file to make.
    compression
        ``"bitshuffle-lz4"`` (the default; readers need hdf5plugin), ``"gzip"``
        (any reader, but slow) or ``"none"``.
    force
        Replace a file that exists.
    columns
        Names of the columns to write; by default all of the core block and of the
        blocks that appear.

    Raises
    ------
    OutputError
        If there is no such compression or column.
    OutputExistsError, OutputPathError
        On entering or leaving the context, as for `new_file`.
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
        self._compression = check_compression(self._path, compression, ".h5")
        self._compress = compressor_of(self._compression)
        self._force = force
        self._chosen = chosen_columns(self._path, columns)
        self._was_chosen = columns is not None
        self._times = TimeIndexBuilder()
        self._provenance = Provenance()
        self._rows = 0
        self._samples = 0
        self._columns: dict[str, ChunkedDataset] = {}
        self._blocks: set[Block] = set()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._opened = stack.enter_context(new_file(self._path, force=self._force))
            self._file = stack.enter_context(
                # Readable by the library from 1.10 on, the oldest still in use.
                h5py.File(self._opened.path, "w", libver=("earliest", "v110"))
            )
            stack.push(self._finish)
            self._events = self._file.create_group("events")
            self._rejected = self._start_rejected()
            # What was asked for is there, whether an event has it or not.
            for block in Block if self._was_chosen else ():
                if any(column.name in self._chosen for column in columns_of(block)):
                    self._start_columns(block)
            self._stack = stack.pop_all()
        return self

    def write(self, events: Events) -> None:
        """Append events.

        Parameters
        ----------
        events
            With all columns of the core block. A block that appears for the first
            time is zero, and its validity False, in all rows before; a derived
            column has its fill there.

        Raises
        ------
        OutputError
            If a column is missing.
        """
        events = only(events, self._chosen)
        present = (Block.CORE, *events.blocks)
        for block in present:
            self._start_columns(block, events)
        for name, dataset in self._columns.items():
            column = COLUMN[name]
            if name in _RAGGED:
                continue
            if name in events.columns:
                dataset.append(events[name])
            elif column.block in present and not column.is_derived:
                raise self._missing(column)
            else:
                dataset.append_constant(column.absent_value, len(events))
        if TRACE_OFFSETS.name in self._columns:
            self._write_traces(events, has_traces=Block.TRACE in present)
        if "time_ps" in events.columns:
            self._times.add(events.time_ps)
        self._rows += len(events)
        self._opened.send_to_disk()

    def write_rejected(
        self,
        rejected: NDArray[np.void],
        *,
        stream: int = 0,
        source: NDArray[np.int64] | int = 0,
    ) -> None:
        """Append rejected words.

        Parameters
        ----------
        rejected
            A table as in `Decoded.rejected`.
        stream
            Number of the stream.
        source
            Number of the file among those of all streams, one for all or one for
            each row.
        """
        rows = np.zeros(rejected.size, REJECTED_ROW)
        rows["stream"] = stream
        rows["source"] = source
        for name in ("word_offset", "word_count", "reason"):
            rows[name] = rejected[name]
        self._rejected.append(rows)

    def describe(self, provenance: Provenance) -> None:
        """Tell where the events come from; the last call counts."""
        self._provenance = provenance

    def _missing(self, column: Column) -> OutputError:
        return OutputError(
            f"{self._path}: the events have no column {column.name!r}, expected "
            f"all columns of the block {column.block.value!r}"
        )

    def _start_columns(self, block: Block, events: Events | None = None) -> None:
        """Start the datasets of a block that are not there; derived ones as needed."""
        present = () if events is None else events.columns
        for column in columns_of(block):
            if column.name not in self._chosen or column.name in self._columns:
                continue
            if self._was_chosen or not column.is_derived or column.name in present:
                self._columns[column.name] = self._dataset(
                    column, CHUNK_ROWS, self._rows
                )
        is_new = block not in self._blocks
        self._blocks.add(block)
        if is_new and block is Block.TRACE and TRACE_OFFSETS.name in self._chosen:
            offsets = self._dataset(TRACE_OFFSETS, CHUNK_ROWS, self._rows + 1)
            samples = self._dataset(TRACE_SAMPLES, CHUNK_BYTES, 0)
            self._columns |= {TRACE_OFFSETS.name: offsets, TRACE_SAMPLES.name: samples}
        self._blocks.add(block)

    def _dataset(
        self, column: Column, most_rows: int, first_row: int
    ) -> ChunkedDataset:
        row_bytes = column.width * column.dtype.itemsize
        return ChunkedDataset(
            self._events,
            column.name,
            column.dtype,
            width=column.width,
            chunk_rows=min(most_rows, CHUNK_BYTES // row_bytes),
            filters=filters_of(self._compression),
            attributes={"units": column.unit, "description": column.description},
            fill=column.absent_value,
            first_row=first_row,
            compress=self._compress,
        )

    def _write_traces(self, events: Events, *, has_traces: bool) -> None:
        offsets = self._columns[TRACE_OFFSETS.name]
        if not has_traces:
            offsets.append_constant(self._samples, len(events))
            return
        if TRACE_OFFSETS.name not in events.columns:
            raise self._missing(TRACE_OFFSETS)
        offsets.append(events.trace_offsets[1:] + self._samples)
        self._columns[TRACE_SAMPLES.name].append(events.trace_samples)
        self._samples += len(events.trace_samples)

    def _start_rejected(self) -> ChunkedDataset:
        reasons = {int(reason): reason.description for reason in RejectReason}
        return ChunkedDataset(
            self._file,
            "rejected",
            REJECTED_ROW,
            chunk_rows=1 << 12,
            filters={"compression": "gzip", "shuffle": True},
            attributes={
                "description": "Words that belong to no event; word_offset counts "
                "from the start of the stream, source is a row of /sources",
                "reasons": json.dumps(reasons),
            },
        )

    def _finish(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        if not self._blocks:
            self._start_columns(Block.CORE)
        for dataset in (*self._columns.values(), self._rejected):
            dataset.finish()
        if "time_ps" in self._columns:
            write_time_index(self._file, self._times.finish())
        self._file.attrs.update(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": self._provenance.command,
                **{f"{name}_version": text for name, text in versions().items()},
            }
        )
        write_provenance(self._file, self._provenance)
