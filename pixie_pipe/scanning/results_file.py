"""The file of a scan: JSON Lines, a line for each point, on the disk at once.

The first line (``record: scan``) says what is scanned. Each start adds a line
``begin`` with the values that are to be given back, each point a line ``point``, and
each end a line ``end`` once they are back. Where the last ``begin`` has no ``end``, the
program died, and the values are still to be given back.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from pixie_pipe._version import __version__
from pixie_pipe.scanning.errors import ScanFileError

FORMAT: Final = "pixie_pipe scan"
FORMAT_VERSION: Final = 1
"""Larger if a reader of version 1 would misread the file."""


@dataclass(slots=True)
class Contents:
    """What a file of a scan holds.

    Attributes
    ----------
    definition
        The scan and its channels, as plain values.
    points
        What is known about each point that was measured, by its number.
    old_values
        Values that were not given back, as plain values; empty if all were.
    """

    definition: dict[str, Any]
    points: dict[int, dict[str, Any]] = field(default_factory=dict)
    old_values: list[dict[str, Any]] = field(default_factory=list)


class ResultsFile:
    """A file to which the points of a scan are added.

    Parameters
    ----------
    path
        The file. If it exists, it must be of the same scan, which is gone on with.
    definition
        The scan and its channels, as plain values.

    Raises
    ------
    ScanFileError
        If the file is of another scan, is in use, is damaged, or cannot be written.

    Attributes
    ----------
    contents
        What the file held when it was opened.
    """

    def __init__(self, path: str | Path, definition: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            found = _read(self.path, self._file.read(), mend=self._file)
            # What JSON makes of it, for what is compared came through JSON, too.
            wanted = json.loads(json.dumps(definition))
            if found is None:
                self.contents = Contents(wanted)
                self.add("scan", format=FORMAT, version=FORMAT_VERSION, **wanted)
                return
            _refuse_other(self.path, found.definition, wanted)
            self.contents = found
        except BaseException:
            self._file.close()
            raise

    def add(self, record: str, **values: object) -> None:
        """Add a line, and wait until it is on the disk.

        Raises
        ------
        ScanFileError
            If the disk is full, or fails.
        """
        line = {"record": record, "time": _now(), **values}
        if record == "scan":
            line["pixie_pipe"] = __version__
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ScanFileError(
                f"{self.path}: cannot be written: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_results(path: str | Path) -> Contents:
    """Return what a file of a scan holds.

    Raises
    ------
    ScanFileError
        If it cannot be read, or is no such file.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScanFileError(f"{path}: cannot be read: {error.strerror}") from error
    found = _read(path, data)
    if found is None:
        raise ScanFileError(f"{path}: is empty, expected the results of a scan")
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _open(path: Path) -> BinaryIO:
    try:
        file = path.open("a+b")
    except OSError as error:
        raise ScanFileError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ScanFileError(f"{path}: is in use by another scan") from error
    file.seek(0)
    return file


def _read(path: Path, data: bytes, mend: BinaryIO | None = None) -> Contents | None:
    """Return what a file holds; what stands behind its last line is cut off."""
    end = data.rfind(b"\n") + 1
    if mend is not None and end < len(data) and (end or _is_begun(data)):
        # The program died while it wrote that line: its point is measured anew.
        mend.truncate(end)
    lines = data[:end].splitlines()
    if not lines:
        if end < len(data) and not _is_begun(data):
            raise ScanFileError(f"{path}: is no file of a scan; choose another name")
        return None
    head = _line(path, 1, lines[0])
    if head.get("format") != FORMAT:
        raise ScanFileError(f"{path}: is no file of a scan; choose another name")
    if head.get("version") != FORMAT_VERSION:
        raise ScanFileError(
            f"{path}: has the version {head.get('version')!r} of the format, expected "
            f"{FORMAT_VERSION}"
        )
    about = ("record", "time", "format", "version", "pixie_pipe")
    contents = Contents({key: head[key] for key in head if key not in about})
    for number, text in enumerate(lines[1:], 2):
        line = _line(path, number, text)
        try:
            _take(contents, line)
        except (KeyError, TypeError, ValueError) as error:
            raise ScanFileError(f"{path}:{number}: is damaged: {error!r}") from error
    return contents


def _is_begun(data: bytes) -> bool:
    """Tell whether some bytes may be the beginning of a first line."""
    head = b'{"record": "scan"'
    return data[: len(head)] == head[: len(data)]


def _line(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        what = "is no file of a scan" if number == 1 else "is damaged"
        raise ScanFileError(f"{path}:{number}: {what}: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("record"), str):
        raise ScanFileError(f"{path}:{number}: is no line of a scan")
    return found


def _take(contents: Contents, line: dict[str, Any]) -> None:
    match line["record"]:
        case "begin":
            contents.old_values = contents.old_values or list(line["old_values"])
        case "point":
            contents.points[int(line["point"])] = line
        case "end":
            contents.old_values = []


def _refuse_other(
    path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    differences = [
        f"  {key}: {_short(found.get(key))} there, {_short(wanted.get(key))} here"
        for key in sorted({*found, *wanted})
        if found.get(key) != wanted.get(key)
    ]
    if differences:
        listed = "\n".join(differences)
        raise ScanFileError(
            f"{path}: holds another scan; choose another name, or ask for the same "
            f"scan to go on with it:\n{listed}"
        )


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:80]} ... {text[-30:]}"
