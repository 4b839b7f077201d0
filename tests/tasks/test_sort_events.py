from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Events
from pixie_pipe.pipeline.data import Origin, Stream, StreamMark
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.tasks._sorting import StreamWatch
from pixie_pipe.tasks.sort_events import LateDataError, SortEvents, pieces
from tests.storage.runs import LAYOUT, MIXED, some_events

US = 10**6


def stream(number, modules=None, source="Source"):
    return Stream(source, number, f"m{number}", LAYOUT.to_dict(), modules=modules)


def origin(number, source="Source"):
    return Origin(source, number)


def module_events(slot, count=200, seed=1, **more):
    return some_events(count, seed, modules=[(0, slot)], **more).sort()


def events_of(sent):
    found = [datum for datum in sent if isinstance(datum, Events)]
    return Events.concatenate(found)


@pytest.mark.parametrize("known", [True, False])
@given(data=st.data())
def test_streams_are_merged_as_one_sort_of_all_would(drive, known, data):
    """Batches of any size, in any order: a replay waits for every stream."""
    tables = [module_events(slot, 60, slot, **MIXED) for slot in (2, 3, 4)]
    sort = drive(SortEvents, rows=data.draw(st.integers(1, 100))).start()
    streams = [stream(n, ((0, n + 2),) if known else None) for n in range(3)]
    sort.work(*map(StreamMark, streams))
    at = [0, 0, 0]
    while any(position < 60 for position in at):
        number = data.draw(st.sampled_from([n for n in range(3) if at[n] < 60]))
        behind = data.draw(st.integers(at[number] + 1, 60))
        sort.work(tables[number][at[number] : behind], origin=origin(number))
        at[number] = behind
        if behind == 60:
            sort.work(StreamMark(streams[number], ended=True))
    sort.stop()
    merged = events_of(sort.sent)
    assert merged.equals(Events.concatenate(tables).sort())
    assert sort.task.statistics["late"] == 0
    assert sort.task.ledger == {"events_dropped": 0}


def test_equal_times_come_in_the_order_in_which_streams_were_announced(drive):
    sort = drive(SortEvents).start()
    sort.work(StreamMark(stream(0)), StreamMark(stream(1)))
    for number in (1, 0):
        events = module_events(5 - number, 3).with_columns(time_ps=[7, 7, 7])
        sort.work(events, origin=origin(number))
    sort.stop()
    assert events_of(sort.sent).slot.tolist() == [5, 5, 5, 4, 4, 4]


def test_marks_begin_at_once_and_end_behind_all_events_with_the_modules(drive):
    sort = drive(SortEvents).start()
    (begun,) = sort.work(StreamMark(stream(0)))
    assert not begun.ended
    assert begun.stream.modules is None
    sort.work(module_events(3), module_events(2), origin=origin(0))
    sort.work(StreamMark(stream(1, ((0, 9),))))
    sort.work(StreamMark(stream(0), ended=True))
    # The second stream has not ended: its source died.
    *events, first, second = sort.stop()
    assert all(isinstance(datum, Events) for datum in events)
    assert first == StreamMark(stream(0, ((0, 2), (0, 3))), ended=True)
    assert second == StreamMark(stream(1, ((0, 9),)), ended=True)


def test_a_replay_waits_for_a_module_that_is_silent(drive):
    sort = drive(SortEvents, max_wait_s=0).start()
    sort.work(*(StreamMark(stream(n, ((0, n + 2),))) for n in (0, 1)))
    assert sort.work(module_events(2, 100_000), origin=origin(0)) == []
    first = sort.work(StreamMark(stream(1, ((0, 3),)), ended=True))
    assert sum(map(len, first)) > 90_000


def test_live_data_do_not_wait_for_a_module_that_is_silent(drive, monkeypatch):
    sort = drive(SortEvents, live=True, max_wait_s=0).start()
    sort.work(*(StreamMark(stream(n, ((0, n + 2),))) for n in (0, 1)))
    sort.work(module_events(2, 100), origin=origin(0))
    monkeypatch.setattr("pixie_pipe.tasks.sort_events._FLUSH_SECONDS", 0)
    assert sum(map(len, sort.wait())) > 50


def test_a_replay_does_not_send_small_batches(drive, monkeypatch):
    monkeypatch.setattr("pixie_pipe.tasks.sort_events._FLUSH_SECONDS", 0)
    sort = drive(SortEvents).start()
    sort.work(module_events(2, 100), origin=origin(0))
    assert sort.wait() == []


