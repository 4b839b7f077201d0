from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode import RejectReason, decode, encode
from pixie_pipe.listmode.result import REJECTED
from pixie_pipe.pipeline.data import Origin, Rejected, Stream, StreamMark, Tally
from pixie_pipe.storage import read_hdf5, read_hdf5_metadata, read_parquet
from pixie_pipe.storage.atomic import OutputExistsError, OutputPathError
from pixie_pipe.storage.hdf5 import Hdf5Writer
from pixie_pipe.storage.writer import OutputError, OutputFailedError
from pixie_pipe.tasks import _stream_accounts
from pixie_pipe.tasks.write_events import WriteEvents
from tests.storage.runs import LAYOUT, MIXED, OTHER, some_events

EVENTS = some_events(1000, **MIXED)


def stream(number=0, layout=LAYOUT, **more):
    return Stream("Source", number, f"c0-s{number:02d}", layout.to_dict(), **more)


def rejections(*rows):
    return np.array([(*row, RejectReason.MODULE) for row in rows], REJECTED)


@pytest.mark.parametrize(
    ("name", "read"), [("events.h5", read_hdf5), ("e.parquet", read_parquet)]
)
def test_the_file_has_the_events_and_is_in_the_directory_of_the_run(
    drive, tmp_path, name, read
):
    write = drive(WriteEvents, directory=tmp_path, path=name).start()
    assert write.work(EVENTS[:400], EVENTS[400:]) == []
    assert not (tmp_path / name).exists()
    write.stop()
    assert read(tmp_path / name).equals(EVENTS)
    assert write.task.ledger == {"events_written": 1000}
    assert write.task.statistics["outputs"] == [str(tmp_path / name)]
    assert write.task.statistics["bytes"] == (tmp_path / name).stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_without_a_run_directory_it_is_in_the_working_directory(
    drive, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write = drive(WriteEvents, path="run-{run}.h5").start()
    write.stop()
    write.start()
    write.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run-0001.h5",
        "run-0002.h5",
    ]
    assert len(read_hdf5("run-0001.h5")) == 0


@pytest.mark.parametrize("name", ["events.h5", "events-incomplete.h5"])
def test_a_file_that_exists_is_left_alone_unless_told_otherwise(drive, tmp_path, name):
    (tmp_path / name).write_text("precious")
    write = drive(WriteEvents, directory=tmp_path)
    with pytest.raises(OutputExistsError, match=name):
        write.start()
    assert (tmp_path / name).read_text() == "precious"
    write.stop()
    write.configure(force=True)
    write.start()
    write.work(EVENTS)
    write.stop()
    assert read_hdf5(tmp_path / "events.h5").equals(EVENTS)


def test_a_file_that_appears_meanwhile_is_left_alone(drive, tmp_path):
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(EVENTS)
    (tmp_path / "events.h5").write_text("precious")
    with pytest.raises(OutputExistsError):
        write.stop()
    assert (tmp_path / "events.h5").read_text() == "precious"
    assert read_hdf5(tmp_path / "events-incomplete.h5").equals(EVENTS)


def test_a_directory_that_is_missing_is_told_at_the_start(drive, tmp_path):
    with pytest.raises(OutputPathError, match="does not exist"):
        drive(WriteEvents, directory=tmp_path, path="no/such/events.h5").start()


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"path": "events.root"}, "no format of events"),
        ({"path": "e.parquet", "compression": "bitshuffle-lz4"}, "for .parquet files"),
    ],
)
def test_a_format_that_cannot_be_is_refused(drive, parameters, text):
    with pytest.raises(OutputError, match=text):
        drive(WriteEvents, **parameters)


def test_an_incomplete_run_has_another_name(drive, tmp_path):
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(EVENTS)
    write.reasons.append("SortEvents was killed")
    write.stop()
    path = tmp_path / "events-incomplete.h5"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert read_hdf5(path).equals(EVENTS)
    assert write.task.statistics["outputs"] == [str(path)]
    (text,) = write.prints
    assert "SortEvents was killed" in text


