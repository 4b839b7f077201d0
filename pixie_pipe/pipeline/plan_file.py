"""Files that describe a pipeline: read, and checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from pixie_pipe.pipeline.limits import RunLimits
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.parameters import Parameter, ParameterError, suggestion
from pixie_pipe.pipeline.plan import Plan, PlannedTask, absolute, make_graph
from pixie_pipe.pipeline.registry import RegistryError, add_search_path, find_class

if TYPE_CHECKING:
    from pixie_pipe.config.yaml_lines import Location
    from pixie_pipe.pipeline.task import Task

_BYTES_PER_MB = 1e6


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