@pytest.mark.parametrize("late", ["flag", "drop"])
def test_late_events_are_flagged_or_dropped_and_counted(drive, late):
    sort = drive(SortEvents, late=late, window_us=1, rows=1).start()
    whole = module_events(2, 100)
    old = whole[:10]
    sent = sort.work(whole[10:], old, origin=origin(0)) + sort.stop()
    events = events_of(sent)
    assert sort.task.statistics["late"] == 10
    if late == "flag":
        assert len(events) == 100
        assert events.late.sum() == 10
        assert sort.task.ledger == {"events_dropped": 0}
    else:
        assert len(events) == 90
        assert sort.task.ledger == {"events_dropped": 10}


def test_late_events_that_are_an_error_end_the_run_and_say_what_to_do(drive):
    sort = drive(SortEvents, late="error", window_us=1, rows=1).start()
    whole = module_events(2, 100)
    sort.work(whole[10:], origin=origin(0))
    words = (
        r"10 events .* of module 0/2, is .* us earlier .* window_us larger \(now 1 us"
    )
    with pytest.raises(LateDataError, match=words):
        sort.work(whole[:10], origin=origin(0))
    # What came before is sent, as the run ends.
    sort.stop()
    assert events_of(sort.sent).equals(whole[10:])


def test_the_first_late_events_are_told_with_what_to_do(drive):
    sort = drive(SortEvents, live=True, window_us=1, rows=1).start()
    whole = module_events(2, 100)
    sort.work(whole[50:], whole[:10], whole[10:20], origin=origin(0))
    (text,) = sort.prints
    assert "of module 0/2 came" in text
    assert "max_wait_s, now 10 s" in text
    span_us = (sort.sent[0].time_ps[-1] - whole.time_ps[0]) / US
    assert sort.task.statistics["most_late_us"] == span_us


@given(
    offsets=st.dictionaries(
        st.sampled_from(["0/2", "0/3", "0/2/1", "0/3/0", "0/2/9", "1/2"]),
        st.integers(-200_000, 200_000).map(lambda ps: ps / 1000),
    ),
    cuts=st.lists(st.integers(0, 120), max_size=5).map(sorted),
)
def test_offsets_are_added_before_sorting_and_nothing_is_late(drive, offsets, cuts):
    """The window needs not be as wide as the offsets make the disorder."""
    streams = [
        some_events(120, slot, modules=[(0, slot)], channels=2).sort()
        for slot in (2, 3)
    ]
    sort = drive(SortEvents, offsets_ns=offsets, window_us=0, rows=1).start()
    sort.work(*(StreamMark(stream(n, ((0, n + 2),))) for n in range(2)))
    for first, behind in pairwise([0, *cuts, 120]):
        for number, events in enumerate(streams):
            sort.work(events[first:behind], origin=origin(number))
    sort.stop()
    whole = Events.concatenate(streams)
    places = zip(whole.slot.tolist(), whole.channel.tolist(), strict=True)
    shifts = [
        round(1000 * (offsets.get(f"0/{slot}", 0) + offsets.get(f"0/{slot}/{c}", 0)))
        for slot, c in places
    ]
    expected = whole.with_columns(time_ps=whole.time_ps + np.array(shifts, np.int64))
    assert events_of(sort.sent).equals(expected.sort())
    assert sort.task.statistics["late"] == 0
    told = sort.task.statistics.get("offsets_ps", {})
    assert any(offsets.values()) == bool(told)


