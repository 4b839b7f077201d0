"""Where tasks put their files."""

from __future__ import annotations

from pathlib import Path


def run_label(run_directory: str, run_number: int) -> str:
    """Return the name of a run: that of its directory, or its number in the session."""
    return Path(run_directory).name if run_directory else f"{run_number:04d}"


def recorded_number(run_directory: str) -> int | None:
    """Return the number of a run on the disk; None if it has no directory."""
    name = Path(run_directory).name
    return int(name) if name.isdecimal() else None


def output_path(text: str, run_directory: str, run_number: int) -> Path:
    """Return the absolute path that a parameter means.

    Parameters
    ----------
    text
        A path; ``{run}`` in it stands for the name of the run. A relative one begins
        at the directory of the run, or at the working directory if there is none.
    run_directory
        Directory of the run, or "".
    run_number
        Number of the run in this session.
    """
    name = text.replace("{run}", run_label(run_directory, run_number))
    return (Path(run_directory or ".") / Path(name).expanduser()).absolute()
