"""In which segments of their clocks the modules of streams are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Module, Stream, StreamKey
    from pixie_pipe.timing import ClockResets, Reset


class ModuleSegments:
    """Knows the latest time of each module in each segment, and which is where.

    Parameters
    ----------
    clocks
        Follows the clocks.
    """

    def __init__(self, clocks: ClockResets) -> None:
        self._clocks = clocks
        self._open: dict[StreamKey, Stream] = {}
        self._modules: defaultdict[StreamKey, set[Module]] = defaultdict(set)
        self._left: defaultdict[Module, list[int]] = defaultdict(list)

    def begin(self, stream: Stream) -> None:
        """Wait for the modules of a stream."""
        self._open[stream.key] = stream

    def end(self, key: StreamKey) -> None:
        """Wait for the modules of a stream no more."""
        self._open.pop(key, None)

    def see(
        self, key: StreamKey, modules: Iterable[Module], resets: Iterable[Reset]
    ) -> None:
        """Note the modules of events that were followed, and their resets."""
        self._modules[key].update(modules)
        for reset in resets:
            self._left[reset.module].append(reset.before_ps)

    def are_past(self, segment: int) -> bool:
        """Tell whether all modules of streams that go on are behind a segment."""
        for key, stream in self._open.items():
            modules = self._modules[key].union(stream.modules or ())
            if not modules:
                return False
            spans = [self._clocks.span(module) for module in modules]
            if any(span is None or span.segment <= segment for span in spans):
                return False
        return True

    def span_ps(self, segment: int) -> int:
        """Return the latest time of all modules in a segment, 0 if none has any."""
        modules = {module for known in self._modules.values() for module in known}
        times = [self._last_ps(module, segment) for module in modules]
        return max((time for time in times if time is not None), default=0)

    def _last_ps(self, module: Module, segment: int) -> int | None:
        left = self._left[module]
        if segment < len(left):
            return left[segment]
        span = self._clocks.span(module)
        return span.last_ps if span is not None and span.segment == segment else None

    def table(self, key: StreamKey) -> list[dict[str, Any]]:
        """Return module, segment and latest time of each segment of a stream."""
        rows = []
        for module in sorted(self._modules[key]):
            for segment in range(self.count(module)):
                last_ps = self._last_ps(module, segment)
                crate, slot = module
                row = {"module": f"{crate}/{slot}", "segment": segment}
                rows.append(row | {"last_ps": last_ps})
        return rows

    def count(self, module: Module) -> int:
        """Return how many segments a module has so far."""
        return len(self._left[module]) + 1

    def counts(self) -> dict[Module, int]:
        """Return how many segments each module has."""
        modules = {module for known in self._modules.values() for module in known}
        return {module: self.count(module) for module in sorted(modules)}
