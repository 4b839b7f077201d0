"""Fixtures of programs in processes of their own; nothing of them is left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.own_process import LINE, OwnProcess


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Return a directory for sockets, the name of which is short enough for them."""
    path = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def own_process(tmp_path, runtime):
    """Return a function that starts an interpreter with arguments."""
    started: list[OwnProcess] = []

    def start(*arguments: object) -> OwnProcess:
        directory = tmp_path / f"process-{len(started)}"
        directory.mkdir()
        started.append(OwnProcess(arguments, directory, runtime))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def runs(tmp_path) -> Path:
    """Return the directory of runs of the programs."""
    path: Path = tmp_path / "runs"
    return path


@pytest.fixture
def script(own_process, tmp_path, runs):
    """Return a function that runs a program that has the usual line of tasks."""

    def run(text: str) -> OwnProcess:
        indented = "".join(f"    {line}\n" for line in text.strip().splitlines())
        path = tmp_path / "script.py"
        path.write_text(f'{LINE}\n\nif __name__ == "__main__":\n{indented}')
        process: OwnProcess = own_process(path, runs)
        return process

    return run


@pytest.fixture
def recorded(runs):
    """Return a function that tells how many bytes of the first run are on the disk."""

    def size() -> int:
        return sum(path.stat().st_size for path in runs.glob("0001/raw/*.bin"))

    return size
