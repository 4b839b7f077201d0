"""Runs as they are looked at afterwards: `open_run`, and everything of a run."""

from __future__ import annotations

from pixie_pipe.runs.errors import RunContentError, RunNotFoundError
from pixie_pipe.runs.finding import find_run
from pixie_pipe.runs.histograms import Spectra, Spectrum, read_spectra
from pixie_pipe.runs.run import Run, open_run

__all__ = [
    "Run",
    "RunContentError",
    "RunNotFoundError",
    "Spectra",
    "Spectrum",
    "find_run",
    "open_run",
    "read_spectra",
]


def __dir__() -> list[str]:
    return __all__
