"""Running pipelines, and what their processes use."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixie_pipe.bench.data import FREQUENCY, REVISION
from pixie_pipe.bench.measuring import cpu_seconds, peak_bytes
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline import Pipeline

TO_SORTED = ("LoadFiles", "GatherData", "ConvertToEvents", "SortEvents")
TO_HDF5 = (*TO_SORTED, "WriteEvents")


class BenchError(PixiePipeError, RuntimeError):
    """What was to be measured did not work."""


@dataclass
class Measured:
    """What one run of a pipeline took.

    Attributes
    ----------
    ready
        From `Pipeline()` until the run has begun, in s.
    seconds
        From then until its end, the record on the disk included.
    cpu
        CPU time of each process during the run, in s.
    peaks
        Peak of the resident memory of each process, in bytes, shared memory included.
    statistics
        Statistics of the tasks.
    """

    ready: float
    seconds: float
    cpu: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)


def of_file(raw: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters of LoadFiles."""
    return {
        "LoadFiles": {
            "files": [str(raw)],
            "frequency": FREQUENCY,
            "revision": REVISION,
        }
    }


def in_one_process(tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what lets tasks share a process."""
    return {name: {"process": "together"} for name in tasks}


def run_chain(
    tasks: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]],
    directory: Path | None,
    *,
    before: Mapping[str, Mapping[str, Any]] | None = None,
) -> Measured:
    """Run a chain of tasks in new processes until its source has nothing more.

    Parameters
    ----------
    tasks
        Names of classes.
    parameters
        Parameters by name of the class, and the process that a task shares.
    directory
        Where the run gets a directory, which is removed afterwards; None: none.
    before
        Parameters of a run that is made before, in the same processes.

    Raises
    ------
    BenchError
        If the balance does not close.
    """
    with tempfile.TemporaryDirectory(dir=directory) as runs:
        began = time.perf_counter()
        with Pipeline(runs=Path(runs) if directory else None) as pipe:
            for name in tasks:
                pipe.create_task(name, **parameters.get(name, {}))
            pipe.connect()
            if before is not None:
                _run_before(pipe, before, parameters)
            numbers = process_numbers(pipe)
            used = {name: cpu_seconds(pid) for name, pid in numbers.items()}
            pipe.start()
            started = time.perf_counter()
            pipe.wait(quiet=True)
            measured = Measured(started - began, time.perf_counter() - started)
            for name, pid in numbers.items():
                measured.cpu[name] = cpu_seconds(pid) - used[name]
                measured.peaks[name] = peak_bytes(pid)
            balance = pipe.balance()
            if not balance.closes:
                raise BenchError(f"words or events are missing: {balance}")
            measured.statistics = {
                name: found["own"] for name, found in pipe.statistics().items()
            }
    return measured


def _run_before(
    pipe: Pipeline,
    before: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Mapping[str, Any]],
) -> None:
    """Make a run with other parameters, and give the right ones back."""
    pipe.configure(before)
    pipe.start()
    pipe.wait(quiet=True)
    pipe.stop()
    pipe.configure(
        {name: {key: parameters[name][key] for key in before[name]} for name in before}
    )


def process_numbers(pipe: Pipeline) -> dict[str, int]:
    """Return the number of each process by its name, or that of its one task."""
    assert pipe.supervisor is not None
    return {
        record.node.process or name: record.hello.pid
        for name, record in pipe.supervisor.records.items()
        if record.hello is not None
    }
