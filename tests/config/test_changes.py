"""Values of the command line in place of those of a file."""

from __future__ import annotations

import pytest

from pixie_pipe.config import ConfigError
from pixie_pipe.config.changes import apply_changes, task_names

CONTENT = {
    "run": {"title": "a"},
    "modules": [{"slot": 2}],
    "tasks": [{"task": "A", "x": 1}, {"task": "B", "name": "b"}, {"task": "A"}],
}


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ("run.title=new", ("run", "title"), "new"),
        ("run.title='42'", ("run", "title"), "42"),
        ("run.title=a=b", ("run", "title"), "a=b"),
        ("run.title=", ("run", "title"), None),
        ("modules[0].slot=3", ("modules", 0, "slot"), 3),
        ("tasks[1].x=1e5", ("tasks", 1, "x"), 1e5),
        ("tasks.A.x=-2.5E-3", ("tasks", 0, "x"), -2.5e-3),
        ("tasks.b.from=[A, A-2]", ("tasks", 1, "from"), ["A", "A-2"]),
        ("tasks.A-2.x=yes", ("tasks", 2, "x"), True),
        ("new.deep=1", ("new", "deep"), 1),
    ],
)
def test_a_value_is_set(change, place, value):
    content, places = apply_changes(CONTENT, [change])
    assert places == {place: change}
    for key in place:
        content = content[key]
    assert content == value
    assert type(content) is type(value)


def test_the_original_stays_as_it_is():
    before = repr(CONTENT)
    apply_changes(CONTENT, ["run.title=new", "tasks.A.x=3"])
    assert repr(CONTENT) == before


def test_a_section_that_is_missing_is_made():
    content, _ = apply_changes({"run": None}, ["run.title=x"])
    assert content == {"run": {"title": "x"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("title", "expected PATH=VALUE"),
        ("=3", "expected PATH=VALUE"),
        ("a..b=3", "expected PATH=VALUE"),
        ("a[x]=3", "expected PATH=VALUE"),
        (".a=3", "expected PATH=VALUE"),
        ("tasks.C.x=1", "tasks has no 'C' .there are A, b, A-2."),
        ("tasks.A-3.x=1", "tasks has no 'A-3'; did you mean 'A-2'"),
        ("tasks[3].x=1", r"tasks has no \[3\]"),
        ("modules[1].slot=1", r"modules has no \[1\] .there are 1"),
        ("run[0]=1", r"run is no list, expected the name of a setting"),
        ("run.title.x=1", r"run.title is 'a', and has nothing inside"),
        ("run.title=[", "the value is not YAML"),
        ("modules[0].slot=012", "the value 012 would be read as 10"),
    ],
)
def test_wrong_changes(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        apply_changes(CONTENT, [change])
    assert str(caught.value).startswith(f"--set {change}: ")


def test_names_of_tasks():
    entries = [{"task": "A"}, {"task": "A"}, {"task": "B", "name": "A-2"}, 3, {}]
    assert task_names(entries) == ["A", "A-3", "A-2", "", ""]
