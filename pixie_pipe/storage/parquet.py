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
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, VALIDITY, Block, Column, Events
from pixie_pipe.events.convert import TRACE, from_arrow
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.listmode.result import RejectReason
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.provenance import Provenance, StreamRecord
from pixie_pipe.storage.versions import versions
from pixie_pipe.storage.writer import OutputError, check_compression

if TYPE_CHECKING:
    import pyarrow as pa

    from pixie_pipe.storage.raw import PathLike

FORMAT = "pixie_pipe events"
FORMAT_VERSION = 1

# A row group is written when so much waits. Readers skip whole row groups.
ROW_GROUP_ROWS = 1 << 18
ROW_GROUP_BYTES = 64 << 20

# Rejections listed in the file; all are counted. The list is in the footer, which a
# reader loads whole.
MOST_REJECTIONS = 100_000

_REJECTED_FIELDS = ("stream", "source", "word_offset", "word_count", "reason")

_KEY = b"pixie_pipe"


class ParquetError(PixiePipeError, ValueError):
    """A Parquet file that holds no events of pixie_pipe, or not those asked for."""


class ParquetWriter:
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

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    OutputError
        If there is no such compression.
    OutputExistsError, OutputPathError
        On entering or leaving the context, as for `new_file`.
    """

    def __init__(
        self, path: PathLike, *, compression: str | None = None, force: bool = False
    ) -> None:
        self._path = Path(path)
        self._compression = check_compression(self._path, compression, ".parquet")
        self._force = force
        self._parquet = optional_import("pyarrow.parquet", "parquet")
        self._template = Events.empty(Block)
        self._waiting: list[Events] = []
        self._rejected: list[tuple[int, ...]] = []
        self._rejections = 0
        self._provenance = Provenance()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._opened = stack.enter_context(new_file(self._path, force=self._force))
            self._writer = stack.enter_context(
                self._parquet.ParquetWriter(
                    self._opened.path,
                    self._template.to_arrow().schema,
                    compression=self._compression,
                )
            )
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, traceback)

    def write(self, events: Events) -> None:
        """Append events.

        Raises
        ------
        OutputError
            If a column of a block is missing.
        """
        missing = [
            name
            for name, column in COLUMN.items()
            if column.block in {Block.CORE, *events.blocks}
            and not column.is_derived
            and name not in events.columns
        ]
        if missing:
            raise OutputError(
                f"{self._path}: the events have no column "
                f"{', '.join(map(repr, missing))}, expected all columns of their blocks"
            )
        self._waiting.append(events)
        rows = sum(len(batch) for batch in self._waiting)
        size = sum(batch.nbytes for batch in self._waiting)
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            self._write_waiting()

    def write_rejected(
        self,
        rejected: NDArray[np.void],
        *,
        stream: int = 0,
        source: NDArray[np.int64] | int = 0,
    ) -> None:
        """Append rejected words; see `Hdf5Writer.write_rejected`.

        The file lists the first 100 000 stretches; all are counted.
        """
        room = MOST_REJECTIONS - len(self._rejected)
        sources = np.broadcast_to(source, rejected.shape)
        self._rejected += [
            (stream, int(number), *map(int, row))
            for number, row in zip(sources[:room], rejected[:room], strict=True)
        ]
        self._rejections += rejected.size

    def describe(self, provenance: Provenance) -> None:
        """Tell where the events come from; the last call counts."""
        self._provenance = provenance

    def _write_waiting(self) -> None:
        # The template adds the blocks that these events do not have.
        events = Events.concatenate([self._template, *self._waiting])
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
        metadata = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self._provenance.command,
            "versions": versions("pyarrow"),
            "streams": [stream.to_dict() for stream in self._provenance.streams],
            "rejections": self._rejections,
            "rejected_fields": list(_REJECTED_FIELDS),
            "rejected": self._rejected,
            "reasons": {int(reason): reason.description for reason in RejectReason},
        }
        self._writer.add_key_value_metadata({_KEY: json.dumps(metadata)})


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
    with _open(path) as file:
        names = file.schema_arrow.names
        if columns is None:
            wanted = _used(file, names)
        else:
            wanted = _wanted(path, names, columns)
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
    with _open(path) as file:
        metadata: dict[str, Any] = json.loads(file.metadata.metadata[_KEY])
    metadata["streams"] = [StreamRecord.from_dict(item) for item in metadata["streams"]]
    return metadata


def _open(path: PathLike) -> Any:  # noqa: ANN401 - pyarrow has no types
    pyarrow = optional_import("pyarrow", "parquet")
    parquet = optional_import("pyarrow.parquet", "parquet")
    try:
        file = parquet.ParquetFile(path)
    except FileNotFoundError as error:
        raise ParquetError(f"{path}: there is no such file") from error
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ParquetError(f"{path}: cannot be opened as Parquet: {error}") from error
    metadata = file.metadata.metadata or {}
    if _KEY not in metadata:
        file.close()
        raise ParquetError(f"{path}: is a Parquet file, but holds no events")
    return file


def _wanted(path: PathLike, names: list[str], columns: Iterable[str]) -> list[str]:
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


def _used(file: Any, names: list[str]) -> list[str]:  # noqa: ANN401 - pyarrow has no types
    """Return the names of what at least one event has."""
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
