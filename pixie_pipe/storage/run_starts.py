"""What the sources of recorded runs told when the modules were started, and when."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

_RAW = "raw"

DAMAGED: Final = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What reading a snapshot raises that is damaged, or of another program."""


def start_snapshots(run: Path) -> list[Path]:
    """Return the snapshots of the start in the directory of a run: one of each source.

    Those of others than the first have its name in theirs.
    """
    return sorted(run.glob("statistics-start*.json"))


def told_at_start(snapshot: Path) -> list[Any]:
    """Return what the tasks of a snapshot told of themselves; raises `DAMAGED`."""
    values: Any = json.loads(snapshot.read_text(encoding="utf-8"))
    return [task["own"] for task in values.values()]


def run_starts_ns(files: Iterable[Path]) -> tuple[int, ...]:
    """Return when the runs of some raw files were started.

    Parameters
    ----------
    files
        Raw files of one module, in order. Those of a run are in its ``raw/``; empty
        ones tell of no run.

    Returns
    -------
    tuple of int
        Host's clock at the start of each run, in ns since the epoch, in the order of
        the files; empty if one of them is not known.
    """
    directories: list[Path] = []
    for path in files:
        directory = path.absolute().parent
        if path.stat().st_size and directory not in directories:
            directories.append(directory)
    found = [_start_ns(directory) for directory in directories]
    known = tuple(start for start in found if start is not None)
    return known if len(known) == len(found) else ()


def _start_ns(directory: Path) -> int | None:
    """Return when the run with this directory of raw files was started."""
    if directory.name != _RAW:
        return None
    starts = [
        start
        for path in start_snapshots(directory.parent)
        for start in _starts_in(path)
    ]
    return min(starts, default=None)


def _starts_in(path: Path) -> list[int]:
    try:
        found = [own.get("started_ns") for own in told_at_start(path)]
    except DAMAGED:
        # Then the start is not known.
        return []
    return [start for start in found if type(start) is int]
