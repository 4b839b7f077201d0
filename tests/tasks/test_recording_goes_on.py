"""Recording goes on while the tasks behind GatherData are slow, or stand still."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.listmode import decode, encode
from pixie_pipe.pipeline.data import Chunk, Stream, StreamMark, Words
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.storage import read_events, read_hdf5
from pixie_pipe.storage.raw_recorder import RawRecorder, RecordingError
from pixie_pipe.storage.recorded_words import RecordedWords
from pixie_pipe.tasks.gather_data import GatherData
from tests.storage.runs import LAYOUT, MIXED, some_events
from tests.support.pipeline_tasks import Gate
from tests.tasks.test_gather_data import decoded

WORDS = encode(some_events(300, **MIXED), LAYOUT)
EVENTS = 400_000

STREAMS = [Stream("Source", n, f"c0-s{n + 2:02d}", LAYOUT.to_dict()) for n in (0, 1)]


def live_data(size):
    """Return what a source sends: two streams by turns, each with its marks."""
    yield from map(StreamMark, STREAMS)
    for start in range(0, WORDS.size, size):
        part = WORDS[start : start + size]
        final = start + size >= WORDS.size
        for stream in STREAMS:
            trailing = b"ab" if final and stream is STREAMS[1] else b""
            yield Words(part, stream, start, start + 1, final, trailing)
            if final:
                yield StreamMark(stream, ended=True)


def assert_all_came(sent):
    marks = [(n, d) for n, d in enumerate(sent) if isinstance(d, StreamMark)]
    assert [d.stream for _, d in marks[:2]] == STREAMS
    whole = decode(WORDS, LAYOUT)
    for stream in STREAMS:
        places = [
            n for n, d in enumerate(sent) if isinstance(d, Chunk) and d.stream == stream
        ]
        chunks = [sent[n] for n in places]
        assert [c.final for c in chunks] == [False] * (len(chunks) - 1) + [True]
        assert chunks[-1].trailing == (b"ab" if stream is STREAMS[1] else b"")
        assert sum(c.words.size - c.look_ahead for c in chunks) == WORDS.size
        events, rejected = decoded(chunks)
        assert sum(map(len, events)) == len(whole.events)
        assert rejected.tolist() == whole.rejected.tolist()
        begins, ends = (n for n, d in marks if d.stream == stream)
        assert begins < places[0]
        assert places[-1] < ends


@given(
    rooms=st.lists(st.booleans(), min_size=1, max_size=20),
    size=st.integers(50, 3000),
    chunk=st.sampled_from([0.0004, 0.002, 0.02]),
    joined=st.sampled_from([1, 1000, 1 << 20]),
)
def test_chunks_are_complete_and_in_order_whenever_there_is_room(
    drive, tmp_path_factory, rooms, size, chunk, joined
):
    directory = tmp_path_factory.mktemp("run")
    gather = drive(
        GatherData, live=True, directory=directory, chunk_mb=chunk, rotate_mb=0.004
    )
    gather.start()
    answers = itertools.cycle([*rooms, False])
    gather.has_room = lambda: next(answers)
    gather.task._cutting._joined_words = joined
    for datum in live_data(size):
        gather.work(datum)
    assert gather.task.ledger["words_recorded"] == 2 * WORDS.size
    gather.stop()
    assert_all_came(gather.sent)
    assert gather.task.statistics["waiting_mb"] == 0


def test_nothing_is_kept_while_there_is_no_room(drive, tmp_path):
    gather = drive(GatherData, live=True, directory=tmp_path, chunk_mb=0.001).start()
    gather.has_room = lambda: False
    sent = [gather.work(datum) for datum in live_data(500)]
    assert not any(sent)
    files = sorted((tmp_path / "raw").glob("*.bin"))
    assert [f.stat().st_size for f in files] == [WORDS.nbytes, WORDS.nbytes + 2]
    # The first words are with the first mark, which did not get through.
    waiting = gather.task.statistics["waiting_mb"]
    assert waiting == pytest.approx(2 * WORDS.nbytes / 1e6, abs=0.05)
    assert gather.task.statistics["most_waiting_mb"] == waiting
    gather.has_room = lambda: True
    gather.wait()
    assert gather.task.statistics["waiting_mb"] == 0
    assert_all_came(gather.sent)


def test_much_that_waits_is_told_and_again_when_it_has_doubled(
    drive, tmp_path, monkeypatch
):
    monkeypatch.setattr("pixie_pipe.tasks.gather_data._TOLD_BYTES", 10_000)
    gather = drive(GatherData, live=True, directory=tmp_path).start()
    gather.has_room = lambda: False
    for datum in live_data(100):
        gather.work(datum)
    assert 1 < len(gather.prints) < 8
    assert "recorded and not decoded yet" in gather.prints[0]


@pytest.mark.parametrize(
    ("live", "parameters"),
    [
        (True, {"waiting_mb": 0}),
        (False, {"record": "always"}),
        (True, {"record": "never"}),
    ],
)
def test_the_source_waits_where_nothing_may(drive, tmp_path, live, parameters):
    gather = drive(GatherData, live=live, directory=tmp_path, **parameters).start()
    gather.has_room = lambda: False
    for datum in live_data(500):
        gather.work(datum)
    gather.stop()
    # Sent by `send`, which waits for room.
    assert_all_came(gather.sent)


def test_the_source_waits_from_the_limit_on(drive, tmp_path):
    gather = drive(
        GatherData, live=True, directory=tmp_path, chunk_mb=0.001, waiting_mb=0.01
    ).start()
    gather.has_room = lambda: False
    most = 0.0
    for datum in live_data(500):
        gather.work(datum)
        most = max(most, gather.task.statistics["waiting_mb"])
    assert most <= 0.01 + 500 * 4 / 1e6
    gather.stop()
    assert_all_came(gather.sent)


def test_a_run_that_is_given_up_leaves_what_waits_in_the_raw_files(drive, tmp_path):
    gather = drive(GatherData, live=True, directory=tmp_path, chunk_mb=0.001).start()
    gather.has_room = lambda: False
    for datum in live_data(500):
        gather.work(datum)
    gather.task._endpoint.outbox.alive = False
    assert gather.stop() == []
    assert gather.task.statistics["waiting_mb"] > 0
    assert gather.task.ledger["words_recorded"] == 2 * WORDS.size


@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=12), data=st.data())
def test_recorded_words_are_read_again_across_files(tmp_path_factory, cuts, data):
    directory = tmp_path_factory.mktemp("raw")
    with RawRecorder(directory, rotate_bytes=1200) as recorder:
        words, at = np.arange(sum(cuts), dtype=np.uint32), 0
        for count in cuts:
            recorder.write("a", words[at : at + count])
            recorder.write("b", ~words[at : at + count])
            at += count
        again = RecordedWords(recorder)
        for _ in range(3):
            first = data.draw(st.integers(0, words.size - 1))
            count = data.draw(st.integers(0, words.size - first))
            expected = words[first : first + count]
            assert again.read("a", first, count).tolist() == expected.tolist()
            assert again.read("b", first, count).tolist() == (~expected).tolist()
        again.close()


def test_words_that_are_gone_are_told(tmp_path):
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", WORDS)
        (path,) = tmp_path.glob("*.bin")
        again = RecordedWords(recorder)
        again.read("a", 0, 10)
        recorder.files  # noqa: B018 - sealing reads the file: not before it is cut
        Path(path).write_bytes(b"")
        with pytest.raises(RecordingError, match="somebody has changed the file"):
            again.read("a", 0, 10)
        again.close()
        Path(path).write_bytes(WORDS.tobytes())


def test_a_run_with_a_consumer_that_stands_still(pipeline, tmp_path):
    """All is recorded while nothing gets through, and all gets through later."""
    gate = tmp_path / "gate"
    pipe = pipeline(runs=tmp_path / "runs")
    pipe.create_task("DummyData", rate_hz=0, events=EVENTS, trace_samples=100)
    pipe.create_task("GatherData")
    pipe.create_task("ConvertToEvents")
    pipe.create_task(Gate, opened=str(gate))
    pipe.create_task("WriteEvents")
    pipe.start()
    directory = pipe.run_directory
    try:
        until = time.monotonic() + 120
        while pipe.tasks.DummyData.status is not Status.FINISHED:
            assert time.monotonic() < until, pipe.statistics()
            time.sleep(0.05)
        recorded = sum(f.stat().st_size for f in directory.glob("raw/*.bin"))
    finally:
        gate.touch()
    assert pipe.wait(120, quiet=True)
    assert pipe.statistics()["GatherData"]["own"]["most_waiting_mb"] > 10
    assert not pipe.errors
    assert pipe.balance().closes
    assert recorded == 4 * pipe.balance().words_read > 50e6
    raw = read_events(directory / "raw" / "c0-s02-0000.bin", LAYOUT)
    assert read_hdf5(directory / "events.h5").equals(raw)
    pipe.stop()
