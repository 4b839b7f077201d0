"""One look at a pipeline: the rows and totals of its status."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pixie_pipe._units import format_count
from pixie_pipe.pipeline._rates import Meter, Passed, Rates, mapping, number
from pixie_pipe.pipeline.balance import RunBalance
from pixie_pipe.pipeline.declarations import Role
from pixie_pipe.pipeline.display import PipelineStatus, ProcessStatus
from pixie_pipe.pipeline.messages import Status

if TYPE_CHECKING:
    from pixie_pipe.pipeline._pipeline_view import PipelineView
    from pixie_pipe.pipeline.graph import Edge, Node
    from pixie_pipe.pipeline.run_control import Run
    from pixie_pipe.pipeline.supervisor import ProcessRecord

_NOTED = ("late", "reject", "drop", "lost", "lose", "error", "missed", "overflow")
"""Counts of a task with these in their name are shown as soon as they are not 0."""


@dataclass(slots=True)
class _Memory:
    """What earlier looks at a pipeline left."""

    run: Run | None = None
    meters: dict[str, Meter] = field(default_factory=dict)


_memories: weakref.WeakKeyDictionary[PipelineView, _Memory] = (
    weakref.WeakKeyDictionary()
)


class Look:
    """The numbers of a pipeline at one moment, and what follows from them.

    Parameters
    ----------
    pipeline
        The pipeline, in any state.

    Attributes
    ----------
    statistics
        What each process reported last, by its name.
    """

    def __init__(self, pipeline: PipelineView) -> None:
        self._pipeline = pipeline
        self._graph = pipeline.graph
        self._edges = edges_of(pipeline)
        self._memory = _memories.setdefault(pipeline, _Memory())
        self._now = time.monotonic()
        self._rates: dict[str, Rates] = {}
        self._passed: dict[str, Passed] = {}
        supervisor = pipeline.supervisor
        self._records: dict[str, ProcessRecord] = {}
        if supervisor is None:
            self._run = self._take_run()
            self.statistics: Mapping[str, Mapping[str, Any]] = pipeline.statistics()
            self._measure()
            return
        with supervisor.changed:
            self._run = self._take_run()
            self._records = dict(supervisor.records)
            self.statistics = {
                name: record.statistics for name, record in self._records.items()
            }
            self._measure()

    def _take_run(self) -> Run | None:
        """Return the run that goes on, or the last one."""
        run = self._pipeline._control.run  # noqa: SLF001 - part of the same package
        if run is not None and run is not self._memory.run:
            self._memory.run, self._memory.meters = run, {}
        return self._memory.run

    def _measure(self) -> None:
        run = self._run
        for name, statistics in self.statistics.items():
            record = self._records.get(name)
            heard = self._now if record is None else record.heard
            meter = self._memory.meters.setdefault(name, Meter())
            self._passed[name] = meter.add(heard, statistics)
            if run is not None:
                self._rates[name] = meter.rates(run.started, run.ended)

    def status(self) -> PipelineStatus:
        """Return the table."""
        run = self._run
        pipeline = self._pipeline
        rows = tuple(
            self._row(node, name)
            for node in self._graph.nodes.values()
            for name in node.processes
        )
        reasons = tuple(self._reasons(run)) if run else ()
        elapsed = None if run is None else (run.ended or self._now) - run.started
        fraction, left = self._progress()
        directory = pipeline.run_directory
        windows = [rate.seconds for rate in self._rates.values() if rate.seconds]
        return PipelineStatus(
            state=self._whole(),
            run=run.number if run else 0,
            elapsed_s=elapsed,
            directory=str(directory) if directory else "",
            complete=None if run is None else not reasons,
            reasons=reasons,
            degraded=tuple(run.degraded) if run else (),
            paused=pipeline.is_paused,
            rows=rows,
            fraction=fraction,
            left_s=left if run and not run.over else None,
            rates_s=max(windows, default=None),
        )

    def _whole(self) -> Status:
        state, run = self._pipeline.state, self._run
        if state is Status.RUNNING and run is not None and run.over:
            # The balance of the run is about to be written down.
            return Status.PANICKING if self._reasons(run) else Status.FINISHED
        return state

    def _reasons(self, run: Run) -> list[str]:
        reasons = list(run.reasons)
        if run.over and not run.closed:
            reasons += RunBalance.of(self._graph, self.statistics, run).problems
        for node in self._graph.nodes.values():
            if node.role is Role.OPTIONAL:
                continue
            for name in node.processes:
                told = self.statistics.get(name, {}).get("incomplete", ())
                reasons += map(str, told)
        return list(dict.fromkeys(reasons))

    def _row(self, node: Node, name: str) -> ProcessStatus:
        record = self._records.get(name)
        statistics = self.statistics.get(name, {})
        passed = self._passed.get(name) or Passed()
        rates = self._rates.get(name) or Rates(0.0, 0.0, 0.0, 0.0)
        state, word = self._state(record)
        is_first = name == node.processes[0]
        restarts = self._run.restarts.get(name, 0) if self._run else 0
        alive = record is not None and record.is_alive
        return ProcessStatus(
            name=name,
            task=node.kind.__name__,
            state=state,
            word=word,
            unit=passed.unit,
            count=passed.count,
            rate=rates.count,
            in_bytes_per_s=rates.bytes_in,
            out_bytes_per_s=rates.bytes_out,
            waiting_bytes=self._sent_to(node, "outstanding_bytes")
            if is_first
            else None,
            dropped=self._dropped(node) if is_first else 0,
            lag_s=self._now - record.heard if record is not None and alive else None,
            restarts=restarts,
            notes=tuple(_notes(statistics, record, restarts)),
            process=node.process,
        )

    def _state(self, record: ProcessRecord | None) -> tuple[Status, str]:
        if record is None:
            return Status.WAITING, "not started"
        if not record.is_alive:
            return Status.PANICKING, "ended"
        if record.hello is None:
            return Status.WAITING, "starting"
        if record.status is Status.RUNNING and record.statistics.get("paused"):
            return record.status, "paused"
        return record.status, record.status.name.lower()

    def _links_to(self, node: Node) -> list[Mapping[str, Any]]:
        """Return what its producers count of what they send to a node."""
        return [
            mapping(mapping(self.statistics.get(process, {}), "out"), node.name)
            for edge in self._edges
            if edge.consumer == node.name and edge.producer in self._graph.nodes
            for process in self._graph.nodes[edge.producer].processes
        ]

    def _sent_to(self, node: Node, name: str) -> int | None:
        links = self._links_to(node)
        return sum(number(link, name) for link in links) if links else None

    def _dropped(self, node: Node) -> int:
        events = self._sent_to(node, "dropped_events")
        return events or self._sent_to(node, "dropped_frames") or 0

    def _progress(self) -> tuple[float | None, float | None]:
        """Return the share of the data that was read, and the seconds left."""
        consumers = {edge.consumer for edge in self._edges}
        sources = [
            name
            for node in self._graph.nodes.values()
            if node.name not in consumers
            for name in node.processes
            if name in self.statistics
        ]
        own = [mapping(self.statistics[name], "own") for name in sources]
        totals = [number(values, "bytes_total") for values in own]
        if not totals or not all(totals):
            return None, None
        total = sum(totals)
        read = min(total, sum(number(values, "bytes_read") for values in own))
        speed = sum(
            self._rates[name].bytes_read for name in sources if name in self._rates
        )
        return read / total, (total - read) / speed if speed > 0 else None


def _notes(
    statistics: Mapping[str, Any], record: ProcessRecord | None, restarts: int
) -> list[str]:
    notes = [f"{restarts} restart{'s' if restarts > 1 else ''}"] if restarts else []
    for values in (mapping(statistics, "own"), mapping(statistics, "ledger")):
        for name in values:
            count = number(values, name)
            if count and any(part in name for part in _NOTED):
                notes.append(f"{format_count(count)} {name.replace('_', ' ')}")
    if record is not None and not record.is_alive:
        notes.append(record.end)
    if record is not None and record.refused:
        notes.append(record.refused)
    return notes


def edges_of(pipeline: PipelineView) -> Sequence[Edge]:
    """Return the links of a pipeline, or those that it will get when it connects."""
    if pipeline._connected:  # noqa: SLF001 - part of the same package
        return pipeline.graph.edges
    return pipeline._edges(list(pipeline.graph.nodes))  # noqa: SLF001 - as above
