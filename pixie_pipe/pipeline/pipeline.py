"""The pipeline as its user sees it: make tasks, link them, run them, look at them."""

from __future__ import annotations

import atexit
import contextlib
import re
import signal
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pixie_pipe.config.names import TASK_NAME
from pixie_pipe.pipeline._pipeline_graph import PipelineWarning
from pixie_pipe.pipeline._pipeline_runs import PipelineRuns
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
)
from pixie_pipe.pipeline.parameters import (
    ParameterError,
    check_parameters,
    checked_parameters,
)
from pixie_pipe.pipeline.registry import add_search_path, find_class
from pixie_pipe.pipeline.run_control import RunControl
from pixie_pipe.pipeline.run_keeper import RunKeeper

if TYPE_CHECKING:
    from pixie_pipe.pipeline.callbacks import Callbacks
    from pixie_pipe.pipeline.supervisor import ProcessRecord, Supervisor
    from pixie_pipe.pipeline.task import Task


class Pipeline(PipelineRuns):
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
        name: str | type[Task],
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
            Its class, or the name of that.
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
        name = name if isinstance(name, str) else name.__name__
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
        from pixie_pipe.pipeline.plan_file import load_plan

        return load_plan(path, changes).build(cls, **kwargs)


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
