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
_FIRST: Final = "from pixie_pipe.bench.startup import ready; print(ready())"


def measure(settings: Settings) -> Section:
    """Measure importing, the command line, and pipelines."""
    rounds = range(settings.rounds)
    bare = [_program("-c", "pass") for _ in rounds]
    ready()
    rows = {
        "import pixie_pipe": [
            _program("-c", "import pixie_pipe") - one for one in bare
        ],
        "pixie-pipe --help, whole process": [
            _program("-m", "pixie_pipe", "--help") for _ in rounds
        ],
        "pipeline of six tasks": [ready() for _ in rounds],
        "the same, first one of a program": [_first() for _ in rounds],
    }
    return Section(
        "Starting",
        "Importing is the time above that of an interpreter that does nothing. A "
        "pipeline is ready when `start` returns, counted from before `Pipeline()`; "
        "compiled kernels are in the cache.",
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


def _program(*arguments: str) -> float:
    return timed(lambda: run_python(*arguments))


def _first() -> float:
    return float(run_python("-c", _FIRST))
