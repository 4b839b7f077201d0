"""A pipeline as a file describes it: read and checked as a whole, then built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.config.modules import ModuleConfig, parse_module
from pixie_pipe.config.pipeline_file import (
    RESERVED,
    PipelineContent,
    TaskConfig,
    add_validation_errors,
    read_modules,
    read_pipeline_file,
)
from pixie_pipe.pipeline.declarations import Role
from pixie_pipe.pipeline.disk_watch import DEFAULT_KEEP_FREE_MB
from pixie_pipe.pipeline.graph import Edge, Graph, Node, main_line
from pixie_pipe.pipeline.limits import RunLimits
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.parameters import Parameter, ParameterError, suggestion
from pixie_pipe.pipeline.registry import RegistryError, add_search_path, find_class

if TYPE_CHECKING:
    from pixie_pipe.config.yaml_lines import Location
    from pixie_pipe.pipeline.pipeline import Pipeline
    from pixie_pipe.pipeline.task import Task

    AnyPipeline = TypeVar("AnyPipeline", bound=Pipeline)

_BYTES_PER_MB = 1e6


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task of a plan.

    Attributes
    ----------
    name
        Name in the pipeline.
    kind
        Class of the task.
    parameters
        Values that were given.
    origins
        Where each of them was given: ``demo.yaml:12``, or ``--set ...``.
    after
        Names of the tasks that it reads from; empty for the one before it.
    workers
        Number of processes that share the work.
    role
        What its end means for the run.
    lossy
        Whether data for it may be dropped; None leaves it to the pipeline.
    window_bytes
        Bytes that may be under way to one of its processes.
    process
        Name of the process that it shares with others; "" for one of its own.
    """

    name: str
    kind: type[Task]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    workers: int = 1
    role: Role = Role.ESSENTIAL
    lossy: bool | None = None
    window_bytes: int = DEFAULT_WINDOW
    process: str = ""

    @property
    def is_source(self) -> bool:
        """Whether it makes data."""
        return self.kind.reads is not None and not self.kind.reads


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline that was checked and can be built.

    Attributes
    ----------
    path
        The file that describes it.
    tasks
        The tasks, in the order of the file.
    runs
        Directory of the runs; None keeps nothing.
    title
        Title of the runs.
    limits
        What ends a run, if nothing else does before.
    keep_free_mb
        Room in MB that is to stay free on the disk of the runs.
    repeat, pause_s
        Number of runs, and the time between two of them in seconds.
    modules
        The modules, as plain values.
    task_path
        Directories with tasks of the experiment.
    configuration
        What the record of a run says of the configuration, as plain values.
    """

    path: Path
    tasks: tuple[PlannedTask, ...]
    runs: Path | None = None
    title: str = ""
    limits: RunLimits = field(default_factory=RunLimits)
    keep_free_mb: float = DEFAULT_KEEP_FREE_MB
    repeat: int = 1
    pause_s: float = 0.0
    modules: tuple[Mapping[str, Any], ...] = ()
    task_path: tuple[Path, ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def graph(self) -> Graph:
        """Return the tasks and the links between them."""
        return make_graph(self.tasks)

    def build(
        self,
        cls: type[AnyPipeline],
        **kwargs: Any,
    ) -> AnyPipeline:
        """Make the pipeline. No process is started.

        Parameters
        ----------
        cls
            `Pipeline`, or a class derived from it.
        **kwargs
            For its constructor, in place of what the file says.
        """
        settings: dict[str, Any] = {
            "runs": self.runs,
            "title": self.title,
            "limits": self.limits,
            "keep_free_mb": self.keep_free_mb,
            "task_path": self.task_path,
        }
        pipeline = cls(**settings | kwargs)
        # Plain values of its own: what is changed in a session stays there.
        pipeline.configuration = dict(self.configuration)
        for task in self.tasks:
            pipeline.create_task(
                task.kind.__name__,
                label=task.name,
                workers=task.workers,
                role=task.role,
                lossy=None if task.after else task.lossy,
                process=task.process,
                **task.parameters,
            )
        placed = {task.name for task in self.tasks if _is_placed(task)}
        for edge in self.graph().edges:
            if edge.consumer in placed:
                pipeline.link(
                    edge.producer,
                    edge.consumer,
                    lossy=edge.lossy,
                    window_bytes=edge.window_bytes,
                )
        return pipeline

    def replay(self, files: Sequence[str | Path]) -> Plan:
        """Return the same plan with recorded files in place of the sources.

        Parameters
        ----------
        files
            Raw files, in the order of the run.

        Raises
        ------
        ConfigError
            If the plan has no source that could be replaced, or what is left does
            not fit the files.
        """
        from pixie_pipe.pipeline.replay import replayed

        return replayed(self, files)


def _is_placed(task: PlannedTask) -> bool:
    """Tell whether the links to a task differ from those that the pipeline makes."""
    return bool(task.after) or task.window_bytes != DEFAULT_WINDOW


def make_graph(tasks: Iterable[PlannedTask]) -> Graph:
    """Return planned tasks and the links between them."""
    planned = {task.name: task for task in tasks}
    nodes = {
        task.name: Node(
            task.name,
            task.kind,
            dict(task.parameters),
            task.workers,
            task.role,
            task.process,
        )
        for task in planned.values()
    }
    edges = [
        edge for edge in main_line(nodes.values()) if not planned[edge.consumer].after
    ]
    edges += [
        Edge(producer, task.name)
        for task in planned.values()
        for producer in task.after
    ]
    for edge in edges:
        edge.lossy = planned[edge.consumer].lossy
        edge.window_bytes = planned[edge.consumer].window_bytes
    return Graph(nodes, edges)


def load_plan(
    path: str | Path,
    changes: Sequence[str] = (),
    *,
    task_path: Iterable[str | Path] = (),
) -> Plan:
    """Read a file that describes a pipeline, and check it as a whole.

    Parameters
    ----------
    path
        The file; see ``configs/demo.yaml`` for an example.
    changes
        Values in place of those of the file: ``run.title=Test``,
        ``tasks.SortEvents.window_us=20``, ``tasks[0].rate_hz=1e5``. Names of files in
        them are relative to the working directory, those in the file to the file.
    task_path
        More directories with tasks of the experiment.

    Returns
    -------
    Plan
        The checked plan; `Plan.build` makes the pipeline.

    Raises
    ------
    ConfigError
        If anything is wrong: all problems, with file and line.
    """
    read = read_pipeline_file(path, changes)
    directories = [Path(directory) for directory in task_path]
    _add_task_path(read, directories)
    planner = _Planner(read)
    tasks = planner.tasks()
    planner.check(tasks)
    read.problems.raise_if_any()
    directory, keep_free = read.run.directory, read.run.keep_free_mb
    base = read.problems.directory(("run", "directory"))
    modules = [_plain(module) for module in read.modules]
    return Plan(
        path=read.path,
        tasks=tuple(tasks.values()),
        runs=None if directory is None else Path(absolute(base, directory)),
        title=read.run.title,
        limits=RunLimits(
            runtime_s=read.run.runtime_s,
            events=read.run.events,
            size_mb=read.run.size_mb,
        ),
        keep_free_mb=DEFAULT_KEEP_FREE_MB if keep_free is None else keep_free,
        repeat=read.run.repeat,
        pause_s=read.run.pause_s,
        modules=tuple(modules),
        task_path=(*directories, *read.task_path),
        configuration={
            "file": str(read.path),
            "changes": list(changes),
            "content": read.content,
            "modules": modules,
        },
    )


def absolute(base: Path, name: str | Path) -> str:
    """Return the absolute path of a file that is named relative to a directory."""
    # Not resolved: a link stays the name that the user knows.
    return os.path.abspath(base / Path(name).expanduser())  # noqa: PTH100


def _add_task_path(read: PipelineContent, directories: Sequence[Path]) -> None:
    for directory in directories:
        try:
            add_search_path([directory])
        except RegistryError as error:
            read.problems.add_text(f"--task-path {error}")
    for number, directory in enumerate(read.task_path):
        try:
            add_search_path([directory])
        except RegistryError as error:
            read.problems.add(("task_path", number), str(error))


def _plain(module: ModuleConfig) -> dict[str, Any]:
    return module.model_dump(exclude_defaults=True)


class _Planner:
    """Makes tasks of what a file says, and notes what is wrong."""

    def __init__(self, read: PipelineContent) -> None:
        self._read = read
        self._problems = read.problems
        self._places: dict[str, int] = {}
        self._whole = len(read.tasks) == len(read.names)

    def tasks(self) -> dict[str, PlannedTask]:
        """Return the tasks that can be made, by name."""
        tasks: dict[str, PlannedTask] = {}
        for number, config in self._read.tasks.items():
            name = self._read.names[number]
            if name in self._places:
                self._note(
                    number,
                    f"{name!r} is the name of tasks[{self._places[name]}] already; "
                    f"choose another one",
                    "name",
                )
                self._whole = False
                continue
            self._places[name] = number
            kind = self._class(number, config)
            if kind is not None:
                tasks[name] = self._task(number, config, kind)
        return tasks

    def check(self, tasks: Mapping[str, PlannedTask]) -> None:
        """Note what is wrong with the tasks as a whole."""
        if self._whole and tasks:
            for problem in make_graph(tasks.values()).problems():
                self._note_node(problem.node, problem.text, problem.field)
            return
        # Without some of the tasks nobody can tell what fits; names can be looked up.
        names = [name for name in self._read.names if name]
        for number, config in self._read.tasks.items():
            for producer in config.source or ():
                if producer not in names:
                    text = f"there is no task {producer!r}{suggestion(producer, names)}"
                    self._note(
                        number, f"{text} (there are: {', '.join(names)})", "from"
                    )

    def _class(self, number: int, config: TaskConfig) -> type[Task] | None:
        try:
            return find_class(config.task)
        except RegistryError as error:
            self._whole = False
            self._note(number, str(error), "task")
            return None

    def _task(self, number: int, config: TaskConfig, kind: type[Task]) -> PlannedTask:
        name = self._read.names[number]
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for key, value in config.parameters.items():
            if key not in kind.parameters:
                self._note(number, _unknown(kind, key), key)
                continue
            try:
                values[key] = self._value(number, key, value, kind.parameters[key])
                origins[key] = self._origin(number, key)
            except ParameterError as error:
                self._note(number, str(error), key)
        if (
            "modules" in kind.parameters
            and "modules" not in values
            and self._read.modules
        ):
            values["modules"] = [_plain(module) for module in self._read.modules]
            line = self._problems.document.line(("modules",))
            origins["modules"] = f"{self._read.path}:{line}"
        window = config.window_mb
        return PlannedTask(
            name=name,
            kind=kind,
            parameters=values,
            origins=origins,
            after=tuple(config.source or ()),
            workers=config.workers,
            role=Role(config.role or kind.role),
            lossy=config.lossy,
            window_bytes=DEFAULT_WINDOW
            if window is None
            else int(window * _BYTES_PER_MB),
            process=config.process or "",
        )

    def _value(
        self,
        number: int,
        key: str,
        value: Any,  # noqa: ANN401 - any value may be given
        parameter: Parameter,
    ) -> Any:  # noqa: ANN401 - as above
        place: Location = ("tasks", number, key)
        if parameter.type is int and isinstance(value, float) and value.is_integer():
            value = int(value)  # 1e6 is a whole number to people
        checked = parameter.check(value)
        if key == "modules" and parameter.type is list:
            return self._modules(place, checked or ())
        base = self._problems.directory(place)
        if key in ("file", "settings") and isinstance(checked, str) and checked:
            return absolute(base, checked)
        if key == "files" and isinstance(checked, list):
            return [absolute(base, name) for name in checked]
        return checked

    def _modules(self, place: Location, entries: Iterable[Any]) -> list[dict[str, Any]]:
        """Return modules that a task has for itself, as plain values."""
        listed = []
        for number, entry in enumerate(entries):
            try:
                # A text is the short form, such as 0/2:500/34688.
                module = parse_module(entry) if isinstance(entry, str) else None
                listed.append(_plain(module) if module else entry)
            except ConfigError as error:
                self._problems.add((*place, number), str(error))
        try:
            _MODULES.validate_python(listed)
        except ValidationError as error:
            add_validation_errors(self._problems, place, error)
        return [
            _plain(module) for module in read_modules(self._problems, place, listed)
        ]

    def _origin(self, number: int, key: str) -> str:
        place = ("tasks", number, key)
        change = self._problems.change_of(place)
        if change is not None:
            return f"--set {change}"
        return f"{self._read.path}:{self._problems.document.line(place)}"

    def _note(self, number: int, text: str, key: str) -> None:
        self._problems.add(("tasks", number, key), text)

    def _note_node(self, name: str, text: str, key: str) -> None:
        if name not in self._places:
            self._problems.add(("tasks",), text)
            return
        place: Location = ("tasks", self._places[name])
        self._problems.add((*place, key) if key else place, text)


_MODULES = TypeAdapter(list[ModuleConfig])


def _unknown(kind: type[Task], key: str) -> str:
    known = [*kind.parameters, *RESERVED]
    listed = ", ".join(kind.parameters) or "none"
    return (
        f"{kind.__name__} has no such parameter{suggestion(key, known)} (it has: "
        f"{listed}; every task has: {', '.join(RESERVED)})"
    )