def test_nothing_is_left_of_a_file_that_could_not_be_written(
    drive, tmp_path, monkeypatch
):
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(EVENTS)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Hdf5Writer, "write", fail)
    told = r"incomplete\.h5: cannot be written: No space left on device; make room"
    with pytest.raises(OutputFailedError, match=told):
        write.work(EVENTS)
    write.reasons.append("WriteEvents failed")
    write.stop()
    assert list(tmp_path.iterdir()) == []
    assert write.task.statistics["outputs"] == []


def test_what_hdf5_says_becomes_one_sentence(drive, tmp_path, monkeypatch):
    write = drive(WriteEvents, directory=tmp_path).start()

    def fail(*_):
        raise RuntimeError(
            "Can't decrement id ref count (file write failed: time = Sun Nov 22\n, "
            "filename = 'e.h5', file descriptor = 25, errno = 27, error message = 'F"
        )

    monkeypatch.setattr(Hdf5Writer, "write", fail)
    with pytest.raises(OutputFailedError) as caught:
        write.work(EVENTS)
    assert str(caught.value) == (
        f"{tmp_path / 'events-incomplete.h5'}: cannot be written: File too large; make "
        f"room or check the disk; the events are in the raw files, from which "
        f"`pixie-pipe replay` makes the file again"
    )


def test_of_a_run_that_did_not_begin_nothing_is_kept_or_told(drive, tmp_path):
    write = drive(WriteEvents, directory=tmp_path).start()
    write.reasons.append("the run was given up")
    write.stop()
    assert list(tmp_path.iterdir()) == []
    assert write.prints == []
    # Without the failure, it is a run without events.
    write.reasons.clear()
    write.start().stop()
    assert len(read_hdf5(tmp_path / "events.h5")) == 0


def test_data_go_on_to_a_task_behind_it(drive, tmp_path):
    write = drive(WriteEvents, directory=tmp_path).start()
    write.task.is_final = False
    mark = StreamMark(stream())
    assert write.work(mark) == [mark]
    (passed,) = write.work(EVENTS)
    assert passed.equals(EVENTS)
    write.stop()


def test_the_streams_of_a_replay_are_told(drive, tmp_path):
    """Two streams, one of two files; the run was stopped within the second file."""
    for name, size in (("a.bin", 400), ("b.bin", 600), ("c.bin", 80)):
        (tmp_path / name).write_bytes(bytes(size))
    paths = [str(tmp_path / f"{name}.bin") for name in "abc"]
    one, two = stream(0, files=tuple(paths[:2])), stream(1, OTHER, files=(paths[2],))
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(StreamMark(one), StreamMark(two))
    write.work(some_events(9, modules=[(0, 2), (0, 4)]), origin=Origin("Source", 0))
    write.work(some_events(9, modules=[(1, 3)]), origin=Origin("Source", 1))
    write.tallies["Source", 0] = Tally(190, 10, 5, 0, 9)
    write.tallies["Source", 1] = Tally(18, 2, 0, 3, 9)
    write.work(
        Rejected(rejections((1, 1)), two),
        Rejected(rejections((98, 4), (150, 3)), one),
        Rejected(rejections((153, 2)), one),
    )
    write.stop()
    metadata = read_hdf5_metadata(tmp_path / "events.h5")
    first, second = metadata.provenance.streams
    assert first.modules == ((0, 2), (0, 4))
    assert second.modules == ((1, 3),)
    assert (first.layout, second.layout) == (LAYOUT, OTHER)
    assert [(str(s.path), s.size) for s in first.sources] == [
        (paths[0], 400),
        (paths[1], 420),
    ]
    assert [(str(s.path), s.size) for s in second.sources] == [(paths[2], 80)]
    assert (first.balance.read, first.balance.leftover, first.events) == (205, 5, 9)
    assert (second.balance.read, second.balance.trailing_bytes) == (20, 3)
    rows = metadata.rejected[["stream", "source", "word_offset", "word_count"]]
    # The last two touched where a chunk ended: they are one stretch.
    assert rows.tolist() == [(0, 0, 98, 4), (0, 1, 150, 5), (1, 2, 1, 1)]
    assert metadata.provenance.command == f"pixie_pipe pipeline, run {tmp_path.name}"


