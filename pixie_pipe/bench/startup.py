"""How long it takes until one can work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pixie_pipe.bench.figures import Section, Table, figure
from pixie_pipe.bench.measuring import run_python, timed
from pixie_pipe.pipeline import Pipeline

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_SIX: Final = (
    "DummyData",
    "GatherData",
    "ConvertToEvents",
    "SortEvents",
    "GatherEvents",
    "FillHistograms",
)
_IMPORT: Final = (
    "from time import perf_counter as now; begin = now(); import pixie_pipe; "
    "print(now() - begin)"
)
_FIRST: Final = "from pixie_pipe.bench.startup import ready; print(ready())"


def measure(settings: Settings) -> Section:
    """Measure importing, the command line, and pipelines."""
    rounds = range(settings.rounds)
    ready()
    rows = {
        "import pixie_pipe": [_told(_IMPORT) for _ in rounds],
        "pixie-pipe --help, whole process": [
            timed(lambda: run_python("-m", "pixie_pipe", "--help")) for _ in rounds
        ],
        "pipeline of six tasks": [ready() for _ in rounds],
        "the same, first one of a program": [_told(_FIRST) for _ in rounds],
    }
    return Section(
        "Starting",
        "Importing is the time of that statement in a new interpreter. A pipeline is "
        "ready when `start` returns, counted from before `Pipeline()`; compiled "
        "kernels are in the cache.",
        (Table("what", {name: {"s": figure(one)} for name, one in rows.items()}),),
    )


def ready() -> float:
    """Start a pipeline of six tasks; return how long it took."""
    begin = time.perf_counter()
    with Pipeline() as pipe:
        for name in _SIX:
            pipe.create_task(name)
        pipe.start()
        seconds = time.perf_counter() - begin
        pipe.stop()
    return seconds


def _told(program: str) -> float:
    """Return the seconds that a program prints."""
    return float(run_python("-c", program))
