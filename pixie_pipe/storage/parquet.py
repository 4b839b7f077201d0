"""Events in Parquet files, for Arrow, pandas, DuckDB and the like.

Parquet wants to know its columns before the first row, and a stream does not tell
them: an optional block may appear late. So every file has the columns of all blocks,
as `Events.to_arrow` names them; a block that the data do not have is zero, with a
validity of False, and a derived column has its fill, which takes next to no space.
`read_parquet` leaves out blocks and derived columns that no event has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pixie_pipe._extras import optional_import
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, VALIDITY, Block, Column, Events
from pixie_pipe.events.convert import TRACE, from_arrow
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import NotedWriter
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.file_notes import FileNotes
from pixie_pipe.storage.provenance import StreamRecord
from pixie_pipe.storage.writer import (
    check_compression,
    chosen_columns,
    filled,
    only,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from pixie_pipe.storage.raw import PathLike

# A row group is written when so much waits. Readers skip whole row groups.
ROW_GROUP_ROWS = 1 << 18
ROW_GROUP_BYTES = 64 << 20

KEY = b"pixie_pipe"
"""Key of the metadata of a file, a JSON text."""


class ParquetError(PixiePipeError, ValueError):
    """A Parquet file that holds no events of pixie_pipe, or not those asked for."""


class ParquetWriter(NotedWriter):
    """Writes events to a Parquet file, batch after batch.

    A context manager like `Hdf5Writer`. Needs the extra ``parquet``.

    Parameters
    ----------
    path
        The file to make.
    compression
        ``"zstd"`` (the default), ``"gzip"`` or ``"none"``.
    force
        Replace a file that exists.
    columns
        Names of the columns that the file has; by default all of the schema.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
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
        self._compression = check_compression(self._path, compression, ".parquet")
        self._force = force
        self._parquet = optional_import("pyarrow.parquet", "parquet")
        self._chosen = chosen_columns(self._path, columns)
        self._was_chosen = columns is not None
        self._waiting: list[Events] = []
        self._notes = FileNotes()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._opened = stack.enter_context(new_file(self._path, force=self._force))
            self._writer = stack.enter_context(
                self._parquet.ParquetWriter(
                    self._opened.path,
                    only(Events.empty(Block), self._chosen).to_arrow().schema,
                    compression=self._compression,
                )
            )
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def write(self, events: Events) -> None:
        """Append events.

        Raises
        ------
        OutputError
            If a column of a block is missing.
        """
        events = filled(self._path, events, self._chosen)
        self._waiting.append(events)
        rows = sum(len(batch) for batch in self._waiting)
        size = sum(batch.nbytes for batch in self._waiting)
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            self._write_waiting()

    def _write_waiting(self) -> None:
        events = Events.concatenate(self._waiting)
        self._waiting = []
        self._writer.write_table(events.to_arrow(), row_group_size=max(len(events), 1))
        self._opened.send_to_disk()

    def _finish(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        if self._waiting:
            self._write_waiting()
        metadata = self._notes.document("pyarrow", chosen=self._was_chosen)
        self._writer.add_key_value_metadata({KEY: json.dumps(metadata)})


def read_parquet(path: PathLike, *, columns: Iterable[str] | None = None) -> Events:
    """Read events from a Parquet file.

    Parameters
    ----------
    path
        A file that `ParquetWriter` made.
    columns
        Names of columns to read; by default all columns of the blocks that some
        event has, and the derived columns that some event has. ``trace_offsets`` and
        ``trace_samples`` come together, and with ``trace_length``.

    Returns
    -------
    Events
        The events, in the order of the file.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    ParquetError
        If the file is none of events, or has no such column.
    """
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        if columns is None:
            wanted = used_columns(file, names)
        else:
            wanted = wanted_columns(path, names, columns)
        return from_arrow(file.read(columns=wanted))


def read_parquet_metadata(path: PathLike) -> dict[str, Any]:
    """Read what a Parquet file of events says beside the events.

    Parameters
    ----------
    path
        A file that `ParquetWriter` made.

    Returns
    -------
    dict
        As stored: ``created``, ``command``, ``versions``, ``streams`` (a list of
        `StreamRecord`), ``rejections`` (their number), ``rejected`` with its
        ``rejected_fields``, ``reasons``.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    ParquetError
        If the file is none of events.
    """
    with open_parquet(path) as file:
        metadata: dict[str, Any] = json.loads(file.metadata.metadata[KEY])
    metadata["streams"] = [StreamRecord.from_dict(item) for item in metadata["streams"]]
    return metadata


def open_parquet(path: PathLike) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Open a file of events for reading.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    ParquetError
        If there is none, or it holds no events.
    """
    pyarrow = optional_import("pyarrow", "parquet")
    parquet = optional_import("pyarrow.parquet", "parquet")
    try:
        file = parquet.ParquetFile(path)
    except FileNotFoundError as error:
        raise ParquetError(f"{path}: there is no such file") from error
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ParquetError(f"{path}: cannot be opened as Parquet: {error}") from error
    metadata = file.metadata.metadata or {}
    if KEY not in metadata:
        file.close()
        raise ParquetError(f"{path}: is a Parquet file, but holds no events")
    return file


def wanted_columns(
    path: PathLike, names: list[str], columns: Iterable[str]
) -> list[str]:
    """Return what the file calls the columns that were asked for, in its order.

    Raises
    ------
    ParquetError
        If the file has no such column.
    """
    ragged = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)
    asked = {TRACE if name in ragged else name for name in columns}
    if TRACE in asked:
        # The stated length of an odd trace is not that of its samples.
        asked.add("trace_length")
    unknown = asked.difference(names)
    if unknown:
        raise ParquetError(
            f"{path}: has no column {', '.join(map(repr, sorted(unknown)))}; columns: "
            f"{', '.join(names)}"
        )
    return [name for name in names if name in asked]


def used_columns(
    file: Any,  # noqa: ANN401 - pyarrow has no types
    names: list[str],
) -> list[str]:
    """Return the names of what at least one event has, or of all that was chosen."""
    if json.loads(file.metadata.metadata[KEY]).get("chosen"):
        return names
    blocks = _blocks_of(file, names)

    def is_used(name: str) -> bool:
        if name == TRACE:
            return Block.TRACE in blocks
        column = COLUMN[name]
        if column.is_derived:
            return _has_values(file, column)
        return column.block in blocks

    return [name for name in names if is_used(name)]


def _blocks_of(
    file: Any,  # noqa: ANN401 - pyarrow has no types
    names: list[str],
) -> set[Block]:
    """Return the blocks that at least one event has, but those of derived columns."""
    # A file may be older than the block.
    flags = {block: COLUMN[name] for block, name in VALIDITY.items() if name in names}
    return {Block.CORE, *(block for block in flags if _has_values(file, flags[block]))}


def _has_values(file: Any, column: Column) -> bool:  # noqa: ANN401 - pyarrow has no types
    """Tell whether a column has anything but what stands for nothing."""
    stored: pa.ChunkedArray = file.read(columns=[column.name]).column(column.name)
    return not all(
        np.array_equal(
            chunk.to_numpy(zero_copy_only=False),
            column.absent(len(chunk)),
            equal_nan=column.dtype.kind == "f",
        )
        for chunk in stored.chunks
    )
