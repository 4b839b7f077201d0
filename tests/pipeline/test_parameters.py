"""The check of parameters: what is taken, and what is said of the rest."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.pipeline import Parameter, ParameterError, find_class, known_names
from pixie_pipe.pipeline.parameters import check_parameters, suggestion

# Without types of its own.
jsonschema: Any = importlib.import_module("jsonschema")


@pytest.mark.parametrize(
    ("default", "value", "expected"),
    [
        (1, 2, 2),
        (1.0, 2, 2.0),
        (1.0, -0.5, -0.5),
        (1.0, math.inf, math.inf),
        ("a", "b", "b"),
        ("a", Path("/some/where"), "/some/where"),
        (True, False, False),
        ([1], (2, "x"), [2, "x"]),
        ({}, {"a": 1}, {"a": 1}),
        (1, np.int64(3), 3),
        (1.0, np.float32(0.5), 0.5),
        (1.0, np.int16(3), 3.0),
        (True, np.bool_(False), False),
    ],
)
def test_values_come_in_the_type_of_the_parameter(default, value, expected):
    checked = Parameter(default, "something").check(value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("parameter", "value", "text"),
    [
        (Parameter(1, "n"), "2", "is '2', expected an integer"),
        (Parameter(1, "n"), 2.0, "is 2.0, expected an integer"),
        (Parameter(1, "n"), True, "is True, expected an integer"),
        (Parameter(1, "n"), None, "is None, expected an integer"),
        (Parameter(1.0, "t", unit="s"), "fast", "is 'fast', expected a number s"),
        (Parameter(1.0, "t"), True, "is True, expected a number"),
        (Parameter(1.0, "t"), math.nan, "is nan, expected a number"),
        (Parameter(default=True, description="b"), 1, "is 1, expected true or false"),
        (Parameter("a", "s"), 1, "is 1, expected a text"),
        (Parameter([], "l"), "a", "is 'a', expected a list"),
        (Parameter([], "l", items=str), "a", "is 'a', expected a list; write ['a']"),
        (Parameter({}, "d"), [1], "is [1], expected a mapping"),
        (Parameter(None, "n", type=int), "x", "is 'x', expected an integer"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_was_expected(
    parameter, value, text
):
    with pytest.raises(ParameterError) as caught:
        parameter.check(value)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("limits", "value", "text"),
    [
        ({"min": 1}, 0, "is 0, expected at least 1"),
        ({"max": 1}, 2, "is 2, expected at most 1"),
        ({"min": 1, "max": 64}, 65, "is 65, expected 1 to 64"),
        ({"min": 1, "unit": "MB"}, 0, "is 0 MB, expected at least 1 MB"),
        # Numbers that differ are not written alike.
        ({"max": 1_048_576}, 1_048_577, "is 1048577, expected at most 1048576"),
        ({"max": 10}, 10**400, f"is 1{'0' * 400}, expected at most 10"),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(limits, value, text):
    with pytest.raises(ParameterError) as caught:
        Parameter(1, "n", **limits).check(value)
    assert str(caught.value) == text


def test_a_rate_just_above_its_limit_is_not_written_as_the_limit():
    with pytest.raises(ParameterError, match=r"^is 1000000001.0 Hz, .* to 1e\+09 Hz$"):
        Parameter(1.0, "rate", min=0, max=1e9, unit="Hz").check(1_000_000_001)


def test_an_integer_that_is_no_float_is_refused():
    with pytest.raises(ParameterError, match=r"^is 10{400}, expected a number$"):
        Parameter(1.0, "x").check(10**400)


def test_both_limits_are_allowed():
    parameter = Parameter(1, "n", min=1, max=3)
    assert [parameter.check(value) for value in (1, 2, 3)] == [1, 2, 3]


def test_a_choice_that_is_nearly_right_is_suggested():
    parameter = Parameter("live", "when", choices=("live", "always", "never"))
    assert parameter.check("never") == "never"
    with pytest.raises(ParameterError) as caught:
        parameter.check("allways")
    assert str(caught.value) == (
        "is 'allways', expected one of 'live', 'always', 'never'; did you mean "
        "'always'?"
    )
    with pytest.raises(ParameterError, match=r"expected one of 1, 2$"):
        Parameter(1, "n", choices=(1, 2)).check(3)


@pytest.mark.parametrize(
    ("items", "values", "expected"),
    [
        (str, ["a", Path("b")], ["a", "b"]),
        (float, [1, 2.5, np.float32(0.5)], [1.0, 2.5, 0.5]),
        (int, (1, np.uint8(2)), [1, 2]),
        (dict, [{}], [{}]),
        (str, [], []),
    ],
)
def test_items_come_in_their_type(items, values, expected):
    checked = Parameter([], "l", items=items).check(values)
    assert checked == expected
    assert [type(item) for item in checked] == [type(item) for item in expected]


@pytest.mark.parametrize(
    ("items", "values", "text"),
    [
        (str, ["a", 1], "has 1 as item 1, expected a text"),
        (int, [1, 2.5], "has 2.5 as item 1, expected an integer"),
        (int, [True], "has True as item 0, expected an integer"),
        (float, [0.5, "x"], "has 'x' as item 1, expected a number"),
        (float, [math.nan], "has nan as item 0, expected a number"),
    ],
)
def test_an_item_of_another_type_is_refused_with_its_place(items, values, text):
    with pytest.raises(ParameterError) as caught:
        Parameter([], "l", items=items).check(values)
    assert str(caught.value) == text


def test_none_means_not_set_where_the_default_does():
    assert Parameter(None, "t", type=float, min=1).check(None) is None


def test_a_parameter_needs_a_type_that_can_be_written_in_a_file():
    for wrong in (None, {1, 2}, b"x", 1j):
        with pytest.raises(ParameterError, match="needs a type, one of bool, int"):
            Parameter(wrong, "x")


KNOWN = {
    "rate_hz": Parameter(1.0, "rate", unit="Hz", min=0),
    "events": Parameter(None, "number", type=int),
    "modules": Parameter([], "modules"),
}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("rate_Hz", "rate_hz"), ("RATE_HZ", "rate_hz"), ("rate", "rate_hz"),
     ("event", "events"), ("module", "modules")],
)  # fmt: skip
def test_an_unknown_name_that_is_nearly_known_is_suggested(name, meant):
    right, problems = check_parameters(KNOWN, {name: 1}, "DummyData")
    assert right == {}
    assert problems == [
        (
            name,
            (
                f"DummyData has no parameter {name!r}; did you mean {meant!r}? (known: "
                f"rate_hz, events, modules)"
            ),
        )
    ]


def test_an_unknown_name_that_is_like_no_other():
    assert check_parameters(KNOWN, {"xyz": 1}, "a")[1] == [
        ("xyz", "a has no parameter 'xyz' (known: rate_hz, events, modules)")
    ]
    assert check_parameters({}, {"xyz": 1}, "a")[1] == [
        ("xyz", "a has no parameter 'xyz' (it has none)")
    ]


def test_all_problems_are_told_and_what_is_right_is_kept():
    given = {"rate_hz": -1, "events": 3, "modules": "0/2", "title": "x"}
    right, problems = check_parameters(KNOWN, given, "a")
    assert right == {"events": 3}
    assert problems == [
        ("rate_hz", "a.rate_hz is -1 Hz, expected at least 0 Hz"),
        ("modules", "a.modules is '0/2', expected a list"),
        ("title", "a has no parameter 'title' (known: rate_hz, events, modules)"),
    ]


def test_a_pipeline_refuses_them_all_at_once_and_changes_nothing(make_pipeline):
    pipeline = make_pipeline("DummyData")
    with pytest.raises(ParameterError) as caught:
        pipeline.configure({"DummyData": {"seed": 5, "rate_hz": -1, "evnts": 2}})
    assert "DummyData.rate_hz is -1 Hz" in str(caught.value)
    assert "did you mean 'events'?" in str(caught.value)
    assert pipeline.tasks.DummyData.seed == 1
    with pytest.raises(ParameterError, match="did you mean 'channels'"):
        pipeline.create_task("DummyData", channel=3)
    with pytest.raises(ParameterError, match="did you mean 'rate_hz'"):
        pipeline.tasks.DummyData.rate_hx = 3


# Any parameter, any value

NUMBERS = st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@st.composite
def parameters(draw) -> Parameter:
    kind = draw(st.sampled_from([bool, int, float, str, list, dict]))
    limits: dict[str, Any] = {}
    if kind in (int, float):
        low, high = sorted(draw(st.tuples(NUMBERS, NUMBERS)))
        limits = draw(
            st.sampled_from(
                [{}, {"min": low}, {"max": high}, {"min": low, "max": high}]
            )
        )
    if kind is list:
        limits["items"] = draw(st.sampled_from([None, str, int, float, bool, dict]))
    if kind is str:
        limits["choices"] = draw(st.sampled_from([(), ("a", "b")]))
    default = draw(st.sampled_from([None, kind()]))
    return Parameter(default, "x", type=kind, **limits)


@given(parameters(), VALUES)
def test_what_is_taken_has_the_type_and_fits_the_limits_and_the_schema(
    parameter, value
):
    try:
        checked = parameter.check(value)
    except ParameterError:
        return
    assert parameter.check(checked) == checked
    if checked is None:
        assert parameter.default is None
        return
    assert type(checked) is parameter.type
    assert parameter.min is None or checked >= parameter.min
    assert parameter.max is None or checked <= parameter.max
    assert not parameter.choices or checked in parameter.choices
    if parameter.items is not None:
        assert {type(item) for item in checked} <= {parameter.items}
    assert checked == (list(value) if parameter.type is list else value)
    jsonschema.validate(checked, parameter.schema())


@given(parameters(), VALUES)
def test_what_the_schema_refuses_is_refused(parameter, value):
    validator = jsonschema.Draft7Validator(parameter.schema())
    if not validator.is_valid(value):
        with pytest.raises(ParameterError):
            parameter.check(value)


@given(st.dictionaries(st.sampled_from([*KNOWN, "a", "b"]), VALUES, max_size=4))
def test_each_value_is_right_or_a_problem(given_values):
    right, problems = check_parameters(KNOWN, given_values, "task")
    assert sorted([*right, *(name for name, _ in problems)]) == sorted(given_values)
    assert all(name in text and text.startswith("task") for name, text in problems)


@given(st.text(max_size=10), st.lists(st.text(min_size=1, max_size=6), max_size=4))
def test_only_known_names_are_suggested(name, known):
    text = suggestion(name, known)
    assert not text or any(repr(item) in text for item in known)


@pytest.mark.parametrize(
    "name", ["DummyData", "GatherData", "SortEvents", "WriteEvents"]
)
def test_defaults_of_the_tasks_are_allowed(name):
    assert name in known_names()
    for key, parameter in find_class(name).parameters.items():
        assert parameter.check(parameter.default) == parameter.default, key
        assert parameter.description, key
