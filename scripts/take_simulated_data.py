#!/usr/bin/env python3
"""Take data of four simulated modules for a minute, and look for each single word.

The modules of 100, 250 and 500 MSPS give 100 MB/s together. What they wrote into their
FIFOs is compared with what was read, recorded and decoded, and the events of the run
with those of its raw files, decoded once more. With ``--fifo-words`` the FIFOs are so
small that they run over: then every lost word must have been counted, and the run is
marked. The exit code is 1 if anything is missing.

Usage: python scripts/take_simulated_data.py [--seconds S] [--megabytes-per-s MB]
    [--channels N] [--trace N] [--fifo-words N] [--runs DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixie_pipe.bench.chain import process_numbers
from pixie_pipe.bench.measuring import cpu_seconds
from pixie_pipe.drivers.simulated import SimulatedDigitizer
from pixie_pipe.listmode import Layout, StreamDecoder
from pixie_pipe.pipeline import Error, Pipeline
from pixie_pipe.storage import RunDirectory
from pixie_pipe.storage.hdf5 import read_hdf5, read_hdf5_metadata
from pixie_pipe.storage.raw import read_pieces

if TYPE_CHECKING:
    from pixie_pipe.events import Events

MODULES = ("0/2:100/34688", "0/3:250/30474", "0/4:250/34688", "0/5:500/34688")
SOURCE = "TakeData"
TASKS = ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents")

MB = 1e6
WORD_BYTES = 4
ROWS = 1 << 18
"""Events of the file that are looked at together."""

GUESSED_HZ = 50_000.0
SHORT_S = 0.05
"""Simulated time from which the rate of words is known to some per cent."""

POLL_MS = {False: 10.0, True: 50.0}
"""Pauses when no module has words; long ones let small FIFOs run over."""


@dataclass
class Checks:
    """What was compared."""

    failed: list[str] = field(default_factory=list)

    def equal(self, what: str, **values: object) -> None:
        """Compare values; tell if they differ."""
        first, *others = values.values()
        if any(other != first for other in others):
            told = ", ".join(f"{name} {value}" for name, value in values.items())
            self.failed.append(f"{what}: {told}")

    def hold(self, what: str, condition: bool) -> None:  # noqa: FBT001 - like an assert
        """Tell if something does not hold."""
        if not condition:
            self.failed.append(what)


def decays_for(bytes_per_s: float, options: dict[str, Any]) -> float:
    """Return the rate of decays at which the modules give so many bytes together."""
    rate = GUESSED_HZ
    for _ in range(2):
        now = [0.0]
        crate = SimulatedDigitizer(
            **{**options, "mode": "physics", "rate_hz": rate, "fifo_words": 1 << 32},
            clock=lambda now=now: now[0],  # type: ignore[misc]
        )
        with crate:
            crate.start_run()
            now[0] = SHORT_S
            words = sum(crate.read(n, 1 << 30).size for n in range(len(MODULES)))
        rate *= bytes_per_s * SHORT_S / (WORD_BYTES * words)
    return rate


@dataclass(frozen=True)
class Taken:
    """What a run left behind, and what was told of it."""

    run: RunDirectory
    modules: dict[str, dict[str, Any]]
    cores: dict[str, float]
    seconds: float
    error: str


def take(arguments: argparse.Namespace, runs: Path, options: dict[str, Any]) -> Taken:
    """Take the run."""
    with Pipeline(runs=runs, title="Simulated campaign") as pipeline:
        pipeline.create_task(
            SOURCE,
            driver="simulated",
            options=options,
            runtime_s=arguments.seconds,
            poll_ms=POLL_MS[arguments.fifo_words is not None],
        )
        for name in TASKS:
            pipeline.create_task(name)
        pipeline.start()
        begin = time.monotonic()
        pids = process_numbers(pipeline)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        error = ""
        try:
            pipeline.wait(quiet=not sys.stderr.isatty())
        except Error as told:
            error = str(told)
        used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
        seconds = time.monotonic() - begin
        run = RunDirectory.open(pipeline.run_directory or "")
        own = pipeline.statistics()[SOURCE]["own"]
    cores = {name: value / seconds for name, value in used.items()}
    return Taken(run, own["modules"], cores, seconds, error)


Sums = dict[tuple[int, int], list[int]]
"""For each slot and channel: the number of events, and sums of what they have."""


def sums_of(batches: Iterable[Events]) -> Sums:
    """Return what must be the same of two sets of events, in whatever order."""
    sums: Sums = {}
    for events in batches:
        channels = events.slot.astype(np.int64) * 32 + events.channel
        for number in np.unique(channels).tolist():
            chosen = events[channels == number]
            found = [
                len(chosen),
                int(chosen.timestamp.sum(dtype=np.uint64)),
                int(chosen.time_ps.sum(dtype=np.int64)),
                int(chosen.energy.sum(dtype=np.int64)),
                _trace_sum(chosen),
            ]
            known = sums.setdefault(divmod(number, 32), [0] * len(found))
            # Sums of timestamps do not fit into 64 bits; what remains does.
            known[:] = [(a + b) % 2**64 for a, b in zip(known, found, strict=True)]
    return sums


def _trace_sum(events: Events) -> int:
    samples = getattr(events, "trace_samples", None)
    return 0 if samples is None else int(samples.sum(dtype=np.int64))


def decoded_again(run: RunDirectory, name: str, layout: Layout) -> Iterator[Events]:
    """Yield the events of the raw files of a module."""
    decoder = StreamDecoder(layout)
    for piece in read_pieces([run.raw / f.name for f in run.files if f.stream == name]):
        decoder.feed(piece)
        yield decoder.take().events
    yield decoder.finish().events


def written(run: RunDirectory) -> Iterator[Events]:
    """Yield the events in the file of a run, whatever its name is."""
    (path,) = run.path.glob("events*.h5")
    for first in range(0, read_hdf5_metadata(path).events, ROWS):
        yield read_hdf5(path, slice(first, first + ROWS))


def compare(taken: Taken, *, is_lossy: bool) -> Checks:
    """Look for every word and every event."""
    checks, run, balance = Checks(), taken.run, taken.run.balance
    recorded = {
        name: sum(f.words for f in run.files if f.stream == name)
        for name in taken.modules
    }
    for name, told in taken.modules.items():
        sent, lost = told["words_written"], told["words_dropped"]
        checks.equal(
            f"{name}: words in the FIFO at the end", left=told["fifo_words"], none=0
        )
        checks.equal(
            f"{name}: words", sent=sent, read_and_lost=told["words_read"] + lost
        )
        checks.equal(f"{name}: words", read=told["words_read"], recorded=recorded[name])
        checks.hold(f"{name}: no word was lost", not is_lossy or lost > 0)
    accounted = (
        balance["words_decoded"] + balance["words_rejected"] + balance["words_leftover"]
    )
    checks.equal(
        "words of all modules",
        read=sum(told["words_read"] for told in taken.modules.values()),
        balance=balance["words_read"],
        recorded=balance["words_recorded"],
        decoded_rejected_or_left_over=accounted,
    )
    lost = sum(told["words_dropped"] for told in taken.modules.values())
    checks.equal("words lost", modules=lost, balance=balance["words_lost"])
    _compare_events(taken, checks)
    if is_lossy:
        _compare_losses(taken, checks, lost)
    else:
        checks.equal("state of the run", is_=run.state, expected="complete")
        checks.equal(
            "words lost or rejected", found=lost + balance["words_rejected"], expected=0
        )
        counted = sum(sum(told["output_counts"]) for told in taken.modules.values())
        checks.equal("events", sent=counted, decoded=balance["events_decoded"])
    return checks


def _compare_events(taken: Taken, checks: Checks) -> None:
    run, balance = taken.run, taken.run.balance
    layouts = dict(zip(taken.modules, map(_layout_of, MODULES), strict=True))
    again: Sums = {}
    for name, layout in layouts.items():
        again |= sums_of(decoded_again(run, name, layout))
    in_file = sums_of(written(run))
    checks.equal(
        "events",
        decoded=balance["events_decoded"],
        written=balance["events_written"],
        in_the_file=sum(found[0] for found in in_file.values()),
        in_the_raw_files=sum(found[0] for found in again.values()),
    )
    for key in sorted({*again, *in_file}):
        checks.equal(
            f"slot {key[0]} channel {key[1]}: events, sums of times, energies, samples",
            raw=again.get(key),
            file=in_file.get(key),
        )


def _compare_losses(taken: Taken, checks: Checks, lost: int) -> None:
    run = taken.run
    checks.equal("state of the run", is_=run.state, expected="incomplete")
    reason = f"{SOURCE}: the modules lost {lost} words before they could be read"
    checks.hold(f"no reason of the run is: {reason}", reason in run.reasons)
    # A loss cuts an event at its begin, and one at its end.
    cuts = 2 * sum(told["hw_overflows"] for told in taken.modules.values())
    longest = max(np.max(_event_words(events), initial=0) for events in written(run))
    checks.hold(
        f"{run.balance['words_rejected']} words were rejected, more than of {cuts} "
        f"events of {longest} words",
        run.balance["words_rejected"] <= cuts * longest,
    )


def _event_words(events: Events) -> Any:  # noqa: ANN401 - an array of whole numbers
    lengths = getattr(events, "trace_length", np.zeros(len(events), np.int64))
    return 4 + lengths // 2


def _layout_of(module: str) -> Layout:
    frequency, revision = module.partition(":")[2].split("/")
    return Layout.find(int(frequency), int(revision))


def table(taken: Taken) -> str:
    """Return the figures for people."""
    names = ("module", "MSPS", "MB/s", "sent", "lost", "events")
    lines = ["{:<8} {:>5} {:>8} {:>14} {:>12} {:>12}".format(*names)]
    for module, (name, told) in zip(MODULES, taken.modules.items(), strict=True):
        real = max(told["real_time_s"][0], 1e-9)
        rate = WORD_BYTES * told["words_written"] / real / MB
        lines.append(
            f"{name:<8} {_layout_of(module).frequency:>5} {rate:>8.2f} "
            f"{told['words_written']:>14,} {told['words_dropped']:>12,} "
            f"{sum(told['output_counts']):>12,}"
        )
    balance = taken.run.balance
    recorded = WORD_BYTES * balance["words_recorded"] / MB
    late = max(told["late_s"] for told in taken.modules.values())
    lines.append(
        f"{recorded:,.1f} MB and {balance['events_written']:,} events in "
        f"{taken.seconds:.1f} s, with what comes after the stop; the simulated clock "
        f"is {late:.1f} s late"
    )
    used = ", ".join(f"{name} {cores:.2f}" for name, cores in taken.cores.items())
    lines.append(f"cores: {used}, together {sum(taken.cores.values()):.2f}")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Return what was given on the command line."""
    parser = argparse.ArgumentParser(description="Look for each word of a long run.")
    parser.add_argument("--seconds", type=float, default=60, help="length of the run")
    parser.add_argument(
        "--megabytes-per-s", type=float, default=100, help="of all modules together"
    )
    parser.add_argument("--channels", type=int, default=16, help="of each module")
    parser.add_argument("--trace", type=int, default=100, help="samples of a trace")
    parser.add_argument(
        "--fifo-words", type=int, help="words of each FIFO, so few that some are lost"
    )
    parser.add_argument(
        "--runs", type=Path, help="directory of the runs; else they are deleted"
    )
    return parser.parse_args()


