"""Where tasks come from, and why some cannot be used."""

from __future__ import annotations

import json

GOOD = "from pixie_pipe.pipeline import Task\nclass MyThing(Task):\n    pass\n"


def test_built_in_tasks(run_process):
    done = run_process("plugins")
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = [line for line in done.stdout.splitlines() if "SortEvents" in line]
    assert row.split() == ["SortEvents", "ok", "built", "in"]


def test_tasks_of_a_directory(run_process, tmp_path):
    (tmp_path / "my_thing.py").write_text(GOOD)
    done = run_process("plugins", "--task-path", tmp_path, COLUMNS="300")
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = [line for line in done.stdout.splitlines() if "MyThing" in line]
    assert row.split() == ["MyThing", "ok", str(tmp_path / "my_thing.py")]


def test_a_broken_one_is_an_error(run_process, tmp_path):
    (tmp_path / "my_thing.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    done = run_process("plugins", "--task-path", tmp_path, "--json")
    assert done.returncode == 1
    assert "No module named 'nothing_of_this_name'" in done.stderr
    assert "no class of this name" in done.stderr
    by_name = {task["name"]: task for task in json.loads(done.stdout)["tasks"]}
    assert by_name["MyThing"]["error"]
    assert by_name["Other"]["error"]
    assert not by_name["SortEvents"]["error"]


def test_no_directory(run_process, tmp_path):
    done = run_process("plugins", "--task-path", tmp_path / "absent")
    assert done.returncode == 2
    assert "is no directory" in done.stderr
