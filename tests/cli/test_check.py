"""Configurations are checked as a whole, and explained."""

from __future__ import annotations

import json
from pathlib import Path

DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"


def test_what_is_right_is_shown_with_its_links(run):
    code, out, err = run("check", DEMO)
    assert (code, err) == (0, "")
    first, _, *rows = out.splitlines()
    assert first == f"{DEMO}: ok, 6 tasks"
    assert rows[0].split() == ["DummyData", "-"]
    assert rows[4].split() == ["WriteEvents", "SortEvents"]
    assert rows[5].split()[:3] == ["FillHistograms", "SortEvents", "optional,"]


def test_every_value_is_explained(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run(
        "check", DEMO, "--explain", "--set", "tasks.SortEvents.late=drop"
    )
    assert (code, err) == (0, "")
    rows = {
        line.split()[0]: line.split(None, 1)[1] for line in out.splitlines() if line
    }
    number = DEMO.read_text().splitlines().index("    rate_hz: 20000") + 1
    assert rows["DummyData.rate_hz"].split() == ["20000.0", "Hz", f"{DEMO}:{number}"]
    assert rows["SortEvents.late"].rstrip().endswith("--set tasks.SortEvents.late=drop")
    assert rows["SortEvents.max_mb"].rstrip().endswith("default")


def test_json(run):
    code, out, err = run("check", DEMO, "--json", "--set", "run.title=x")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["title"] == "x"
    assert [task["name"] for task in document["tasks"]][:2] == [
        "DummyData",
        "GatherData",
    ]
    assert document["tasks"][1]["from"] == ["DummyData"]
    assert document["tasks"][5]["lossy"] is True


def test_everything_that_is_wrong_is_told(run, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("run: {titel: x}\ntasks:\n  - {task: DummyData, rate: 3}\n")
    code, out, err = run("check", path)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0] == f"pixie-pipe: error: 2 problems in {path}:"
    assert lines[1].startswith(f"{path}:1: run.titel: ")
    assert lines[2].startswith(f"{path}:3: tasks[0].rate: ")


def test_a_wrong_change(run):
    code, out, err = run("check", DEMO, "--set", "tasks.SortEvent.window_us=3")
    assert (code, out) == (2, "")
    assert "did you mean 'SortEvents'?" in err


def test_a_task_path_that_is_none(run, tmp_path):
    code, _, err = run("check", DEMO, "--task-path", tmp_path / "absent")
    assert code == 2
    assert "is no directory" in err
