"""Speed and memory of converting a raw file of header-only events to HDF5.

Each round is a new process, so that the peak of its memory is that of one conversion
alone. The raw file is in the page cache and the kernels are compiled and loaded before
the clock starts; it stops when the output is on the disk and has its name. Raw file and
output are in a directory of their own below TMPDIR, which is removed at the end.

    python -m benchmarks.convert [--events 10 100] [--rounds N] [--compression NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout, encode
from pixie_pipe.storage import Stream, convert
from pixie_pipe.testing.generators import random_events

LAYOUT = Layout.find(frequency=500, revision=34688)
MILLION = 1_000_000
WORDS = 4

# Random values for all events would take longer than the benchmark.
DIFFERENT_EVENTS = 250_000


@dataclass(frozen=True)
class Round:
    """What one conversion took."""

    events: int
    seconds: float
    peak_bytes: int
    output_bytes: int

    @property
    def million_per_second(self) -> float:
        """Millions of events in a second."""
        return self.events / self.seconds / MILLION


def tiles(events: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the words of so many events, whose time goes on from tile to tile."""
    rng = np.random.default_rng(1)
    table = random_events(LAYOUT, DIFFERENT_EVENTS, rng)
    words = encode(table, LAYOUT).reshape(-1, WORDS)
    stamps = table.timestamp
    span = stamps[-1] + np.uint64(1000)
    cfd = words[:, 2] & np.uint32(0xFFFF0000)
    for number in range(-(-events // DIFFERENT_EVENTS)):
        now = stamps + np.uint64(number) * span
        words[:, 1] = now.astype(np.uint32)
        words[:, 2] = cfd | (now >> np.uint64(32)).astype(np.uint32)
        yield words[: events - number * DIFFERENT_EVENTS]


def write_raw(path: Path, events: int) -> None:
    """Write a raw file, and leave it in the page cache with nothing to write back."""
    with path.open("wb") as file:
        for words in tiles(events):
            file.write(words.data)
        file.flush()
        os.fsync(file.fileno())


def read_through(path: Path) -> None:
    """Bring a file into the page cache."""
    buffer = bytearray(4 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def peak_bytes() -> int:
    """Return the peak of this process's resident memory.

    Not ``ru_maxrss``: that begins with the size of the process that started this one.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


def convert_once(small: Path, raw: Path, output: Path, compression: str) -> None:
    """Convert in this process, after a small file to load the kernels; print JSON."""
    warm = output.with_name(f"warm_{output.name}")
    for source, target in ((small, warm), (raw, output)):
        report = convert([Stream((source,), LAYOUT)], target, compression=compression)
    print(
        json.dumps(
            {
                "events": report.events,
                "seconds": report.seconds,
                "peak_bytes": peak_bytes(),
                "output_bytes": report.output_bytes,
            }
        )
    )


def measure(small: Path, raw: Path, compression: str) -> Round:
    """Convert in a process of its own."""
    output = raw.with_suffix(".h5")
    command = [sys.executable, "-m", "benchmarks.convert", "--once"]
    command += [str(small), str(raw), str(output), compression]
    read_through(raw)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    for path in (output, output.with_name(f"warm_{output.name}")):
        path.unlink()
    return Round(**json.loads(done.stdout))


def spread(values: list[float], digits: int = 1) -> str:
    """Return median, smallest and largest."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:6.{digits}f} ({least:.{digits}f}-{most:.{digits}f})"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=float, nargs="+", default=[10, 100])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compression", default="bitshuffle-lz4")
    parser.add_argument("--once", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        small, raw, output, compression = arguments.once
        convert_once(Path(small), Path(raw), Path(output), compression)
        return
    print(f"{'M events':>8}  {'M events/s':>20}  {'peak MB':>20}  {'bytes/event':>11}")
    with tempfile.TemporaryDirectory(prefix="pixie_pipe_convert_") as name:
        small, raw = Path(name, "small.bin"), Path(name, "raw.bin")
        write_raw(small, 1000)
        for millions in arguments.events:
            write_raw(raw, round(millions * MILLION))
            rounds = [
                measure(small, raw, arguments.compression)
                for _ in range(arguments.rounds)
            ]
            print(
                f"{millions:8g}  "
                f"{spread([one.million_per_second for one in rounds]):>20}  "
                f"{spread([one.peak_bytes / MILLION for one in rounds]):>20}  "
                f"{rounds[0].output_bytes / rounds[0].events:11.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
