"""Benchmarks that anybody can run: ``pixie-pipe bench``.

Each is a module with a function ``measure``. Times are compared with a memcpy, with a
bare loop of the same kernels, or with another package, in the same round: such a ratio
says more than a number of one machine.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from pixie_pipe.bench.report import Report
    from pixie_pipe.bench.settings import Settings

BENCHMARKS: Final = {
    "cores": "cores",
    "decode": "decode",
    "read": "reading",
    "sort": "sort",
    "build": "build",
    "histogram": "histogram",
    "traces": "traces",
    "write": "write",
    "convert": "converting",
    "stream": "stream",
    "replay": "replay",
    "hop": "hop",
    "latency": "latency",
    "startup": "startup",
    "memory": "memory",
    "scale": "scale",
    "live": "live",
}
"""Modules by name of the benchmark, in the order in which they are run."""


class UnknownBenchmarkError(PixiePipeError, ValueError):
    """A benchmark that does not exist."""


def run(
    names: Sequence[str],
    settings: Settings,
    *,
    command: str,
    on_begin: Callable[[str], object] | None = None,
) -> Report:
    """Run benchmarks.

    Parameters
    ----------
    names
        Names of benchmarks; none means all.
    settings
        How thoroughly.
    command
        What the user typed, for the report.
    on_begin
        Called with the name of each benchmark before it begins.

    Returns
    -------
    Report
        The figures.

    Raises
    ------
    UnknownBenchmarkError
        If there is none of a name.
    PeerError
        If packages to compare with are asked for and not installed.
    """
    from pixie_pipe.bench.machine import description
    from pixie_pipe.bench.peers import require_peer
    from pixie_pipe.bench.report import Report

    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise UnknownBenchmarkError(
            f"there is no benchmark {', '.join(map(repr, unknown))}, expected "
            f"{', '.join(BENCHMARKS)}"
        )
    if settings.peers:
        require_peer()
    sections = {}
    for name, module in BENCHMARKS.items():
        if names and name not in names:
            continue
        if on_begin is not None:
            on_begin(name)
        start = time.perf_counter()
        section = import_module(f"pixie_pipe.bench.{module}").measure(settings)
        sections[name] = dataclasses.replace(
            section, seconds=time.perf_counter() - start
        )
    return Report(description(command), sections)
