"""Speed and memory of a whole pipeline, from raw files to a sorted HDF5 file.

LoadFiles, GatherData, ConvertToEvents, SortEvents, WriteEvents, each a process. The raw
file is in the page cache; the clock runs from `start` to the end of the run, when the
output and the record of the run are written. In the same round the file goes through
the same decoder and writer in one process with two threads, without being sorted
(`convert`): that is what the pipeline is compared with. ``--output`` names a directory
for the results; on a disk its speed is part of the figures.

    python -m benchmarks.pipeline [--memory] [--millions N] [--traces N] [--rounds N]
                                  [--output DIR]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.convert import LAYOUT, MILLION, read_through, spread, write_raw
from pixie_pipe.listmode import encode
from pixie_pipe.pipeline import Pipeline
from pixie_pipe.storage import Stream, convert
from pixie_pipe.testing.generators import random_events

TASKS = ("LoadFiles", "GatherData", "ConvertToEvents", "SortEvents", "WriteEvents")
SAMPLES = 500
DIFFERENT_EVENTS = 25_000


@dataclass
class Run:
    """What one run of the pipeline took."""

    ready: float
    seconds: float
    cpu: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)


def write_traces(path: Path, events: int) -> None:
    """Write a raw file of events with traces."""
    rng = np.random.default_rng(1)
    first = 0
    with path.open("wb") as file:
        for _ in range(-(-events // DIFFERENT_EVENTS)):
            table = random_events(
                LAYOUT,
                DIFFERENT_EVENTS,
                rng,
                trace_lengths=(SAMPLES,),
                first_timestamp=first,
            )
            first = int(table.timestamp[-1]) + 1000
            file.write(encode(table, LAYOUT).data)


@contextmanager
def pipeline(raw: Path, runs: Path) -> Iterator[Pipeline]:
    """Make the pipeline."""
    with Pipeline(runs=runs) as pipe:
        source, *others = TASKS
        pipe.create_task(source, files=[str(raw)], frequency=500, revision=34688)
        for name in others:
            pipe.create_task(name)
        yield pipe


def status_of(pid: int, name: str) -> int:
    """Return a number of kilobytes from the status of a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def processes(pipe: Pipeline) -> dict[str, int]:
    """Return the number of each process by its name."""
    assert pipe.supervisor is not None
    return {
        name: record.hello.pid
        for name, record in pipe.supervisor.records.items()
        if record.hello is not None
    }


def run_once(raw: Path, output: Path) -> Run:
    """Run the pipeline in new processes."""
    with tempfile.TemporaryDirectory(dir=output) as runs:
        began = time.perf_counter()
        with pipeline(raw, Path(runs)) as pipe:
            pipe.connect()
            pipe.start()
            started = time.perf_counter()
            pipe.wait(quiet=True)
            ended = time.perf_counter()
            run = Run(started - began, ended - started)
            for name, pid in processes(pipe).items():
                run.peaks[name] = status_of(pid, "VmHWM")
                stat = Path(f"/proc/{pid}/stat").read_text()
                fields = stat.rsplit(") ")[1].split()
                run.cpu[name] = (int(fields[11]) + int(fields[12])) / 100
            balance = pipe.balance()
            assert balance.closes, balance
    return run


def convert_once(raw: Path, output: Path) -> float:
    """Convert the file in this process; returns seconds."""
    target = output / "converted.h5"
    report = convert([Stream((raw,), LAYOUT)], target)
    target.unlink()
    return report.seconds


def measure_speed(name: str, raw: Path, events: int, output: Path, rounds: int) -> None:
    """Measure and print."""
    runs, alone = [], []
    for _ in range(rounds):
        read_through(raw)
        runs.append(run_once(raw, output))
        read_through(raw)
        alone.append(convert_once(raw, output))
    size = raw.stat().st_size
    print(f"{name}: {events / MILLION:g} M events, {size / 1e9:.2f} GB")
    print("  ready, s               ", spread([run.ready for run in runs], 2))
    print("  M events/s             ", spread([events / r.seconds / 1e6 for r in runs]))
    print(
        "  GB/s                   ", spread([size / r.seconds / 1e9 for r in runs], 2)
    )
    ratios = [one / run.seconds for one, run in zip(alone, runs, strict=True)]
    print("  ratio to convert alone ", spread(ratios, 2))
    for task in TASKS:
        seconds = [run.cpu[task] * 1e9 / size for run in runs]
        print(f"  {task:16} CPU s/GB", spread(seconds, 2), flush=True)


def measure_memory(folder: Path, output: Path) -> None:
    """Compare peaks of an input and of one ten times as long."""
    for name, write, events in (
        ("header only", write_raw, 5 * MILLION),
        (f"{SAMPLES}-sample traces", write_traces, MILLION // 5),
    ):
        peaks = []
        for factor in (1, 10):
            raw = folder / "raw.bin"
            write(raw, events * factor)
            peaks.append(run_once(raw, output).peaks)
        print(
            f"{name}: peak MB of {events / 1e6:g} M events, of 10 times as many, ratio"
        )
        for task in TASKS:
            one, ten = (peak[task] / 1e6 for peak in peaks)
            print(f"  {task:16} {one:7.1f} {ten:7.1f} {ten / one:6.3f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=30)
    parser.add_argument("--traces", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixie_pipe_pipeline_") as name:
        folder = Path(name)
        output = arguments.output or folder
        if arguments.memory:
            measure_memory(folder, output)
            return
        raw = folder / "raw.bin"
        small = folder / "small.bin"
        write_raw(small, 1000)
        run_once(small, output)
        for label, write, millions in (
            ("header only", write_raw, arguments.millions),
            (f"{SAMPLES}-sample traces", write_traces, arguments.traces),
        ):
            events = round(millions * MILLION)
            write(raw, events)
            measure_speed(label, raw, events, output, arguments.rounds)


if __name__ == "__main__":
    main()
