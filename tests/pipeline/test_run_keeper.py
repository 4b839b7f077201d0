"""The record of a run: written once, whatever happens, with all that is known."""

from __future__ import annotations

import json
import signal

import pytest

import tests.support.kill_tasks
import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Error, Status
from pixie_pipe.storage import list_runs
from tests.support.run_checks import check_raw, raw_words


@pytest.fixture
def line(make_pipeline, tmp_path):
    def line(**source):
        pipeline = make_pipeline(runs=tmp_path / "runs", title="Cs-137")
        pipeline.create_task("DummyData", **{"events": 3000, "rate_hz": 0, **source})
        for name in ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents"):
            pipeline.create_task(name)
        return pipeline

    return line


def the_runs(pipeline):
    return list_runs(pipeline.run_directory.parent)


def test_a_complete_run_is_recorded_with_all_that_belongs_to_it(line):
    pipeline = line()
    pipeline.start()
    (run,) = the_runs(pipeline)
    assert run.state == "running"
    assert pipeline.wait(60, quiet=True)
    (run,) = the_runs(pipeline)
    assert run.state == "complete"
    assert run.reasons == ()
    assert run.title == "Cs-137"
    assert run.record.exit_status == 0
    assert run.started <= run.stopped
    assert run.balance == pipeline.balance().to_dict()
    assert run.record.outputs == ("events.h5",)
    tasks = {task["name"]: task for task in run.record.configuration["tasks"]}
    assert tasks["DummyData"]["parameters"]["events"] == 3000
    assert tasks["SortEvents"]["from"] == ["ConvertToEvents"]
    statistics = json.loads((run.path / "statistics-stop.json").read_text())
    assert statistics["DummyData"]["ledger"]["words_read"] == 12_000
    assert len(check_raw(run)) == 3000


def test_each_run_has_a_directory_and_is_closed_before_the_next(line):
    pipeline = line()
    for number in (1, 2):
        pipeline.configure({"DummyData": {"events": 1000 * number}})
        pipeline.start()
        assert pipeline.wait(60, quiet=True)
        pipeline.stop()
    runs = the_runs(pipeline)
    assert [run.number for run in runs] == [1, 2]
    assert [run.balance["events_written"] for run in runs] == [1000, 2000]
    assert {run.state for run in runs} == {"complete"}


def test_a_run_that_cannot_start_is_recorded_with_the_reason(line):
    pipeline = line()
    pipeline.create_task("Fail", after="SortEvents", where="start")
    with pytest.raises(Error):
        pipeline.start()
    (run,) = the_runs(pipeline)
    assert run.state == "incomplete"
    (reason,) = run.reasons
    assert reason.startswith("did not start: ")
    assert "told to fail in start" in reason
    assert pipeline.state is Status.WAITING


def test_what_a_task_gives_up_fails_the_run_though_nobody_failed(
    make_pipeline, tmp_path
):
    pipeline = make_pipeline("Numbers", "GivesUp", "Collect", runs=tmp_path / "runs")
    pipeline.configure({"Numbers": {"count": 3}})
    pipeline.start()
    with pytest.raises(Error, match="the run failed: half of it is missing"):
        pipeline.wait(60, quiet=True)
    assert pipeline.state is Status.PANICKING
    (run,) = the_runs(pipeline)
    assert run.state == "incomplete"
    assert run.reasons == ("half of it is missing",)


def test_raw_files_that_their_task_did_not_live_to_tell_are_recorded(line):
    pipeline = line(events=None, rate_hz=100_000.0)
    pipeline.configure({"GatherData": {"rotate_mb": 0.1}})
    pipeline.start()
    raw = pipeline.run_directory / "raw"
    pipeline.until(lambda: len(list(raw.glob("*.bin"))) > 3)
    pipeline.send_kill("GatherData")
    with pytest.raises(Error, match="GatherData was killed by SIGKILL"):
        pipeline.wait(60, quiet=True)
    (run,) = the_runs(pipeline)
    assert [file.name for file in run.files] == sorted(
        p.name for p in raw.glob("*.bin")
    )
    assert sum(file.words for file in run.files) == raw_words(raw)["c0-s02"].size
    offsets = [file.first_offset for file in run.files]
    assert offsets == sorted(set(offsets))
    check_raw(run)


def test_a_pipeline_that_is_killed_closes_its_run(line):
    pipeline = line(events=None, rate_hz=100_000.0)
    pipeline.start()
    raw = pipeline.run_directory / "raw"
    pipeline.until(lambda: raw_words(raw))
    pipeline.kill()
    (run,) = the_runs(pipeline)
    assert run.state == "incomplete"
    assert "the pipeline was killed" in run.reasons
    assert run.record.exit_status == 1
    check_raw(run)


def test_what_an_optional_task_lost_is_a_note_and_no_reason(line):
    pipeline = line(events=None, rate_hz=100_000.0)
    pipeline.create_task("FillHistograms", after="SortEvents")
    pipeline.start()
    # It has not lived long enough to be replaced.
    pipeline.supervisor.signal("FillHistograms", signal.SIGKILL)
    pipeline.until(lambda: pipeline.errors)
    pipeline.stop()
    (run,) = the_runs(pipeline)
    assert run.state == "complete"
    assert run.record.notes == "FillHistograms was killed by SIGKILL"


def test_without_a_directory_nothing_is_kept(make_pipeline, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.configure({"Numbers": {"count": 3}})
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    assert pipeline.run_directory is None
    pipeline.quit()
    # The numbers of the last run stay.
    assert pipeline.balance().closes
    assert pipeline.statistics()["Collect"]["in"]["Numbers"]["frames"] == 3
    assert list(tmp_path.iterdir()) == []
