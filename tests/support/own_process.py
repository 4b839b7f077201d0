"""Pipelines in a process of their own, to be interrupted and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from pixie_pipe.pipeline.runtime_directory import PREFIX

WAIT = 120.0
"""Seconds that something may take on a busy machine before a test gives up."""

# Whoever runs the tests may have told its children to ignore Ctrl-C.
_LAUNCH = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class OwnProcess:
    """A Python program in a session of its own, with all processes that it starts.

    Parameters
    ----------
    arguments
        Those of the interpreter.
    directory
        Where its output goes.
    runtime
        An empty directory with a short name, for its sockets.
    """

    def __init__(
        self, arguments: Sequence[object], directory: Path, runtime: Path
    ) -> None:
        self.runtime = runtime
        self._out, self._err = directory / "stdout.txt", directory / "stderr.txt"
        self.seen: dict[int, psutil.Process] = {}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
            )

    @property
    def out(self) -> str:
        """What it has written so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it has written as errors so far."""
        return self._err.read_text()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds while it runs."""
        end = time.monotonic() + WAIT
        while not condition():
            assert self.process.poll() is None, f"{self.out}\n{self.err}"
            assert time.monotonic() < end, f"too long\n{self.out}\n{self.err}"
            time.sleep(0.02)
        self.note_children()

    def note_children(self) -> None:
        """Remember the processes that it has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.seen[child.pid] = child

    def signal(self, number: int) -> None:
        """Send a signal to it alone."""
        self.note_children()
        self.process.send_signal(number)

    def signal_all(self, number: int) -> None:
        """Send a signal to all its processes, as a terminal does."""
        self.note_children()
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return self.process.wait(WAIT)

    def all_gone(self) -> bool:
        """Wait until all processes that were seen are gone; tell whether they are."""
        _, alive = psutil.wait_procs(list(self.seen.values()), timeout=WAIT)
        return not alive

    @property
    def directories(self) -> list[Path]:
        """Private directories of pipelines that are there."""
        return sorted(self.runtime.glob(f"{PREFIX}*"))

    def kill(self) -> None:
        """Kill all that is left of it."""
        self.note_children()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(WAIT)
        for child in self.seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


LINE = """\
import sys

from pixie_pipe.pipeline import Pipeline


def make_line(runs, **source):
    pipe = Pipeline(runs=runs)
    pipe.create_task("DummyData", **{"rate_hz": 200_000, **source})
    for name in ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents"):
        pipe.create_task(name)
    pipe.create_task("FillHistograms", after="SortEvents")
    return pipe
"""
"""A program that has the usual line of tasks."""
