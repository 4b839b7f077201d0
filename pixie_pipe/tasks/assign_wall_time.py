"""Make the times of several runs continuous, and add times of the wall clock."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pixie_pipe.pipeline.data import Kind, StreamKey, StreamMark
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.preparing import Preparation
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks._clock_starts import (
    Batch,
    ClockStarts,
    GapStarts,
    GivenStarts,
    HostStarts,
)
from pixie_pipe.tasks._module_segments import ModuleSegments

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.pipeline.data import Origin
    from pixie_pipe.timing import Placed

_MB = 1_000_000
_NS_PER_S = 1_000_000_000
_PS_PER_S = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Events, or the end of a stream behind them."""

    key: StreamKey
    events: Events | None = None
    placed: Placed | None = None
    batch: Batch | None = None
    origin: Origin | None = None
    mark: StreamMark | None = None

    @property
    def nbytes(self) -> int:
        """Size of the events."""
        return 0 if self.events is None else self.events.nbytes


class AssignWallTime(Task):
    """Finds where clocks began anew, makes times continuous, and adds ``wall_time_ns``.

    Behind ConvertToEvents and before SortEvents. ``time_ps`` becomes the time since the
    first start. The starts are those of the runs as the host's clock told them when
    they were taken (mode host), times that are given (starts), or estimated: the
    latest time of all modules in a run and a gap (gap; starts that are given count
    first).

    The statistics are ``clock`` (for each stream the starts that were used, in ns since
    1970-01-01 UTC, and the modules with their segments), ``stray_events`` (events that
    jump back but show no reset) and, in mode gap, ``held_mb`` and ``forced``.
    """

    reads = (
        port(Kind.EVENTS, ("crate", "slot", "time_ps")),
        port(Kind.MARKS, optional=True),
    )
    writes = (port(Kind.EVENTS, ("wall_time_ns",)), port(Kind.MARKS))
    category = Category.TRANSFORM
    label = "Give the events of one or more runs times of the wall clock"
    conserves_events = True
    parameters: ClassVar = {
        "mode": Parameter(
            "host", "how the starts of runs are known",
            choices=("host", "starts", "gap"),
        ),
        "starts": Parameter(
            [], "when the runs began: ISO 8601 with the offset from UTC, or whole ns "
            "since 1970-01-01 UTC",
        ),
        "gap_s": Parameter(
            30.0, "in mode gap, from the last event of a run to the next start",
            unit="s", min=0, max=9e6,
        ),
        "jump_s": Parameter(
            0.1, "a reset is a jump back by more than this; events of a module are out "
            "of order by less",
            unit="s", min=1e-6, max=1e6,
        ),
        "near_zero_s": Parameter(
            60.0, "and to a time below this: each module sends its first event sooner",
            unit="s", min=1e-6, max=1e6,
        ),
        "max_mb": Parameter(
            512.0, "in mode gap, memory for events that wait for the other modules",
            unit="MB", min=0.001,
        ),
    }  # fmt: skip

    @classmethod
    def preparations(cls, _parameters: Mapping[str, Any]) -> Sequence[Preparation]:
        """Have the kernels compiled."""
        from pixie_pipe.tasks import warm_up_times

        told = "what gives wall times is compiled, once for each installation"
        return (Preparation("times", warm_up_times, told),)

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Look whether the starts can be read."""
        if "starts" in config:
            self._given()

    def _given(self) -> list[int]:
        from pixie_pipe.timing import TimingError, parse_time_ns

        try:
            return [parse_time_ns(start) for start in self.config.starts]
        except TimingError as error:
            raise ParameterError(f"{self.name}.starts: {error}") from error

    def do_start(self) -> None:
        """Begin with no clock followed."""
        from pixie_pipe.timing import ClockResets, ResetRule

        config = self.config
        rule = ResetRule(
            jump_ps=round(config.jump_s * _PS_PER_S),
            near_zero_ps=round(config.near_zero_s * _PS_PER_S),
        )
        self._clocks = ClockResets(rule)
        self._segments = ModuleSegments(self._clocks)
        self._starts = self._new_starts()
        self._wraps: dict[StreamKey, int] = {}
        self._names: dict[StreamKey, str] = {}
        self._waiting: deque[_Waiting] = deque()
        self._held_bytes = self._forced = 0
        self._marked: set[StreamKey] = set()
        self.ledger["events_dropped"] = 0
        self.statistics |= {"clock": {}, "stray_events": 0}

    def _new_starts(self) -> ClockStarts:
        config, given = self.config, self._given()
        if config.mode == "host":
            return HostStarts(is_live=self.is_live)
        if config.mode == "gap":
            gap_ns = round(config.gap_s * _NS_PER_S)
            segments = self._segments
            return GapStarts(gap_ns, given, segments.are_past, segments.span_ps)
        if not given:
            raise ParameterError(
                f"{self.name}.mode is 'starts', but no starts are given; set "
                f"{self.name}.starts, or another mode"
            )
        return GivenStarts(given)

    def do_work(self, datum: Events | StreamMark) -> None:
        """Follow the clocks; send what has a start."""
        if isinstance(datum, StreamMark):
            self._take_mark(datum)
            return
        if not len(datum):
            return
        origin = self.origin
        key = (origin.source, origin.stream) if origin else ("", 0)
        self._take_events(datum, key)
        self._release()

    def _take_mark(self, mark: StreamMark) -> None:
        key = mark.stream.key
        if mark.ended:
            self._segments.end(key)
            self._waiting.append(_Waiting(key, mark=mark))
            self._release()
            return
        from pixie_pipe.timing import wrap_ps

        self._segments.begin(mark.stream)
        self._wraps[key] = wrap_ps(mark.stream.decoding.tick_ps)
        self._names[key] = str(mark.stream)
        self._starts.note(key, mark.starts_ns)
        self.send(mark)

    def _take_events(self, events: Events, key: StreamKey) -> None:
        from pixie_pipe.storage.probing import modules_of

        placed, resets = self._clocks.follow(
            events.crate, events.slot, events.time_ps, wrap_ps=self._wraps.get(key, 0)
        )
        self._segments.see(key, modules_of(events), resets)
        origin = self.origin
        batch = Batch(
            key,
            self._names.get(key, "the stream"),
            _latest(placed),
            origin.time_ns if origin else 0,
        )
        self._waiting.append(_Waiting(key, events, placed, batch, origin))
        self._held_bytes += events.nbytes

    def _release(self) -> None:
        """Send what need not wait any more, each stream in its order."""
        self._send_known()
        while self._held_bytes > self.config.max_mb * _MB:
            self._force()
            self._send_known()
        self.statistics["stray_events"] = self._clocks.stray_events
        if self.config.mode == "gap":
            held_mb = round(self._held_bytes / _MB, 1)
            self.statistics |= {"held_mb": held_mb, "forced": self._forced}

    def _send_known(self) -> None:
        blocked: set[StreamKey] = set()
        left: deque[_Waiting] = deque()
        for item in self._waiting:
            is_known = item.batch is None or self._starts.is_known(item.batch)
            if item.key in blocked or not is_known:
                blocked.add(item.key)
                left.append(item)
            else:
                self._held_bytes -= item.nbytes
                self._send(item)
        self._waiting = left

    def _force(self) -> None:
        """Take the next start from what is known of the modules by now."""
        assert isinstance(self._starts, GapStarts), "in other modes nothing waits"
        self._forced += 1
        if self._forced == 1:
            self.print(
                f"{self.name}: more than max_mb = {self.config.max_mb:g} MB of events "
                f"wait for modules that have not come to the next run; its start is "
                f"estimated without them, and may be too early"
            )
        self._starts.add()

    def _send(self, item: _Waiting) -> None:
        if item.mark is not None:
            self._send_end(item.mark)
            return
        from pixie_pipe.kernels.wall_time import with_wall_time

        assert item.events is not None
        assert item.placed is not None
        clock = self._starts.clock(item.key)
        before, self.origin = self.origin, item.origin
        self.send(with_wall_time(item.events, item.placed, clock))
        self.origin = before

    def _send_end(self, mark: StreamMark) -> None:
        key = mark.stream.key
        self._marked.add(key)
        told = self._times(key)
        self.statistics["clock"][str(mark.stream)] = told
        self.send(dataclasses.replace(mark, times={**mark.times, "wall_clock": told}))

    def _times(self, key: StreamKey) -> dict[str, Any]:
        """Return the times that were used for a stream, plain data."""
        modules = self._segments.table(key)
        used = 1 + max((row["segment"] for row in modules), default=-1)
        anchors = self._starts.clock(key).anchors[:used]
        return {
            "mode": self.config.mode,
            "starts_ns": [anchor.start_ns for anchor in anchors],
            "shifts_ps": [anchor.shift_ps for anchor in anchors],
            "modules": modules,
        }

    def do_stop(self) -> None:
        """Send what still waits, as if all streams had ended."""
        for key in self._names:
            self._segments.end(key)
        self._release()
        for key, name in self._names.items():
            if key not in self._marked:
                self.statistics["clock"][name] = self._times(key)
        self._warn()

    def _warn(self) -> None:
        """Tell of modules that were silent in a whole run: their times may be wrong."""
        counts = self._segments.counts()
        expected = max([*counts.values(), len(self.config.starts)], default=0)
        if self.config.mode == "host":
            # Each stream has the starts of its own files.
            return
        few = [
            f"{crate}/{slot} ({count})"
            for (crate, slot), count in counts.items()
            if count < expected
        ]
        if few:
            self.print(
                f"{self.name}: {expected} runs were found or given, but these modules "
                f"show fewer: {', '.join(few)}; if one was silent in a run before its "
                f"last one, its later times are wrong: replay the runs one by one"
            )


def _latest(placed: Placed) -> dict[int, int]:
    """Return the latest time of each segment in a batch."""
    first, last = int(placed.segment.min()), int(placed.segment.max())
    if first == last:
        return {last: int(placed.clock_ps.max())}
    return {
        segment: int(placed.clock_ps[placed.segment == segment].max())
        for segment in np.unique(placed.segment).tolist()
    }
