"""A whole pipeline, from raw files to sorted events on the disk, or in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixie_pipe.bench.bare import run_bare
from pixie_pipe.bench.chain import (
    TO_HDF5,
    TO_SORTED,
    Measured,
    in_one_process,
    of_file,
    run_chain,
)
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


@dataclass(frozen=True)
class Arrangement:
    """Tasks, and which of them share a process.

    Attributes
    ----------
    name
        For the table.
    tasks
        Names of classes, in order.
    process
        The process of those that share one, as a parameter.
    """

    name: str
    tasks: tuple[str, ...]
    process: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


ARRANGEMENTS: Final = (
    Arrangement("each a process", TO_HDF5),
    Arrangement("two processes", TO_HDF5, in_one_process(TO_SORTED)),
    Arrangement(
        "two and a tap",
        (*TO_SORTED, "FillHistograms", "WriteEvents"),
        in_one_process(TO_SORTED),
    ),
    Arrangement(
        "two, coincidences and a tap",
        (*TO_SORTED, "BuildCoincidences", "FillHistograms", "WriteEvents"),
        in_one_process((*TO_SORTED, "BuildCoincidences")),
    ),
    Arrangement(
        "two, coincidences and histograms",
        (*TO_SORTED, "BuildCoincidences", "FillHistograms", "WriteEvents"),
        {
            **in_one_process((*TO_SORTED, "BuildCoincidences", "FillHistograms")),
            "FillHistograms": {"process": "together", "role": "essential"},
        },
    ),
)


def measure(settings: Settings) -> Section:
    """Measure the pipeline that ends with an HDF5 file."""
    return Section(
        "Replaying to HDF5",
        f"{', '.join(TO_HDF5)}: each a process; or two, of which one is all up to the "
        "sorted events; or those with FillHistograms as a tap, in a third process, and "
        "with BuildCoincidences in that of the sorter; or with both in that of the "
        "sorter. The "
        "raw file is in the page cache, the clock runs from `start` until the file and "
        "the record of the run are on the disk. The bare loop does the same with the "
        "same kernels and writer in one process with two threads, in the same round. "
        "GB are those of raw words.",
        measure_chains(settings, ARRANGEMENTS, writes=True),
    )


def measure_chains(
    settings: Settings, arrangements: Sequence[Arrangement], *, writes: bool
) -> tuple[Table, ...]:
    """Measure chains of tasks beside the bare loop.

    Returns
    -------
    tuple of Table
        Speeds, and the CPU time of each process, one table for each arrangement.
    """
    speeds: dict[str, dict[str, Figure]] = {}
    shares: dict[str, dict[str, dict[str, Figure]]] = {}
    for case in cases(settings):
        raw = settings.directory / "raw.bin"
        output = settings.directory / "bare.h5" if writes else None
        size, runs, bare = _rounds(case, raw, output, arrangements, settings)
        for arrangement in arrangements:
            measured = runs[arrangement.name]
            seconds = [run.seconds for run in measured]
            row = {
                "M events/s": figure([case.events / one / MILLION for one in seconds]),
                "GB/s": figure([size / one / GIGA for one in seconds]),
                "ratio to a bare loop": ratio(bare, seconds),
            }
            if settings.peers and writes and arrangement is arrangements[1]:
                row["times pypixie16"] = _beside_peer(case, raw, seconds)
            speeds[f"{case.name}, {arrangement.name}"] = row
            table = shares.setdefault(arrangement.name, {})
            for process, figures in _cpu_per_gb(measured, size).items():
                table.setdefault(process, {})[f"{case.name}, CPU s/GB"] = figures
        raw.unlink()
    return (
        Table("events", speeds),
        *(Table(f"process, if {name}", rows) for name, rows in shares.items()),
    )


def _rounds(
    case: Case,
    raw: Path,
    output: Path | None,
    arrangements: Sequence[Arrangement],
    settings: Settings,
) -> tuple[int, dict[str, list[Measured]], list[float]]:
    """Return bytes of the raw file, runs by arrangement, and times of the bare loop."""

    def run(arrangement: Arrangement) -> Measured:
        found = of_file(raw)
        parameters = {
            name: {**found.get(name, {}), **arrangement.process.get(name, {})}
            for name in arrangement.tasks
        }
        return run_chain(arrangement.tasks, parameters, settings.directory)

    # Once for nothing: processes and kernels are loaded.
    case.write(raw, 1000)
    for arrangement in arrangements:
        run(arrangement)
    size = case.write(raw, case.events)
    runs: dict[str, list[Measured]] = {one.name: [] for one in arrangements}
    bare = []
    for _ in range(settings.rounds):
        for arrangement in arrangements:
            read_through(raw)
            runs[arrangement.name].append(run(arrangement))
        read_through(raw)
        bare.append(timed(functools.partial(run_bare, raw, output)))
        if output is not None:
            output.unlink()
    return size, runs, bare


def _cpu_per_gb(runs: Sequence[Measured], size: int) -> dict[str, Figure]:
    """Return the CPU seconds of each process, and their sum, for a GB of raw words."""
    rows = {
        process: figure([run.cpu[process] / (size / GIGA) for run in runs])
        for process in runs[0].cpu
    }
    sums = [sum(run.cpu.values()) / (size / GIGA) for run in runs]
    return rows | {"sum": figure(sums)}


def _beside_peer(case: Case, raw: Path, seconds: Sequence[float]) -> Figure:
    """Return how many times as many events as pypixie16 in a second."""
    case.write(raw, case.peer_events)
    theirs = case.peer_events / peer_pipeline(raw)
    return figure([case.events / one / theirs for one in seconds])
