"""A whole pipeline, from raw files to sorted events on the disk, or in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixie_pipe.bench.bare import run_bare
from pixie_pipe.bench.chain import TO_HDF5, Measured, of_file, run_chain
from pixie_pipe.bench.data import SAMPLES, read_through, write_headers, write_traces
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import GIGA, MILLION, timed
from pixie_pipe.bench.peers import peer_pipeline

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_EVENTS: Final = 30_000_000
_TRACES: Final = 1_000_000
_PEER_EVENTS: Final = 200_000
_PEER_TRACES: Final = 40_000


@dataclass(frozen=True)
class Case:
    """A kind of events."""

    name: str
    write: Callable[[Path, int], int]
    events: int
    peer_events: int


def cases(settings: Settings) -> Iterator[Case]:
    """Return the kinds of events."""
    yield Case("header only", write_headers, settings.events(_EVENTS), _PEER_EVENTS)
    yield Case(
        f"{SAMPLES}-sample traces",
        write_traces,
        settings.events(_TRACES),
        _PEER_TRACES,
    )


def measure(settings: Settings) -> Section:
    """Measure the pipeline that ends with an HDF5 file."""
    tables = measure_chain(settings, TO_HDF5, writes=True)
    return Section(
        "Replaying to HDF5",
        f"{', '.join(TO_HDF5)}, each a process; the raw file is in the page cache, the "
        "clock runs from `start` until the file and the record of the run are on the "
        "disk. The bare loop does the same with the same kernels and writer in one "
        "process with two threads, in the same round. GB are those of raw words.",
        tables,
    )


def measure_chain(
    settings: Settings, tasks: Sequence[str], *, writes: bool
) -> tuple[Table, Table]:
    """Measure a chain of tasks beside the bare loop; return speeds and CPU times."""
    speeds: dict[str, dict[str, Figure]] = {}
    shares: dict[str, dict[str, Figure]] = {}
    for case in cases(settings):
        raw = settings.directory / "raw.bin"
        output = settings.directory / "bare.h5" if writes else None
        # Once for nothing: processes and kernels are loaded.
        case.write(raw, 1000)
        run_chain(tasks, of_file(raw), settings.directory)
        size = case.write(raw, case.events)
        runs: list[Measured] = []
        bare = []
        for _ in range(settings.rounds):
            read_through(raw)
            runs.append(run_chain(tasks, of_file(raw), settings.directory))
            read_through(raw)
            bare.append(timed(functools.partial(run_bare, raw, output)))
            if output is not None:
                output.unlink()
        seconds = [run.seconds for run in runs]
        row = {
            "M events/s": figure([case.events / one / MILLION for one in seconds]),
            "GB/s": figure([size / one / GIGA for one in seconds]),
            "ratio to a bare loop": ratio(bare, seconds),
        }
        if settings.peers and writes:
            row["times pypixie16"] = _beside_peer(case, raw, seconds)
        raw.unlink()
        speeds[case.name] = row
        for task in (*tasks, "sum"):
            per_gb = [
                (sum(run.cpu.values()) if task == "sum" else run.cpu[task])
                / (size / GIGA)
                for run in runs
            ]
            shares.setdefault(task, {})[f"{case.name}, CPU s/GB"] = figure(per_gb)
    return Table("events", speeds), Table("process", shares)


def _beside_peer(case: Case, raw: Path, seconds: Sequence[float]) -> Figure:
    """Return how many times as many events as pypixie16 in a second."""
    case.write(raw, case.peer_events)
    theirs = case.peer_events / peer_pipeline(raw)
    return figure([case.events / one / theirs for one in seconds])
