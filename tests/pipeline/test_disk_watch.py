"""A disk that fills: people know long before, and the run ends with everything."""

from __future__ import annotations

import math
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support.disk_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.config.errors import ConfigError
from pixie_pipe.pipeline import Error, Pipeline, Status, disk_watch
from pixie_pipe.pipeline.disk_watch import (
    DEFAULT_KEEP_FREE_MB,
    LOOK_SECONDS,
    WARNING_SECONDS,
    WORKING_OFF_SECONDS,
    DiskForecast,
    free_bytes,
)
from pixie_pipe.pipeline.plan_file import load_plan
from pixie_pipe.storage import list_runs
from tests.support.run_checks import check_raw, raw_words

MB = 1_000_000
GB = 1000 * MB


def test_the_room_is_that_of_the_system(tmp_path):
    found = os.statvfs(tmp_path)
    assert free_bytes(tmp_path) == pytest.approx(
        found.f_bavail * found.f_frsize, rel=0.1
    )


def test_a_disk_that_does_not_fill_lasts_for_ever():
    forecast = DiskForecast(200 * MB)
    for now in range(100):
        outlook = forecast.look(now, 300 * MB + now)
        assert outlook.left_s == math.inf
        assert not outlook.is_used_up
        assert outlook.warning == ""


def test_the_time_left_is_that_of_the_present_rate():
    forecast = DiskForecast(200 * MB)
    for now in range(200):
        outlook = forecast.look(now, 100 * GB - 10 * MB * now)
    assert outlook.rate == 10 * MB
    assert outlook.left_s == pytest.approx((100 * GB - 1990 * MB - 200 * MB) / 10e6)


def test_people_are_warned_once_for_each_time_that_is_left():
    forecast = DiskForecast(0)
    rate, free, now = 50 * MB, 250 * GB, 0
    warnings = []
    while not (outlook := forecast.look(now, free)).is_used_up:
        if outlook.warning:
            warnings.append((outlook.left_s, outlook.warning))
        free, now = free - rate, now + 1
    for (left, text), expected in zip(warnings, WARNING_SECONDS, strict=True):
        assert expected - 2 < left <= expected
        assert re.match(
            r"the disk will be full in .*: .* are free, and 50\.0 MB/s", text
        )
    assert "in 30 min 00 s" in warnings[1][1] or "in 29 min 59 s" in warnings[1][1]
    assert free == pytest.approx(WORKING_OFF_SECONDS * rate, abs=rate)


def test_room_that_was_made_is_news_when_it_is_used_up_again():
    forecast = DiskForecast(0)
    warnings: list[str] = []
    now = 0
    for _ in range(2):
        for free in range(100 * GB, 80 * GB, -50 * MB):
            warnings += filter(None, [forecast.look(now, free).warning])
            now += 1
        # Somebody deletes, and nothing is written for some time.
        for _ in range(100):
            assert forecast.look(now, 100 * GB).warning == ""
            now += 1
    minutes = [re.search(r"in (\d+) min", text)[1] for text in warnings]  # type: ignore[index]
    # The second time, the rate is first that of a minute in which little was written.
    assert minutes == ["33", "30", "59", "30"]


@given(
    rate=st.integers(1, GB),
    keep_free=st.integers(0, GB),
    seconds=st.integers(20, 300),
)
def test_the_end_comes_with_room_for_what_is_under_way(rate, keep_free, seconds):
    forecast = DiskForecast(keep_free)
    free = keep_free + rate * seconds
    for now in range(seconds + 1):
        if forecast.look(now * LOOK_SECONDS, free).is_used_up:
            break
        free -= rate
    else:
        raise AssertionError("the disk was filled")
    assert free >= min(keep_free, rate * (WORKING_OFF_SECONDS - 1)) - rate
    assert free >= rate * (WORKING_OFF_SECONDS - LOOK_SECONDS) - 1 or free >= keep_free
    assert free <= max(keep_free, rate * WORKING_OFF_SECONDS)


@pytest.fixture
def disk(monkeypatch):
    """Return a disk whose room is set; it is looked at often."""
    room = {"free": 100 * GB, "step": 0, "looks": 0}

    def free(_directory: Path) -> int:
        room["free"] -= room["step"]
        room["looks"] += 1
        if room["free"] < 0:
            raise OSError(5, "Input/output error")
        return room["free"]

    monkeypatch.setattr(disk_watch, "free_bytes", free)
    monkeypatch.setattr(disk_watch, "LOOK_SECONDS", 0.02)
    return room


@pytest.fixture
def line(make_pipeline, tmp_path):
    def line(recorder="GatherData", **settings):
        pipeline = make_pipeline(runs=tmp_path / "runs", **settings)
        pipeline.create_task("DummyData", rate_hz=50_000.0)
        pipeline.create_task(recorder)
        for name in ("ConvertToEvents", "WriteEvents"):
            pipeline.create_task(name)
        return pipeline

    return line


