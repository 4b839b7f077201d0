"""Times of several runs become continuous, however the data are cut and come."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.events.schema import NO_WALL_TIME
from pixie_pipe.kernels.wall_time import assign_wall_times
from pixie_pipe.listmode import encode
from pixie_pipe.pipeline.data import Origin, Stream, StreamMark
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.storage import Hdf5Writer, read_hdf5, read_hdf5_metadata
from pixie_pipe.storage.provenance import Provenance, StreamRecord
from pixie_pipe.storage.run_starts import run_starts_ns
from pixie_pipe.tasks._clock_starts import ClockStartError
from pixie_pipe.tasks.assign_wall_time import AssignWallTime
from pixie_pipe.tasks.load_files import LoadFiles
from pixie_pipe.timing import TimingError, parse_time_ns
from tests.storage.runs import LAYOUT, some_events

if TYPE_CHECKING:
    from datetime import datetime

S = 10**12
NS = 10**9
START = "2026-03-01T12:00:00.000000005+01:00"
START_NS = parse_time_ns(START)


def stream(number):
    modules = ((0, number + 2),)
    return Stream("Source", number, f"m{number}", LAYOUT.to_dict(), modules=modules)


def module_events(number, *runs):
    """Return the events of a module in several runs, by their times."""
    times = np.array([time for run in runs for time in run], np.int64)
    slot = np.full(times.size, number + 2, np.uint8)
    return Events(
        {
            "crate": np.zeros_like(slot),
            "slot": slot,
            "channel": np.zeros_like(slot),
            "timestamp": np.arange(times.size, dtype=np.uint64) + 1000 * number,
            "time_ps": times,
        }
    )


def run_of(seed, seconds, count=20):
    rng = np.random.default_rng(seed)
    times = np.sort([*rng.integers(0, 10 * S, 2).tolist(), int(seconds * S)])
    inside = rng.integers(0, int(seconds * S), count)
    times = np.sort(np.concatenate([times, inside]))
    return times[np.argsort(times + rng.integers(0, 10**9, times.size))].tolist()


def begun(assign, count, starts_ns=()):
    assign.start()
    assign.work(
        *(
            StreamMark(stream(n), starts_ns=tuple(starts_ns[n]) if starts_ns else ())
            for n in range(count)
        )
    )
    return assign


def all_through(assign, tables, pieces):
    """Let a task work on pieces (stream, first row, row behind) to their ends."""
    for number, first, behind in pieces:
        table = tables[number]
        assign.work(table[first:behind], origin=Origin("Source", number))
        if behind == len(table):
            assign.work(StreamMark(stream(number), ended=True))
    assign.stop()
    sent = [datum for datum in assign.sent if isinstance(datum, Events)]
    # One stream behind the other, each in the order in which it was sent.
    return [
        Events.concatenate([part for part in sent if part.slot[0] == number + 2])
        for number in range(len(tables))
    ]


@st.composite
def pieces_of(draw, lengths):
    """Cut streams anywhere, and let the pieces come in any order."""
    queues = []
    for number, length in enumerate(lengths):
        cuts = sorted(draw(st.sets(st.integers(1, length - 1), max_size=5)))
        queues.append([(number, a, b) for a, b in pairwise([0, *cuts, length])])
    order = draw(st.permutations([n for n, q in enumerate(queues) for _ in q]))
    return [queues[number].pop(0) for number in order]


TABLES = [
    module_events(0, run_of(1, 70), run_of(2, 200), run_of(3, 65)),
    module_events(1, run_of(4, 80), run_of(5, 120), run_of(6, 90)),
]
SPANS = [80 * S, 200 * S, 90 * S]
whole_pieces = [(0, 0, len(TABLES[0])), (1, 0, len(TABLES[1]))]


def expected_of(starts_ns, tables=TABLES):
    """Return times as a plain reading of the definition gives them."""
    found = []
    for table in tables:
        segment, latest, times, wall = 0, -1, [], []
        for time in table.time_ps.tolist():
            if latest - time > S // 10:
                segment, latest = segment + 1, time
            latest = max(latest, time)
            times.append(time + 1000 * (starts_ns[segment] - starts_ns[0]))
            wall.append(starts_ns[segment] + time // 1000)
        found.append(table.with_columns(time_ps=times, wall_time_ns=wall))
    return found


@settings(max_examples=25)
@given(pieces_of([len(table) for table in TABLES]))
def test_given_starts(drive, pieces):
    starts_ns = [START_NS, START_NS + 300 * NS, START_NS + 1000 * NS + 7]
    starts: list[str | int | datetime] = [START, *starts_ns[1:]]
    assign = begun(drive(AssignWallTime, mode="starts", starts=starts), 2)
    found = all_through(assign, TABLES, pieces)
    for events, expected in zip(found, expected_of(starts_ns), strict=True):
        assert events.equals(expected)
    told = assign.task.statistics["clock"]["Source/m1"]
    assert told["starts_ns"] == starts_ns
    assert [row["segment"] for row in told["modules"]] == [0, 1, 2]
    # The same as for the whole table.
    whole, clock = assign_wall_times(Events.concatenate(TABLES), starts=starts)
    assert whole.equals(Events.concatenate(expected_of(starts_ns)))
    assert [anchor.start_ns for anchor in clock.anchors] == starts_ns


@settings(max_examples=25)
@given(pieces_of([len(table) for table in TABLES]))
def test_a_gap_behind_the_last_event_of_all_modules(drive, pieces):
    """The starts do not depend on who comes first, and give the same again."""
    gap = begun(drive(AssignWallTime, mode="gap", starts=[START], gap_s=2.5), 2)
    found = all_through(gap, TABLES, pieces)
    starts_ns = [START_NS, START_NS + 82_500_000_000, START_NS + 285 * NS]
    for events, expected in zip(found, expected_of(starts_ns), strict=True):
        assert events.equals(expected)
    used = gap.task.statistics["clock"]["Source/m0"]["starts_ns"]
    assert used == starts_ns
    assert gap.task.statistics["held_mb"] == 0
    again = begun(drive(AssignWallTime, mode="starts", starts=used), 2)
    for events, before in zip(all_through(again, TABLES, pieces), found, strict=True):
        assert events.equals(before)
    whole, _ = assign_wall_times(Events.concatenate(TABLES), starts=[START], gap_s=2.5)
    assert whole.equals(Events.concatenate(found))


@settings(max_examples=25)
@given(pieces_of([len(table) for table in TABLES]))
def test_the_clock_of_the_host_as_sources_tell_it(drive, pieces):
    """Each stream has the starts of its own files."""
    starts_ns = [START_NS, START_NS + 400 * NS, START_NS + 900 * NS]
    assign = begun(drive(AssignWallTime), 2, [starts_ns, starts_ns])
    found = all_through(assign, TABLES, pieces)
    for events, expected in zip(found, expected_of(starts_ns), strict=True):
        assert events.equals(expected)


def test_a_module_without_files_of_a_run(drive):
    """It was silent then: its second segment is the third run."""
    starts_ns = [START_NS, START_NS + 400 * NS, START_NS + 900 * NS]
    silent = module_events(1, run_of(4, 80), run_of(6, 90))
    tables = [TABLES[0], silent]
    assign = begun(drive(AssignWallTime), 2, [starts_ns, starts_ns[::2]])
    found = all_through(assign, tables, [(0, 0, 69), (1, 0, len(silent))])
    assert found[0].equals(expected_of(starts_ns)[0])
    assert found[1].equals(expected_of(starts_ns[::2], [silent])[0])
    assert assign.prints == []


def test_all_streams_count_from_the_same_start(drive):
    """Also one that is announced late, by another source, and began earlier."""
    assign = begun(drive(AssignWallTime), 1, [[START_NS]])
    assign.work(module_events(0, [5]), origin=Origin("Source", 0))
    assign.work(StreamMark(stream(1), starts_ns=(START_NS - NS,)))
    assign.work(module_events(1, [S + 6]), origin=Origin("Source", 1))
    assign.stop()
    sent = [datum for datum in assign.sent if isinstance(datum, Events)]
    assert [int(events.time_ps[0]) for events in sent] == [5, 6]
    assert {int(events.wall_time_ns[0]) for events in sent} == {START_NS}


def test_a_gap_without_any_start_makes_times_continuous_only(drive):
    gap = begun(drive(AssignWallTime, mode="gap", gap_s=0), 2)
    found = all_through(gap, TABLES, whole_pieces)
    relative = expected_of([0, 80 * NS, 280 * NS])
    for events, expected in zip(found, relative, strict=True):
        assert np.array_equal(events.time_ps, expected.time_ps)
        assert (events.wall_time_ns == NO_WALL_TIME).all()
    # The first start that a source tells is taken, though.
    told = begun(drive(AssignWallTime, mode="gap", gap_s=0), 2, [[START_NS]] * 2)
    found = all_through(told, TABLES, whole_pieces)
    assert found[0].wall_time_ns[0] == START_NS + TABLES[0].time_ps[0] // 1000


def test_live_data_without_a_start_are_placed_by_when_they_were_read(drive):
    """All modules have their clocks in common; so they have the start."""
    assign = begun(drive(AssignWallTime, live=True), 2)
    tables = [module_events(n, [3 * S, 7 * S], [2 * S]) for n in range(2)]
    for number, read_ns in ((0, START_NS), (1, START_NS + 5)):
        origin = Origin("Source", number, time_ns=read_ns)
        assign.work(tables[number][:2], origin=origin)
    later = Origin("Source", 1, time_ns=START_NS + 90 * NS)
    assign.work(tables[1][2:], origin=later)
    assign.stop()
    walls = [d.wall_time_ns.tolist() for d in assign.sent if isinstance(d, Events)]
    first = [START_NS - 4 * NS, START_NS]
    assert walls == [first, first, [START_NS + 90 * NS]]


def test_live_data_of_modules_that_did_not_begin_at_zero(drive):
    assign = begun(drive(AssignWallTime, live=True), 1, [[START_NS]])
    origin = Origin("Source", 0, time_ns=START_NS + NS)
    (events,) = assign.work(module_events(0, [5000 * S, 5001 * S]), origin=origin)
    assert events.wall_time_ns.tolist() == [START_NS, START_NS + NS]
    # Times count from the start that was told.
    assert events.time_ps.tolist() == [0, S]


def test_nothing_tells_the_start(drive):
    assign = begun(drive(AssignWallTime), 1)
    words = r"run 0 .* of Source/m0 began: .* give starts"
    with pytest.raises(ClockStartError, match=words):
        assign.work(TABLES[0], origin=Origin("Source", 0))


def test_too_few_starts(drive):
    assign = begun(drive(AssignWallTime, mode="starts", starts=[START]), 1)
    with pytest.raises(ClockStartError, match="at least 3 runs, and 1 starts"):
        assign.work(TABLES[0], origin=Origin("Source", 0))
    with pytest.raises(TimingError, match="the data have 3 runs, and 1 starts"):
        assign_wall_times(TABLES[0], starts=[START])


def test_parameters_that_do_not_go_together(drive):
    with pytest.raises(ParameterError, match=r"starts: 'noon' is no time"):
        drive(AssignWallTime, starts=["noon"])
    with pytest.raises(ParameterError, match="mode is 'starts', but no starts"):
        drive(AssignWallTime, mode="starts").start()


def test_a_module_that_shows_fewer_runs_is_told(drive):
    starts = [START_NS, START_NS + 300 * NS, START_NS + 1000 * NS]
    assign = begun(drive(AssignWallTime, mode="starts", starts=starts), 2)
    tables = [TABLES[0], module_events(1, run_of(4, 80))]
    all_through(assign, tables, [(0, 0, 69), (1, 0, 23)])
    (text,) = assign.prints
    assert "3 runs" in text
    assert "0/3 (1)" in text


def test_memory_is_bounded_while_a_module_is_waited_for(drive):
    gap = drive(AssignWallTime, mode="gap", starts=[START], gap_s=1, max_mb=0.001)
    begun(gap, 2)
    gap.work(TABLES[1][:5], origin=Origin("Source", 1))
    table = module_events(0, run_of(1, 70), run_of(2, 200, count=200))
    for first in range(0, len(table), 10):
        gap.work(table[first : first + 10], origin=Origin("Source", 0))
    assert gap.task.statistics["forced"] > 0
    assert gap.task.statistics["held_mb"] <= 0.001
    (text,) = gap.prints
    assert "max_mb = 0.001 MB" in text
    gap.stop()
    assert sum(map(len, (d for d in gap.sent if isinstance(d, Events)))) == 231


def test_one_run_is_not_changed_but_for_the_column(drive):
    assign = begun(drive(AssignWallTime), 1, [[START_NS]])
    table = module_events(0, run_of(1, 70))
    (events,) = assign.work(table, origin=Origin("Source", 0))
    assert events.without("wall_time").equals(table)
    assert assign.work(table[:0], origin=Origin("Source", 0)) == []


def test_the_end_of_a_stream_tells_its_times_and_files_keep_them(drive, tmp_path):
    starts = [START_NS, START_NS + 300 * NS, START_NS + 1000 * NS]
    assign = begun(drive(AssignWallTime, mode="starts", starts=starts), 1)
    (events,) = all_through(assign, TABLES[:1], [(0, 0, 69)])
    mark = assign.sent[-1]
    assert mark.ended
    times = mark.times
    assert times["wall_clock"]["starts_ns"] == starts
    assert times["wall_clock"]["modules"][2] == {
        "module": "0/2", "segment": 2, "last_ps": 65 * S
    }  # fmt: skip
    full = some_events(69, modules=[(0, 2)]).with_columns(
        time_ps=events.time_ps, wall_time_ns=events.wall_time_ns
    )
    path = tmp_path / "events.h5"
    record = StreamRecord(LAYOUT, ((0, 2),), times=times)
    with Hdf5Writer(path) as writer:
        writer.write(full.without("wall_time")[:30])
        writer.write(full[30:])
        writer.describe(Provenance((record,)))
    back = read_hdf5(path)
    assert (back.wall_time_ns[:30] == NO_WALL_TIME).all()
    assert np.array_equal(back.wall_time_ns[30:], full.wall_time_ns[30:])
    kept = read_hdf5_metadata(path).provenance.streams[0]
    assert kept == record
    assert StreamRecord.from_dict(json.loads(json.dumps(kept.to_dict()))) == record


def run_directory(parent, number, start_ns, slots, seed=0):
    raw = parent / f"{number:04d}" / "raw"
    raw.mkdir(parents=True)
    if start_ns is not None:
        values = {"TakeData": {"own": {"modules": {}, "started_ns": start_ns}}}
        (raw.parent / "statistics-start.json").write_text(json.dumps(values))
    for slot in slots:
        path = raw / f"c0-s{slot:02d}-00000.bin"
        events = some_events(50, seed + slot, modules=[(0, slot)]).sort()
        path.write_bytes(encode(events, LAYOUT).tobytes())
    return sorted(raw.glob("*.bin"))


def test_files_of_runs_tell_their_starts(drive, tmp_path):
    files = [
        *run_directory(tmp_path, 1, START_NS, [2, 3]),
        *run_directory(tmp_path, 2, START_NS + NS, [2]),
    ]
    load = drive(
        LoadFiles, files=list(map(str, files)), frequency=500, revision=34688
    ).start()
    load.task.do_work(None)
    marks = [datum for datum in load.sent if isinstance(datum, StreamMark)]
    assert [mark.starts_ns for mark in marks[:2]] == [
        (START_NS, START_NS + NS),
        (START_NS,),
    ]
    assert run_starts_ns(run_directory(tmp_path, 3, None, [2])) == ()
    assert run_starts_ns([*files, *run_directory(tmp_path, 4, None, [2])]) == ()
    (tmp_path / "0001" / "statistics-start.json").write_text("{")
    assert run_starts_ns(files) == ()
    assert run_starts_ns([tmp_path / "0001" / "statistics-start.json"]) == ()


@pytest.mark.parametrize("mode", ["host", "gap"])
def test_runs_are_replayed_in_one_go(pipeline, tmp_path, mode):
    """From raw files of two runs to one file in order, with the times used."""
    gap_ns = 3 * NS
    files = []
    for number in (1, 2):
        files += run_directory(tmp_path, number, START_NS + number * NS, [2, 3])
    pipe = pipeline(runs=tmp_path / "replays")
    pipe.create_task(
        "LoadFiles", files=list(map(str, files)), frequency=500, revision=34688
    )
    pipe.create_task("GatherData")
    pipe.create_task("ConvertToEvents")
    pipe.create_task(
        "AssignWallTime", mode=mode, gap_s=gap_ns / NS, jump_s=1e-6, near_zero_s=1e6
    )
    pipe.create_task("SortEvents")
    pipe.create_task("WriteEvents")
    pipe.start()
    pipe.wait()
    assert not pipe.errors
    assert pipe.balance().closes, pipe.balance().problems
    (path,) = (tmp_path / "replays").glob("*/events.h5")
    events = read_hdf5(path)
    assert len(events) == 200
    assert (np.diff(events.time_ps) >= 0).all()
    streams = read_hdf5_metadata(path).provenance.streams
    told = [stream.times["wall_clock"] for stream in streams]
    assert [len(each["starts_ns"]) for each in told] == [2, 2]
    first, second = told[0]["starts_ns"]
    assert first == START_NS + NS
    runs = [(events.wall_time_ns < second).sum(), (events.wall_time_ns >= second).sum()]
    assert runs == [100, 100]
    wall_ps = (events.wall_time_ns - first) * 1000
    assert ((events.time_ps - wall_ps) // 1000 == 0).all()
    if mode == "host":
        assert second == START_NS + 2 * NS
    else:
        span_ps = max(row["last_ps"] for each in told for row in each["modules"][:1])
        assert second == first + -(-span_ps // 1000) + gap_ns
