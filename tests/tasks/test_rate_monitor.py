"""RateMonitor, the example of a task of one's own, in ``tasks/``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.task import Task
from tests.support.source_runs import Clock

DIRECTORY = Path(__file__).parents[2] / "tasks"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Any:
    """Return a monitor at the start of a run, with lists of what it tells."""
    monkeypatch.setattr(Task, "class_registry", dict(Task.class_registry))
    Task.class_registry.pop("RateMonitor", None)
    spec = importlib.util.spec_from_file_location(
        "rates", DIRECTORY / "rate_monitor.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "time", clock)
    task = module.RateMonitor("Rates")
    task.reports, task.lines = [], []
    task.report = lambda **values: task.reports.append(values)
    task.print = task.lines.append
    task.do_start()
    task.status = Status.RUNNING
    return task


def events(channels: list[int], slot: int = 2) -> Events:
    count = len(channels)
    return Events(
        {
            "crate": np.full(count, 1, np.uint8),
            "slot": np.full(count, slot, np.uint8),
            "channel": np.array(channels, np.uint8),
        }
    )


def test_rates_are_counts_of_each_channel_over_the_time_that_passed(monitor, clock):
    monitor.do_work(events([5] * 300 + [0] * 100))
    monitor.do_work(events([5] * 20, slot=13))
    monitor.do_wait()
    assert monitor.reports == []
    clock.sleep(2.0)
    monitor.do_wait()
    assert monitor.reports == [
        {"rates_hz": {"c1-s02-ch00": 50, "c1-s02-ch05": 150, "c1-s13-ch05": 10}}
    ]
    assert monitor.lines == [
        "210 events/s (c1-s02-ch05 150, c1-s02-ch00 50, c1-s13-ch05 10)"
    ]
    assert monitor.statistics == {"events": 420}


def test_each_report_counts_anew(monitor, clock):
    monitor.do_work(events([1] * 10))
    clock.sleep(1.0)
    monitor.do_wait()
    clock.sleep(1.0)
    monitor.do_wait()
    monitor.do_work(events(list(range(6))))
    clock.sleep(0.5)
    monitor.do_stop()
    assert [len(report["rates_hz"]) for report in monitor.reports] == [1, 0, 6]
    assert monitor.lines[1:2] == ["0 events/s"]
    assert monitor.lines[2].endswith(", 2 more)")
    assert monitor.reports[2]["rates_hz"]["c1-s02-ch04"] == 2


def test_nothing_is_told_while_no_run_goes_on(monitor, clock):
    monitor.status = Status.WAITING
    clock.sleep(5.0)
    monitor.do_wait()
    assert monitor.reports == []


def test_it_prints_nothing_if_it_is_not_to(monitor, clock):
    monitor.configure({"print_rates": False})
    clock.sleep(1.0)
    monitor.do_wait()
    assert monitor.lines == []
    assert len(monitor.reports) == 1
