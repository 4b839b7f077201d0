"""Pipelines from the command line: how they end, and what is told of it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"
SECONDS = 120
"""Time that something may take on a busy machine before a test gives up."""


ENOUGH = 100_000
"""Bytes that are on the disk when a run surely goes on: data of a third of a second."""


@pytest.fixture
def begun(command, tmp_path):
    """Run a configuration until words are on the disk; return its process."""
    started = []

    def begun(config: Path = DEMO) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            **command("run", config, "--runs", tmp_path / "runs", "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        until = time.monotonic() + SECONDS
        while not any(
            path.stat().st_size > ENOUGH
            for path in tmp_path.glob("runs/0001/raw/*.bin")
        ):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "no words came"
            time.sleep(0.05)
        return process

    yield begun
    for process in started:
        process.kill()
        process.communicate()


def record_of(directory: Path):
    return yaml.safe_load((directory / "runs" / "0001" / "run.yaml").read_text())


def test_it_runs_until_the_source_ends(run, tmp_path):
    code, out, err = run(
        "run", DEMO, "--runs", tmp_path / "runs", "--set", "tasks.DummyData.events=3000"
    )  # fmt: skip
    assert code == 0, err
    first, second = out.splitlines()
    assert first.startswith(f"{tmp_path}/runs/0001: 3 000 events in ")
    assert "12 000 words read = 12 000 recorded = 12 000 decoded" in second
    record = record_of(tmp_path)
    assert record["state"] == "complete"
    assert record["title"] == "Demonstration"
    assert record["configuration"]["changes"] == ["tasks.DummyData.events=3000"]


def test_it_runs_for_the_time_that_is_given(run, tmp_path):
    code, out, err = run(
        "run", DEMO, "--runtime", 0.5, "--json", "--runs", tmp_path / "runs"
    )
    assert code == 0, err
    summary = json.loads(out)
    assert summary["run_directory"] == str(tmp_path / "runs" / "0001")
    assert summary["complete"]
    assert not summary["interrupted"]
    assert 0.5 <= summary["seconds"] < 10
    assert 0 < summary["events"] == summary["balance"]["events_written"]
    assert summary["balance"]["words_read"] == summary["balance"]["words_recorded"]
    assert record_of(tmp_path)["state"] == "complete"


def test_quiet_prints_nothing(run, tmp_path):
    arguments = ("--runs", tmp_path, "--set", "tasks.DummyData.events=10", "-q")
    assert run("run", DEMO, *arguments) == (0, "", "")


def test_the_environment_may_name_the_directory(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXIE_PIPE_RUNS", str(tmp_path / "there"))
    assert run("run", DEMO, "--set", "tasks.DummyData.events=10", "-q")[0] == 0
    assert (tmp_path / "there" / "0001" / "run.yaml").exists()


def test_a_dry_run_starts_nothing(run, tmp_path):
    code, out, err = run("run", DEMO, "--dry-run", "--runs", tmp_path / "runs")
    assert (code, err) == (0, "")
    assert "ok, 6 tasks" in out
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_as_json(run):
    code, out, _ = run("run", DEMO, "--dry-run", "--json")
    assert code == 0
    assert len(json.loads(out)["tasks"]) == 6


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_stops_it_and_everything_is_worked_off(begun, tmp_path, number, code):
    process = begun()
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == code, err
    summary = json.loads(out)
    assert summary["reasons"] == []
    assert summary["complete"]
    assert summary["interrupted"]
    assert summary["balance"]["words_read"] == summary["balance"]["words_decoded"] > 0
    assert record_of(tmp_path)["state"] == "complete"


DEAF = """\
import time
from pixie_pipe.pipeline import Task
class DeafThing(Task):
    def do_work(self, datum):
        time.sleep(1000)
"""


def test_a_second_signal_kills(begun, tmp_path):
    (tmp_path / "deaf_thing.py").write_text(DEAF)
    path = tmp_path / "a.yaml"
    path.write_text(
        "task_path: [.]\n"
        "tasks: [{task: DummyData}, {task: GatherData}, {task: DeafThing}]\n"
    )
    process = begun(path)
    process.send_signal(signal.SIGINT)
    line = process.stderr.readline()
    assert "once more kills" in line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert not json.loads(out)["complete"]
    assert "the run is not complete" in err
    assert record_of(tmp_path)["state"] == "incomplete"


FAILING = """\
from pixie_pipe.pipeline import Task
class FailingThing(Task):
    def do_work(self, datum):
        raise ValueError("no such luck")
