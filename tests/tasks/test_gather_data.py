from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.buffers import BufferPool
from pixie_pipe.listmode import ChunkDecoder, decode, encode, join_touching
from pixie_pipe.pipeline.data import Stream, Words
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.storage.raw_recorder import RecordedFile, RecordingError
from pixie_pipe.tasks._stream_cutter import StreamCutter, StreamGapError
from pixie_pipe.tasks.gather_data import GatherData
from tests.storage.runs import LAYOUT, MIXED, some_events
from tests.support.chunks import damaged_words

WORDS = encode(some_events(300, **MIXED), LAYOUT)


def stream(number=0, name="c0-s02", source="Source", **settings) -> Stream:
    return Stream(source, number, name, LAYOUT.to_dict(), **settings)


def frames(words, size, *, of=None, trailing=b"", final=True):
    """Cut words into frames; the last one ends the stream."""
    of = of or stream()
    starts = range(0, max(words.size, 1), size)
    for start in starts:
        last = final and start + size >= words.size
        yield Words(
            words[start : start + size],
            of,
            start,
            time_ns=start + 1,
            final=last,
            trailing=trailing if last else b"",
        )


def decoded(chunks):
    """Decode chunks, each by itself, the last one first."""
    decoder = ChunkDecoder(LAYOUT)
    parts = [
        decoder.decode(c.words, offset=c.offset, state=c.state, final=c.final)
        for c in reversed([c for c in chunks if c.words.size])
    ][::-1]
    rejected = np.concatenate(
        [decode(b"", LAYOUT).rejected, *(p.rejected for p in parts)]
    )
    return [p.events for p in parts], join_touching(rejected)


def cutter(chunk_words, clock=lambda: 0.0):
    return StreamCutter(stream(), chunk_words, pool=BufferPool(), clock=clock)


@given(damaged_words(LAYOUT), st.integers(1, 3000), st.integers(1, 3000))
def test_chunks_of_any_size_hold_all_words_and_decode_alone(words, frame, chunk):
    cut = cutter(chunk)
    chunks = [c for frame_ in frames(words, frame) for c in cut.feed(frame_)]
    assert [c.final for c in chunks] == [False] * (len(chunks) - 1) + [True]
    at = 0
    for c in chunks:
        assert c.offset == at
        at += c.words.size - c.look_ahead
    assert at == words.size
    whole = decode(words, LAYOUT)
    events, rejected = decoded(chunks)
    assert sum(map(len, events)) == len(whole.events)
    assert np.concatenate([[], *(e.timestamp for e in events)]).tolist() == (
        whole.events.timestamp.tolist()
    )
    assert rejected.tolist() == whole.rejected.tolist()


def test_a_chunk_is_about_as_large_as_asked_for():
    cut = cutter(1000)
    chunks = [c for f in frames(WORDS, 700) for c in cut.feed(f)]
    sizes = [c.words.size - c.look_ahead for c in chunks[:-1]]
    assert min(sizes) >= 1000
    assert max(sizes) <= 1000 + 1000 // 8 + 100


def test_a_chunk_tells_when_its_last_words_were_read():
    cut = cutter(10**6)
    chunks = [c for f in frames(WORDS, 700) for c in cut.feed(f)]
    assert chunks[0].time_ns == (WORDS.size - 1) // 700 * 700 + 1


def test_words_wait_for_a_full_chunk_no_longer_than_asked_for():
    now = [10.0]
    cut = cutter(10**6, lambda: now[0])
    first, second, *_ = frames(WORDS, 500)
    assert list(cut.feed(first)) == []
    now[0] = 10.4
    assert list(cut.feed(second)) == []
    assert list(cut.flush(0.5)) == []
    now[0] = 10.5
    (chunk,) = cut.flush(0.5)
    assert chunk.words.size == 1000
    assert list(cut.flush(0.0)) == []


@pytest.mark.parametrize("offset", [0, 400, 600])
def test_words_that_do_not_continue_the_stream_are_refused(offset):
    cut = cutter(100)
    list(cut.feed(Words(WORDS[:500], stream(), 0)))
    with pytest.raises(StreamGapError, match=r"Source/c0-s02.*expected word 500 next"):
        list(cut.feed(Words(WORDS[500:], stream(), offset)))


def test_words_behind_the_last_ones_are_refused():
    cut = cutter(100)
    list(cut.feed(Words(WORDS[:500], stream(), 0, final=True)))
    with pytest.raises(StreamGapError, match="it has ended"):
        list(cut.feed(Words(WORDS[500:], stream(), 500)))


def test_the_end_of_a_stream_is_sent_even_without_words(drive):
    gather = drive(GatherData, record="never").start()
    (chunk,) = gather.work(Words(WORDS[:0], stream(), 0, final=True, trailing=b"ab"))
    assert (chunk.words.size, chunk.final, chunk.trailing) == (0, True, b"ab")
    # A chunk that ends exactly with the words before leaves none for the last one.
    gather = drive(GatherData, record="never", chunk_mb=0.0001).start()
    event = encode(some_events(1), LAYOUT)
    sent = gather.work(
        Words(event, stream(), 0), Words(event[:0], stream(), 4, final=True)
    )
    assert sum(c.words.size - c.look_ahead for c in sent) == 4
    assert sent[-1].final


