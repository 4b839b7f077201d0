"""What tasks have prepared: in processes of their own, once, and told."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import os
import time
from pathlib import Path
from typing import Any

import pytest

from pixie_pipe import _kernel_cache
from pixie_pipe._kernel_cache import is_warm, note_warm
from pixie_pipe.pipeline.preparing import Preparation, Preparations
from pixie_pipe.tasks.build_coincidences import BuildCoincidences

FILE = "PIXIE_PIPE_TEST_PREPARED"


def note() -> None:
    with Path(os.environ[FILE]).open("a") as file:
        file.write(f"{os.getpid()}\n")


def fail() -> None:
    os._exit(3)


def hang() -> None:
    time.sleep(3600)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Let this process and its children have a cache of their own."""
    monkeypatch.setenv("PIXIE_PIPE_CACHE_DIR", str(tmp_path / "cache"))
    # Not of the server of processes, which has the variables of an earlier test.
    spawn = multiprocessing.context.SpawnContext()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: spawn)
    _kernel_cache.cache_directory.cache_clear()
    yield
    _kernel_cache.cache_directory.cache_clear()


@pytest.fixture
def told() -> list[str]:
    return []


def test_it_is_done_once_in_another_process(tmp_path, monkeypatch, told):
    file = tmp_path / "prepared"
    monkeypatch.setenv(FILE, str(file))
    wanted = [Preparation("some", note, "compiling")] * 2
    for _ in range(2):
        preparations = Preparations(wanted, told.append)
        preparations.start()
        preparations.wait(60)
    (process,) = file.read_text().split()
    assert int(process) != os.getpid()
    assert told == ["compiling"]
    assert is_warm("some")


def test_what_fails_or_hangs_is_left_to_the_task(told):
    wanted = [Preparation("one", fail, "compiling"), Preparation("two", hang, "more")]
    preparations = Preparations(wanted, told.append)
    preparations.start()
    processes = list(preparations._processes)
    preparations.wait(0.5)
    for process in processes:
        with pytest.raises(ValueError, match="closed"):
            process.is_alive()
    assert sorted(told) == ["compiling", "more"]
    assert not is_warm("one")
    assert not is_warm("two")


def test_without_a_cache_nothing_is_known(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIXIE_PIPE_CACHE_DIR", str(tmp_path / "file"))
    _kernel_cache.note_warm("some")
    assert not is_warm("some")


def test_a_task_loads_what_is_there_before_it_gets_data(monkeypatch):
    calls: list[str] = []
    wanted = (Preparation("some", lambda: calls.append("some"), "compiling"),)
    monkeypatch.setattr(
        BuildCoincidences, "preparations", classmethod(lambda *_: wanted)
    )
    task: Any = BuildCoincidences()
    task._loaded = set()
    task.configure({})
    # Not compiled yet: whoever compiles it is under way, or failed.
    assert calls == []
    note_warm("some")
    for _ in range(2):
        task.configure({"window_ns": 20})
    assert calls == ["some"]