"""


def test_a_task_that_fails_makes_the_run_incomplete(run_process, tmp_path):
    (tmp_path / "failing_thing.py").write_text(FAILING)
    (tmp_path / "a.yaml").write_text(
        "run: {directory: runs}\n"
        "task_path: [.]\n"
        "tasks: [{task: DummyData}, {task: FailingThing}]\n"
    )
    done = run_process("run", tmp_path / "a.yaml")
    assert done.returncode == 1
    assert "NOT COMPLETE" in done.stdout
    assert "the run is not complete: " in done.stderr
    assert "no such luck" in done.stderr
    # Where it happened, too.
    assert 'raise ValueError("no such luck")' in done.stderr
    record = record_of(tmp_path)
    assert record["state"] == "incomplete"
    assert any("no such luck" in reason for reason in record["reasons"])


def test_without_a_directory_nothing_is_kept_and_that_is_said(run, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "tasks: [{task: DummyData, events: 10}, {task: GatherData}, "
        "{task: ConvertToEvents}]\n"
    )
    code, out, err = run("run", path)
    assert code == 0, err
    assert "nothing was kept: give --runs DIR, or set run.directory" in out
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "CONFIG"),
        (("absent.yaml",), "absent.yaml: cannot be read"),
        ((DEMO, "--runtime", 0), "Must be > 0"),
        ((DEMO, "--set", "run.titel=x"), "did you mean 'title'"),
    ],
)
def test_wrong_usage(run, arguments, message):
    code, out, err = run("run", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_limits_take_the_place_of_those_of_the_file(run, tmp_path):
    arguments = ("--runs", tmp_path / "runs", "--json", "--set", "run.runtime_s=600")
    code, out, err = run("run", DEMO, *arguments, "--events", 1000)
    assert code == 0, err
    summary = json.loads(out)
    assert (
        summary["ended_by"] == record_of(tmp_path)["ended_by"] == "limit: 1000 events"
    )
    assert summary["events"] >= 1000
    code, out, _ = run("run", DEMO, *arguments, "--size-mb", 3, "--dry-run")
    document = json.loads(out)
    assert document["limits"] == {"runtime_s": 600.0, "size_mb": 3.0}
    assert (document["repeat"], document["pause_s"]) == (1, 0)


def test_a_limit_is_told_to_people(run, tmp_path):
    arguments = ("--runs", tmp_path / "runs", "--runtime", 0.3)
    code, out, err = run("run", DEMO, *arguments)
    assert code == 0, err
    assert out.splitlines()[0].endswith(", ended by the limit of 0.3 s")
    code, out, _ = run(
        "run", DEMO, *arguments, "--repeat", 3, "--pause", 2, "--dry-run"
    )  # fmt: skip
    assert "up to 0.3 s, 3 of them with 2 s between them" in " ".join(out.split())


def test_runs_are_repeated(run, tmp_path):
    arguments = ("--runs", tmp_path / "runs", "--set", "tasks.DummyData.events=100")
    code, out, err = run("run", DEMO, *arguments, "--repeat", 2, "--json")
    assert code == 0, err
    summaries = [json.loads(line) for line in out.splitlines()]
    directories = [Path(summary["run_directory"]).name for summary in summaries]
    assert directories == ["0001", "0002"]
    assert [summary["events"] for summary in summaries] == [100, 100]


@pytest.mark.parametrize("where", ["in a run", "between runs"])
def test_ctrl_c_ends_a_series(command, tmp_path, where):
    events = 10**9 if where == "in a run" else 100
    process = subprocess.Popen(
        **command(
            *("run", DEMO, "--runs", tmp_path / "runs", "--repeat", 3),
            *("--pause", 600, "--set", f"tasks.DummyData.events={events}"),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    until = "words/s" if where == "in a run" else "run 1 of 3 is over"
    for line in process.stderr:
        if until in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert len(out.splitlines()) == 2
    record = record_of(tmp_path)
    assert record["state"] == "complete"
    assert record["ended_by"] == ("stop" if where == "in a run" else "sources")
    assert not (tmp_path / "runs" / "0002").exists()


@pytest.mark.parametrize(
    "option", [("--events", 0), ("--repeat", 0), ("--pause", -1), ("--size-mb", "inf")]
)
def test_limits_that_are_none(run, option):
    code, out, err = run("run", DEMO, *option)
    assert (code, out) == (2, "")
    assert f"{option[0]}" in err
