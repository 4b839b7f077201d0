"""Pipelines for tests, and the check that none of them leaves anything behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pixie_pipe.pipeline.pipeline import Pipeline
from pixie_pipe.pipeline.runtime_directory import PREFIX, _parent

pytest.importorskip("tests.support.pipeline_tasks")

WAIT = 60.0
"""Seconds that something may take on a busy machine before a test gives up."""


def task_processes() -> list[psutil.Process]:
    """Return the processes below this one that are tasks."""
    helpers = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            parent = child.parent()
            is_task = parent is not None and parent.pid != os.getpid()
            is_helper = any(name in command for name in helpers) and not is_task
            if not is_helper and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def leftovers() -> list[str]:
    """Return what pipelines have left behind."""
    found = [f"process {child}" for child in task_processes()]
    found += [
        f"thread {thread.name}"
        for thread in threading.enumerate()
        if thread.name.startswith("pixie_pipe")
    ]
    mine = f"{os.getpid()} "
    for path in _parent().glob(f"{PREFIX}*"):
        owner = path / "owner"
        if owner.exists() and owner.read_text().startswith(mine):
            found.append(f"directory {path}")
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fail a test that leaves a process, a thread or a socket file."""
    before = set(leftovers())
    yield
    until = time.monotonic() + 5
    while (left := set(leftovers()) - before) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


class Recorder(Pipeline):
    """A pipeline that keeps what its tasks say."""

    def __init__(self, *args, **kwargs):
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.prints: list[tuple[str, str]] = []
        self.errors: list[tuple[str, Exception]] = []
        super().__init__(*args, **kwargs)

    def handle_report(self, name, report):
        self.reports.append((name, report))

    def handle_print(self, name, string):
        self.prints.append((name, string))

    def handle_error(self, name, err):
        self.errors.append((name, err))

    def last_report(self, name: str) -> dict[str, Any]:
        """Return the last report of a task."""
        return [report for task, report in self.reports if task == name][-1]

    def until(self, condition, seconds: float = WAIT) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            self.poll(0.05)


@pytest.fixture
def make_pipeline():
    """Return a function that makes pipelines, which are ended after the test."""
    made: list[Recorder] = []

    def make(*names: str, **kwargs) -> Recorder:
        pipeline = Recorder(**kwargs)
        made.append(pipeline)
        for name in names:
            pipeline.create_task(name)
        return pipeline

    yield make
    for pipeline in made:
        pipeline.kill()
