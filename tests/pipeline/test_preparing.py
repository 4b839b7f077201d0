"""What tasks have prepared: in processes of their own, once, and told if it is slow."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import os
import time
from pathlib import Path

import pytest

from pixie_pipe.pipeline import preparing
from pixie_pipe.pipeline.preparing import Preparation, Preparations, ToldIfSlow

FILE = "PIXIE_PIPE_TEST_PREPARED"


def note() -> None:
    with Path(os.environ[FILE]).open("a") as file:
        file.write(f"{os.getpid()}\n")


def fail() -> None:
    os._exit(3)


def hang() -> None:
    time.sleep(3600)


@pytest.fixture(autouse=True)
def _fresh_processes(monkeypatch):
    """Without the server of processes, which has the variables of an earlier test."""
    monkeypatch.setattr(
        multiprocessing,
        "get_context",
        lambda _: multiprocessing.context.SpawnContext(),
    )


@pytest.fixture
def told() -> list[str]:
    return []


def test_it_is_done_once_in_another_process(tmp_path, monkeypatch, told):
    file = tmp_path / "prepared"
    monkeypatch.setenv(FILE, str(file))
    preparations = Preparations(told.append)
    for _ in range(2):
        preparations.start([Preparation(note, "x"), Preparation(note, "x")])
        preparations.wait(60)
    (process,) = file.read_text().split()
    assert int(process) != os.getpid()
    assert told == []


def test_what_fails_or_hangs_is_left_to_the_task(monkeypatch, told):
    monkeypatch.setattr(preparing, "TELL_SECONDS", 0.0)
    preparations = Preparations(told.append)
    preparations.start([Preparation(fail, "x")])
    preparations.wait(60)
    preparations.start([Preparation(hang, "compiling"), Preparation(hang, "compiling")])
    preparations.wait(0.3)
    assert "compiling" in told
    assert not preparations._running


def test_what_is_slow_is_told_of(monkeypatch, told):
    monkeypatch.setattr(preparing, "TELL_SECONDS", 0.01)
    with ToldIfSlow(told.append, "it takes long"):
        until = time.monotonic() + 60
        while not told and time.monotonic() < until:
            time.sleep(0.005)
    assert told == ["it takes long"]
    monkeypatch.setattr(preparing, "TELL_SECONDS", 3600.0)
    with ToldIfSlow(told.append, "it takes long"):
        pass
    assert len(told) == 1
