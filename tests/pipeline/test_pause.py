"""A pause: the sources deliver nothing, the run stays open, the record tells of it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import tests.support.pipeline_tasks
import tests.support.source_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.listmode import Layout, encode
from pixie_pipe.pipeline import Error, RunLimits, Status
from pixie_pipe.pipeline.progress import log_line
from pixie_pipe.storage import list_runs
from pixie_pipe.testing.generators import random_events
from tests.support.run_checks import check_raw

PAUSE_S = 0.6
"""Long enough for some reports of the sources' process, and for words to come."""


@pytest.fixture
def line(make_pipeline, tmp_path):
    def line(source="DummyData", **parameters):
        pipeline = make_pipeline(runs=tmp_path / "runs")
        pipeline.create_task(source, **parameters)
        for name in ("GatherData", "ConvertToEvents", "WriteEvents"):
            pipeline.create_task(name)
        return pipeline

    return line


def the_run(pipeline):
    (run,) = list_runs(pipeline.run_directory.parent)
    return run


def source_of(pipeline):
    name = next(iter(pipeline.graph.nodes))
    return pipeline.statistics().get(name, {})


def words_read(pipeline):
    return source_of(pipeline).get("ledger", {}).get("words_read", 0)


def raw_bytes(pipeline) -> int:
    return sum(p.stat().st_size for p in pipeline.run_directory.glob("raw/*.bin"))


def test_nothing_comes_in_a_pause_and_everything_afterwards(line):
    pipeline = line(rate_hz=50_000.0)
    pipeline.start()
    pipeline.until(lambda: raw_bytes(pipeline) > 0)
    pipeline.pause()
    paused_at = words_read(pipeline)
    pipeline.until(lambda: raw_bytes(pipeline) == 4 * paused_at)
    assert pipeline.is_paused
    assert pipeline.state is Status.RUNNING
    (pause,) = the_run(pipeline).record.pauses
    assert pause.ended is None
    pipeline.pause()  # again: nothing happens
    time.sleep(PAUSE_S)
    assert words_read(pipeline) == paused_at
    assert raw_bytes(pipeline) == 4 * paused_at
    pipeline.resume()
    assert not pipeline.is_paused
    pipeline.resume()
    pipeline.until(lambda: raw_bytes(pipeline) > 4 * paused_at)
    pipeline.stop()
    run = the_run(pipeline)
    assert run.state == "complete"
    (pause,) = run.record.pauses
    assert run.started <= pause.begun < pause.ended <= run.stopped
    assert (pause.ended - pause.begun).total_seconds() >= PAUSE_S
    # The made-up clock stood still: the events follow each other as ever.
    time_ps = check_raw(run).time_ps
    assert (time_ps[1:] - time_ps[:-1]).max() < 0.1e12


def test_a_pause_can_be_seen(line):
    pipeline = line()
    pipeline.start()
    assert "PAUSED" not in repr(pipeline.status())
    pipeline.pause()
    status = pipeline.status()
    assert status.paused
    assert status.to_dict()["paused"] is True
    assert "running, PAUSED, run 1" in status.headline
    assert status.rows[0].word == "paused"
    assert status.rows[1].word == "running"
    assert "PAUSED" in log_line(status)
    assert "PAUSED" in status._repr_html_()
    pipeline.resume()
    assert pipeline.status().rows[0].word == "running"
    assert not pipeline.status().paused


def test_a_run_is_stopped_in_a_pause(line):
    pipeline = line(rate_hz=50_000.0)
    pipeline.start()
    pipeline.until(lambda: raw_bytes(pipeline) > 0)
    pipeline.pause()
    time.sleep(PAUSE_S)
    pipeline.stop()
    run = the_run(pipeline)
    assert run.state == "complete"
    assert [pause.ended for pause in run.record.pauses] == [None]
    pipeline.start()
    assert not pipeline.is_paused
    pipeline.until(lambda: raw_bytes(pipeline) > 0)
    pipeline.stop()


def test_times_of_limits_and_sources_stand_still(line):
    pipeline = line(runtime_s=1.0, rate_hz=1000.0)
    pipeline.limits = RunLimits(runtime_s=1.0)
    pipeline.start()
    begin = time.monotonic()
    pipeline.pause()
    assert not pipeline.wait(1.5, quiet=True)
    pipeline.resume()
    assert pipeline.wait(60, quiet=True)
    assert time.monotonic() - begin >= 2.4
    assert the_run(pipeline).state == "complete"


def test_files_wait_too(line, tmp_path):
    layout = Layout.find(500, 34688)
    events = random_events(layout, 200_000, np.random.default_rng(1))
    file = tmp_path / "file.bin"
    encode(events, layout).tofile(file)
    # Some 3000 frames, for half a minute at least.
    pipeline = line(
        "SlowFiles", files=[str(file)], frequency=500, revision=34688, frame_kb=1
    )
    pipeline.start()
    pipeline.until(lambda: words_read(pipeline) > 0)
    pipeline.pause()
    so_far = words_read(pipeline)
    assert 0 < so_far < file.stat().st_size // 4
    time.sleep(PAUSE_S)
    assert words_read(pipeline) == so_far
    pipeline.resume()
    pipeline.until(lambda: words_read(pipeline) > so_far)
    pipeline.stop()
    run = the_run(pipeline)
    assert (run.state, run.record.ended_by) == ("complete", "stop")


def test_a_source_that_waits_for_long_is_paused_at_once(make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.configure({"Numbers": {"pause": 3600.0, "count": 0}})
    pipeline.start()
    for paused in (True, False, True):
        (pipeline.pause if paused else pipeline.resume)()
        assert pipeline.statistics()["Numbers"]["paused"] is paused
    pipeline.stop()


def test_without_a_run_there_is_nothing_to_pause(line):
    pipeline = line(events=10)
    for what in ("pause", "resume"):
        with pytest.raises(Error, match=f"nothing to {what}: no run goes on"):
            getattr(pipeline, what)()
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    with pytest.raises(Error, match="nothing to pause: no run goes on"):
        pipeline.pause()
    assert not pipeline.is_paused


def test_who_waits_goes_on_waiting(line):
    pipeline = line(rate_hz=1000.0)
    pipeline.start()
    other = threading.Thread(target=lambda: pipeline.wait(60, quiet=True))
    other.start()
    pipeline.pause()
    other.join(PAUSE_S)
    assert other.is_alive()
    pipeline.resume()
    pipeline.stop()
    other.join(60)
    assert not other.is_alive()


def test_a_source_that_fails_in_a_pause_fails_the_run(line):
    pipeline = line()
    pipeline.start()
    pipeline.pause()
    pipeline.send_kill("DummyData")
    with pytest.raises(Error, match="DummyData was killed"):
        pipeline.wait(60, quiet=True)
    run = the_run(pipeline)
    assert (run.state, run.record.ended_by) == ("incomplete", "failure")
    assert len(run.record.pauses) == 1
