"""The balance of a run: where every word and every event went.

Each task counts what it does in its ledger, and each link what passed it. Here the
numbers are put side by side; what does not match is said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pixie_pipe._units import format_count

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Graph, Node
    from pixie_pipe.pipeline.run_control import Run

_COUNTS = ("frames", "words", "events")


@dataclass(frozen=True, slots=True)
class RunBalance:
    """Where words and events went.

    Attributes
    ----------
    words_read
        Words that the sources took.
    words_lost
        Words that modules lost before they could be read; None if no source can tell.
    words_recorded
        Words in raw files; None if nothing was recorded.
    words_decoded, words_rejected, words_leftover
        Words of events, words that belong to no event, words of an incomplete last
        event; None if nothing was decoded.
    trailing_bytes
        Bytes behind the last whole word of the streams.
    events_decoded, events_written
        Events that were found and that were written; None if no task does that.
    events_dropped
        Events that tasks left out and counted, by task.
    taps
        Frames and events that did not reach a tap because it was too slow, by tap.
    problems
        What does not match, in words; empty if the balance closes.
    """

    words_read: int = 0
    words_lost: int | None = None
    words_recorded: int | None = None
    words_decoded: int | None = None
    words_rejected: int | None = None
    words_leftover: int | None = None
    trailing_bytes: int = 0
    events_decoded: int | None = None
    events_written: int | None = None
    events_dropped: Mapping[str, int] = field(default_factory=dict)
    taps: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def closes(self) -> bool:
        """Whether every word and event is accounted for."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the record of the run."""
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in (*_NUMBERS, "events_decoded", "events_written")
            if getattr(self, name) is not None
        }
        values["events_dropped"] = dict(self.events_dropped)
        values["taps"] = {name: dict(counts) for name, counts in self.taps.items()}
        values["closes"] = self.closes
        values["problems"] = list(self.problems)
        return values

    def __str__(self) -> str:
        parts = [f"{format_count(self.words_read)} words read"]
        if self.words_recorded is not None:
            parts.append(f"{format_count(self.words_recorded)} recorded")
        if self.words_decoded is not None:
            parts.append(
                f"{format_count(self.words_decoded)} decoded + "
                f"{format_count(self.words_rejected or 0)} rejected + "
                f"{format_count(self.words_leftover or 0)} left over"
            )
        text = " = ".join(parts)
        if self.words_lost:
            text += f"; {format_count(self.words_lost)} lost in the modules before"
        if self.events_decoded is not None:
            text += f"; {format_count(self.events_decoded)} events decoded"
        if self.events_written is not None:
            text += f", {format_count(self.events_written)} written"
        if not self.closes:
            text += " (DOES NOT CLOSE: " + "; ".join(self.problems) + ")"
        return text

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: ANN401, FBT001
        """Show the sentence at an IPython prompt."""
        printer.text(str(self))

    @classmethod
    def of(
        cls,
        graph: Graph,
        statistics: Mapping[str, Mapping[str, Any]],
        run: Run | None = None,
    ) -> RunBalance:
        """Make the balance from what the processes reported.

        Parameters
        ----------
        graph
            The tasks and links.
        statistics
            Last statistics of each process, by its name.
        run
            The run, whose failures belong to the balance.
        """
        names = list(graph.nodes)
        if run is not None:
            names = [n for n in names if run.active & {*graph.nodes[n].processes}]
        return _Accounts(graph, names, statistics).balance(run)


_NUMBERS = (
    "words_read",
    "words_lost",
    "words_recorded",
    "words_decoded",
    "words_rejected",
    "words_leftover",
    "trailing_bytes",
)


