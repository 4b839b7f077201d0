"""Events as CSV: for some thousands of events and a spreadsheet, not for runs.

Lines that begin with ``#`` tell where the events come from and the units; then come the
names of the columns and the events. Flags are 0 and 1, ``qdc`` is eight columns, and a
trace is a quoted list: ``"[401, 399, 405]"``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.convert import TRACE
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import NotedReader, NotedWriter
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.file_notes import (
    FORMAT,
    FORMAT_VERSION,
    FileNotes,
)
from pixie_pipe.storage.writer import (
    OutputError,
    check_compression,
    chosen_columns,
    filled,
    only,
)

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike

MOST_ROWS: Final = 1_000_000
"""Most events of a file, unless more are asked for: 100 MB, and a minute."""

_RAGGED: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)


class CsvError(PixiePipeError, ValueError):
    """A CSV file that holds no events of pixie_pipe, or not those asked for."""


class CsvWriter(NotedWriter):
    """Writes events to a CSV file, batch after batch.

    A context manager like `Hdf5Writer`. The heading is written with the first events:
    `describe` comes before them, or the file does not tell where they come from.

    Parameters
    ----------
    path
        The file to make.
    compression
        ``"none"``; there is no other.
    force
        Replace a file that exists.
    columns
        Names of the columns; by default all of the schema but the traces' samples.
    most_rows
        Most events; None for any number.

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
        most_rows: int | None = MOST_ROWS,
    ) -> None:
        self._path = Path(path)
        check_compression(self._path, compression, ".csv")
        self._force = force
        if columns is None:
            columns = [name for name in COLUMN if name not in _RAGGED]
        self._chosen = chosen_columns(self._path, columns)
        self._most_rows = most_rows
        self._rows = 0
        self._notes = FileNotes()
        self._has_heading = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._opened = stack.enter_context(new_file(self._path, force=self._force))
            self._stream = stack.enter_context(
                self._opened.path.open("w", encoding="utf-8", newline="")
            )
            self._lines = csv.writer(self._stream, lineterminator="\n")
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def write(self, events: Events) -> None:
        """Append events.

        Raises
        ------
        OutputError
            If a column of a block is missing, or there are too many events.
        """
        self._rows += len(events)
        if self._most_rows is not None and self._rows > self._most_rows:
            raise OutputError(
                f"{self._path}: there are more than {self._most_rows} events, which is "
                f"much for CSV; choose fewer, another format, or --all-rows "
                f"(most_rows=None)"
            )
        self._write_heading()
        events = filled(self._path, events, self._chosen)
        texts = [text for name in _plain(self._chosen) for text in _texts(events, name)]
        if TRACE_OFFSETS.name in self._chosen:
            texts.append(str(events.trace(row).tolist()) for row in range(len(events)))
        self._lines.writerows(zip(*texts, strict=True))

    def write_rejected(
        self,
        rejected: NDArray[np.void],
        *,
        stream: int = 0,
        source: NDArray[np.int64] | int = 0,
    ) -> None:
        """Do nothing: CSV has no room for them."""

    def _write_heading(self) -> None:
        if self._has_heading:
            return
        self._has_heading = True
        document = self._notes.document()
        for key in ("rejections", "rejected_fields", "rejected", "reasons"):
            # They are counted while events are written.
            del document[key]
        self._stream.write(f"# {json.dumps(document)}\n")
        units = [COLUMN[name].unit for name in _plain(self._chosen) for _ in _of(name)]
        names = [text for name in _plain(self._chosen) for text in _of(name)]
        if TRACE_OFFSETS.name in self._chosen:
            names.append(TRACE)
            units.append(TRACE_SAMPLES.unit)
        self._stream.write("# units: " + ",".join(units) + "\n")
        self._lines.writerow(names)

    def _finish(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._write_heading()


class CsvReader(NotedReader):
    """Reads a CSV file of events into memory; an `EventReader`.

    Parameters
    ----------
    path
        A file that `CsvWriter` made, perhaps with fewer lines.

    Raises
    ------
    CsvError
        If the file is none of events, or a line is wrong.
    """

    _error = CsvError

    def __init__(self, path: PathLike) -> None:
        self._path = Path(path)
        try:
            with self._path.open(encoding="utf-8", newline="") as stream:
                self._document = _heading(self._path, stream.readline())
                self._events = self._parsed(_without_comments(stream))
        except FileNotFoundError as error:
            raise CsvError(f"{path}: there is no such file") from error
        except (OSError, UnicodeDecodeError) as error:
            raise CsvError(f"{path}: cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self._events)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the schema."""
        return self._events.columns

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows; see `EventReader.read`.

        Raises
        ------
        CsvError
            If there is no such column.
        """
        wanted = self._wanted(columns)
        return only(self._events[first:behind], wanted)

    def close(self) -> None:
        """Do nothing: the file was closed when it had been read."""

    def _parsed(self, lines: Iterable[str]) -> Events:
        rows = list(csv.reader(lines))
        if not rows:
            raise CsvError(f"{self._path}: has no line with the names of the columns")
        names, *values = rows
        for number, row in enumerate(values, 1):
            if len(row) != len(names):
                raise CsvError(
                    f"{self._path}: event {number} has {len(row)} values, expected "
                    f"{len(names)}"
                )
        texts = dict(
            zip(
                names,
                zip(*values, strict=True) if values else [()] * len(names),
                strict=True,
            )
        )
        found: dict[str, Any] = {}
        for name, column in COLUMN.items():
            parts = _of(name)
            if name in _RAGGED or not all(part in texts for part in parts):
                continue
            arrays = [self._array(part, texts[part], column.dtype) for part in parts]
            found[name] = arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)
        if TRACE in texts:
            found |= self._traces(texts[TRACE])
        return Events(found)

    def _array(
        self, name: str, texts: tuple[str, ...], dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        try:
            if dtype.kind == "f":
                return np.array([float(text) for text in texts], dtype)
            if dtype.kind == "b":
                return np.array([bool(int(text)) for text in texts], dtype)
            return np.array([int(text) for text in texts], dtype)
        except (ValueError, OverflowError) as error:
            raise CsvError(f"{self._path}: column {name!r}: {error}") from error

    def _traces(self, texts: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        try:
            traces = [np.array(json.loads(text), TRACE_SAMPLES.dtype) for text in texts]
        except (ValueError, OverflowError) as error:
            raise CsvError(f"{self._path}: column {TRACE!r}: {error}") from error
        offsets = np.zeros(len(traces) + 1, TRACE_OFFSETS.dtype)
        np.cumsum([len(trace) for trace in traces], out=offsets[1:])
        samples = np.concatenate([np.empty(0, TRACE_SAMPLES.dtype), *traces])
        return {TRACE_OFFSETS.name: offsets, TRACE_SAMPLES.name: samples}


def _plain(columns: frozenset[str]) -> list[str]:
    """Return the names of the columns that have one row for each event."""
    return [name for name in COLUMN if name in columns and name not in _RAGGED]


def _of(name: str) -> list[str]:
    """Return what a column is called: with a number for each value if it is wide."""
    width = COLUMN[name].width
    return [name] if width == 1 else [f"{name}_{k}" for k in range(width)]


def _texts(events: Events, name: str) -> Iterator[Iterable[Any]]:
    array = events[name]
    for values in [array] if array.ndim == 1 else array.T:
        if values.dtype.kind == "f":
            # The shortest text that is the same number again.
            yield map(str, values)
        else:
            yield (
                values.view(np.uint8) if values.dtype.kind == "b" else values
            ).tolist()


def _heading(path: Path, line: str) -> dict[str, Any]:
    try:
        document: Any = json.loads(line.removeprefix("#"))
    except ValueError:
        document = None
    found = document if isinstance(document, dict) else {}
    if (found.get("format"), found.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise CsvError(
            f"{path}: does not begin with the heading of events of pixie_pipe, version "
            f"{FORMAT_VERSION}"
        )
    return found


def _without_comments(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if not line.startswith("#") and line.strip())
