#!/usr/bin/env python3
"""Measure how fast the simulated crate gives words, beside copying as many bytes.

Usage: python scripts/simulated_rate.py [--seconds S] [--rate HZ] [--trace N]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from pixie_pipe.drivers.simulated import SimulatedDigitizer

_STEP_S = 0.002
"""Time from one read to the next, as of a task that takes data."""

_MODULES = ("0/2:500/34688", "0/3:500/34688")


class SteppedClock:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def measure(mode: str, seconds: float, rate_hz: float, trace: int) -> str:
    """Run for some simulated time, and return a line for people."""
    clock = SteppedClock()
    digitizer = SimulatedDigitizer(
        _MODULES,
        clock=clock,
        mode=mode,
        rate_hz=rate_hz,
        trace_samples=trace,
        fifo_words=1 << 30,
    )
    with digitizer:
        digitizer.start_run()
        begun = time.perf_counter()
        words = 0
        while clock.now < seconds:
            clock.now += _STEP_S
            words += sum(digitizer.read(n, 1 << 28).size for n in range(len(_MODULES)))
        taken = time.perf_counter() - begun
        events = sum(
            sum(digitizer.statistics(n)["output_counts"]) for n in range(len(_MODULES))
        )
    ratio = _copy_s(words) / taken
    return (
        f"{mode:<8} {4e-6 * words / taken:8.1f} MB/s  {events / taken:12,.0f} events/s"
        f"  {ratio:.4f} of memcpy"
    )


def _copy_s(words: int) -> float:
    """Return how long it takes to copy so many words, the best of three times."""
    source, target = np.ones(words, np.uint32), np.ones(words, np.uint32)
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - begun)
    return float(best)


def main() -> None:
    """Measure both modes."""
    parser = argparse.ArgumentParser(description="How fast the simulated crate is.")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rate", type=float, default=2e6, help="decays per second")
    parser.add_argument("--trace", type=int, default=0, help="samples of a trace")
    arguments = parser.parse_args()
    for mode in ("physics", "fast"):
        # Once for compiling.
        measure(mode, _STEP_S, 1e4, arguments.trace)
        print(measure(mode, arguments.seconds, arguments.rate, arguments.trace))


if __name__ == "__main__":
    main()
