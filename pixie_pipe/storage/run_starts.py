"""When the modules of recorded runs were started."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_RAW = "raw"


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
    # Each source of a run has such a file.
    starts = [
        start
        for path in directory.parent.glob("statistics-start*.json")
        for start in _starts_in(path)
    ]
    return min(starts, default=None)


def _starts_in(path: Path) -> list[int]:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        found = [task["own"].get("started_ns") for task in values.values()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        # Damaged, or of another program: then the start is not known.
        return []
    return [start for start in found if type(start) is int]
