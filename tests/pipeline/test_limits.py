"""Limits of a run: whichever comes first ends it, cleanly, and the record says so."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import pytest
import yaml

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.config.errors import ConfigError
from pixie_pipe.pipeline import Error, Pipeline, RunLimits, Status
from pixie_pipe.pipeline.plan_file import load_plan
from pixie_pipe.storage import list_runs
from tests.support.run_checks import check_raw

RATE = 20_000.0
"""Events per second of the source."""

MUCH_S = 20.0
"""Overshoot on a busy machine that shows that a limit does nothing."""


@pytest.fixture
def line(make_pipeline, tmp_path):
    def line(**source):
        pipeline = make_pipeline(runs=tmp_path / "runs")
        pipeline.create_task("DummyData", **{"rate_hz": RATE, **source})
        for name in ("GatherData", "ConvertToEvents", "WriteEvents"):
            pipeline.create_task(name)
        return pipeline

    return line


def last_run(pipeline):
    return list_runs(pipeline.run_directory.parent)[-1]


@pytest.mark.parametrize(
    ("limits", "ended_by"),
    [
        (RunLimits(events=3000), "limit: 3000 events"),
        (RunLimits(size_mb=0.05), "limit: 0.05 MB"),
        (RunLimits(runtime_s=0.4, events=10**9), "limit: 0.4 s"),
        (RunLimits(events=3000, size_mb=1e6, runtime_s=1e6), "limit: 3000 events"),
    ],
)
def test_a_limit_ends_a_run_cleanly(line, limits, ended_by) -> None:
    pipeline = line()
    pipeline.limits = limits
    pipeline.start()
    assert pipeline.ended_by == ""
    assert pipeline.wait(60, quiet=True)
    assert pipeline.state is Status.FINISHED
    assert pipeline.ended_by == ended_by
    run = last_run(pipeline)
    assert (run.state, run.record.ended_by) == ("complete", ended_by)
    assert run.record.configuration["limits"] == limits.to_dict()
    events = len(check_raw(run))
    assert run.balance["events_written"] == events
    if limits.runtime_s is None or limits.events == 3000:
        assert 3000 <= events < 3000 + MUCH_S * RATE


def test_sources_that_end_before_are_what_ended_it(line) -> None:
    pipeline = line(events=1000)
    pipeline.limits = RunLimits(events=1_000_000)
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    assert last_run(pipeline).record.ended_by == pipeline.ended_by == "sources"
    pipeline.stop()
    assert pipeline.ended_by == "sources"


def test_a_stop_is_what_ended_it(line) -> None:
    pipeline = line()
    pipeline.limits = RunLimits(runtime_s=1e6)
    pipeline.start()
    pipeline.stop()
    assert last_run(pipeline).record.ended_by == "stop"


def test_limits_that_no_task_can_tell_are_refused(make_pipeline, tmp_path) -> None:
    pipeline = make_pipeline(runs=tmp_path / "runs")
    pipeline.create_task("DummyData")
    pipeline.create_task("GatherData")
    pipeline.limits = RunLimits(events=10)
    with pytest.raises(Error, match="limited to 10 by events, but no task makes eve"):
        pipeline.start()
    assert not (tmp_path / "runs").exists()
    assert pipeline.state is Status.WAITING


@pytest.mark.parametrize(
    "limits", [{"runtime_s": 0}, {"events": -1}, {"size_mb": float("nan")}]
)
def test_limits_that_are_none(limits) -> None:
    with pytest.raises(ValueError, match="expected a number more than 0"):
        RunLimits(**limits)


def told(words=0, decoded=0, sent=0):
    return {
        "ledger": {"words_read": words, "events_decoded": decoded},
        "sent": {"events": sent},
    }


@pytest.mark.parametrize(
    ("statistics", "reached"),
    [
        ([], None),
        ([{}, {"own": {}}], None),
        ([told(words=249_999), told(decoded=99)], None),
        ([told(words=250_000)], "1 MB"),
        # A pool decodes together; those behind it send the same events again.
        ([told(decoded=50), told(decoded=50), told(sent=90)], "100 events"),
        ([told(decoded=40), told(decoded=50), told(sent=100)], None),
        ([told(sent=100), told(sent=100)], "100 events"),
        ([told(sent=60), told(sent=60)], None),
    ],
)
def test_what_is_counted(statistics, reached) -> None:
    limits = RunLimits(events=100, size_mb=1.0, runtime_s=10)
    assert limits.reached(9.99, statistics) == reached
    assert limits.reached(10, statistics) == "10 s"


def test_a_series_of_runs(line) -> None:
    pipeline = line()
    pipeline.limits = RunLimits(runtime_s=0.1)
    balances = pipeline.run_series(3, pause_s=0.05, quiet=True)
    runs = list_runs(pipeline.run_directory.parent)
    assert [run.number for run in runs] == [1, 2, 3]
    assert {run.state for run in runs} == {"complete"}
    assert [b.to_dict() for b in balances] == [run.balance for run in runs]
    assert {run.record.ended_by for run in runs} == {"limit: 0.1 s"}
    for before, after in itertools.pairwise(runs):
        assert before.stopped is not None
        assert (after.started - before.stopped).total_seconds() >= 0.05
    assert ("", "run 1 of 3 is over, the next one begins in 0.05 s") in pipeline.prints


def test_a_stop_from_elsewhere_ends_the_series(line) -> None:
    pipeline = line()
    stopping = threading.Thread(
        target=lambda: (
            pipeline.until(lambda: pipeline.state is Status.RUNNING),
            pipeline.stop(),
        )
    )
    stopping.start()
    balances = pipeline.run_series(3, quiet=True)
    stopping.join()
    assert len(balances) == 1
    assert pipeline.ended_by == "stop"


def test_a_failure_ends_the_run_and_its_series(line) -> None:
    pipeline = line()
    pipeline.create_task("Fail", after="ConvertToEvents")
    with pytest.raises(Error, match="told to fail"):
        pipeline.run_series(3, quiet=True)
    (run,) = list_runs(pipeline.run_directory.parent)
    assert run.record.ended_by == pipeline.ended_by == "failure"


def test_ctrl_c_between_runs_ends_the_series(line) -> None:
    pipeline = line(events=100)

    def interrupt():
        pipeline.until(lambda: any("is over" in text for _, text in pipeline.prints))
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    begin = time.monotonic()
    assert len(pipeline.run_series(2, pause_s=120, quiet=True)) == 1
    interrupting.join()
    assert time.monotonic() - begin < 100
    assert pipeline.state is Status.FINISHED


@pytest.mark.parametrize(("count", "pause_s"), [(0, 0), (2, -1), (2, float("nan"))])
def test_a_series_that_is_none(line, count, pause_s) -> None:
    pipeline = line()
    with pytest.raises(ValueError, match="expected"):
        pipeline.run_series(count, pause_s=pause_s)
    assert pipeline.supervisor is None


def written(tmp_path, **run):
    path = tmp_path / "config.yaml"
    tasks = [{"task": "DummyData"}, {"task": "GatherData"}]
    path.write_text(yaml.safe_dump({"run": run, "tasks": tasks}))
    return path


def test_limits_of_a_file(tmp_path) -> None:
    run = {"runtime_s": 60, "events": 1e6, "size_mb": 2.5, "repeat": 3, "pause_s": 1}
    plan = load_plan(written(tmp_path, **run), ["run.repeat=4"])
    limits = RunLimits(runtime_s=60, events=1_000_000, size_mb=2.5)
    assert (plan.limits, plan.repeat, plan.pause_s) == (limits, 4, 1)
    assert str(limits) == "60 s or 1 000 000 events or 2.5 MB"
    assert plan.build(Pipeline).limits == limits
    file = tmp_path / "a.bin"
    file.touch()
    replay = plan.replay([file])
    assert (replay.limits, replay.repeat, replay.pause_s) == (RunLimits(), 1, 0)


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ({"runtime_s": 0}, "run.runtime_s: is 0, expected more than 0"),
        ({"events": 1.5}, "run.events: is 1.5, expected an integer"),
        ({"size_mb": "1 GB"}, "run.size_mb: is '1 GB', expected a number"),
        ({"repeat": 0}, "run.repeat: is 0, expected at least 1"),
        ({"pause_s": -1}, "run.pause_s: is -1, expected at least 0"),
        ({"pause_s": float("inf")}, "run.pause_s: is inf, expected a number that is"),
        ({"runtime": 5}, "did you mean 'runtime_s'?"),
    ],
)
def test_limits_of_a_file_that_are_wrong(tmp_path, run, text) -> None:
    with pytest.raises(ConfigError) as error:
        load_plan(written(tmp_path, **run))
    assert text in str(error.value)
