"""Commands to many processes at once, in the right order, each with a deadline.

Start order: sinks, middle, sources. Stop order: sources, then what is under way drains.
Called from the user's thread; what happens meanwhile is decided in `run_control`.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.pipeline.messages import Command, Configure, Error, Quit, Stop

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Graph, Node
    from pixie_pipe.pipeline.run_control import Run, RunControl
    from pixie_pipe.pipeline.supervisor import ProcessRecord, Supervisor

READY_SECONDS: Final = 120.0
"""Time for processes to come up: on a new installation the kernels compile first."""

COMMAND_SECONDS: Final = 20.0
"""Time for a process that waits to carry out a command."""

QUIT_SECONDS: Final = 5.0
"""Time for processes to leave before they are killed."""


class Transitions:
    """Brings the processes of a pipeline from one state to the next.

    Parameters
    ----------
    supervisor
        The processes.
    control
        The run.
    graph
        The tasks and their links.
    """

    def __init__(
        self, supervisor: Supervisor, control: RunControl, graph: Graph
    ) -> None:
        self._supervisor = supervisor
        self._control = control
        self._graph = graph

    def connect(self, nodes: Sequence[Node], kwargs: Mapping[str, Any]) -> None:
        """Start the processes that are not there, and tell all their neighbours.

        Raises
        ------
        Error
            If tasks do not respond; the text names them.
        """
        supervisor = self._supervisor
        if _is_imported_by_a_process():
            # The pipeline whose process this is tells why it is gone.
            sys.exit(1)
        wanted = {name: node for node in nodes for name in node.processes}
        supervisor.forget(
            name for name, record in list(supervisor.records.items())
            if not record.is_alive
        )  # fmt: skip
        for members in self._graph.process_members():
            if not members.keys() & wanted.keys():
                continue
            there = members.keys() & supervisor.records.keys()
            if there and there != members.keys():
                # A task has come to those of a process that is there already.
                self._dismiss(list(there))
                supervisor.forget(there)
                there = set()
            if not there:
                supervisor.spawn(members, kwargs)
        self._await_hello(list(wanted))
        self.command(
            {
                name: self._control.connection(node, supervisor.next_number())
                for name, node in wanted.items()
            },
            "connect",
        )
        self.configure({node.name: node.parameters for node in nodes})

    def _await_hello(self, names: Sequence[str]) -> None:
        records = self._supervisor.records
        self._wait(
            lambda: all(
                records[name].hello is not None or not records[name].is_alive
                for name in names
            ),
            READY_SECONDS,
        )
        silent = [name for name in names if records[name].hello is None]
        if silent:
            raise Error(
                f"these tasks do not respond: {self._list(silent)}{_main_hint()}"
            )

    def configure(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Send values of parameters, by name of the node, to the processes there are.

        Raises
        ------
        Error
            If a task refuses them or does not respond.
        """
        messages = {
            name: Configure(self._supervisor.next_number(), dict(values[label]))
            for label in values
            for name in self._graph.nodes[label].processes
            if self._is_there(name)
        }
        self.command(messages, "configure")

    def command(self, messages: Mapping[str, Command], what: str) -> None:
        """Send commands, and wait until all are carried out.

        Raises
        ------
        Error
            If a task refuses, fails, or does not respond.
        """
        supervisor = self._supervisor
        records = {name: supervisor.records[name] for name in messages}
        for name, message in messages.items():
            supervisor.send(name, message)

        def is_done(record: ProcessRecord) -> bool:
            return record.done >= messages[record.name].number

        self._wait(
            lambda: all(is_done(r) or not r.is_alive for r in records.values()),
            COMMAND_SECONDS,
        )
        silent = [name for name, record in records.items() if not is_done(record)]
        if silent:
            raise Error(
                f"cannot {what}: these tasks do not respond: {self._list(silent)}"
            )
        refused = [
            f"{name}: {record.refused}"
            for name, record in records.items()
            if record.refused and record.done == messages[name].number
        ]
        if refused:
            raise Error(f"cannot {what}: {'; '.join(refused)}")

    def begin(self, run: Run, nodes: Iterable[Node]) -> None:
        """Start the sinks, then the middle, then the sources.

        Raises
        ------
        Error
            If a task cannot start; those that did are waiting again then.
        """
        supervisor = self._supervisor
        active = {node.name: node for node in nodes}
        with supervisor.changed:
            for record in supervisor.records.values():
                record.begun = record.heard = time.monotonic()
                record.is_cut = False
                record.finished_run = 0
                record.has_failed = False
                record.report = {}
            self._control.run = run
        order = [name for name in reversed(self._graph.in_order()) if name in active]
        try:
            for name in order:
                if run.reasons:
                    raise Error(f"cannot start: {'; '.join(run.reasons)}")
                run.active.update(active[name].processes)
                self.command(
                    {
                        process: self._control.start_message(
                            process, supervisor.next_number()
                        )
                        for process in active[name].processes
                    },
                    "start",
                )
        except BaseException:
            self._control.run = None
            self.to_waiting(run, abandon=True)
            raise
        with supervisor.changed:
            run.begun, run.began = True, time.monotonic()
            if run.reasons or run.ended_by:
                # Those that started last have not been asked to end yet.
                self._control.end("failure")

    def stop_sources(self, run: Run) -> None:
        """Ask those that make data to end, if the run goes on."""
        with self._supervisor.changed:
            if not run.over:
                self._control.end("stop")

    def pause(self, run: Run, *, paused: bool) -> None:
        """Let those that make data pause or go on, and wait until they do.

        Raises
        ------
        Error
            If one does not respond.
        """
        control = self._control
        with self._supervisor.changed:
            sources = control.pause(paused=paused)
        self._wait(
            lambda: (
                run.over or all(control.is_paused(r, paused=paused) for r in sources)
            ),
            COMMAND_SECONDS,
        )
        busy = [r.name for r in sources if not control.is_paused(r, paused=paused)]
        if busy and not run.over:
            what = "pause" if paused else "go on"
            raise Error(
                f"these tasks have been asked to {what}, and will when they can: "
                f"{self._list(busy)}"
            )

    def await_end(self, run: Run) -> None:
        """Wait until the run is over; a process that hangs is killed meanwhile."""
        # In slices: on some systems a lock cannot be interrupted by Ctrl-C.
        while not self._wait(lambda: run.over, 0.25):
            pass

    def to_waiting(self, run: Run, *, abandon: bool = False) -> None:
        """Let the processes wait that took part in a run.

        Raises
        ------
        Error
            If one does not respond.
        """
        self.command(
            {
                name: Stop(self._supervisor.next_number(), abandon)
                for name in run.active
                if self._is_there(name)
            },
            "stop",
        )

    def dismiss(self) -> None:
        """Let all processes leave; kill those that do not."""
        self._dismiss(list(self._supervisor.records))

    def dismiss_spent(self) -> None:
        """Let those processes leave in which something failed.

        What a failure leaves behind in libraries is not known: HDF5 ends a process in
        which a file could not be closed, XIA's library works once in each.
        """
        records = self._supervisor.records
        spent = {r.process.pid for r in records.values() if r.is_spent and r.is_alive}
        # With all tasks that share the process.
        names = [name for name, r in records.items() if r.process.pid in spent]
        if names:
            self._dismiss(names)

    def _dismiss(self, names: Sequence[str]) -> None:
        supervisor = self._supervisor
        self._note_leaving(names)
        for name in names:
            if self._is_there(name):
                supervisor.send(name, Quit(supervisor.next_number()))
        self._wait(lambda: self._are_gone(names), QUIT_SECONDS)
        self._kill(names)

    def kill(self) -> None:
        """Kill all processes, and wait until they are gone."""
        self._kill(list(self._supervisor.records))

    def _kill(self, names: Sequence[str]) -> None:
        self._note_leaving(names)
        for name in names:
            self._supervisor.signal(name, signal.SIGKILL)
        self._wait(lambda: self._are_gone(names), QUIT_SECONDS)

    def _note_leaving(self, names: Sequence[str]) -> None:
        with self._supervisor.changed:
            for name in names:
                self._supervisor.records[name].leaving = True

    def _are_gone(self, names: Sequence[str]) -> bool:
        records = self._supervisor.records
        return not any(records[name].is_alive for name in names)

    def _is_there(self, name: str) -> bool:
        record = self._supervisor.records.get(name)
        return record is not None and record.is_alive

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        return self._supervisor.wait_for(condition, seconds)

    def _list(self, names: Iterable[str]) -> str:
        records = self._supervisor.records
        return ", ".join(
            name if records[name].is_alive else f"{name} ({records[name].end})"
            for name in names
        )


def _is_imported_by_a_process() -> bool:
    """Tell whether this process is about to be a task, and imports the program."""
    return getattr(multiprocessing.current_process(), "_inheriting", False)


def _main_hint() -> str:
    """Return what is missing in a program that starts a pipeline on being imported."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        text = Path(path).read_text(errors="replace") if path else "__main__"
    except OSError:
        return ""
    if "__main__" in text:
        return ""
    return (
        f"; each process imports {path}, which starts a pipeline itself: put what the "
        f'program does below a line  if __name__ == "__main__":'
    )
