"""What flows through the links: order, windows, taps, pools."""

from __future__ import annotations

import psutil
import pytest

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.messages import Status


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_pool_gives_what_one_worker_gives(make_pipeline, workers):
    pipeline = make_pipeline("Numbers")
    pipeline.create_task("Burst", workers=workers)
    pipeline.create_task("Collect")
    pipeline.configure({"Numbers": {"count": 500, "size": 3}})
    expected = [
        [number, part] for number in range(0, 1500, 3) for part in range(number % 4)
    ]
    for _ in range(3):
        pipeline.start()
        assert pipeline.wait(quiet=True)
        assert pipeline.last_report("Collect")["first"] == expected
        pipeline.stop()


def test_a_slow_consumer_stalls_the_source_and_not_the_memory(make_pipeline):
    pipeline = make_pipeline("LiveNumbers", "Slow", "Collect")
    pipeline.configure(
        {"LiveNumbers": {"count": 0, "size": 1 << 18}, "Slow": {"seconds": 0.05}}
    )
    pipeline.start()

    def sent():
        return pipeline.statistics()["LiveNumbers"]["out"]["Slow"].get("frames", 0)

    pipeline.until(lambda: sent() > 20)
    processes = [
        psutil.Process(r.task.pid) for r in pipeline.supervisor.records.values()
    ]
    early = [process.memory_info().rss for process in processes]
    pipeline.until(lambda: sent() > 80)
    late = [process.memory_info().rss for process in processes]
    # 60 frames of 2 MiB would be 120 MiB.
    assert all(b - a < 30 << 20 for a, b in zip(early, late, strict=True))
    out = pipeline.statistics()["LiveNumbers"]["out"]["Slow"]
    assert out["outstanding_bytes"] <= DEFAULT_WINDOW
    pipeline.stop()
    assert pipeline.balance().closes


def test_a_lossy_tap_drops_and_counts_and_never_slows_the_line(make_pipeline):
    pipeline = make_pipeline("LiveNumbers", "Collect")
    pipeline.create_task("Slow", after="LiveNumbers", role="optional", lossy=True)
    pipeline.configure({"LiveNumbers": {"count": 300, "size": 1 << 17}})
    pipeline.start()
    assert pipeline.wait(quiet=True)
    statistics = pipeline.statistics()
    out = statistics["LiveNumbers"]["out"]["Slow"]
    came = statistics["Slow"]["in"]["LiveNumbers"]
    assert out["dropped_frames"] > 0
    assert out.get("frames", 0) + out["dropped_frames"] == 300
    assert came.get("frames", 0) == out.get("frames", 0)
    balance = pipeline.balance()
    assert balance.closes
    assert balance.taps["Slow"]["frames"] == out["dropped_frames"]


def test_runs_can_be_started_and_stopped_again_and_again(make_pipeline):
    pipeline = make_pipeline("LiveNumbers", "Double", "Collect")
    pipeline.configure({"LiveNumbers": {"count": 0}})
    for number in range(5):
        pipeline.start()
        assert pipeline.state is Status.RUNNING
        pipeline.until(
            lambda: pipeline.statistics()["LiveNumbers"]["ledger"].get("numbers_read")
        )
        pipeline.stop()
        assert pipeline.state is Status.WAITING
        read = pipeline.statistics()["LiveNumbers"]["ledger"]["numbers_read"]
        report = pipeline.last_report("Collect")
        assert report["total"] == read * (read - 1)
        assert pipeline.balance().closes, number


def test_tcp_links_carry_the_same(make_pipeline):
    pipeline = make_pipeline("Numbers", "Double", "Collect", transport="tcp")
    pipeline.start()
    assert pipeline.wait(quiet=True)
    assert pipeline.last_report("Collect")["total"] == 100_000 * 99_999


def test_several_sources_feed_one_task(make_pipeline):
    pipeline = make_pipeline("Numbers", "Numbers", "Collect")
    assert list(pipeline.tasks) == ["Numbers", "Numbers-2", "Collect"]
    pipeline.start()
    assert pipeline.wait(quiet=True)
    assert pipeline.last_report("Collect")["total"] == 100_000 * 99_999
    assert pipeline.balance().closes
