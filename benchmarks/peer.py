"""Speed beside pypixie16, which users have today, on the same file.

Both read the file from the page cache and give all its events: pypixie16 a list of
objects, pixie_pipe a table. The figure is the median over rounds of the ratio.

    python -m benchmarks.peer [--events N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import pixie_pipe
from pixie_pipe.testing.generators import random_events
from tests.support.peer import load_reader

LAYOUT = pixie_pipe.Layout.find(frequency=500, revision=34688)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, path: Path, events: int, rounds: int) -> None:
    """Print the speeds of both on one file."""
    reader = load_reader()
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(timed(lambda: reader.read_list_mode_data_as_events([path])))
        repeats = [
            timed(lambda: pixie_pipe.read_events(path, LAYOUT)) for _ in range(9)
        ]
        ours.append(statistics.median(repeats))
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    print(
        f"{name:20} pypixie16 {events / statistics.median(theirs) / 1e6:7.3f} M/s   "
        f"pixie_pipe {events / statistics.median(ours) / 1e6:7.1f} M/s   "
        f"{statistics.median(ratios):6.0f}x ({min(ratios):.0f}-{max(ratios):.0f})"
    )


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cases: dict[str, tuple[int, dict[str, object]]] = {
        "header only": (options.events, {}),
        "18-word headers": (options.events // 2, {"header_lengths": (18,)}),
        "500-sample traces": (options.events // 5, {"trace_lengths": (500,)}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (count, kinds) in cases.items():
            events = random_events(LAYOUT, count, np.random.default_rng(1), **kinds)
            path = Path(folder) / "events.bin"
            pixie_pipe.encode(events, LAYOUT).tofile(path)
            compare(name, path, count, options.rounds)


if __name__ == "__main__":
    main()
