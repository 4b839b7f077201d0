"""Lines of tasks that are slow enough for one of them to be killed in the middle."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

from pixie_pipe.pipeline import Category, Kind, Parameter, Pipeline, Task, port

CHAIN = ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents")


class Brake(Task):
    """Holds all tasks before it, since their windows are small.

    It takes its time for each batch, or waits until there is a file.
    """

    reads = (port(Kind.EVENTS),)
    writes = ()
    category = Category.SINK
    parameters = {
        "seconds": Parameter(0.0, "time for each batch", unit="s", min=0),
        "gate": Parameter("", "file to wait for"),
    }

    def do_work(self, datum):
        until = time.monotonic() + self.config.seconds
        while time.monotonic() < until or self._is_shut:
            self.poll(0.01)

    @property
    def _is_shut(self):
        return self.config.gate and not Path(self.config.gate).exists()


def make_chain(
    pipeline: Pipeline, source: str, brake: dict[str, Any], **parameters: Any
) -> None:
    """Give a pipeline the usual line, with a tap and a brake behind sorting."""
    small: dict[str, dict[str, Any]] = {
        "GatherData": {"chunk_mb": 0.016},
        "SortEvents": {"rows": 1000},
    }
    pipeline.create_task(source, frame_kb=16, **parameters)
    for name in CHAIN:
        pipeline.create_task(name, **small.get(name, {}))
    pipeline.create_task(
        "FillHistograms",
        after="SortEvents",
        snapshot_s=0.1,
        histograms=[{"kind": "spectrum", "name": "energy"}, {"kind": "rate"}],
    )
    pipeline.create_task("Brake", **brake)
    line = [source, *CHAIN]
    for producer, consumer in [*itertools.pairwise(line), ("SortEvents", "Brake")]:
        pipeline.link(producer, consumer, window_bytes=60_000)


def size_of_raw(directory: Path) -> int:
    """Return how many bytes are in the raw files of the first run."""
    return sum(path.stat().st_size for path in directory.glob("0001/raw/*.bin"))


class GivesUp(Task):
    """Tells at the end that something is missing."""

    def do_work(self, datum):
        return datum

    def do_stop(self):
        self.give_up("half of it is missing")
