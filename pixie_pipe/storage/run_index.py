"""An index of the runs in a directory, so that thousands are searched at once.

The index is a file of SQLite, ``.runs.sqlite``, beside the runs. It is never the truth:
all that it holds comes from the ``run.yaml`` files. It is brought up to date before
each look, and made anew if it is missing, damaged or of another version.

SQLite works on a copy in memory, and the file is replaced as a whole: programs that use
it at once see a whole one each, whatever the locks of the file system are worth, and
nobody ever waits for a reader.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pixie_pipe.storage._record_values import RunRecordError
from pixie_pipe.storage._run_errors import clear_errors
from pixie_pipe.storage._run_numbers import run_paths
from pixie_pipe.storage._run_repair import RAW, recorded_files
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.run_record import RUN_FILE, read_record
from pixie_pipe.storage.run_summary import DAMAGED, RunQuery, RunSummary

__all__ = ["INDEX_FILE", "RunIndex"]

INDEX_FILE: Final = ".runs.sqlite"
"""Name of the index in the directory of runs."""

_TABLE: Final = """\
CREATE TABLE runs (
  directory TEXT PRIMARY KEY,
  mtime_ns INTEGER NOT NULL,
  size INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL,
  reasons TEXT NOT NULL,
  title TEXT NOT NULL,
  comments TEXT NOT NULL,
  notes TEXT NOT NULL,
  started TEXT,
  started_us INTEGER,
  stopped TEXT,
  seconds REAL,
  events INTEGER,
  files INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  tasks TEXT NOT NULL,
  modules TEXT NOT NULL,
  host TEXT NOT NULL,
  ended_by TEXT NOT NULL,
  said TEXT NOT NULL
)"""
"""An index whose table differs is of another version."""

# Where a file of SQLite has room for a number of the application, "user_version":
# https://www.sqlite.org/fileformat.html#the_database_header
_CHECK: Final = slice(60, 64)

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LISTS: Final = ("reasons", "comments", "tasks", "modules")
_TIMES: Final = ("started", "stopped")


class RunIndex:
    """The runs in a directory, to be searched. Use it as a context manager.

    Parameters
    ----------
    parent
        The directory of runs.

    Raises
    ------
    RunDirectoryError
        If there is no such directory.
    """

    def __init__(self, parent: str | os.PathLike[str]) -> None:
        self.parent = Path(parent)
        with clear_errors(self.parent, "has no runs to list"):
            # Tells what is no directory, before anything else is tried.
            os.scandir(self.parent).close()
        self._database = _read(self.parent / INDEX_FILE) or _new()
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()

    def refresh(self) -> int:
        """Bring the index up to date with the directories, and return what changed.

        Only records that changed are read. If the directory cannot be written to, the
        index stays in memory.

        Raises
        ------
        RunDirectoryError
            If the directory cannot be read.
        """
        known = {
            directory: stamp
            for directory, *stamp in self._database.execute(
                "SELECT directory, mtime_ns, size, inode FROM runs"
            )
        }
        changed = 0
        with clear_errors(self.parent, "has no runs to list"):
            paths = [path for _, path in run_paths(self.parent)]
        for path in paths:
            # A record that changes while it is read is read again the next time.
            stamp = _stamp(path / RUN_FILE)
            if stamp is None or stamp == known.get(path.name):
                continue
            self._put(path, stamp)
            changed += 1
        there = {path.name for path in paths}
        gone = [(name,) for name in known if name not in there]
        self._database.executemany("DELETE FROM runs WHERE directory = ?", gone)
        self._database.commit()
        if changed or gone:
            self._save()
        return changed + len(gone)

    def find(self, query: RunQuery | None = None) -> list[RunSummary]:
        """Return runs, sorted by number.

        Parameters
        ----------
        query
            Which ones; all by default.
        """
        where, values = _conditions(query or RunQuery())
        rows = self._database.execute(
            f"SELECT * FROM runs WHERE {where} ORDER BY number, directory",  # noqa: S608 - made of fixed parts below; values are bound
            values,
        )
        names = [column[0] for column in rows.description]
        found = [self._summary(dict(zip(names, row, strict=True))) for row in rows]
        return [run for run in found if _fits(run, query)]

    def _put(self, path: Path, stamp: list[int]) -> None:
        try:
            run = RunSummary.of(path, read_record(path / RUN_FILE))
        except RunRecordError as error:
            reasons = (str(error),)
            number = int(path.name)
            run = RunSummary(number=number, path=path, state=DAMAGED, reasons=reasons)
        row = _row(run, stamp)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._database.execute(
            f"INSERT OR REPLACE INTO runs ({names}) VALUES ({marks})",  # noqa: S608 - names of columns
            list(row.values()),
        )

    def _save(self) -> None:
        path = self.parent / INDEX_FILE
        # A directory that is read-only, or a full disk: there is still the memory.
        with suppress(OSError), new_file(path, force=True) as opened:
            opened.path.write_bytes(_checked(self._database.serialize()))

    def _summary(self, row: Mapping[str, Any]) -> RunSummary:
        values = {name: row[name] for name in RunSummary.__slots__ if name in row}
        for name in _LISTS:
            values[name] = tuple(json.loads(row[name]))
        for name in _TIMES:
            text = row[name]
            values[name] = None if text is None else dt.datetime.fromisoformat(text)
        path = self.parent / row["directory"]
        if row["state"] == "running":
            values |= _so_far(path, values["started"])
        return RunSummary(path=path, **values)


def _stamp(path: Path) -> list[int] | None:
    """Return what tells one version of a record from another; None if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def _row(run: RunSummary, stamp: list[int]) -> dict[str, Any]:
    """Return the columns of a run."""
    row = {name: getattr(run, name) for name in RunSummary.__slots__ if name != "path"}
    for name in _LISTS:
        row[name] = json.dumps(row[name], ensure_ascii=False)
    for name in _TIMES:
        row[name] = row[name] and row[name].isoformat()
    said = "\n".join([run.title, *run.comments, run.notes])
    return row | {
        "directory": run.path.name,
        "mtime_ns": stamp[0],
        "size": stamp[1],
        "inode": stamp[2],
        "started_us": None if run.started is None else _microseconds(run.started),
        "said": said.casefold(),
    }


