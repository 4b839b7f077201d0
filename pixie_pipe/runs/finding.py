"""Which run is meant: by its number, or by its directory."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.runs.errors import RunNotFoundError
from pixie_pipe.storage.run_catalogue import run_directories
from pixie_pipe.storage.run_directory import RunDirectory
from pixie_pipe.storage.run_record import RUN_FILE

if TYPE_CHECKING:
    from typing import SupportsIndex


def find_run(
    run: SupportsIndex | str | os.PathLike[str],
    runs: str | os.PathLike[str] = "runs",
) -> RunDirectory:
    """Return the directory of a run.

    Parameters
    ----------
    run
        Its number, also as a text of digits; a negative one counts from the last run:
        -1 is the last one. Or the path of its directory.
    runs
        The directory of runs; of no use with a path.

    Raises
    ------
    RunNotFoundError
        If there is none.
    RunRecordError
        If its record is damaged or of an unknown version.
    """
    number = _number(run)
    if number is None:
        return RunDirectory.open(_checked_path(Path(os.fspath(run))))  # type: ignore[arg-type]
    parent = Path(runs)
    if not parent.is_dir():
        raise RunNotFoundError(
            f"{parent}: there is no such directory of runs; name one with runs=..."
        )
    paths = run_directories(parent)
    if number < 0:
        if -number > len(paths):
            raise RunNotFoundError(_no_such_run(parent, number, paths))
        return RunDirectory.open(paths[number][1])
    for known, path in paths:
        if known == number:
            return RunDirectory.open(path)
    raise RunNotFoundError(_no_such_run(parent, number, paths))


def _number(run: SupportsIndex | str | os.PathLike[str]) -> int | None:
    if isinstance(run, str) and run.isdecimal() and not Path(run).is_dir():
        return int(run)
    if isinstance(run, (str, os.PathLike)):
        return None
    return operator.index(run)


def _checked_path(path: Path) -> Path:
    if (path / RUN_FILE).is_file():
        return path
    if path.name == RUN_FILE and path.is_file():
        return path.parent
    if not path.exists():
        raise RunNotFoundError(f"{path}: there is no such directory of a run")
    reason = f"there is no {RUN_FILE} in it" if path.is_dir() else "it is a file"
    raise RunNotFoundError(f"{path}: is no directory of a run: {reason}")


def _no_such_run(parent: Path, number: int, paths: list[tuple[int, Path]]) -> str:
    numbers = [known for known, _ in paths]
    if not numbers:
        there = "there are none in it"
    elif len(numbers) == 1:
        there = f"its only run is {numbers[0]}"
    else:
        there = f"its {len(numbers)} runs have numbers {numbers[0]} to {numbers[-1]}"
    return f"{parent}: there is no run {number}; {there}"
