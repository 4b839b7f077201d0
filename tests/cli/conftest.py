"""A sample file, and the command run in this process and in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixie_pipe import drivers
from pixie_pipe.cli import main

DRIVERS = Path(__file__).parents[1] / "support" / "drivers"

MODULE = ("--frequency", "500", "--revision", "34688")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("sample") / "sample.bin"
    assert main(["sample", str(path), "--events", "5000"]) == 0
    return path


@pytest.fixture
def run(capsys):
    """Run a command in this process; returns exit code, stdout, stderr."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def command():
    """Return the command line of a process of its own, and its environment."""

    def command(*arguments, **environment):
        return {
            "args": [sys.executable, "-m", "pixie_pipe", *map(str, arguments)],
            "env": {**os.environ, **environment},
        }

    return command


@pytest.fixture
def run_process(command):
    def run_process(*arguments, **environment):
        return subprocess.run(
            **command(*arguments, **environment),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return run_process


@pytest.fixture
def crate(monkeypatch):
    """Return the options that name the crate of tests/support/drivers."""
    monkeypatch.setattr(drivers, "__path__", list(drivers.__path__))
    monkeypatch.delitem(sys.modules, "pixie_pipe.drivers.fake_crate", raising=False)
    return ("--driver", "fake_crate", "--driver-path", DRIVERS)
