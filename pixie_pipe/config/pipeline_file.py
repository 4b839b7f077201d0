"""The file that describes a pipeline: what it may hold, and reading it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pixie_pipe.config.changes import apply_changes, task_names
from pixie_pipe.config.modules import ModuleConfig
from pixie_pipe.config.names import TASK_NAME
from pixie_pipe.config.problems import Problems
from pixie_pipe.config.yaml_lines import Location, load_yaml
from pixie_pipe.listmode.errors import LayoutError


class RunConfig(BaseModel):
    """What is kept of the runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    directory: str | None = Field(
        default=None,
        description="Directory of the runs, relative to this file: each run gets a "
        "numbered directory in it. Without it, nothing is kept.",
    )
    title: str = Field(default="", description="Title of the runs")
    runtime_s: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="End a run after this time in s, without its pauses",
    )
    events: int | None = Field(
        default=None,
        gt=0,
        description="End a run after this number of events, and those that come in the "
        "second in which that is noticed",
    )
    size_mb: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="End a run after this size of the raw data in MB, and those that "
        "come in the second in which that is noticed",
    )
    repeat: int = Field(
        default=1, ge=1, description="Number of runs, one after the other"
    )
    pause_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Time between two runs in s",
    )

    keep_free_mb: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Room that is to stay free on the disk of the runs in MB: a run "
        "does not begin with less, and is stopped before there is less; 200 by "
        "default",
    )

    @field_validator("events", "repeat", mode="before")
    @classmethod
    def _as_integer(cls, value: object) -> object:
        # 1e6 is a whole number to people.
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value


class TaskConfig(BaseModel):
    """One task: what all tasks have. Other keys are parameters of the task."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    task: str = Field(
        description="Class of the task; `pixie-pipe tasks` lists them", min_length=1
    )
    name: str | None = Field(
        default=None,
        pattern=TASK_NAME,
        description="Name in this pipeline: letters, digits, _ and -. By default that "
        "of the class, with a number if it is taken.",
    )
    source: list[str] | None = Field(
        default=None,
        alias="from",
        min_length=1,
        description="Name of the task that it reads from, or a list of names. By "
        "default the task before it that is no monitor.",
    )
    workers: int = Field(
        default=1, ge=1, description="Number of processes that share the work"
    )
    role: Literal["essential", "optional"] | None = Field(
        default=None,
        description="essential: its end ends the run. optional: it is restarted, or "
        "the run goes on without it. By default what the task says.",
    )
    lossy: bool | None = Field(
        default=None,
        description="Whether data for it may be dropped, and counted, when it is too "
        "slow. By default only for monitors, while data are taken live.",
    )
    window_mb: float | None = Field(
        default=None,
        gt=0,
        description="Data that may be under way to each of its processes in MB",
    )
    process: str | None = Field(
        default=None,
        pattern=TASK_NAME,
        description="Name of a process, which it shares with all tasks that name the "
        "same one. By default it has a process of its own.",
    )

    @field_validator("source", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the task's own parameters."""
        return dict(self.model_extra or {})


