"""pypixie16, the package that users have today."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from pixie_pipe.errors import PixiePipeError

_NAME = "pixie16"


class PeerError(PixiePipeError, RuntimeError):
    """A package to compare with is not there, or failed."""


def require_peer() -> None:
    """Raise an error if pypixie16 is not installed.

    Raises
    ------
    PeerError
        If it is not.
    """
    if importlib.util.find_spec(_NAME) is None:
        raise PeerError(
            "pypixie16 is not installed: pip install pypixie16, or leave out --peers"
        )


def peer_pipeline(raw: Path) -> float:
    """Run pypixie16's own pipeline on a raw file: reading, sorting, gathering.

    Parameters
    ----------
    raw
        A file of events of one module.

    Returns
    -------
    float
        Seconds from the start to the end of its processes.

    Raises
    ------
    PeerError
        If it is not installed.
    """
    pipeline, tasks = _load("pipeline"), _load("tasks")
    line: Any = pipeline.Pipeline(
        [
            tasks.LoadFiles([raw]),
            tasks.SortEvents(start_time=0.0),
            tasks.GatherEvents(),
        ],
        verbose=False,
    )
    start = time.perf_counter()
    line.start()
    line.wait()
    seconds = time.perf_counter() - start
    line.close()
    return seconds


def peer_reader(raw: Path) -> Callable[[], object]:
    """Return work that reads a raw file with pypixie16, as a list of events.

    Raises
    ------
    PeerError
        If it is not installed.
    """
    reader = _load("read.list_mode.list_mode_data_reader")
    return lambda: reader.read_list_mode_data_as_events([raw])


def _load(name: str) -> ModuleType:
    """Import a module of pypixie16 without its package, which needs Qt and libGL."""
    if _NAME not in sys.modules:
        require_peer()
        found = importlib.util.find_spec(_NAME)
        assert found is not None
        package = ModuleType(_NAME)
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules[_NAME] = package
    return importlib.import_module(f"{_NAME}.{name}")
