"""Bring the events of all modules into one order in time."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.data import Kind, StreamMark
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks._sorting import StreamWatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pixie_pipe.events import Events
    from pixie_pipe.kernels.time_offsets import TimeOffsets

_MB = 1_000_000
_PS_PER_US = 1_000_000
_PS_PER_S = 10**12

# Larger than any time: in a replay, whoever is silent is slow, not idle.
_FOREVER_PS = 1 << 80

# Low rates must show up within a second.
_FLUSH_SECONDS = 0.3

# Later than any disorder: rather a clock that began anew.
_RESET_PS = 100_000_000_000


class LateDataError(PixiePipeError, RuntimeError):
    """Events came too late for the order in time, and that is an error."""


class SortEvents(Task):
    """Merges the events of all modules by their time.

    In a replay it waits for each module until its stream ends. In live data, a module
    that has sent nothing for `max_wait_s` is not waited for; what it sends later than
    others were passed on is late: marked in the column ``late``, dropped, or an error,
    which ends the run.

    Offsets are added to the times first, those of the module and of the channel, and
    of the file and of the parameter. The window grows by what they can add to the
    disorder. The statistics have them in ps, as ``offsets_ps``.
    """

    reads = (
        port(Kind.EVENTS, ("crate", "slot", "time_ps"), optional_columns=("channel",)),
        port(Kind.MARKS, optional=True),
    )
    writes = (port(Kind.EVENTS, optional_columns=("late",)), port(Kind.MARKS))
    category = Category.TRANSFORM
    label = "Sort the events of all modules by time"
    conserves_events = True
    parameters: ClassVar = {
        "window_us": Parameter(
            100.0,
            "how much earlier than the latest event of its module an event can be",
            unit="us",
            min=0,
            max=1e12,
        ),
        "max_wait_s": Parameter(
            10.0,
            "how far behind the others a module may be before it counts as idle, in "
            "live data",
            unit="s",
            min=0,
            max=1e6,
        ),
        "max_mb": Parameter(
            512.0,
            "memory for events that wait; the oldest are passed on if it is full",
            unit="MB",
            min=0.001,
        ),
        "late": Parameter(
            "flag", "what to do with late events", choices=("flag", "drop", "error")
        ),
        "offsets_ns": Parameter(
            {}, "what is added to the times, by crate/slot and by crate/slot/channel",
            unit="ns",
        ),
        "offsets_file": Parameter(
            None, "YAML or JSON file with more of them, under the key offsets_ns",
            type=str,
        ),
        "rows": Parameter(32_768, "events of a batch, at least", min=1),
        "batch_mb": Parameter(
            8.0, "size of a batch, about; batches of low rates are smaller",
            unit="MB", min=0.001, max=64,
        ),
    }  # fmt: skip

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Look whether the offsets can be read."""
        if config.keys() & {"offsets_ns", "offsets_file"}:
            self._read_offsets()

    def _read_offsets(self) -> TimeOffsets:
        from pixie_pipe.config.time_offsets import load_offsets
        from pixie_pipe.kernels.time_offsets import TimeOffsetError, TimeOffsets

        try:
            offsets = TimeOffsets.from_ns(self.config.offsets_ns)
        except TimeOffsetError as error:
            raise ParameterError(f"{self.name}.offsets_ns: {error}") from error
        path = self.config.offsets_file
        if path is None:
            return offsets
        try:
            return TimeOffsets.from_ns(load_offsets(path)) + offsets
        except TimeOffsetError as error:
            raise ParameterError(f"{path}: {error}") from error

    def do_start(self) -> None:
        """Begin with an empty sorter."""
        from pixie_pipe.kernels.time_sorter import TimeSorter

        config = self.config
        self._offsets = self._read_offsets()
        if self._offsets:
            self.statistics["offsets_ps"] = self._offsets.to_dict()
        self._sorter = TimeSorter(
            round(config.window_us * _PS_PER_US) + self._offsets.disorder_ps,
            max_wait_ps=(
                round(config.max_wait_s * _PS_PER_S) if self.is_live else _FOREVER_PS
            ),
            max_bytes=int(config.max_mb * _MB),
            late=config.late,
            min_rows=config.rows,
        )
        self._watch = StreamWatch(self._sorter)
        self._waiting_bytes = 0
        self._batch_bytes = int(config.batch_mb * _MB)
        self._last_sent = time.monotonic()
        self.ledger["events_dropped"] = 0
        self._count()

    def do_work(self, datum: Events | StreamMark) -> None:
        """Take a batch; send what is safe by now, if it is enough."""
        if isinstance(datum, StreamMark):
            self._take_mark(datum)
            return
        key = (self.origin.source, self.origin.stream) if self.origin else ("", 0)
        events = self._add(datum, self._watch.number(key))
        if self._watch.wants_modules(key):
            from pixie_pipe.storage.probing import modules_of

            self._watch.see(key, modules_of(datum))
        self._waiting_bytes += datum.nbytes
        if events is None and self._waiting_bytes >= self._batch_bytes:
            # Few events, but large ones.
            events = self._sorter.flush()
        self._send(events)

    def _add(self, events: Events, stream: int) -> Events | None:
        from pixie_pipe.kernels.time_sorter import LateEventsError

        try:
            return self._sorter.add(self._offsets.shift(events), stream=stream)
        except LateEventsError as error:
            raise LateDataError(f"{error}; {self._advice()}") from error

    def _advice(self) -> str:
        """Say what can be done about late events."""
        ways = [f"make window_us larger (now {self.config.window_us:g} us)"]
        if self.is_live:
            ways.append(
                f"wait longer for idle modules (max_wait_s, now "
                f"{self.config.max_wait_s:g} s)"
            )
        latest = self._sorter.latest_late
        if latest and latest[1] > _RESET_PS:
            ways.append(
                "put the task AssignWallTime before this one, if the data are of "
                "several runs: their clocks begin anew"
            )
        if self._sorter.forced:
            ways.append(f"allow more memory (max_mb, now {self.config.max_mb:g} MB)")
        return f"{', or '.join(ways)}; `late` says what becomes of late events"

    def _take_mark(self, mark: StreamMark) -> None:
        if mark.ended:
            # Sent on when all events of the stream have been, at the end.
            self._watch.end(mark)
            self._send(self._sorter.flush())
        else:
            self._watch.begin(mark.stream)
            self.send(mark)

    def do_wait(self) -> None:
        """Send what is safe, so that live data of low rates do not wait long."""
        if self.status is not Status.RUNNING or not self.is_live:
            return
        if time.monotonic() - self._last_sent >= _FLUSH_SECONDS:
            self._send(self._sorter.flush())

    def do_stop(self) -> None:
        """Send all that is left."""
        self._send(self._sorter.finish())
        told = {"offsets_ps": self._offsets.to_dict()} if self._offsets else {}
        for mark in self._watch.marks():
            self.send(dataclasses.replace(mark, times={**mark.times, **told}))

    def _send(self, events: Events | None) -> None:
        if events is not None:
            self._waiting_bytes = 0
            self._last_sent = time.monotonic()
            # They are of several streams, not of the one that was worked on last.
            origin, self.origin = self.origin, None
            for piece in pieces(events, self._batch_bytes):
                self.send(piece)
            self.origin = origin
        self._count()

    def _count(self) -> None:
        sorter = self._sorter
        if sorter.forced and not self.statistics.get("forced"):
            self.print(
                f"{self.name}: more than max_mb = {self.config.max_mb:g} MB of events "
                f"wait for a module, the oldest are passed on: events that it still "
                f"sends may be late"
            )
        if sorter.latest_late:
            (crate, slot), late_ps = sorter.latest_late
            if not self.statistics.get("late") and self.config.late != "error":
                self.print(
                    f"{self.name}: the first late events: one of module {crate}/{slot} "
                    f"came {late_ps / _PS_PER_US:.6g} us too late; {self._advice()}"
                )
            self.statistics["most_late_us"] = late_ps / _PS_PER_US
        self.ledger["events_dropped"] = sorter.dropped_count
        self.statistics |= {
            "late": sorter.late_count,
            "forced": sorter.forced,
            "held_events": sorter.held_events,
            "held_mb": round(sorter.held_bytes / _MB, 1),
        }


def pieces(events: Events, nbytes: int) -> Iterator[Events]:
    """Part a batch into pieces of no more than about `nbytes`, at least one event."""
    count = len(events)
    parts = max(1, -(-events.nbytes // nbytes))
    rows = max(1, -(-count // parts))
    for first in range(0, count, rows):
        yield events[first : first + rows]
