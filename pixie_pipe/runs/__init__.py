"""Runs as they are looked at afterwards: `open_run`, and everything of a run."""

from __future__ import annotations

from pixie_pipe.runs.errors import RunContentError, RunNotFoundError
from pixie_pipe.runs.finding import find_run
from pixie_pipe.runs.run import Run, open_run

__all__ = [
    "Run",
    "RunContentError",
    "RunNotFoundError",
    "find_run",
    "open_run",
]


def __dir__() -> list[str]:
    return __all__