def the_run(pipeline):
    (run,) = list_runs(pipeline.run_directory.parent)
    return run


def raw_bytes(pipeline) -> int:
    return sum(p.stat().st_size for p in pipeline.run_directory.glob("raw/*.bin"))


def test_a_run_ends_with_everything_before_the_disk_is_full(line, disk):
    pipeline = line(keep_free_mb=500)
    pipeline.start()
    pipeline.until(lambda: raw_bytes(pipeline) > 0)
    disk["free"] = 499 * MB
    assert pipeline.wait(60, quiet=True)
    assert pipeline.state is Status.FINISHED
    run = the_run(pipeline)
    assert run.state == "complete"
    assert run.record.ended_by == "disk: 499.0 MB free, 500.0 MB are kept free"
    assert len(check_raw(run)) == run.balance["events_written"] > 0
    text = "the disk is full: 499.0 MB free, 500.0 MB are kept free; the run is stopped"
    assert ("", text) in pipeline.prints
    with pytest.raises(
        Error, match=r"cannot start: .*runs has 499.0 MB free, and 500.0"
    ):
        pipeline.start()
    assert len(list_runs(run.path.parent)) == 1
    disk["free"] = GB
    pipeline.start()
    pipeline.stop()


def test_people_are_warned_while_the_run_goes_on(line, disk):
    pipeline = line()
    pipeline.start()
    disk["step"] = 5 * MB
    pipeline.until(
        lambda: any("will be full in" in text for _, text in pipeline.prints)
    )
    assert pipeline.state is Status.RUNNING
    disk["step"] = 0
    pipeline.stop()
    assert the_run(pipeline).record.ended_by == "stop"


def test_a_series_ends_with_the_disk(line, disk):
    pipeline = line()

    def fill():
        pipeline.until(lambda: pipeline.state is Status.RUNNING)
        disk["free"] = MB

    filling = threading.Thread(target=fill)
    filling.start()
    balances = pipeline.run_series(5, quiet=True)
    filling.join()
    assert len(balances) == 1
    assert pipeline.ended_by.startswith("disk: ")


def test_a_disk_that_tells_nothing_is_told_once(line, disk):
    pipeline = line()
    pipeline.start()
    disk["free"] = -1
    looks = disk["looks"]
    pipeline.until(lambda: disk["looks"] > looks + 5)
    pipeline.stop()
    told = [text for _, text in pipeline.prints if "cannot tell how much room" in text]
    assert len(told) == 1
    assert told[0].endswith("Input/output error")
    assert the_run(pipeline).state == "complete"


def test_what_a_full_disk_took_is_said_and_the_rest_is_whole(line):
    pipeline = line("FullDisk")
    pipeline.start()
    with pytest.raises(Error, match="the run failed") as failure:
        pipeline.wait(60, quiet=True)
    run = the_run(pipeline)
    assert run.state == "incomplete"
    assert run.record.ended_by == "failure"
    reason = "; ".join(run.reasons)
    assert re.search(
        r"c0-s02-0000.bin: cannot be written at byte 100000: File too la", reason
    )
    words = raw_words(run.raw)["c0-s02"].size
    assert words == 25_000 == run.balance["words_recorded"]
    read = run.balance["words_read"]
    lost = f"{read} words were read, but 25000 recorded: {read - words} are lost"
    assert lost in reason
    assert lost in str(failure.value)
    (file,) = run.files
    assert (file.words, len(file.sha256)) == (25_000, 64)


def test_a_slow_disk_is_told(line):
    pipeline = line("SlowDisk")
    pipeline.start()
    pipeline.until(
        lambda: any("the disk is slow" in text for _, text in pipeline.prints)
    )
    pipeline.stop()
    run = the_run(pipeline)
    assert run.state == "complete"
    own = pipeline.statistics()["SlowDisk"]["own"]
    assert own["write_s"] >= own["slowest_write_s"] >= 1.1
    assert own["slowest_sync_s"] >= 0


@pytest.mark.parametrize("room", [-1.0, math.nan, math.inf])
def test_room_that_is_none(room):
    with pytest.raises(
        ValueError, match=r"keep_free_mb is .*, expected a number of at l"
    ):
        Pipeline(keep_free_mb=room)


def test_the_room_of_a_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("tasks: [{task: DummyData}]\n")
    assert load_plan(path).keep_free_mb == DEFAULT_KEEP_FREE_MB == 200
    plan = load_plan(path, ["run.keep_free_mb=0"])
    assert plan.keep_free_mb == 0
    plan.build(Pipeline)
    with pytest.raises(ConfigError, match="keep_free_mb: is -1, expected at least 0"):
        load_plan(path, ["run.keep_free_mb=-1"])