def _so_far(path: Path, started: dt.datetime) -> dict[str, Any]:
    """Return what the record of a run that goes on cannot say yet."""
    files = []
    with suppress(OSError):
        files = list(recorded_files(path / RAW))
    return {
        "files": len(files),
        "bytes": sum(file.bytes for file in files),
        "seconds": (dt.datetime.now(dt.UTC) - started).total_seconds(),
    }


def _microseconds(time: dt.datetime) -> int:
    return (time - _EPOCH) // dt.timedelta(microseconds=1)


def _conditions(query: RunQuery) -> tuple[str, list[Any]]:
    """Return what the index itself can tell, as SQL, and the values in it."""
    found = list(_each_condition(query))
    texts = [text for text, _ in found] or ["1"]
    return " AND ".join(texts), [value for _, values in found for value in values]


def _each_condition(query: RunQuery) -> Iterator[tuple[str, list[Any]]]:
    if query.numbers:
        ranges = " OR ".join(["number BETWEEN ? AND ?"] * len(query.numbers))
        yield f"({ranges})", [number for pair in query.numbers for number in pair]
    for text in query.texts:
        yield "instr(said, ?) > 0", [text.casefold()]
    if query.since is not None:
        yield "started_us >= ?", [_microseconds(query.since)]
    if query.until is not None:
        yield "started_us < ?", [_microseconds(query.until)]
    if query.states:
        marks = ", ".join("?" * len(query.states))
        yield f"state IN ({marks})", list(query.states)
    if query.task is not None:
        yield "EXISTS (SELECT 1 FROM json_each(tasks) WHERE value = ?)", [query.task]
    if query.module is not None:
        yield (
            "EXISTS (SELECT 1 FROM json_each(modules) WHERE value = ?)",
            [query.module],
        )


def _fits(run: RunSummary, query: RunQuery | None) -> bool:
    """Tell whether size and duration fit: those of a run that goes on change."""
    if query is None:
        return True
    return _is_within(run.bytes, query.least_bytes, query.most_bytes) and _is_within(
        run.seconds, query.least_seconds, query.most_seconds
    )


def _is_within(value: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    if value is None:
        return False
    return (least is None or value >= least) and (most is None or value <= most)


def _new() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute(_TABLE)
    return database


def _read(path: Path) -> sqlite3.Connection | None:
    """Return an index that was saved; None if it is of no use."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if len(content) <= _CHECK.stop or _checked(content) != content:
        return None
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(content)
        schema = database.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")
        if schema.fetchall() == [(_TABLE,)]:
            return database
    except sqlite3.Error:
        pass
    database.close()
    return None


def _checked(content: bytes) -> bytes:
    """Return the file of a database with its checksum in it."""
    without = content[: _CHECK.start] + bytes(4) + content[_CHECK.stop :]
    checksum = zlib.crc32(without).to_bytes(4, "big")
    return content[: _CHECK.start] + checksum + content[_CHECK.stop :]