class PipelineFile(BaseModel):
    """A file that describes a pipeline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(default=1, description="Version of this schema")
    run: RunConfig = Field(
        default_factory=RunConfig, description="What is kept of the runs"
    )
    modules: list[ModuleConfig] = Field(
        default_factory=list,
        description="The modules, for every task that has a parameter `modules`",
    )
    task_path: list[str] = Field(
        default_factory=list,
        description="Directories with tasks of the experiment, relative to this file",
    )
    tasks: list[TaskConfig] = Field(
        min_length=1, description="The tasks, in the order of the data"
    )


RESERVED = tuple(item.alias or name for name, item in TaskConfig.model_fields.items())
"""Keys of a task that are no parameters."""


@dataclass(slots=True)
class PipelineContent:
    """What could be read of a file, and what is wrong with the rest.

    Attributes
    ----------
    path
        The file.
    content
        Its plain values, with the changes.
    problems
        What is wrong so far.
    names
        Name of each task.
    tasks
        The tasks by their position, those that could be read.
    run
        What is kept of the runs.
    modules
        The modules that could be read, their `files` relative to the working
        directory.
    task_path
        Directories of tasks.
    """

    path: Path
    content: dict[str, Any]
    problems: Problems
    names: list[str] = field(default_factory=list)
    tasks: dict[int, TaskConfig] = field(default_factory=dict)
    run: RunConfig = field(default_factory=RunConfig)
    modules: list[ModuleConfig] = field(default_factory=list)
    task_path: list[Path] = field(default_factory=list)


def read_pipeline_file(path: str | Path, changes: Sequence[str]) -> PipelineContent:
    """Read a file that describes a pipeline, as far as it can be read.

    Parameters
    ----------
    path
        The file.
    changes
        Values in place of those of the file; see `apply_changes`.

    Returns
    -------
    PipelineContent
        With the problems that were found; classes and parameters of tasks are not
        looked at.

    Raises
    ------
    ConfigError
        If the file is no YAML, or a change cannot be made.
    """
    document = load_yaml(Path(path))
    content, places = apply_changes(document.value, changes)
    problems = Problems(document, places)
    try:
        PipelineFile.model_validate(content)
    except ValidationError as error:
        add_validation_errors(problems, (), error)
    if not isinstance(content, dict):
        problems.raise_if_any()
    read = PipelineContent(Path(path), content, problems)
    entries = content.get("tasks")
    entries = entries if isinstance(entries, list) else []
    read.names = task_names(entries)
    for number, entry in enumerate(entries):
        task = _valid(TaskConfig, entry)
        if task is not None:
            read.tasks[number] = task
    read.run = _valid(RunConfig, content.get("run", {})) or RunConfig()
    read.modules = read_modules(problems, ("modules",), content.get("modules"))
    paths = content.get("task_path")
    for number, name in enumerate(paths if isinstance(paths, list) else []):
        if isinstance(name, str):
            place = ("task_path", number)
            read.task_path.append(problems.directory(place) / Path(name).expanduser())
    return read


def read_modules(
    problems: Problems,
    place: Location,
    entries: Any,  # noqa: ANN401 - what a file holds
) -> list[ModuleConfig]:
    """Return the modules of a list that are right, and note what is wrong.

    What does not fit the model at all is left out without a word: whoever validates
    the list as a whole tells that.
    """
    modules: list[ModuleConfig] = []
    seen: dict[tuple[int, int], int] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        module = _valid(ModuleConfig, entry)
        if module is None:
            continue
        where = (*place, number)
        if module.module in seen:
            problems.add(
                where,
                f"module {module.crate}/{module.slot} is listed twice, first as "
                f"[{seen[module.module]}]",
            )
            continue
        seen[module.module] = number
        try:
            module.layout  # noqa: B018  # raises for what has no layout
        except LayoutError as error:
            problems.add(where, str(error))
            continue
        base = problems.directory((*where, "files"))
        files = [str(base / name) for name in module.files]
        modules.append(module.model_copy(update={"files": files}))
    return modules


_Model = TypeVar("_Model", bound=BaseModel)


def _valid(model: type[_Model], value: object) -> _Model | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def add_validation_errors(
    problems: Problems, place: Location, error: ValidationError
) -> None:
    """Note what pydantic found, in words for people."""
    found = [(item, (*place, *item["loc"])) for item in error.errors()]
    # Behind a misspelled name, the right one is missing as well: tell the first only.
    misspelled = {
        (location[:-1], _near(location))
        for item, location in found
        if item["type"] == "extra_forbidden"
    }
    for item, location in found:
        if item["type"] == "missing":
            if (location[:-1], location[-1]) not in misspelled:
                problems.add(location, f"is missing{_meant(item)}")
        else:
            problems.add(location, _text(item, location))


_EXPECTED = {
    "string_type": "a text; quote it if it is one",
    "bool_type": "true or false",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list",
    "model_type": "settings by name",
    "model_attributes_type": "settings by name",
    "dict_type": "settings by name",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "letters, digits, _ and - (at most 32)",
    "string_too_short": "a text that is not empty",
    "too_short": "at least {min_length} item",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "finite_number": "a number that is not infinite",
    "less_than_equal": "at most {le:g}",
}
"""What is expected, by pydantic's name of the problem."""


def _text(item: Any, location: Location) -> str:  # noqa: ANN401 - of pydantic's own
    value, kind = item["input"], item["type"]
    if kind == "extra_forbidden":
        near = _near(location)
        hint = f"; did you mean {near!r}?" if near else ""
        known = ", ".join(_fields(location[:-1]))
        return f"there is no such setting{hint} (known: {known})"
    if kind not in _EXPECTED:
        return f"is {_short(value)}: {item['msg']}"
    expected = _EXPECTED[kind].format(**item.get("ctx", {}))
    return f"is {_short(value)}, expected {expected}{_advice(value, location, kind)}"


def _advice(value: object, location: Location, kind: str) -> str:
    """Return how a text is to be written where something else is expected."""
    if isinstance(value, str) and kind == "list_type":
        return f"; write [{value}]"
    if isinstance(value, str) and kind == "model_type" and location[:1] == ("tasks",):
        return f"; write {{task: {value}}}"
    return ""


def _meant(item: Any) -> str:  # noqa: ANN401 - of pydantic's own types
    """Return which key may be the misspelled name of one that is missing."""
    keys = [str(key) for key in item["input"]]
    near = difflib.get_close_matches(str(item["loc"][-1]), keys, n=1)
    return f"; is {near[0]!r} meant?" if near else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields(location: Location) -> list[str]:
    """Return the settings that there are at a place of the file."""
    model: type[BaseModel] = PipelineFile
    if "modules" in location:
        model = ModuleConfig
    elif location[:1] == ("run",):
        model = RunConfig
    return list(model.model_fields)


def _near(location: Location) -> str:
    known = _fields(location[:-1])
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return near[0] if near else ""
