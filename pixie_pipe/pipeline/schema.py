"""The JSON Schema of files that describe a pipeline, for editors and checks.

In the words of draft 07, which editors know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pixie_pipe.config.modules import ModuleConfig
from pixie_pipe.config.pipeline_file import PipelineFile, RunConfig, TaskConfig
from pixie_pipe.pipeline.registry import find_class, plugins

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pixie_pipe.pipeline.task import Task

_MODULE = {"$ref": "#/definitions/module"}


def pipeline_schema(names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a file that describes a pipeline.

    Parameters
    ----------
    names
        Classes of tasks whose parameters it knows; by default those that are built
        in. Other tasks are allowed, with any parameters.

    Returns
    -------
    dict
        The schema, plain values.

    Raises
    ------
    RegistryError
        If a class does not exist or cannot be imported.
    """
    if names is None:
        names = [
            plugin.name
            for plugin in plugins()
            if plugin.origin == "built in" and not plugin.error
        ]
    kinds = [find_class(name) for name in names]
    properties = _properties(PipelineFile)
    properties["run"] = _object(RunConfig) | _described(properties["run"])
    properties["modules"]["items"] = _MODULE
    properties["tasks"]["items"] = _task_schema(kinds)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pipeline of pixie_pipe",
        "type": "object",
        "properties": properties,
        "required": ["tasks"],
        "additionalProperties": False,
        "definitions": {"module": _object(ModuleConfig)},
    }


def schema_text(schema: dict[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _properties(model: type[BaseModel]) -> dict[str, Any]:
    properties = model.model_json_schema()["properties"]
    return {name: _plain(schema) for name, schema in properties.items()}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing to people, and null: it is not to be written."""
    for choice in schema.pop("anyOf", ()):
        if choice != {"type": "null"}:
            schema |= choice
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    if schema.get("additionalProperties") is True:
        del schema["additionalProperties"]
    return schema


def _object(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": _properties(model),
        "required": model.model_json_schema().get("required", []),
        "additionalProperties": False,
    }


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": schema["description"]}


def _task_schema(kinds: Iterable[type[Task]]) -> dict[str, Any]:
    common = _common_properties()
    chosen = [
        {"const": kind.__name__, "description": kind.label or kind.__name__}
        for kind in kinds
    ]
    task = {
        "description": common["task"]["description"],
        # The last one lets tasks of the experiment pass.
        "anyOf": [*chosen, {"type": "string", "pattern": "^[A-Za-z_]"}],
    }
    return {
        "type": "object",
        "properties": {**common, "task": task},
        "required": ["task"],
        "allOf": [_branch(kind, list(common)) for kind in kinds],
    }


def _common_properties() -> dict[str, Any]:
    common = _properties(TaskConfig)
    names = {"type": "string", "minLength": 1}
    common["from"] = {
        "description": common["from"]["description"],
        "anyOf": [names, {"type": "array", "items": names, "minItems": 1}],
    }
    return common


def _branch(kind: type[Task], common: Iterable[str]) -> dict[str, Any]:
    """Return what holds for the tasks of one class."""
    parameters = {name: known.schema() for name, known in kind.parameters.items()}
    if "modules" in parameters:
        short = {"type": "string", "pattern": r"^\d+/\d+:\d+/\d+(/\w+)?$"}
        items = {"anyOf": [_MODULE, short]}
        parameters["modules"] = {"type": "array", "items": items} | _described(
            parameters["modules"]
        )
    workers = {} if kind.can_pool else {"workers": {"const": 1}}
    allowed: dict[str, Any] = dict.fromkeys(common, True) | workers | parameters
    return {
        "if": {"properties": {"task": {"const": kind.__name__}}, "required": ["task"]},
        "then": {"properties": allowed, "additionalProperties": False},
    }