def campaign(arguments: argparse.Namespace, runs: Path) -> int:
    """Take the run, print what was found, and return the exit code."""
    is_lossy = arguments.fifo_words is not None
    options: dict[str, Any] = {
        "modules": list(MODULES),
        "mode": "fast",
        "channels": arguments.channels,
        "trace_samples": arguments.trace,
    }
    options["rate_hz"] = decays_for(arguments.megabytes_per_s * MB, options)
    if is_lossy:
        options["fifo_words"] = arguments.fifo_words
    taken = take(arguments, runs, options)
    print(table(taken))
    print(f"{taken.run.path}: {taken.run.state}; {taken.error or 'no error'}")
    checks = compare(taken, is_lossy=is_lossy)
    for text in checks.failed:
        print(f"MISSING: {text}", file=sys.stderr)
    if checks.failed:
        return 1
    print("every lost word was counted" if is_lossy else "not one word is missing")
    return 0


def main() -> int:
    """Take the run where it was asked for, or where it is deleted in the end."""
    arguments = parse_arguments()
    if arguments.runs is not None:
        return campaign(arguments, arguments.runs)
    with tempfile.TemporaryDirectory(prefix="pixie-pipe-") as directory:
        return campaign(arguments, Path(directory))


# Tasks are processes of their own, which import this file: they must not begin anew.
if __name__ == "__main__":
    sys.exit(main())
