"""The pipeline as its user sees it: make tasks, link them, run them, look at them."""

from __future__ import annotations

import atexit
import contextlib
import re
import signal
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pixie_pipe.config.names import TASK_NAME
from pixie_pipe.pipeline._pipeline_graph import PipelineWarning
from pixie_pipe.pipeline._pipeline_news import PipelineNews
from pixie_pipe.pipeline.callbacks import Callbacks
from pixie_pipe.pipeline.declarations import Role
from pixie_pipe.pipeline.disk_watch import DEFAULT_KEEP_FREE_MB
from pixie_pipe.pipeline.graph import Edge, Node
from pixie_pipe.pipeline.handle import TaskHandle, TaskHandles
from pixie_pipe.pipeline.limits import RunLimits
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.messages import (
    Connect,
    Error,
    OutputAddress,
    OutputEdge,
    Status,
)
from pixie_pipe.pipeline.parameters import (
    ParameterError,
    check_parameters,
    checked_parameters,
)
from pixie_pipe.pipeline.registry import add_search_path, find_class
from pixie_pipe.pipeline.run_control import Run, RunControl
from pixie_pipe.pipeline.run_keeper import RunKeeper
from pixie_pipe.pipeline.supervisor import ProcessRecord, Supervisor
from pixie_pipe.pipeline.transitions import (
    COMMAND_SECONDS,
    QUIT_SECONDS,
    Transitions,
)

if TYPE_CHECKING:
    from pixie_pipe.pipeline.balance import RunBalance
    from pixie_pipe.pipeline.display import PipelineStatus


