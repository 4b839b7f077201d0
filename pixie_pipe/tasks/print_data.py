"""Print what passes, now and then."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from pixie_pipe._units import format_count
from pixie_pipe.events import Events
from pixie_pipe.pipeline.data import Chunk, Kind, Rejected, StreamMark, Words
from pixie_pipe.pipeline.declarations import Category, Role, port
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

_MOST_CHARACTERS = 200
_MOST_VALUES = 6


class PrintData(Task):
    """Prints a line about one datum every now and then, whatever its kind."""

    reads = tuple(port(kind, optional=True) for kind in Kind)
    writes = ()
    category = Category.MONITOR
    role = Role.OPTIONAL
    label = "Print a line about the data now and then"
    parameters: ClassVar = {
        "period_s": Parameter(1.0, "time between two lines", unit="s", min=0),
    }

    def do_start(self) -> None:
        """Begin to count; the first datum is printed."""
        self._next = time.monotonic()
        self.statistics["data"] = 0

    def do_work(self, datum: Any) -> None:  # noqa: ANN401 - any kind of data
        """Print a datum if it is time."""
        self.statistics["data"] += 1
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self.config.period_s
            self.print(f"{self.statistics['data']}: {summary(datum)}")


def summary(datum: object) -> str:
    """Return one line about a datum of any kind."""
    if isinstance(datum, Events):
        return _of_events(datum)
    if isinstance(datum, (Words, Chunk, Rejected, StreamMark)):
        return _of_stream(datum)
    if isinstance(datum, np.ndarray):
        return _of_array(datum)
    text = repr(datum)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _of_stream(datum: Words | Chunk | Rejected | StreamMark) -> str:
    stream = datum.stream
    if isinstance(datum, StreamMark):
        return f"{stream} {'ends' if datum.ended else 'begins'}"
    if isinstance(datum, Rejected):
        count = int(datum.rows["word_count"].sum())
        first = int(datum.rows["word_offset"][0])
        return (
            f"{format_count(count)} rejected words of {stream}, from word "
            f"{format_count(first)} on"
        )
    what, count = "", datum.words.size
    if isinstance(datum, Chunk):
        what, count = "chunk of ", count - datum.look_ahead
    end = ", the last" if datum.final else ""
    return (
        f"{what}{format_count(count)} words of {stream}, from word "
        f"{format_count(datum.offset)} on{end}"
    )


def _of_events(events: Events) -> str:
    parts = [f"{format_count(len(events))} events"]
    if not events:
        return parts[0]
    names = events.columns
    if {"crate", "slot", "channel"} <= {*names}:
        parts.append(f"{len(events.channels())} channels")
    if "time_ps" in names:
        first, last = int(events.time_ps.min()), int(events.time_ps.max())
        parts.append(f"{first / 1e12:.6f} to {last / 1e12:.6f} s")
    if "energy" in names:
        parts.append(f"mean energy {events.energy.mean():.0f}")
    return ", ".join(parts)


def _of_array(array: np.ndarray[Any, Any]) -> str:
    values = ", ".join(str(value) for value in array.reshape(-1)[:_MOST_VALUES])
    more = ", ..." if array.size > _MOST_VALUES else ""
    return f"array of {array.dtype}, shape {array.shape}: [{values}{more}]"