def test_streams_do_not_mix(drive):
    gather = drive(GatherData, record="never", chunk_mb=0.001).start()
    one, two = stream(0, "a"), stream(1, "b")
    sent = []
    for f, g in zip(
        frames(WORDS, 300, of=one), frames(WORDS, 300, of=two), strict=True
    ):
        sent += gather.work(f, g)
    for of in (one, two):
        chunks = [c for c in sent if c.stream.key == of.key]
        events, _ = decoded(chunks)
        assert sum(map(len, events)) == 300
    assert gather.task.statistics["streams"] == {
        "Source/a": WORDS.size,
        "Source/b": WORDS.size,
    }


def test_a_stream_without_an_end_is_finished_when_the_run_stops(drive):
    gather = drive(GatherData, record="never").start()
    assert gather.work(*frames(WORDS[:1000], 300, final=False)) == []
    (chunk,) = gather.stop()
    assert chunk.final
    assert chunk.words.size == 1000


def test_words_that_wait_are_sent_after_a_while(drive):
    gather = drive(GatherData, record="never", chunk_s=0).start()
    gather.work(Words(WORDS[:1000], stream(), 0))
    (chunk,) = gather.wait()
    assert 900 < chunk.words.size - chunk.look_ahead <= 1000


@pytest.mark.parametrize(
    ("record", "live", "has_directory", "expected"),
    [
        ("live", True, True, True),
        ("live", True, False, False),
        ("live", False, True, False),
        ("always", False, True, True),
        ("never", True, True, False),
    ],
)
def test_what_is_recorded(drive, tmp_path, record, live, has_directory, expected):
    gather = drive(
        GatherData,
        record=record,
        live=live,
        directory=tmp_path if has_directory else "",
    ).start()
    gather.work(*frames(WORDS, 1000, trailing=b"xyz"))
    gather.stop()
    assert (tmp_path / "raw").exists() == expected
    assert ("words_recorded" in gather.task.ledger) == expected
    if expected:
        assert gather.task.ledger["words_recorded"] == WORDS.size
        (file,) = (RecordedFile(**f) for f in gather.task.statistics["files"])
        assert (file.words, file.trailing_bytes) == (WORDS.size, 3)
        assert len(file.sha256) == 64
        path = tmp_path / "raw" / file.name
        assert path.read_bytes() == WORDS.tobytes() + b"xyz"


def test_recording_always_needs_a_place(drive):
    with pytest.raises(ParameterError, match=r"record is 'always'.*runs=.*directory"):
        drive(GatherData, record="always").start()


def test_another_directory_can_be_named_after_the_run(drive, tmp_path):
    gather = drive(GatherData, record="always", directory="")
    gather.configure(directory=str(tmp_path / "here" / "{run}"))
    for run in ("0001", "0002"):
        gather.start()
        gather.work(*frames(WORDS, 1000))
        gather.stop()
        name = gather.task.statistics["files"][0]["name"]
        assert (tmp_path / "here" / run / name).stat().st_size == WORDS.nbytes


def test_raw_files_that_are_there_are_left_alone(drive, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "old.bin").write_bytes(b"1234")
    with pytest.raises(RecordingError, match=r"has raw files already \(old\.bin\)"):
        drive(GatherData, record="always", directory=tmp_path).start()


def test_raw_files_rotate(drive, tmp_path):
    gather = drive(GatherData, live=True, directory=tmp_path, rotate_mb=0.004).start()
    gather.work(*frames(WORDS, 500))
    gather.stop()
    files = [RecordedFile(**f) for f in gather.task.statistics["files"]]
    assert len(files) > 2
    assert sum(file.words for file in files) == WORDS.size
    content = b"".join((tmp_path / "raw" / f.name).read_bytes() for f in files)
    assert content == WORDS.tobytes()


def test_streams_with_the_same_name_get_their_own_files(drive, tmp_path):
    gather = drive(GatherData, live=True, directory=tmp_path).start()
    gather.work(*frames(WORDS, 1000))
    gather.work(*frames(WORDS[:40], 1000, of=stream(source="Other")))
    gather.stop()
    sizes = {f["stream"]: f["words"] for f in gather.task.statistics["files"]}
    assert sizes == {"c0-s02": WORDS.size, "Other-c0-s02": 40}


def test_words_are_in_the_file_before_anything_else_happens(
    drive, tmp_path, monkeypatch
):
    gather = drive(GatherData, live=True, directory=tmp_path).start()

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(StreamCutter, "feed", fail)
    with pytest.raises(RuntimeError):
        gather.work(Words(WORDS, stream(), 0))
    (path,) = (tmp_path / "raw").glob("*.bin")
    assert path.read_bytes() == WORDS.tobytes()


def test_a_full_disk_ends_the_run_and_what_is_recorded_stays(
    drive, tmp_path, monkeypatch
):
    gather = drive(GatherData, live=True, directory=tmp_path, chunk_mb=0.001).start()
    sent = gather.work(Words(WORDS[:1000], stream(), 0))
    write = os.pwrite

    def full(descriptor, data, offset):
        if len(data) <= 400:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:400], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(RecordingError, match="No space left"):
        gather.work(Words(WORDS[1000:], stream(), 1000))
    assert gather.sent == sent
    gather.stop()
    recorded = gather.task.ledger["words_recorded"]
    assert 1000 < recorded < WORDS.size
    (path,) = (tmp_path / "raw").glob("*.bin")
    assert path.read_bytes() == WORDS[:recorded].tobytes()
    (file,) = gather.task.statistics["files"]
    assert file["words"] == recorded


def test_a_second_run_begins_anew(drive, tmp_path):
    gather = drive(GatherData, record="never")
    for _ in range(2):
        gather.start()
        assert gather.work(*frames(WORDS, 1000))[-1].final
        gather.stop()
        assert gather.task.statistics["words"] == WORDS.size
