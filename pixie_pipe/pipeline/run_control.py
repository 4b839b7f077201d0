"""What news mean for the run: who is lost, who is replaced, when it is over.

Everything here is called in the supervisor's thread, with its lock held. Sending is
left to the supervisor, telling people to the callbacks.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.pipeline.declarations import Role
from pixie_pipe.pipeline.limits import RunLimits
from pixie_pipe.pipeline.links import HERE
from pixie_pipe.pipeline.messages import (
    Configure,
    Connect,
    Cut,
    Error,
    ErrorReport,
    Finished,
    FromTask,
    Hello,
    InputEdge,
    OutputAddress,
    OutputEdge,
    Pause,
    Print,
    Report,
    Resume,
    Start,
    Status,
    Stop,
)
from pixie_pipe.storage.run_record import RunPause

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Graph, Node
    from pixie_pipe.pipeline.supervisor import ProcessRecord, Supervisor

FAILING_SECONDS: Final = 3.0
"""Time for the others to close their files when an essential task is lost; then they
are killed. A run must not take longer than five seconds to end."""

LEAST_LIFE_SECONDS: Final = 2.0
"""A process that ends sooner than this after its start is not started again: it would
only end again."""


@dataclass(slots=True)
class Run:
    """One run, from start to stop.

    Attributes
    ----------
    number
        Its number in this session.
    started
        Monotonic time of its start in seconds.
    active
        Names of the processes that take part.
    reasons
        Why it is not complete.
    degraded
        What optional tasks lost.
    limits
        What ends it, if nothing else does before.
    begun, began
        Whether all processes have started it, and the monotonic time of that.
    ending
        Whether its sources have been asked to end.
    ended_by
        What ended it, as in the record of a run; "" if its sources did.
    pauses
        When it was paused.
    paused_since
        Monotonic time of the begin of the pause that lasts; None if none does.
    paused_s
        Time of the pauses that are over, in seconds.
    over, closed
        Whether no process works on it any more, and whether it was written down.
    """

    number: int
    started: float = field(default_factory=time.monotonic)
    active: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    directory: str = ""
    is_live: bool = False
    limits: RunLimits = field(default_factory=RunLimits)
    begun: bool = False
    began: float = 0.0
    ending: bool = False
    ended_by: str = ""
    pauses: tuple[RunPause, ...] = ()
    paused_since: float | None = None
    paused_s: float = 0.0
    over: bool = False
    closed: bool = False
    ended: float | None = None
    deadline: float | None = None

    def working_s(self, now: float) -> float:
        """Return the time since it began, without pauses, in seconds."""
        until = now if self.paused_since is None else self.paused_since
        return until - self.began - self.paused_s


class RunControl:
    """Decides what happens when processes finish, fail or end.

    Parameters
    ----------
    graph
        The tasks and their links.
    tell
        Called with the name of a callback and its arguments.
    """

    def __init__(self, graph: Graph, tell: Callable[..., None]) -> None:
        self.graph = graph
        self.tell = tell
        self.kwargs: Mapping[str, Any] = {}
        self.supervisor: Supervisor
        self.run: Run | None = None
        self._rejoining: dict[str, int] = {}

    # News

    def on_message(self, record: ProcessRecord, message: FromTask) -> None:
        """Note what a process says."""
        if isinstance(message, Hello) and record.name in self._rejoining:
            self._rejoin(record)
        elif isinstance(message, Report):
            if message.report is not None:
                self.tell("report", record.name, message.report)
            self._resume_if_ready(record)
        elif isinstance(message, Finished):
            record.statistics = message.statistics
            record.finished_run = message.run
        elif isinstance(message, Print):
            self.tell("print", record.name, message.text)
        elif isinstance(message, ErrorReport):
            error = Error(
                message.msg,
                task=record.name,
                origin=message.origin,
                traceback=message.traceback,
            )
            self.tell("error", record.name, error)
            record.is_spent = True
            if message.fatal:
                record.status = Status.PANICKING
                record.has_failed = True
                record.error = message.msg
                self._lose(record, f"{record.name} failed: {message.msg}")

    def on_death(self, record: ProcessRecord) -> None:
        """Decide what the end of a process means."""
        if record.leaving:
            return
        self.tell("error", record.name, Error(record.end, task=record.name))
        if self._may_replace(record):
            self._replace(record)
            return
        self._lose(record, f"{record.name} {record.end}")

    def on_fault(self, error: Error) -> None:
        """Tell about something that is no message."""
        self.tell("error", error.task, error)

    def on_tick(self) -> None:
        """Look at the deadlines, and whether the run is over."""
        run = self.run
        if run is None or run.over or not run.begun:
            return
        now = time.monotonic()
        self._look_at_limits(run, now)
        working = [record for record in self._active() if not self._is_through(record)]
        for record in working:
            silent = now - record.heard
            if silent > record.node.kind.hang_seconds:
                self._kill(record, f"gave no sign of life for {silent:.0f} s: killed")
        if run.deadline is not None and now > run.deadline:
            for record in working:
                self._kill(record, "did not end in time: killed")
        if not working:
            run.over = True
            run.ended = now
            self.tell("over", run)

    def _look_at_limits(self, run: Run, now: float) -> None:
        if run.ended_by:
            return
        statistics = [record.statistics for record in self._active()]
        limit = run.limits.reached(run.working_s(now), statistics)
        if limit is not None:
            self.end(f"limit: {limit}")

    # Decisions

    def _active(self) -> list[ProcessRecord]:
        assert self.run is not None
        records = self.supervisor.records
        return [records[name] for name in self.run.active if name in records]

    def _is_through(self, record: ProcessRecord) -> bool:
        assert self.run is not None
        if record.name in self._rejoining:
            return False
        # One that has failed tells that it has finished when its files are closed.
        return not record.is_alive or record.finished_run == self.run.number

    def _kill(self, record: ProcessRecord, reason: str) -> None:
        if record.is_alive:
            self.tell("error", record.name, Error(reason, task=record.name))
            self.supervisor.signal(record.name, signal.SIGKILL)
            record.heard = time.monotonic()

    def _lose(self, record: ProcessRecord, reason: str) -> None:
        """Go on without a process, or end the run if it is essential."""
        run = self.run
        if run is None or run.over or record.name not in run.active:
            return
        if record.finished_run == run.number and not record.has_failed:
            return
        if not record.is_cut:
            record.is_cut = True
            for other in self._active():
                if other is not record and other.is_alive:
                    self.supervisor.send(other.name, Cut(record.name))
        if record.node.role is Role.OPTIONAL:
            run.degraded.append(reason)
        else:
            self.fail(reason)

    def fail(self, reason: str) -> None:
        """End the run before its time."""
        run = self.run
        if run is None or run.over:
            return
        if reason not in run.reasons:
            run.reasons.append(reason)
        run.ended_by = run.ended_by or "failure"
        if run.deadline is None:
            run.deadline = time.monotonic() + FAILING_SECONDS
            self.end("failure")

    def end(self, ended_by: str) -> None:
        """Let a run end: ask those that make data to end, and note why."""
        run = self.run
        if run is None or run.over or run.ending:
            return
        sources = self._sources()
        if not run.begun or not all(self._is_through(record) for record in sources):
            run.ended_by = run.ended_by or ended_by
        # Those that have not started yet are asked when all have.
        run.ending = run.begun
        for record in sources:
            if record.is_alive and not record.has_failed:
                number = self.supervisor.next_number()
                self.supervisor.send(record.name, Stop(number))

    def pause(self, *, paused: bool) -> list[ProcessRecord]:
        """Pause the run, or let it go on; return those that make data."""
        run = self.run
        assert run is not None
        sources = [r for r in self._sources() if r.is_alive and not r.has_failed]
        for record in sources:
            number = self.supervisor.next_number()
            self.supervisor.send(record.name, Pause(number, paused))
        if paused:
            run.paused_since = time.monotonic()
            run.pauses = (*run.pauses, RunPause(dt.datetime.now().astimezone()))
        elif run.paused_since is not None:
            run.paused_s += time.monotonic() - run.paused_since
            run.paused_since = None
            *before, last = run.pauses
            ended = dataclasses.replace(last, ended=dt.datetime.now().astimezone())
            run.pauses = (*before, ended)
        return sources

    def is_paused(self, record: ProcessRecord, *, paused: bool) -> bool:
        """Tell whether one that makes data has paused, or gone on, or is through."""
        told = bool(record.statistics.get("paused"))
        return told is paused or self._is_through(record)

    def _sources(self) -> list[ProcessRecord]:
        """Return those that make data, in this run."""
        return [r for r in self._active() if not self.graph.inputs(r.node.name)]

    # Replacing an optional process

    def _may_replace(self, record: ProcessRecord) -> bool:
        run = self.run
        if run is None or run.over or not run.begun or run.deadline is not None:
            return False
        return (
            record.name in run.active
            and record.node.role is Role.OPTIONAL
            and not self.graph.outputs(record.node.name)
            and record.finished_run != run.number
            and time.monotonic() - record.begun >= LEAST_LIFE_SECONDS
        )

    def _replace(self, record: ProcessRecord) -> None:
        assert self.run is not None
        name = record.name
        self.run.restarts[name] = self.run.restarts.get(name, 0) + 1
        self._rejoining[name] = 0
        self.supervisor.spawn({name: record.node}, self.kwargs)

    def _rejoin(self, record: ProcessRecord) -> None:
        """Tell a new process everything that the old one knew."""
        run, name = self.run, record.name
        assert run is not None
        next_number = self.supervisor.next_number
        self.supervisor.send(name, self.connection(record.node, next_number()))
        parameters = dict(record.node.parameters)
        self.supervisor.send(name, Configure(next_number(), parameters))
        number = next_number()
        self._rejoining[name] = number
        self.supervisor.send(name, self.start_message(name, number, restarted=True))

    def _resume_if_ready(self, record: ProcessRecord) -> None:
        number = self._rejoining.get(record.name, 0)
        if not number or record.done < number:
            return
        del self._rejoining[record.name]
        hello = record.hello
        assert hello is not None
        message = Resume(record.name, hello.address, hello.acks)
        for edge in self.graph.inputs(record.node.name):
            for process in self.graph.nodes[edge.producer].processes:
                self.supervisor.send(process, message)

    # Messages that depend on the graph

    def start_message(
        self, name: str, number: int, *, restarted: bool = False
    ) -> Start:
        """Return the message that begins the run in a process."""
        run = self.run
        assert run is not None
        record = self.supervisor.records[name]
        checkpoint = ""
        optional = record.node.role is Role.OPTIONAL
        if optional and not self.graph.outputs(record.node.name):
            checkpoint = str(self.supervisor.directory / f"{name}.state")
        return Start(
            number,
            run.number,
            directory=run.directory,
            live=run.is_live,
            checkpoint=checkpoint,
            restarted=restarted,
        )

    def connection(self, node: Node, number: int) -> Connect:
        """Return the message that tells the processes of a node their neighbours."""
        inputs = []
        for edge in self.graph.inputs(node.name):
            producer = self.graph.nodes[edge.producer]
            is_here = self.graph.is_direct(edge)
            acks = {
                name: HERE if is_here else self._hello(name).acks
                for name in producer.processes
            }
            inputs.append(InputEdge(edge.producer, producer.processes, acks))
        outputs = []
        for edge in self.graph.outputs(node.name):
            consumer = self.graph.nodes[edge.consumer]
            is_here = self.graph.is_direct(edge)
            outputs.append(
                OutputEdge(
                    edge.consumer,
                    [
                        OutputAddress(
                            name, HERE if is_here else self._hello(name).address
                        )
                        for name in consumer.processes
                    ],
                    edge.window_bytes,
                    lossy=self.graph.is_lossy(edge),
                    kinds=self._kinds(consumer),
                )
            )
        return Connect(
            number, inputs, outputs, is_start=not inputs, is_final=not outputs
        )

    def _hello(self, name: str) -> Hello:
        hello = self.supervisor.records[name].hello
        assert hello is not None
        return hello

    def _kinds(self, consumer: Node) -> list[str] | None:
        """Return what is of use to a consumer; one in the middle passes all on."""
        if consumer.kind.reads is None or self.graph.outputs(consumer.name):
            return None
        return [str(port.kind) for port in consumer.kind.reads]
