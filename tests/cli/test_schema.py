"""The JSON Schema on stdout, in a file, and with tasks of the experiment."""

from __future__ import annotations

import json

from pixie_pipe.pipeline.schema import pipeline_schema, schema_text

GOOD = """\
from pixie_pipe.pipeline import Parameter, Task
class MyThing(Task):
    parameters = {"size": Parameter(3, "how large", unit="mm")}
"""


def test_it_is_printed(run):
    code, out, err = run("schema")
    assert (code, err) == (0, "")
    assert out == schema_text(pipeline_schema())


def test_it_is_written_and_nothing_is_overwritten(run, tmp_path):
    path = tmp_path / "s.json"
    assert run("schema", "-o", path) == (0, "", "")
    assert path.read_text() == schema_text(pipeline_schema())
    path.write_text("mine")
    code, _, err = run("schema", "-o", path)
    assert code == 1
    assert "--force" in err
    assert path.read_text() == "mine"
    assert run("schema", "-o", path, "--force")[0] == 0


def test_tasks_of_the_experiment_are_described(run_process, tmp_path):
    (tmp_path / "my_thing.py").write_text(GOOD)
    done = run_process("schema", "--task-path", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    branches = json.loads(done.stdout)["properties"]["tasks"]["items"]["allOf"]
    (mine,) = [
        branch["then"]["properties"]
        for branch in branches
        if branch["if"]["properties"]["task"]["const"] == "MyThing"
    ]
    assert mine["size"] == {
        "description": "how large in mm",
        "type": "integer",
        "default": 3,
    }
