"""The task does what its kernel does, and in a pipeline nothing depends on batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.coincidences import Coincidences, build_coincidences
from pixie_pipe.events import Events
from pixie_pipe.pipeline.data import Stream, StreamMark
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.storage import (
    CoincidenceFile,
    RunDirectory,
    read_events,
    read_hdf5,
    read_parquet,
)
from pixie_pipe.tasks.build_coincidences import BuildCoincidences
from tests.storage.runs import LAYOUT, MIXED, some_events, written

HOW: dict[str, Any] = {
    "mode": "trigger",
    "window_ns": 20_000,
    "before_ns": 5_000,
    "trigger": ["0/2/0", "0/3"],
    "delays_ns": {"0/2": 800.5, "0/3/1": -3_000},
    "veto": ["0/2/5"],
}


def sorted_events(count=400, seed=1, **kinds) -> Events:
    modules = [(0, 2), (0, 3)]
    return some_events(count, seed, modules=modules, channels=6, **kinds).sort()


def events_of(sent) -> Events:
    return Events.concatenate([datum for datum in sent if isinstance(datum, Events)])


def test_what_is_decided_waits_for_the_next_batch_for_a_short_time(drive, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(
        "pixie_pipe.tasks.build_coincidences.time.monotonic", lambda: now[0]
    )
    events = sorted_events()
    build = drive(BuildCoincidences, window_ns=1).start()
    assert build.work(events[:300]) == []
    assert build.wait() == []
    now[0] += 0.6
    (part,) = build.wait()
    assert len(part) == 299
    assert build.task.statistics["held_events"] == 1
    assert build.wait() == []
    assert build.stop()
    assert len(events_of(build.sent)) == 300


@pytest.mark.parametrize("how", [{"window_ns": 9_000}, HOW])
@given(cuts=st.lists(st.integers(0, 400), max_size=5))
def test_events_are_numbered(drive, how, cuts):
    events = sorted_events(**MIXED)
    build = drive(BuildCoincidences, **how).start()
    for part in np.split(np.arange(400), sorted(cuts)):
        build.work(events[part])
    build.stop()
    whole = events_of(build.sent)
    found = build_coincidences(events, **how)
    assert whole.without("coincidence").equals(events)
    expected = np.zeros(400, int)
    expected[found.rows] = np.repeat(found.numbers, found.multiplicity)
    assert whole.coincidence.tolist() == expected.tolist()
    statistics = build.task.statistics
    assert statistics["coincidences"] == len(found) > 10
    assert statistics["in_coincidences"] == found.rows.size
    assert statistics["held_events"] == 0
    assert build.task.ledger == {"events_dropped": 0}


def test_singles_are_dropped_and_counted(drive):
    events = sorted_events()
    found = build_coincidences(events, window_ns=9_000)
    build = drive(BuildCoincidences, window_ns=9_000, singles="drop").start()
    build.work(events[:150], events[150:])
    build.stop()
    whole = events_of(build.sent)
    assert whole.without("coincidence").equals(events[found.rows])
    assert (whole.coincidence > 0).all()
    assert build.task.ledger == {"events_dropped": 400 - found.rows.size}


def test_a_stream_ends_behind_its_events(drive):
    stream = Stream("Source", 0, "m0", LAYOUT.to_dict())
    build = drive(BuildCoincidences).start()
    (begun,) = build.work(StreamMark(stream))
    assert not begun.ended
    assert not build.work(sorted_events(1), StreamMark(stream, ended=True))
    last, ended = build.stop()
    assert len(last) == 1
    assert ended == StreamMark(stream, ended=True)


def test_late_events_are_in_none_and_counted(drive):
    events = sorted_events(6).with_columns(
        time_ps=[0, 1000, 500, 1500, 2000, 90_000_000],
        late=[False, False, True, False, False, False],
    )
    build = drive(BuildCoincidences).start()
    build.work(events[:3], events[3:])
    build.stop()
    assert events_of(build.sent).coincidence.tolist() == [1, 1, 0, 1, 1, 0]
    assert build.task.statistics["late"] == 1


def test_a_coincidence_that_is_closed_is_told_once(drive):
    events = sorted_events(40).with_columns(time_ps=np.arange(40))
    build = drive(BuildCoincidences, max_events=4).start()
    build.work(*(events[k : k + 5] for k in range(0, 40, 5)))
    build.stop()
    assert build.task.statistics["full"] == 9
    (text,) = build.prints
    assert "max_events = 4 events" in text


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"mode": "trigger"}, "need trigger channels"),
        ({"trigger": ["0/2"]}, "goes with the mode 'trigger'"),
        ({"veto": ["c0s02"]}, "channel 'c0s02': expected crate/slot/channel"),
        ({"min_multiplicity": 5, "max_multiplicity": 4}, "max_multiplicity is 4"),
        ({"delays_ns": {"0/2": 1e8}}, "delays_ns has 100000000.0 for 0/2"),
        ({"delays_ns": {"0/2": "far"}}, "delays_ns has 'far' for 0/2"),
        ({"delays_ns": {"0/2": True}}, "delays_ns has True for 0/2"),
    ],
)
def test_parameters_that_make_no_definition(drive, parameters, text):
    with pytest.raises(ParameterError, match=f"BuildCoincidences.*{text}"):
        drive(BuildCoincidences, **parameters)


@pytest.fixture(scope="module")
def replay(module_pipeline, tmp_path_factory):
    """Return a function that replays files with coincidences."""
    runs = tmp_path_factory.mktemp("runs")
    pipe = module_pipeline(runs=runs)
    pipe.create_task("LoadFiles", frequency=500, revision=34688, process="a")
    pipe.create_task("GatherData", record="never", process="a")
    pipe.create_task("ConvertToEvents", process="a")
    pipe.create_task("SortEvents", window_us=1e6, process="a")
    pipe.create_task("BuildCoincidences")
    pipe.create_task("WriteEvents")
    pipe.create_task("FillHistograms", after="BuildCoincidences")

    def run(files, *, frame_kb, rows, path="events.h5", **how):
        pipe.configure(
            {
                "LoadFiles": {"files": list(map(str, files)), "frame_kb": frame_kb},
                "GatherData": {"chunk_mb": frame_kb / 1000},
                "SortEvents": {"rows": rows},
                "BuildCoincidences": {"singles": "keep"} | how,
                "WriteEvents": {"path": path},
            }
        )
        pipe.start()
        assert pipe.wait(60, quiet=True)
        balance = pipe.balance()
        assert balance.closes, balance.problems
        pipe.stop()
        assert not pipe.errors
        done = RunDirectory.open(max(runs.glob("[0-9]*")))
        assert done.state == "complete"
        return done, balance

    return run


def test_what_is_written_does_not_depend_on_batches(replay, tmp_path):
    paths, tables = [], []
    for slot in (2, 3):
        events = some_events(20_000, slot, modules=[(0, slot)], channels=6, **MIXED)
        paths.append(written(tmp_path / f"{slot}.bin", events))
        tables.append(read_events(paths[-1], LAYOUT))
    events = Events.concatenate(tables).sort()
    expected = build_coincidences(events, **HOW)
    assert len(expected) > 1000
    delays = HOW["delays_ns"]
    for frame_kb, rows in ((2000, 32_768), (64, 1), (400, 5000)):
        run, _ = replay(paths, frame_kb=frame_kb, rows=rows, **HOW)
        whole = read_hdf5(run.path / "events.h5")
        assert whole.without("coincidence").equals(events)
        found = Coincidences.from_events(whole, delays_ns=delays)
        for name in ("numbers", "rows", "reference", "dt_ps", "multiplicity"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    file = CoincidenceFile(run.path / "events.h5", delays_ns=delays)
    assert len(file) == len(expected)
    some = file[500:520]
    assert some.dt_ps.tolist() == expected[500:520].dt_ps.tolist()


def test_parquet_has_the_column_and_the_balance_what_was_dropped(replay, tmp_path):
    events = some_events(3_000, 1, channels=6)
    path = written(tmp_path / "one.bin", events)
    events = read_events(path, LAYOUT).sort()
    run, balance = replay(
        [path],
        frame_kb=20,
        rows=100,
        path="events.parquet",
        **dict.fromkeys(("trigger", "delays_ns", "veto")),
        mode="gap",
        before_ns=0,
        window_ns=500,
        singles="drop",
    )
    expected = build_coincidences(events, window_ns=500)
    found = read_parquet(run.path / "events.parquet")
    assert found.without("coincidence").equals(events[expected.rows])
    assert Coincidences.from_events(found).multiplicity.tolist() == (
        expected.multiplicity.tolist()
    )
    dropped = len(events) - expected.rows.size
    assert balance.events_dropped == {"BuildCoincidences": dropped}
    assert balance.events_written == expected.rows.size
