"""Numbers of runs: the next one, taken once and never again."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pixie_pipe.storage._locks import locked
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.run_record import RUN_FILE

LAST_NUMBER = ".last_number"
"""Name of the file that keeps the last number, should its directory be deleted."""

_DIRECTORY = re.compile(r"[0-9]{4,9}")
_NUMBER = re.compile(rb"[0-9]{1,9}\s*")


def run_paths(parent: Path) -> list[tuple[int, Path]]:
    """Return (number, directory) of all runs in order, by the names of directories.

    Directories without a ``run.yaml`` are no runs, whatever they are called.
    """
    return sorted(
        (int(path.name), path)
        for path in parent.iterdir()
        if _DIRECTORY.fullmatch(path.name) and (path / RUN_FILE).is_file()
    )


def next_number(parent: Path) -> int:
    """Return the number that the next run will get, if nobody else takes it before.

    Parameters
    ----------
    parent
        The directory of runs; it need not exist.
    """
    if not parent.is_dir():
        return 1
    number = 1 + max(
        _last_number(parent), *(number for number, _ in run_paths(parent)), 0
    )
    while os.path.lexists(_directory(parent, number)):
        number += 1
    return number


def take_number(parent: Path) -> tuple[int, Path]:
    """Make the directory of the next run, and return its number and path.

    Raises
    ------
    OSError
        If it cannot be made, or its number not kept.
    """
    with locked(parent):
        number = next_number(parent)
        # On a file system without locks others may be doing the same.
        while not _is_made(path := _directory(parent, number)):
            number += 1
        try:
            with new_file(parent / LAST_NUMBER, force=True) as opened:
                opened.path.write_text(f"{max(number, _last_number(parent))}\n")
        except BaseException:
            path.rmdir()
            raise
    return number, path


def _directory(parent: Path, number: int) -> Path:
    return parent / f"{number:04d}"


def _is_made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _last_number(parent: Path) -> int:
    try:
        text = (parent / LAST_NUMBER).read_bytes()
    except OSError:
        return 0
    return int(text) if _NUMBER.fullmatch(text) else 0
