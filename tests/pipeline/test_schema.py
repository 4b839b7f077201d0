"""The JSON Schema of pipelines: committed, and of the same opinion as the program."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest

from pixie_pipe.config.yaml_lines import load_yaml
from pixie_pipe.pipeline.registry import find_class
from pixie_pipe.pipeline.schema import pipeline_schema, schema_text

# Without types of its own.
jsonschema: Any = importlib.import_module("jsonschema")

CONFIGS = Path(__file__).parents[2] / "configs"
COMMITTED = CONFIGS / "pipeline.schema.json"
PIPELINES = sorted(set(CONFIGS.glob("*.yaml")) - {CONFIGS / "modules.yaml"})


@pytest.fixture(scope="module")
def validator():
    schema = pipeline_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_committed_one_is_up_to_date():
    assert COMMITTED.read_text() == schema_text(pipeline_schema()), (
        "run: pixie-pipe schema -o configs/pipeline.schema.json --force"
    )


def test_there_are_pipelines():
    assert len(PIPELINES) >= 6


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_the_pipelines_fit(validator, path):
    problems = list(validator.iter_errors(load_yaml(path).value))
    assert not problems


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_editors_are_told_where_it_is(path):
    first = path.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={COMMITTED.name}"


GOOD = {
    "run": {"directory": "runs", "title": "x"},
    "modules": [{"crate": 0, "slot": 2, "frequency": 500, "revision": 34688}],
    "tasks": [
        {"task": "DummyData", "rate_hz": 1, "modules": ["0/2:500/34688"]},
        {"task": "GatherData", "from": ["DummyData"], "record": "never"},
        {"task": "ConvertToEvents", "workers": 2},
        {"task": "SomethingOfTheExperiment", "anything": [1]},
    ],
}


def test_what_is_right_is_accepted(validator):
    assert not list(validator.iter_errors(GOOD))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), 2),
        (("modules", 0, "slot"), 99),
        (("modules", 0, "slto"), 1),
        (("run", "title"), 3),
        (("run", "titel"), "x"),
        (("moduls",), []),
        (("tasks",), []),
        (("tasks", 0, "rate_hz"), -1),
        (("tasks", 0, "rate_hs"), 1),
        (("tasks", 0, "modules"), ["0/2"]),
        (("tasks", 1, "record"), "alwyas"),
        (("tasks", 1, "workers"), 2),
        (("tasks", 1, "role"), "esential"),
        (("tasks", 1, "from"), []),
        (("tasks", 1, "window_mb"), 0),
        (("tasks", 2, "workers"), 0),
        (("tasks", 3, "name"), "a b"),
        (("tasks", 3), "DummyData"),
    ],
)
def test_what_is_wrong_is_refused(validator, place, value):
    content: Any = copy.deepcopy(GOOD)
    target = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    assert list(validator.iter_errors(content))


def test_parameters_have_their_description_unit_and_range(validator):
    branches = validator.schema["properties"]["tasks"]["items"]["allOf"]
    by_name = {
        branch["if"]["properties"]["task"]["const"]: branch["then"]["properties"]
        for branch in branches
    }
    known = find_class("SortEvents").parameters["window_us"]
    shown = by_name["SortEvents"]["window_us"]
    assert known.description in shown["description"]
    assert shown["description"].endswith(" in us")
    assert (shown["minimum"], shown["maximum"]) == (known.min, known.max)
    assert shown["default"] == known.default
