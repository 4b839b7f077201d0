"""A sample file, and the command run in this process and in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixie_pipe import drivers
from pixie_pipe.cli import main
from pixie_pipe.settings import SettingsAccess, write_json
from tests.support.module_settings import crate_of
from tests.support.settings_files import words_of

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


@pytest.fixture
def first_file(tmp_path):
    path = tmp_path / "first.json"
    write_json(path, crate_of(2, 3))
    return path


@pytest.fixture
def second_file(tmp_path):
    """Settings that differ from the first ones in slot 3."""
    settings = crate_of(2, 3)
    access = SettingsAccess(settings)
    for channel in (0, 1, 5):
        access.write_channel("TAU", 40, 3, channel)
    settings[3].module["UserIn"][4] = 7
    path = tmp_path / "second.json"
    write_json(path, settings)
    return path


@pytest.fixture
def old_file(tmp_path):
    """Return an old file with modules in slots 2 and 3, and room for a third."""
    settings = crate_of(2, 3)
    for module in settings:
        module.module["SlotID"][0] = module.slot
    path = tmp_path / "old.set"
    path.write_bytes(b"".join(map(words_of, settings)) + bytes(5120))
    return path
