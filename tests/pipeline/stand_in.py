"""A pipeline whose processes are only claimed: their numbers can be chosen."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline.messages import Hello, Status
from pixie_pipe.pipeline.pipeline import Pipeline
from pixie_pipe.pipeline.run_control import Run
from pixie_pipe.pipeline.supervisor import ProcessRecord

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Node


class StandIn(Pipeline):
    """Has the records of a run that began some seconds ago."""

    def __init__(self, *names, elapsed=10.0, **tasks):
        super().__init__()
        for name in names:
            self.create_task(name)
        for label, (name, values) in tasks.items():
            self.create_task(name, label=label, **values)
        self.records = {
            process: self._claimed(node, process)
            for node in self.graph.nodes.values()
            for process in node.processes
        }
        self.run = Run(1, active=set(self.records), begun=True)
        self.run.started = time.monotonic() - elapsed

    @staticmethod
    def _claimed(node: Node, process: str) -> ProcessRecord:
        task: Any = SimpleNamespace(pid=None)
        hello = Hello(1, "", "")
        return ProcessRecord(process, node, task, task, hello, Status.RUNNING)

    def go(self):
        """Show the records from now on."""
        self._control.run = self.run
        supervisor: Any = SimpleNamespace(
            changed=threading.RLock(), records=self.records
        )
        self._supervisor = supervisor
        return self

    def connect_claimed(self):
        """Take the links as they would be made."""
        self.graph.edges[:] = self._edges(list(self.graph.nodes))
        self._connected = True
        return self

    def report(self, name, seconds=0.0, **statistics):
        """Let a process report, some seconds after the start of the run."""
        record = self.records[name]
        record.statistics = statistics
        record.heard = self.run.started + seconds if seconds else time.monotonic()

    def end(self, *reasons):
        """End the run."""
        self.run.reasons += reasons
        self.run.over = self.run.closed = True
        self.run.ended = self.run.started + 10.0
        for record in self.records.values():
            record.status = Status.FINISHED

    def quit(self):
        """There is nothing to quit."""
        self._supervisor = None
