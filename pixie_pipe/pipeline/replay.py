"""A plan with recorded files in the place of its sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.pipeline.limits import RunLimits
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.pipeline.plan import Plan, PlannedTask, absolute, make_graph
from pixie_pipe.pipeline.registry import find_class

_LOADER = "LoadFiles"
_ORIGIN = "replay"


def replayed(plan: Plan, files: Sequence[str | Path]) -> Plan:
    """Return a plan that reads files; see `Plan.replay`."""
    sources = [task for task in plan.tasks if task.is_source]
    if not sources:
        raise ConfigError(
            f"{plan.path}: no task in it is a source, so there is nothing to put the "
            f"files in place of; put DummyData, TakeData or LoadFiles first"
        )
    loader = _loader(plan, sources, files)
    gone = {task.name for task in sources}
    others = [task for task in plan.tasks if task.name not in gone]
    tasks = [loader, *(_behind(task, loader.name, gone) for task in others)]
    problems = make_graph(tasks).problems()
    if problems:
        texts = "; ".join(problem.text for problem in problems)
        raise ConfigError(f"{plan.path}: with {_LOADER} as the source: {texts}")
    return dataclasses.replace(
        plan,
        tasks=tuple(tasks),
        # They were meant for taking data; files end by themselves.
        limits=RunLimits(),
        repeat=1,
        pause_s=0.0,
        configuration={**plan.configuration, "replay": [str(file) for file in files]},
    )


def _loader(
    plan: Plan, sources: Sequence[PlannedTask], files: Sequence[str | Path]
) -> PlannedTask:
    kind = find_class(_LOADER)
    values: dict[str, Any] = {}
    for task in sources:
        if task.kind is kind:
            values |= task.parameters
    values["files"] = [absolute(Path(), file) for file in files]
    if "modules" in kind.parameters and plan.modules:
        values.setdefault("modules", [dict(module) for module in plan.modules])
    try:
        checked = {
            key: kind.parameters[key].check(value) for key, value in values.items()
        }
    except ParameterError as error:
        raise ConfigError(f"{_LOADER}: a parameter {error}") from error
    names = {task.name for task in plan.tasks if not task.is_source}
    free = (name for name in (_LOADER, *(t.name for t in sources)) if name not in names)
    origins = dict.fromkeys(checked, _ORIGIN)
    process = sources[0].process
    return PlannedTask(next(free), kind, checked, origins, process=process)


def _behind(task: PlannedTask, loader: str, gone: Container[str]) -> PlannedTask:
    """Return a task that reads from the loader, and does not record again."""
    after = (loader if name in gone else name for name in task.after)
    changes: dict[str, Any] = {"after": tuple(dict.fromkeys(after))}
    record = task.kind.parameters.get("record")
    if record is not None and "never" in record.choices:
        changes["parameters"] = {**task.parameters, "record": "never"}
        changes["origins"] = {**task.origins, "record": _ORIGIN}
    return dataclasses.replace(task, **changes)