class _Accounts:
    """Sums over the processes of each node."""

    def __init__(
        self,
        graph: Graph,
        names: Iterable[str],
        statistics: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._graph = graph
        # Others may be there, and may have taken part in another run.
        self._nodes = {name: graph.nodes[name] for name in names}
        self._statistics = statistics
        self.problems: list[str] = []

    def balance(self, run: Run | None) -> RunBalance:
        read = self._total("words_read")
        recorded = self._total("words_recorded")
        decoded = self._total("words_decoded")
        rejected = self._total("words_rejected") or 0
        leftover = self._total("words_leftover") or 0
        events_decoded = self._total("events_decoded")
        taps = self._links()
        if read is None:
            read = 0
        if recorded is not None and recorded != read:
            lost = f": {read - recorded} are lost" if recorded < read else ""
            self.problems.append(
                f"{read} words were read, but {recorded} recorded{lost}"
            )
        if decoded is not None:
            accounted = decoded + rejected + leftover
            if accounted != read:
                self.problems.append(
                    f"{read} words were read, but {accounted} decoded, rejected or "
                    f"left over"
                )
        for name, node in self._nodes.items():
            never_read = self._ledger(node, "words_lost")
            if never_read:
                self.problems.append(
                    f"{name}: the modules lost {never_read} words before they could "
                    f"be read"
                )
        dropped = self._conservation()
        # The cause first, then what came of it.
        causes = [] if run is None else run.reasons
        problems = dict.fromkeys([*causes, *self.problems, *self._incomplete()])
        return RunBalance(
            words_read=read,
            words_lost=self._total("words_lost"),
            words_recorded=recorded,
            words_decoded=decoded,
            words_rejected=None if decoded is None else rejected,
            words_leftover=None if decoded is None else leftover,
            trailing_bytes=self._total("trailing_bytes") or 0,
            events_decoded=events_decoded,
            events_written=self._total("events_written"),
            events_dropped=dropped,
            taps=taps,
            problems=tuple(problems),
        )

    def _of(self, node: Node) -> list[Mapping[str, Any]]:
        names = [name for name in node.processes if name in self._statistics]
        return [self._statistics[name] for name in names]

    def _ledger(self, node: Node, name: str) -> int | None:
        values = [item.get("ledger", {}).get(name) for item in self._of(node)]
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def _total(self, name: str) -> int | None:
        values = [self._ledger(node, name) for node in self._nodes.values()]
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def _links(self) -> dict[str, dict[str, int]]:
        """Compare both ends of every link; return what taps did not get."""
        taps: dict[str, dict[str, int]] = {}
        for edge in self._graph.edges:
            if not {edge.producer, edge.consumer} <= self._nodes.keys():
                continue
            producer = self._nodes[edge.producer]
            consumer = self._nodes[edge.consumer]
            sent = _sum(
                item.get("out", {}).get(edge.consumer) for item in self._of(producer)
            )
            came = _sum(
                item.get("in", {}).get(name)
                for item in self._of(consumer)
                for name in producer.processes
            )
            lost = {
                name: sent[f"dropped_{name}"]
                for name in _COUNTS
                if sent.get(f"dropped_{name}")
            }
            if lost:
                taps[edge.consumer] = lost
            optional = self._is_optional(consumer)
            wrong = [
                f"{sent.get(name, 0)} {name} sent and {came.get(name, 0)} received"
                for name in _COUNTS
                if sent.get(name, 0) != came.get(name, 0)
            ]
            if wrong and not optional:
                self.problems.append(
                    f"from {edge.producer} to {edge.consumer}: {', '.join(wrong)}"
                )
            if lost and not optional and not self._graph.is_lossy(edge):
                self.problems.append(
                    f"from {edge.producer} to {edge.consumer}: "
                    + ", ".join(f"{n} {what} lost" for what, n in lost.items())
                )
        return taps

    @staticmethod
    def _is_optional(node: Node) -> bool:
        return node.role.value == "optional"

    def _conservation(self) -> dict[str, int]:
        """Check that nobody loses events; return what was left out on purpose."""
        dropped: dict[str, int] = {}
        for node in self._nodes.values():
            left_out = self._ledger(node, "events_dropped") or 0
            if left_out:
                dropped[node.name] = left_out
            if self._is_optional(node):
                continue
            came = sum(
                _sum(item.get("in", {}).values()).get("events", 0)
                for item in self._of(node)
            )
            written = self._ledger(node, "events_written")
            if node.kind.conserves_events:
                counts = _sum(item.get("sent") for item in self._of(node))
                sent = counts.get("events", 0)
                if came != sent + left_out:
                    self.problems.append(
                        f"{node.name} got {came} events, sent {sent} and left out "
                        f"{left_out}"
                    )
            elif written is not None and written + left_out != came:
                self.problems.append(
                    f"{node.name} got {came} events, wrote {written} and left out "
                    f"{left_out}"
                )
        return dropped

    def _incomplete(self) -> Iterable[str]:
        for node in self._nodes.values():
            if self._is_optional(node):
                continue
            for item in self._of(node):
                yield from item.get("incomplete", ())


def _sum(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    total: dict[str, int] = {}
    for item in counts:
        for name, value in (item or {}).items():
            total[name] = total.get(name, 0) + value
    return total
