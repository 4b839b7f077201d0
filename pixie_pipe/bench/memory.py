"""Peak memory of each process, of an input and of one ten times as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pixie_pipe.bench.chain import TO_HDF5, of_file, run_chain
from pixie_pipe.bench.figures import Figure, Section, Table, figure, ratio
from pixie_pipe.bench.measuring import MILLION
from pixie_pipe.bench.replay import cases

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_PART: Final = 3
"""The shorter input has this part of the events of a replay."""

_MOST_ROUNDS: Final = 3


def measure(settings: Settings) -> Section:
    """Measure header-only events and traces."""
    rows: dict[str, dict[str, Figure]] = {}
    for case in cases(settings):
        raw = settings.directory / "raw.bin"
        events = max(1, case.events // _PART)
        peaks = []
        for factor in (1, 10):
            case.write(raw, events * factor)
            runs = [
                run_chain(TO_HDF5, of_file(raw), settings.directory)
                for _ in range(min(settings.rounds, _MOST_ROUNDS))
            ]
            peaks.append(
                {task: [run.peaks[task] / MILLION for run in runs] for task in TO_HDF5}
            )
        raw.unlink()
        short, long = peaks
        for task in TO_HDF5:
            rows[f"{case.name}, {task}"] = {
                "MB": figure(short[task]),
                "10 times as much, MB": figure(long[task]),
                "ratio": ratio(long[task], short[task]),
            }
    return Section(
        "Memory",
        "Peak of the resident memory of each process of a replay to HDF5, with what it "
        "shares with others.",
        (Table("process", rows),),
    )