class Pipeline(PipelineNews):
    """Tasks, each a process, and the links between them.

    Parameters
    ----------
    task_kwargs
        Given to the constructor of every task.
    runs
        Directory for runs: each run gets a numbered directory in it. None: nothing
        is kept, unless a task writes files of its own.
    title
        Title of the runs.
    limits
        What ends the runs, if nothing else does before. The attribute of this name
        may be changed from one run to the next.
    keep_free_mb
        Room in MB that is to stay free on the disk of `runs`. A run does not begin
        with less, and is stopped before there is less.
    transport
        ``"ipc"``, or ``"tcp"`` on the loopback.
    task_path
        Directories with tasks of the experiment.

    Raises
    ------
    RegistryError
        If a directory of `task_path` is none, or a task exists twice.
    ValueError
        If the transport is unknown, or `task_kwargs` have a ``name``.

    Examples
    --------
    >>> pipe = Pipeline()
    >>> for name in ("DummyData", "GatherData", "ConvertToEvents"):
    ...     task = pipe.create_task(name)
    >>> pipe.start()  # doctest: +SKIP
    >>> pipe.quit()
    """

    def __init__(
        self,
        task_kwargs: Mapping[str, Any] | None = None,
        *,
        runs: str | Path | None = None,
        title: str = "",
        limits: RunLimits | None = None,
        keep_free_mb: float = DEFAULT_KEEP_FREE_MB,
        transport: str = "ipc",
        task_path: Iterable[str | Path] = (),
    ) -> None:
        if transport not in ("ipc", "tcp"):
            raise ValueError(f"transport is {transport!r}, expected 'ipc' or 'tcp'")
        super().__init__()
        if task_kwargs and "name" in task_kwargs:
            raise ValueError(
                "task_kwargs has 'name', which every task has of its own; expected "
                "another word"
            )
        add_search_path(task_path)
        self.task_kwargs = dict(task_kwargs or {})
        self.title = title
        self.limits = limits or RunLimits()
        self.configuration: dict[str, Any] = {}
        self._transport = transport
        self._run_number = 0
        self._commands = threading.RLock()
        self._supervisor: Supervisor | None = None
        self._callbacks: Callbacks | None = None
        self._control = RunControl(self.graph, self._tell)
        self._control.kwargs = self.task_kwargs
        self._keeper = RunKeeper(
            Path(runs) if runs is not None else None,
            keep_free_mb,
            warn=lambda text: self._tell("print", "", text),
            end=self._end_run,
        )
        self._at_exit = _quit_at_exit(self)

    # Tasks and links

    def create_task(
        self,
        name: str,
        *,
        label: str | None = None,
        workers: int = 1,
        role: Role | str | None = None,
        after: str | Sequence[str] | None = None,
        lossy: bool | None = None,
        process: str = "",
        **parameters: Any,
    ) -> TaskHandle:
        """Add a task. Its process starts with `connect` or `start`.

        Parameters
        ----------
        name
            Name of its class.
        label
            Name in this pipeline; by default that of the class, with a number if it
            is taken.
        workers
            Number of processes that share the work.
        role
            ``"essential"`` or ``"optional"``; by default what the class says.
        after
            Task or tasks that it reads from; by default the one created before, or
            the one before that if that is a tap.
        lossy
            Whether data for it may be dropped and counted when it is too slow.
        process
            Name of a process, which it shares with all tasks that name the same one;
            by default it has a process of its own.
        **parameters
            Values of its parameters.

        Returns
        -------
        TaskHandle
            The task: its parameters, status and statistics.

        Raises
        ------
        RegistryError
            If there is no such class (a ValueError that names similar ones).
        ParameterError
            If there is no such parameter, or the value is not allowed.
        ValueError
            If the label is taken, or cannot be the name of a process.
        """
        kind = find_class(name)
        label = self._free_label(name) if label is None else label
        if not re.match(TASK_NAME, label):
            raise ValueError(
                f"the name of a task is {label!r}, expected letters, digits, _ and - "
                f"(at most 32, beginning with a letter or digit)"
            )
        if label in self.graph.nodes:
            raise ValueError(f"there is a task {label!r} already, choose another name")
        values = checked_parameters(kind.parameters, parameters, label)
        node = Node(label, kind, values, workers, Role(role or kind.role), process)
        self.graph.nodes[label] = node
        producers = [after] if isinstance(after, str) else list(after or ())
        for producer in producers:
            self._links.append(Edge(producer, label, lossy))
        if not producers and lossy is not None:
            self._links.append(Edge("", label, lossy))
        self._connected = False
        self._line = None
        return TaskHandle(self, label)

    @property
    def tasks(self) -> TaskHandles:
        """The tasks by name: ``pipe.tasks.SortEvents`` or ``pipe.tasks["sort"]``."""
        return TaskHandles(self)

    def __getitem__(self, name: str) -> TaskHandle:
        """Return a task by its name."""
        self._known(name)
        return TaskHandle(self, name)

    # Commands

    def configure(self, config: Mapping[str, Any]) -> None:
        """Give values of parameters to tasks.

        Parameters
        ----------
        config
            Values by name, by name of the task. The name of a class stands for all
            its tasks; `tasks` gives a single one.

        Raises
        ------
        ValueError
            If there is no such task.
        ParameterError
            If a parameter or value is wrong; nothing is changed then.
        Error
            If a task refuses the values.
        """
        with self._commands:
            changes: dict[str, dict[str, Any]] = {}
            problems: list[str] = []
            for name, values in config.items():
                for label in self._labels(name):
                    kind = self.graph.nodes[label].kind
                    if not isinstance(values, Mapping):
                        problems.append(
                            f"{name} is {values!r}, expected parameters by name"
                        )
                        continue
                    right, wrong = check_parameters(kind.parameters, values, label)
                    problems += [text for _, text in wrong]
                    changes.setdefault(label, {}).update(right)
            if problems:
                raise ParameterError("; ".join(problems))
            self.change(changes)

    def change(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Give checked values to single tasks; see `configure`.

        Parameters
        ----------
        changes
            Values by name, by name of the task.

        Raises
        ------
        Error
            If a task refuses them. All tasks have the values of before then.
        """
        nodes = self.graph.nodes
        with self._commands:
            self._refuse_while_running("configure")
            if self._supervisor is not None:
                before = {
                    label: {key: nodes[label].all_parameters[key] for key in values}
                    for label, values in changes.items()
                }
                try:
                    self._transitions.configure(changes)
                except Error:
                    with contextlib.suppress(Error):
                        self._transitions.configure(before)
                    raise
            for label, values in changes.items():
                nodes[label].parameters.update(values)

    def _refuse_while_running(self, what: str) -> None:
        if self.state is Status.RUNNING:
            raise Error(f"cannot {what} while running: stop the pipeline first")

    def connect(self, tasks_active: Sequence[str] | None = None) -> None:
        """Start the processes that are not there yet, and link them.

        Parameters
        ----------
        tasks_active
            Names of the tasks that take part, in the order of the data; by default
            all, in the order of their creation.

        Raises
        ------
        GraphError
            If the tasks do not fit together; the text lists all problems.
        Error
            If tasks do not respond; the text names them (a RuntimeError).
        """
        if isinstance(tasks_active, str):
            raise TypeError(f"expected a list of names: [{tasks_active!r}]")
        self._connect(tasks_active, depth=3)

    def _connect(self, tasks_active: Sequence[str] | None, depth: int) -> None:
        with self._commands:
            self._refuse_while_running("connect")
            line = list(tasks_active or self.graph.nodes)
            for name in line:
                self._known(name)
            self._line = list(tasks_active) if tasks_active else None
            self._check(line, depth)
            if self.state is not Status.WAITING:
                self.stop()
            self._ensure_service()
            self._transitions.connect(self._active_nodes(), self.task_kwargs)
            self._connected = True

    def start(self) -> None:
        """Begin a run; returns when all tasks are running.

        Connects first if that was not done, and starts processes anew that have
        ended, or in which something failed.

        Raises
        ------
        GraphError, Error
            As for `connect`; or if a task cannot start. The pipeline waits then.
        """
        with self._commands:
            if self.state is Status.RUNNING:
                raise Error("is running already: stop the pipeline first")
            self._back_to_waiting()
            lost = False
            if self._supervisor is not None:
                self._transitions.dismiss_spent()
                lost = any(not r.is_alive for r in self._service.records.values())
            if not self._connected or lost:
                self._connect(self._line, depth=3)
                self._back_to_waiting()
            self.limits.check(self._active_nodes())
            self._run_number += 1
            run = Run(self._run_number, is_live=self.graph.is_live, limits=self.limits)
            self._keeper.begin(run, self)
            try:
                self._transitions.begin(run, self._active_nodes())
            except BaseException as error:
                self._keeper.give_up(run, str(error))
                raise

    def _back_to_waiting(self) -> None:
        if self.state in (Status.FINISHED, Status.PANICKING):
            self.stop()

    def stop(self) -> None:
        """End the run: sources first, then what is under way is worked off.

        Afterwards all tasks wait; `start` begins a new run. Nothing happens if no
        run was begun.

        Raises
        ------
        Error
            If tasks do not come back to waiting.
        """
        with self._commands:
            run = self._control.run
            if run is None or self._supervisor is None:
                return
            self._transitions.stop_sources(run)
            self._transitions.await_end(run)
            self._keeper.close(run, self)
            self._transitions.to_waiting(run)
            self._control.run = None
            if self._callbacks is not None:
                self._callbacks.settle(COMMAND_SECONDS)

    def pause(self) -> None:
        """Let the sources deliver nothing until `resume`; the run stays open.

        Returns when they have paused. What they sent before is worked off meanwhile.
        The record of the run lists the pauses; its limit of time stands still.

        Raises
        ------
        Error
            If no run goes on, or a source does not respond.
        """
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Let the sources deliver again, after `pause`.

        Raises
        ------
        Error
            As for `pause`.
        """
        self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> None:
        with self._commands:
            run = self._control.run
            if run is None or run.over:
                what = "pause" if paused else "resume"
                raise Error(f"there is nothing to {what}: no run goes on")
            if self.is_paused is paused:
                return
            try:
                self._transitions.pause(run, paused=paused)
            finally:
                self._keeper.note_pauses(run)

    def wait(self, timeout: float | None = None, *, quiet: bool = False) -> bool:
        """Wait until the run is over, and show how it goes.

        Ctrl-C stops the run and works off what is under way; once more kills.

        Parameters
        ----------
        timeout
            Longest time to wait in seconds.
        quiet
            Show nothing.

        Returns
        -------
        bool
            Whether the run is over.

        Raises
        ------
        Error
            If the run failed.
        """
        run = self._control.run
        if run is None:
            return True
        from pixie_pipe.pipeline.progress import watch

        until = None if timeout is None else time.monotonic() + timeout
        try:
            with watch(self, quiet=quiet) as refresh:
                while not run.over and (until is None or time.monotonic() < until):
                    left = 0.25 if until is None else until - time.monotonic()
                    self._service.wait_for(lambda: run.over, min(0.25, max(left, 0)))
                    refresh()
        except KeyboardInterrupt:
            self._interrupted(run)
        if not run.over:
            return False
        self._keeper.close(run, self)
        if self._callbacks is not None:
            self._callbacks.settle(COMMAND_SECONDS)
        if run.reasons:
            raise Error("the run failed: " + "\n  ".join(run.reasons))
        return True

    def _interrupted(self, run: Run) -> None:
        self.handle_print("", "stopping; Ctrl-C once more kills the tasks")
        try:
            self._transitions.stop_sources(run)
            self._transitions.await_end(run)
        except KeyboardInterrupt:
            self.kill()
            raise

    def run_series(
        self, count: int, *, pause_s: float = 0.0, quiet: bool = False
    ) -> list[RunBalance]:
        """Take runs one after the other; returns when the last one is over.

        Each run ends by its `limits` or its sources. Ctrl-C in a run ends it and the
        series, between two runs the series; so does a `stop` from elsewhere.

        Parameters
        ----------
        count
            Number of runs, at least 1.
        pause_s
            Time between two runs in seconds.
        quiet
            Show nothing while a run goes on.

        Returns
        -------
        list of RunBalance
            One for each run that was taken.

        Raises
        ------
        ValueError
            If `count` or `pause_s` is too small; nothing is started then.
        Error
            If a run fails. Those before it are on the disk.
        """
        from pixie_pipe.pipeline.series import run_series

        return run_series(self, count, pause_s, quiet=quiet)

    def quit(self) -> None:
        """Stop the run if there is one, let all tasks leave, and clean up."""
        with self._commands:
            if self._supervisor is None:
                return
            try:
                if self._control.run is not None and not self._control.run.over:
                    self.stop()
                self._transitions.dismiss()
            finally:
                self._shut_down()

    def kill(self) -> None:
        """Kill all tasks at once. A run that goes on is marked incomplete."""
        if self._supervisor is None:
            return
        run = self._control.run
        with self._service.changed:
            if run is not None and not run.over:
                run.reasons.append("the pipeline was killed")
                run.ended_by = run.ended_by or "failure"
        self._shut_down()

    def _shut_down(self) -> None:
        """Kill what is still there, close the run, and end the threads."""
        supervisor, run = self._service, self._control.run
        self._transitions.kill()
        if run is not None and run.begun:
            supervisor.wait_for(lambda: run.over, QUIT_SECONDS)
            self._keeper.close(run, self)
        supervisor.close()
        supervisor.forget(list(supervisor.records))
        if self._callbacks is not None:
            self._callbacks.close()
        self._callbacks = None
        self._supervisor = None
        self._control.run = None
        self._connected = False

    def send_kill(self, name: str) -> None:
        """Kill one task, as a test of what happens then, or because it hangs.

        Parameters
        ----------
        name
            Name of the task; of a pool, all workers, or one by its own name.
        """
        names = [name]
        if name in self.graph.nodes:
            names = self.graph.nodes[name].processes
        elif self._supervisor is None or name not in self._service.records:
            self._known(name)
        for process in names:
            if self._supervisor is not None:
                self._service.signal(process, signal.SIGKILL)

    def send_connect(
        self,
        name: str,
        address_pull: str,
        is_start: bool,  # noqa: FBT001 - scripts call it so
        is_final: bool,  # noqa: FBT001 - scripts call it so
    ) -> None:
        """Link one task by hand: let it send to a PULL socket.

        Parameters
        ----------
        name
            Name of the task, whose process must be there.
        address_pull
            Address of the socket that its data go to; "" for none. Whoever has that
            socket must acknowledge the frames.
        is_start, is_final
            Whether the task is the first or the last one.
        """
        record = self._record(name)
        outputs = []
        if address_pull and not is_final:
            target = OutputAddress(address_pull, address_pull)
            outputs = [OutputEdge(address_pull, [target], DEFAULT_WINDOW)]
        number = self._service.next_number()
        inputs = [] if is_start else self._control.connection(record.node, 0).inputs
        message = Connect(number, inputs, outputs, is_start, is_final)
        self._transitions.command({record.name: message}, "connect")

    def _record(self, name: str) -> ProcessRecord:
        self._known(name)
        if self._supervisor is None or name not in self._service.records:
            raise Error(f"the process of {name} is not there: connect first", task=name)
        return self._service.records[name]

    def _end_run(self, run: Run, ended_by: str) -> None:
        """End a run as a stop would, without waiting for its end."""
        if self._supervisor is None:
            return
        with self._service.changed:
            if run is self._control.run:
                self._control.end(ended_by)

    def _close_run(self, run: Run) -> None:
        self._keeper.close(run, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.quit()

    @classmethod
    def from_config(
        cls, path: str | Path, *, changes: Sequence[str] = (), **kwargs: Any
    ) -> Self:
        """Make a pipeline as a YAML file describes it.

        Parameters
        ----------
        path
            The file.
        changes
            Values that replace those of the file, as ``"path.to.value=value"``.
        **kwargs
            For the constructor, in place of what the file says.

        Returns
        -------
        Pipeline
            With all tasks; no process is started.

        Raises
        ------
        ConfigError
            If anything in it is wrong: all problems, with file and line.
        """
        from pixie_pipe.pipeline.plan import load_plan

        return load_plan(path, changes).build(cls, **kwargs)

    def status(self) -> PipelineStatus:
        """Return a table: each process with its state, rates, queue and drops."""
        from pixie_pipe.pipeline.display import PipelineStatus

        return PipelineStatus.of(self)

    def __repr__(self) -> str:
        from pixie_pipe.pipeline.display import pipeline_text

        return pipeline_text(self)

    def _repr_html_(self) -> str:
        from pixie_pipe.pipeline.display import pipeline_html

        return pipeline_html(self)

    # Services

    def _ensure_service(self) -> None:
        if self._supervisor is not None:
            return
        supervisor = Supervisor(self._control, self._transport)
        self._callbacks = Callbacks(
            {
                "report": self.handle_report,
                "print": self.handle_print,
                "error": self.handle_error,
                "over": self._close_run,
            }
        )
        self._supervisor = supervisor
        self._control.supervisor = self._supervisor
        self._transitions = Transitions(self._supervisor, self._control, self.graph)


def _quit_at_exit(pipeline: Pipeline) -> object:
    """Let a pipeline that nobody has quit leave nothing behind."""
    reference = weakref.ref(pipeline)

    def leave() -> None:
        forgotten = reference()
        if forgotten is not None:
            forgotten.quit()

    atexit.register(leave)
    return leave


__all__ = ["Pipeline", "PipelineWarning"]
