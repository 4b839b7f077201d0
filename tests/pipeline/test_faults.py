"""What happens when tasks fail, hang, or are killed."""

from __future__ import annotations

import signal
import time

import pytest

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline.messages import Error, Status

LINE = ("LiveNumbers", "Double", "Slow", "Collect")


def ends_in(pipeline, seconds):
    start = time.monotonic()
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert time.monotonic() - start < seconds


@pytest.mark.parametrize("victim", LINE)
@pytest.mark.parametrize("live", [True, False])
def test_a_killed_task_ends_the_run(make_pipeline, victim, live):
    line = LINE if live else ("Numbers", *LINE[1:])
    victim = victim if live else victim.removeprefix("Live")
    pipeline = make_pipeline(*line)
    pipeline.configure(
        {line[0]: {"count": 0, "size": 20_000}, "Slow": {"seconds": 0.001}}
    )
    pipeline.start()
    pipeline.until(
        lambda: pipeline.statistics()[line[0]]["out"]["Double"].get("frames")
    )
    pipeline.send_kill(victim)
    ends_in(pipeline, 5)
    assert pipeline.state is Status.PANICKING
    balance = pipeline.balance()
    assert not balance.closes
    assert f"{victim} was killed by SIGKILL" in balance.problems
    assert any(name == victim for name, _ in pipeline.errors)
    with pytest.raises(Error, match=f"{victim} was killed by SIGKILL"):
        pipeline.wait(quiet=True)
    # And it can be started again.
    pipeline.start()
    assert pipeline.state is Status.RUNNING
    pipeline.until(lambda: pipeline.statistics()["Collect"]["in"]["Slow"].get("frames"))
    pipeline.stop()
    assert pipeline.state is Status.WAITING
    pipeline.quit()


@pytest.mark.parametrize("where", ["work", "stop"])
def test_an_exception_is_told_with_its_place_and_ends_the_run(make_pipeline, where):
    pipeline = make_pipeline("Numbers", "Fail", "Collect")
    pipeline.configure({"Fail": {"where": where, "after": 2}, "Numbers": {"count": 5}})
    pipeline.start()
    ends_in(pipeline, 10)
    assert pipeline.state is Status.PANICKING
    (error,) = [err for name, err in pipeline.errors if name == "Fail"]
    assert "RuntimeError: told to fail" in error.msg
    assert "do_" + where in error.traceback
    assert "told to fail" in " ".join(pipeline.balance().problems)
    pipeline.stop()
    assert pipeline.state is Status.WAITING
    # The process lives, and works once it is told not to fail.
    pipeline.configure({"Fail": {"where": "never"}})
    pipeline.start()
    assert pipeline.wait(quiet=True)
    assert pipeline.last_report("Collect")["incomplete"] == []


def test_a_run_that_cannot_start_leaves_the_pipeline_waiting(make_pipeline):
    pipeline = make_pipeline("Numbers", "Fail", "Collect")
    pipeline.configure({"Fail": {"where": "start"}})
    with pytest.raises(Error, match=r"Fail.*told to fail in start"):
        pipeline.start()
    assert pipeline.state is Status.WAITING
    pipeline.configure({"Fail": {"where": "never"}})
    pipeline.start()
    assert pipeline.wait(quiet=True)


@pytest.mark.parametrize("where", ["configure", "connect"])
def test_a_refused_command_names_the_task_and_the_reason(make_pipeline, where):
    pipeline = make_pipeline("Numbers", "Fail", "Collect")
    pipeline.configure({"Fail": {"where": where}})
    if where == "connect":
        # It learns that it is to fail behind its first connection.
        pipeline.connect()
    with pytest.raises(Error, match=f"Fail.*told to fail in {where}"):
        pipeline.connect()


def test_a_task_that_fails_in_init_is_named(make_pipeline):
    pipeline = make_pipeline("Numbers", "FailAtInit")
    with pytest.raises(Error, match="FailAtInit"):
        pipeline.start()
    assert any("told to fail in init" in str(err) for _, err in pipeline.errors)


def test_a_process_that_exits_is_noticed_with_its_code(make_pipeline):
    pipeline = make_pipeline("Numbers", "Fail", "Collect")
    pipeline.configure({"Fail": {"where": "exit"}})
    pipeline.start()
    ends_in(pipeline, 10)
    assert "Fail ended with exit code 3" in pipeline.balance().problems


def test_a_hung_task_is_noticed_by_its_silence(make_pipeline):
    pipeline = make_pipeline("Numbers", "Hang", "Collect")
    pipeline.configure({"Hang": {"where": "hang"}})
    pipeline.start()
    ends_in(pipeline, 12)
    assert any("no sign of life" in str(err) for _, err in pipeline.errors)


def test_a_stopped_process_is_noticed_by_its_silence(make_pipeline):
    pipeline = make_pipeline("LiveNumbers", "Hang", "Collect")
    pipeline.configure({"Hang": {"where": "never"}, "LiveNumbers": {"count": 0}})
    pipeline.start()
    pipeline.supervisor.signal("Hang", signal.SIGSTOP)
    ends_in(pipeline, 12)
    assert "Hang was killed by SIGKILL" in pipeline.balance().problems


def test_a_killed_tap_is_replaced_and_loses_nothing(make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.create_task("Sum", after="Numbers")
    pipeline.configure({"Numbers": {"count": 400, "pause": 0.01}})
    pipeline.start()
    pipeline.until(lambda: pipeline.statistics()["Sum"]["own"].get("frames", 0) > 210)
    pipeline.send_kill("Sum")
    assert pipeline.wait(quiet=True)
    assert pipeline.last_report("Sum") == {"total": sum(range(400_000)), "frames": 400}
    assert pipeline.last_report("Collect")["total"] == sum(range(400_000))
    assert pipeline.balance().closes


def test_a_tap_that_dies_at_once_is_given_up_and_the_run_goes_on(make_pipeline):
    pipeline = make_pipeline("LiveNumbers", "Collect")
    pipeline.create_task("Sum", after="LiveNumbers")
    pipeline.configure({"LiveNumbers": {"count": 200, "pause": 0.01}})
    pipeline.start()
    pipeline.send_kill("Sum")
    assert pipeline.wait(quiet=True)
    assert pipeline.last_report("Collect")["total"] == sum(range(200_000))
    assert pipeline.balance().closes


def test_what_a_task_did_before_it_failed_is_in_the_balance(make_pipeline):
    """It knows that only when its files are closed, after it has told of the error."""
    pipeline = make_pipeline("Numbers", "FailThenCount", "Collect")
    pipeline.configure({"Numbers": {"count": 0}})
    pipeline.start()
    with pytest.raises(Error, match="FailThenCount failed"):
        pipeline.wait(60, quiet=True)
    assert pipeline.balance().words_recorded == 77


def test_a_task_that_failed_has_a_new_process_in_the_next_run(make_pipeline):
    pipeline = make_pipeline("Numbers", "Fail", "Collect")
    pipeline.start()
    with pytest.raises(Error, match="told to fail in work"):
        pipeline.wait(60, quiet=True)
    records = pipeline.supervisor.records
    before = {name: record.hello.pid for name, record in records.items()}
    pipeline.configure({"Fail": {"where": "never"}})
    pipeline.errors.clear()
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    records = pipeline.supervisor.records
    after = {name: record.hello.pid for name, record in records.items()}
    assert [name for name in before if before[name] != after[name]] == ["Fail"]
    assert pipeline.errors == []
