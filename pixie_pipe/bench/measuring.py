"""Times, and what processes use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pixie_pipe.bench.machine import cores
from pixie_pipe.buffers import empty_aligned

MILLION = 1_000_000
GIGA = 1e9


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memcpy(nbytes: int) -> Callable[[], None]:
    """Return work that copies so many bytes between memory that was touched before."""
    source, target = empty_aligned(nbytes), empty_aligned(nbytes)
    source[:] = 1
    target[:] = 0

    def work() -> None:
        np.copyto(target, source)

    return work


def run_python(*arguments: str) -> str:
    """Run Python in a new process; return what it printed."""
    command = [sys.executable, *arguments]
    return subprocess.run(  # noqa: S603 - this interpreter, with this package's code
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = cores()
    os.sched_setaffinity(0, {before[0]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def peak_bytes(pid: int | str = "self") -> int:
    """Return the peak of the resident memory of a process.

    Not ``ru_maxrss``: that begins with the size of the process that started it.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


def cpu_seconds(pid: int) -> float:
    """Return the time that a process has had on a core."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ")[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