def test_modules_of_sorted_streams_are_those_that_were_announced_and_seen(
    drive, tmp_path
):
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(StreamMark(stream(0)), StreamMark(stream(1, modules=((0, 3), (2, 9)))))
    write.work(some_events(50, modules=[(0, 2), (0, 3), (1, 2)]))
    # The sorter tells at the end what it has seen.
    write.work(StreamMark(stream(0, modules=((0, 2), (1, 2))), ended=True))
    write.stop()
    metadata = read_hdf5_metadata(tmp_path / "events.h5")
    assert [record.modules for record in metadata.provenance.streams] == [
        ((0, 2), (1, 2)),
        ((0, 3),),
    ]


def test_the_raw_files_of_a_live_run_are_its_sources(drive, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, size in ((0, 40), (1, 44)):
        (raw / f"c0-s00-{number:04d}.bin").write_bytes(bytes(size))
    (raw / "SHA256SUMS").write_text(f"{'5' * 64}  c0-s00-0000.bin\n")
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(StreamMark(stream()), Rejected(rejections((9, 1), (10, 1)), stream()))
    write.stop()
    metadata = read_hdf5_metadata(tmp_path / "events.h5")
    (record,) = metadata.provenance.streams
    assert [(str(s.path), s.size, s.sha256) for s in record.sources] == [
        ("raw/c0-s00-0000.bin", 40, "5" * 64),
        ("raw/c0-s00-0001.bin", 44, ""),
    ]
    # One stretch, which begins in the first file.
    assert metadata.rejected[["source", "word_count"]].tolist() == [(0, 2)]


def test_very_many_rejections_are_counted_and_not_all_listed(
    drive, tmp_path, monkeypatch
):
    monkeypatch.setattr(_stream_accounts, "MOST_REJECTIONS", 3)
    write = drive(WriteEvents, directory=tmp_path).start()
    for start in (0, 100):
        write.work(
            Rejected(rejections(*((start + 9 * k, 1) for k in range(2))), stream())
        )
    write.stop()
    assert len(read_hdf5_metadata(tmp_path / "events.h5").rejected) == 3
    assert write.task.statistics["rejections_not_listed"] == 1


def test_rejections_are_those_of_the_whole_stream(drive, tmp_path):
    words = encode(some_events(300), LAYOUT)
    words[100:160] = 0
    whole = decode(words, LAYOUT)
    assert whole.rejected.size
    write = drive(WriteEvents, directory=tmp_path).start()
    write.work(StreamMark(stream()), whole.events, Rejected(whole.rejected, stream()))
    write.stop()
    rejected = read_hdf5_metadata(tmp_path / "events.h5").rejected
    assert rejected[list(REJECTED.names or ())].tolist() == whole.rejected.tolist()


def test_late_events_keep_their_mark(drive, tmp_path):
    write = drive(WriteEvents, directory=tmp_path).start()
    marked = EVENTS[500:].with_columns(late=np.arange(500) % 7 == 0)
    write.work(EVENTS[:500], marked)
    write.stop()
    expected = Events.concatenate([EVENTS[:500], marked])
    assert read_hdf5(tmp_path / "events.h5").equals(expected)


def test_files_that_are_gone_are_named_with_what_was_read():
    gone = str(Path("/no/such/file.bin"))
    (file,) = _stream_accounts.files_read([gone], 80)
    assert (str(file.path), file.size) == (gone, 80)
