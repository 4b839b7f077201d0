"""The palette of tasks, and their parameters."""

from __future__ import annotations

import json

from pixie_pipe.pipeline import find_class


def test_tasks_are_listed_by_category(run):
    code, out, err = run("tasks")
    assert (code, err) == (0, "")
    for name in ("DummyData", "LoadFiles", "SortEvents", "WriteEvents"):
        assert f" {name} " in out
    words = out.split()
    order = [words.index(word) for word in ("source", "transform", "sink", "monitor")]
    assert order == sorted(order)
    assert find_class("WriteEvents").label in out


def test_a_task_is_described(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    code, out, err = run("tasks", "ConvertToEvents", "SortEvents")
    assert (code, err) == (0, "")
    first, second = out.split("\n\n")
    assert first.startswith("ConvertToEvents (transform): ")
    assert "may have several workers" in first
    assert second.startswith("SortEvents (transform): ")
    (row,) = [line for line in second.splitlines() if "window_us" in line]
    known = find_class("SortEvents").parameters["window_us"]
    assert f"{known.default} us" in row
    assert known.range in row
    assert known.description in row


def test_all_are_described_if_asked(run):
    out = run("tasks", "--verbose")[1]
    assert "DummyData (source): " in out
    assert "WriteEvents (sink): " in out


def test_an_unknown_task(run):
    code, out, err = run("tasks", "SortEvent")
    assert (code, out) == (2, "")
    assert "did you mean 'SortEvents'" in err


def test_json(run):
    code, out, err = run("tasks", "SortEvents", "--json")
    assert (code, err) == (0, "")
    (task,) = json.loads(out)["tasks"]
    assert task["name"] == "SortEvents"
    assert task["parameters"]["window_us"]["unit"] == "us"
    assert {port["kind"] for port in task["reads"]} >= {"events"}


def test_a_broken_task_is_noted_and_the_others_are_listed(run_process, tmp_path):
    (tmp_path / "broken_thing.py").write_text("import nothing_of_this_name\n")
    done = run_process("tasks", "--task-path", tmp_path)
    assert done.returncode == 0
    assert "SortEvents" in done.stdout
    assert "BrokenThing" in done.stderr
    assert "nothing_of_this_name" in done.stderr
