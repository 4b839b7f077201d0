"""All runs in a directory: their numbers, and what crashes have left."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.storage import _run_numbers
from pixie_pipe.storage._record_values import RunRecordError
from pixie_pipe.storage._run_errors import clear_errors
from pixie_pipe.storage._run_repair import repair_all
from pixie_pipe.storage.raw import DataWarning
from pixie_pipe.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    import os


def next_number(parent: str | os.PathLike[str]) -> int:
    """Return the number that the next run will get, if nobody else takes it before."""
    return _run_numbers.next_number(Path(parent))


def run_directories(parent: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """Return number and directory of all runs in order, whether damaged or not.

    Raises
    ------
    RunDirectoryError
        If there is no such directory.
    """
    with clear_errors(Path(parent), "has no runs to list"):
        return _run_numbers.run_paths(Path(parent))


def list_runs(parent: str | os.PathLike[str]) -> list[RunDirectory]:
    """Return the runs in a directory, sorted by number.

    Runs whose record cannot be read are left out, with a `DataWarning` each.

    Raises
    ------
    RunDirectoryError
        If there is no such directory.
    """
    runs = []
    for _, path in run_directories(parent):
        try:
            runs.append(RunDirectory.open(path))
        except RunRecordError as error:
            warnings.warn(f"run left out: {error}", DataWarning, stacklevel=2)
    return sorted(runs, key=lambda run: run.number)


def repair(parent: str | os.PathLike[str]) -> list[RunDirectory]:
    """Mark the runs that were not finished and that no process takes any more.

    They become ``incomplete``, their raw files are listed as they are, and temporary
    files that nobody has open are removed. A run is left as it is while its process
    lives, and if that cannot be told: because it is taken on another machine, or in
    another container.

    Parameters
    ----------
    parent
        The directory of runs.

    Returns
    -------
    list of RunDirectory
        Those that were repaired just now. A run that cannot be repaired is left,
        with a `DataWarning`.

    Raises
    ------
    RunDirectoryError
        If the directory cannot be read.
    """
    with clear_errors(Path(parent), "runs cannot be repaired"):
        return [RunDirectory.open(path) for path in repair_all(Path(parent))]
