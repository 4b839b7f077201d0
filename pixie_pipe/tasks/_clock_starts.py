"""When the segments of clocks began: the three ways to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.timing import WallClock

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import StreamKey

_PS_PER_NS = 1000
_NS_PER_S = 1_000_000_000


_NO_STARTS = WallClock()


class ClockStartError(PixiePipeError, RuntimeError):
    """Nothing tells when a clock began."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of events tells about clocks.

    Attributes
    ----------
    key
        Its stream.
    stream
        What people call that.
    last_ps
        The latest time of each segment in it, in ps.
    read_ns
        Host's clock when its words were read, in ns since the epoch; 0: not known.
    """

    key: StreamKey
    stream: str
    last_ps: dict[int, int]
    read_ns: int = 0

    @property
    def segment(self) -> int:
        """The last segment in it."""
        return max(self.last_ps)


class ClockStarts(Protocol):
    """Knows when segments began, or gets to know it."""

    def note(self, key: StreamKey, starts_ns: Sequence[int]) -> None:
        """Take what the begin of a stream tells."""

    def is_known(self, batch: Batch) -> bool:
        """Tell whether all segments of a batch have a start now."""

    def clock(self, key: StreamKey) -> WallClock:
        """Return the starts for a stream, as far as they are known."""


class GivenStarts:
    """Known start times, one for each segment of all modules.

    Parameters
    ----------
    starts_ns
        The times in ns since the epoch.

    Raises
    ------
    TimingError
        If they are not in order.
    """

    def __init__(self, starts_ns: Iterable[int]) -> None:
        self._clock = WallClock(starts_ns)

    def note(self, key: StreamKey, starts_ns: Sequence[int]) -> None:
        """Take nothing: what is given counts."""

    def is_known(self, batch: Batch) -> bool:
        """Tell that it is, or raise an error.

        Raises
        ------
        ClockStartError
            If there are more segments than starts.
        """
        if batch.segment >= len(self._clock):
            raise ClockStartError(
                f"{batch.stream} has at least {batch.segment + 1} runs, and "
                f"{len(self._clock)} starts are given; give all of them, or use "
                f"mode: gap, which takes those that are known and estimates the others"
            )
        return True

    def clock(self, key: StreamKey) -> WallClock:  # noqa: ARG002 - all have the same
        """Return the starts."""
        return self._clock


class HostStarts:
    """The host's clock at the starts, as sources tell it.

    In live data, a start that no source told is taken from the clock when its first
    words were read, and so is the first one if the modules did not begin at zero.
    """

    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._told: dict[StreamKey, tuple[int, ...]] = {}
        self._seen: dict[int, int] = {}
        self._clocks: dict[StreamKey, WallClock] = {}
        self._reference_ns: int | None = None

    def note(self, key: StreamKey, starts_ns: Sequence[int]) -> None:
        """Take the starts of a stream."""
        if starts_ns:
            self._told[key] = tuple(starts_ns)

    def is_known(self, batch: Batch) -> bool:
        """Tell that it is, or raise an error.

        Raises
        ------
        ClockStartError
            If nothing tells a start.
        """
        while (segment := len(self.clock(batch.key))) <= batch.segment:
            start_ns = self._start(batch, segment)
            if self._reference_ns is None:
                # The times of all streams count from one and the same start.
                told = [starts[0] for starts in self._told.values()]
                self._reference_ns = min(told, default=start_ns)
            if segment == 0:
                self._clocks[batch.key] = WallClock(reference_ns=self._reference_ns)
            self._clocks[batch.key].add_start(start_ns)
        return True

    def _start(self, batch: Batch, segment: int) -> int:
        told = self._told.get(batch.key, ())
        if segment in self._seen:
            # All modules have their clocks in common.
            return self._seen[segment]
        last_ns = batch.last_ps.get(segment, 0) // _PS_PER_NS
        if segment < len(told):
            start_ns = told[segment]
            is_late = batch.read_ns and start_ns + last_ns > batch.read_ns + _NS_PER_S
            if not (self._is_live and is_late):
                return start_ns
        elif not self._is_live:
            raise ClockStartError(
                f"nothing tells when run {segment} (the first is 0) of {batch.stream} "
                f"began: its raw files are in no directory of a run with a "
                f"statistics-start.json; give starts (mode: starts), or a gap "
                f"(mode: gap)"
            )
        self._seen[segment] = (batch.read_ns or time.time_ns()) - last_ns
        return self._seen[segment]

    def clock(self, key: StreamKey) -> WallClock:
        """Return the starts for a stream, as far as they were asked for."""
        return self._clocks.get(key, _NO_STARTS)


@dataclass
class GapStarts:
    """A gap between the last event of all modules and the next start.

    A start is known when all modules have come to its segment, or have ended.

    Attributes
    ----------
    gap_ns
        The gap in ns.
    starts_ns
        Starts that are known, in ns since the epoch.
    are_past
        Tells whether all modules are behind a segment.
    span_ps
        Tells the latest time of all modules in a segment, in ps.
    """

    gap_ns: int
    starts_ns: Sequence[int]
    are_past: Callable[[int], bool]
    span_ps: Callable[[int], int]
    _clock: WallClock = field(init=False)

    def __post_init__(self) -> None:
        self._clock = WallClock(self.starts_ns)

    def note(self, key: StreamKey, starts_ns: Sequence[int]) -> None:  # noqa: ARG002
        """Take the first start, if none was given."""
        if starts_ns and not len(self._clock):
            self._clock.add_start(starts_ns[0])

    def is_known(self, batch: Batch) -> bool:
        """Tell whether all modules are past the segments before."""
        if not len(self._clock):
            self._clock.add_unknown()
        while len(self._clock) <= batch.segment:
            if not self.are_past(len(self._clock) - 1):
                return False
            self.add()
        return True

    def add(self) -> None:
        """Add the next start by what is known now."""
        self._clock.add_gap(self.span_ps(len(self._clock) - 1), self.gap_ns)

    def clock(self, key: StreamKey) -> WallClock:  # noqa: ARG002 - all have the same
        """Return the starts that are known."""
        return self._clock
