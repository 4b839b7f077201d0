"""Speed of the decoder as ratios to a memcpy of the same bytes.

Every figure is the median over rounds of a ratio within one round, in one
process on one core: time of copying the words into memory that was touched
before, over the time of decoding them. The columns go to memory that was
touched before too, through a `BufferPool`.

    python -m benchmarks.decode [--megabytes N] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode import Layout, StreamDecoder, decode, encode
from pixie_pipe.testing.generators import random_events

LAYOUT = Layout.find(frequency=500, revision=34688)
PIECE_BYTES = 4 << 20

# Random values for all events would take longer than the benchmark.
DIFFERENT_EVENTS = 20_000


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    megabytes: float
    events_per_second: float
    gigabytes_per_second: float
    memcpy_gigabytes_per_second: float
    ratio: float
    ratio_low: float
    ratio_high: float


def stream(megabytes: int, **kinds: object) -> tuple[NDArray[np.uint32], int]:
    """Return words of about this size and the number of events in them."""
    rng = np.random.default_rng(1)
    events = random_events(LAYOUT, DIFFERENT_EVENTS, rng, **kinds)
    words = encode(events, LAYOUT)
    copies = max(1, (megabytes << 20) // words.nbytes)
    return np.tile(words, copies), copies * len(events)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def decode_at_once(words: NDArray[np.uint32]) -> Callable[[], int]:
    """Return work that decodes all words in one call."""
    pool = BufferPool()

    def work() -> int:
        return len(decode(words, LAYOUT, pool=pool).events)

    return work


def decode_in_pieces(words: NDArray[np.uint32]) -> Callable[[], int]:
    """Return work that feeds the words to a stream decoder in pieces."""
    pool = BufferPool()
    data = words.view(np.uint8)

    def work() -> int:
        decoder = StreamDecoder(LAYOUT, pool=pool)
        count = 0
        for start in range(0, data.nbytes, PIECE_BYTES):
            decoder.feed(data[start : start + PIECE_BYTES])
            count += len(decoder.take().events)
        return count + len(decoder.finish().events)

    return work


def measure(
    name: str,
    words: NDArray[np.uint32],
    events: int,
    work: Callable[[], int],
    rounds: int,
) -> Figure:
    """Time `work` beside a memcpy of `words`."""
    copy = np.zeros_like(words)
    for _ in range(2):
        if work() != events:
            sys.exit(f"{name}: not all events were decoded")
    copies, times = [], []
    for _ in range(rounds):
        copies.append(timed(lambda: np.copyto(copy, words)))
        times.append(timed(work))
    ratios = [a / b for a, b in zip(copies, times, strict=True)]
    seconds = statistics.median(times)
    return Figure(
        name=name,
        megabytes=words.nbytes / 1e6,
        events_per_second=events / seconds,
        gigabytes_per_second=words.nbytes / seconds / 1e9,
        memcpy_gigabytes_per_second=words.nbytes / statistics.median(copies) / 1e9,
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
    )


def figures(megabytes: int, rounds: int) -> Iterator[Figure]:
    """Measure the cases one after the other."""
    cases = {
        "header only (4 words)": {},
        "every column (18 words)": {"header_lengths": (18,)},
        "500-sample traces": {"trace_lengths": (500,)},
        "mixed": {"header_lengths": (4, 8, 12, 16), "trace_lengths": (0, 0, 0, 200)},
    }
    for name, kinds in cases.items():
        words, events = stream(megabytes, **kinds)
        yield measure(name, words, events, decode_at_once(words), rounds)
        yield measure(
            f"{name}, in pieces", words, events, decode_in_pieces(words), rounds
        )


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = figures(options.megabytes, options.rounds)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    print(f"{'case':34} {'M events/s':>10} {'GB/s':>6} {'memcpy':>7} ratio (range)")
    for row in rows:
        print(
            f"{row.name:34} {row.events_per_second / 1e6:10.1f} "
            f"{row.gigabytes_per_second:6.2f} {row.memcpy_gigabytes_per_second:7.2f} "
            f"{row.ratio:.2f} ({row.ratio_low:.2f}-{row.ratio_high:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
