"""Limits of a run: whichever is reached first ends it as a stop would."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe._units import format_count
from pixie_pipe.pipeline._rates import mapping, number
from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.messages import Error

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Node

_WORD_BYTES: Final = 4
_BYTES_PER_MB: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """When a run is ended, if nothing else ends it before; None for no limit.

    The pipeline hears from the tasks once a second. So a run has more events and words
    than its limits say: what comes within that second, and for events what is under
    way between the source and the task that finds them.

    Attributes
    ----------
    runtime_s
        Time from its start in seconds, without pauses.
    events
        Events that were decoded, or that were sent on where nobody decodes.
    size_mb
        Words that the sources took, in MB: the size of the raw files.

    Raises
    ------
    ValueError
        If a limit is not more than 0.
    """

    runtime_s: float | None = None
    events: int | None = None
    size_mb: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.to_dict().items():
            if not (limit > 0 and math.isfinite(limit)):
                raise ValueError(f"{name} is {limit}, expected a number more than 0")

    def to_dict(self) -> dict[str, Any]:
        """Return the limits that there are, as plain values."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        texts = {
            "runtime_s": f"{self.runtime_s:g} s" if self.runtime_s else "",
            "events": f"{format_count(self.events)} events" if self.events else "",
            "size_mb": f"{self.size_mb:g} MB" if self.size_mb else "",
        }
        return " or ".join(filter(None, texts.values()))

    def check(self, nodes: Iterable[Node]) -> None:
        """Look whether the limits can be told.

        Raises
        ------
        Error
            If no task counts what they are about.
        """
        nodes = list(nodes)
        for limit, kind in ((self.events, Kind.EVENTS), (self.size_mb, Kind.WORDS)):
            if limit is not None and not any(_makes(node, kind) for node in nodes):
                what = "events" if kind == Kind.EVENTS else "size_mb"
                raise Error(
                    f"the run is limited to {limit:g} by {what}, but no task makes "
                    f"{kind}: leave this limit out, or add a task that does"
                )

    def reached(
        self, seconds: float, statistics: Iterable[Mapping[str, Any]]
    ) -> str | None:
        """Return which limit is reached, as text; None if none is.

        Parameters
        ----------
        seconds
            Time since the start, without pauses.
        statistics
            What the processes reported last.
        """
        if self.runtime_s is not None and seconds >= self.runtime_s:
            return f"{self.runtime_s:g} s"
        if self.events is None and self.size_mb is None:
            return None
        statistics = list(statistics)
        if self.events is not None and _events(statistics) >= self.events:
            return f"{self.events} events"
        if self.size_mb is not None:
            words = sum(number(s.get("ledger"), "words_read") for s in statistics)
            if words * _WORD_BYTES >= self.size_mb * _BYTES_PER_MB:
                return f"{self.size_mb:g} MB"
        return None


def _makes(node: Node, kind: Kind) -> bool:
    writes = node.kind.writes
    return writes is None or any(port.kind == kind for port in writes)


def _events(statistics: Iterable[Mapping[str, Any]]) -> int:
    """Return how many events there were, each counted once."""
    decoded = [number(mapping(s, "ledger"), "events_decoded") for s in statistics]
    sent = [number(mapping(s, "sent"), "events") for s in statistics]
    return sum(decoded) or max(sent, default=0)