def test_offsets_of_a_file_and_of_the_parameter_add_up(drive, tmp_path):
    path = tmp_path / "offsets.yaml"
    path.write_text("made_by: a calibration\noffsets_ns:\n  0/2: 1.5\n  0/2/0: 10\n")
    sort = drive(SortEvents, offsets_ns={"0/2": -0.25}, offsets_file=str(path)).start()
    assert sort.task.statistics["offsets_ps"] == {"0/2": 1250, "0/2/0": 10_000}
    events = some_events(10, modules=[(0, 2)], channels=1).sort()
    sort.work(events)
    sort.stop()
    times = events_of(sort.sent).time_ps
    assert times.tolist() == [time + 11_250 for time in events.time_ps.tolist()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("offsets_ns:\n  0/2/1/7: 1\n", "offsets.yaml: a time offset is for '0/2/1/7'"),
        ("offsets_ns:\n  0/2: soon\n", r"offsets.yaml:2: offsets_ns.0/2: is 'soon'"),
        ("offsets_ns: 3\n", r"offsets.yaml:1: offsets_ns: expected a mapping"),
        ("0/2: 3\n", r"offsets.yaml:1: expected a mapping 'offsets_ns'"),
    ],
)
def test_files_of_offsets_that_cannot_be_read(drive, tmp_path, text, words):
    path = tmp_path / "offsets.yaml"
    path.write_text(text)
    with pytest.raises(PixiePipeError, match=words):
        drive(SortEvents, offsets_file=str(path))


def test_offsets_are_checked_when_they_are_given(drive):
    with pytest.raises(ParameterError, match="offsets_ns: the time offset of 0/2"):
        drive(SortEvents, offsets_ns={"0/2": "much"})


def test_memory_is_bounded_and_it_is_said_once(drive):
    sort = drive(SortEvents, max_mb=0.01).start()
    sort.work(*(StreamMark(stream(n, ((0, n + 2),))) for n in (0, 1)))
    events = module_events(2, 5000)
    for first in range(0, 5000, 500):
        sort.work(events[first : first + 500], origin=origin(0))
        assert sort.task.statistics["held_mb"] < 0.05
    assert sort.task.statistics["forced"] > 1
    (text,) = sort.prints
    assert "max_mb = 0.01 MB" in text
    sort.stop()
    assert len(events_of(sort.sent)) == 5000


def test_events_without_an_origin_are_sorted_too(drive):
    sort = drive(SortEvents).start()
    events = some_events(100, modules=[(0, 2), (0, 3)])
    sort.work(events)
    sort.stop()
    assert events_of(sort.sent).equals(events.sort())


def test_batches_with_large_traces_are_passed_on_early(drive):
    sort = drive(SortEvents, batch_mb=0.1).start()
    sort.work(StreamMark(stream(0)))
    events = module_events(2, 1000, trace_lengths=(500,))
    sent = sort.work(events[:500], events[500:], origin=origin(0))
    assert len(sent) > 5
    assert max(batch.nbytes for batch in sent) < 150_000


@given(st.integers(1, 50), st.integers(1, 5000))
def test_pieces_are_small_and_make_the_whole(count, nbytes):
    events = module_events(2, count, **MIXED)
    parts = list(pieces(events, nbytes))
    assert Events.concatenate(parts).equals(events)
    assert min(map(len, parts)) > 0


class Spy:
    """Notes what a sorter is told."""

    def __init__(self):
        self.waits_for = set()

    def add_module(self, module):
        self.waits_for.add(module)

    def end_module(self, module):
        self.waits_for.discard(module)


def test_a_stream_of_unknown_modules_is_waited_for_until_it_shows_them():
    spy = Spy()
    watch = StreamWatch(spy)
    one, two = stream(0), stream(1)
    watch.begin(one)
    watch.begin(two)
    assert len(spy.waits_for) == 2
    assert watch.wants_modules(one.key)
    watch.see(one.key, [(0, 2)])
    assert len(spy.waits_for) == 1
    watch.end(StreamMark(two, ended=True))
    assert not spy.waits_for
    assert not watch.wants_modules(two.key)


def test_a_module_of_two_streams_is_waited_for_until_both_end():
    spy = Spy()
    watch = StreamWatch(spy)
    one, two = stream(0, ((0, 2), (0, 3))), stream(1, ((0, 2),))
    watch.begin(one)
    watch.begin(two)
    watch.end(StreamMark(one, ended=True))
    assert spy.waits_for == {(0, 2)}
    watch.end(StreamMark(two, ended=True))
    assert not spy.waits_for


def test_stand_ins_are_no_modules_and_all_differ():
    spy = Spy()
    watch = StreamWatch(spy)
    for number in range(600):
        watch.begin(stream(number))
    assert len(spy.waits_for) == 600
    assert min(crate for crate, _ in spy.waits_for) > 15


def test_times_are_not_changed(drive):
    sort = drive(SortEvents).start()
    events = module_events(2, 100)
    sort.work(events)
    sort.stop()
    assert np.array_equal(events_of(sort.sent).timestamp, events.timestamp)
