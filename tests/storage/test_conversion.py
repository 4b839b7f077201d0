"""Conversion: the output is that of one decode, complete, or not there at all."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe import __version__
from pixie_pipe.events import Events
from pixie_pipe.listmode import decode
from pixie_pipe.listmode.result import Balance
from pixie_pipe.storage import (
    OutputError,
    OutputExistsError,
    RawFileError,
    Stream,
    convert,
    read_events,
    read_hdf5,
    read_hdf5_metadata,
    read_parquet,
    read_parquet_metadata,
)
from tests.storage.runs import (
    LAYOUT,
    MIXED,
    OTHER,
    RECORDED,
    raw_bytes,
    some_events,
    written,
)


def pieces_of(monkeypatch, size) -> None:
    from pixie_pipe.storage.raw import PieceReader

    defaults = {"piece_bytes": size, "checksums": False}
    monkeypatch.setattr(PieceReader.__init__, "__kwdefaults__", defaults)


@pytest.mark.parametrize("compression", ["bitshuffle-lz4", "gzip", "none"])
@pytest.mark.parametrize("piece_bytes", [333, 4 << 20])
def test_it_is_what_read_events_gives(
    tmp_path, monkeypatch, compression, piece_bytes
) -> None:
    pieces_of(monkeypatch, piece_bytes)
    events = some_events(500, **MIXED)
    path = written(tmp_path / "a.bin", events)
    output = tmp_path / "a.h5"
    report = convert([Stream((path,), LAYOUT)], output, compression=compression)
    assert read_hdf5(output).equals(events)
    assert read_events(path, LAYOUT).equals(events)
    assert report.events == 500
    assert report.input_bytes == path.stat().st_size
    assert report.output_bytes == output.stat().st_size
    assert report.notes == ()
    assert report.balance == Balance(path.stat().st_size // 4, path.stat().st_size // 4)


DATA = raw_bytes(some_events(6, seed=4, **MIXED))


@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=4).map(sorted))
@settings(max_examples=25)
def test_files_cut_at_any_byte_are_one_stream(cuts) -> None:
    with TemporaryDirectory() as name:
        edges = [0, *cuts, len(DATA)]
        paths = tuple(
            written(Path(name, f"{i}.bin"), DATA[start:stop])
            for i, (start, stop) in enumerate(pairwise(edges))
        )
        report = convert([Stream(paths, LAYOUT)], Path(name, "a.h5"))
        assert read_hdf5(Path(name, "a.h5")).equals(some_events(6, seed=4, **MIXED))
        assert report.balance == Balance(len(DATA) // 4, len(DATA) // 4)
        empty = [path for path in paths if path.stat().st_size == 0]
        assert report.notes == tuple(f"{path}: the file is empty" for path in empty)


@pytest.mark.parametrize("ending", [".h5", ".parquet"])
def test_two_modules_with_two_layouts(tmp_path, ending) -> None:
    first = some_events(40, modules=((0, 2),))
    second = some_events(
        30, seed=2, layout=OTHER, modules=((0, 5),), header_lengths=(12,)
    )
    a = written(tmp_path / "a", first)
    b = written(tmp_path / "b", second, OTHER)
    output = tmp_path / f"out{ending}"
    streams = [Stream((a,), LAYOUT, ((0, 2),)), Stream((b,), OTHER, ((0, 5),))]
    report = convert(streams, output, command="pixie-pipe convert a b")
    is_hdf5 = ending == ".h5"
    found = (read_hdf5 if is_hdf5 else read_parquet)(output)
    assert found.equals(Events.concatenate([first, second]))
    assert [one.modules for one in report.streams] == [((0, 2),), ((0, 5),)]
    if is_hdf5:
        provenance = read_hdf5_metadata(output).provenance
        records, command = provenance.streams, provenance.command
    else:
        metadata = read_parquet_metadata(output)
        records, command = metadata["streams"], metadata["command"]
    assert command == "pixie-pipe convert a b"
    for record, path, layout, module, events in zip(
        records,
        (a, b),
        (LAYOUT, OTHER),
        ((0, 2), (0, 5)),
        (first, second),
        strict=True,
    ):
        data = path.read_bytes()
        assert record.layout == layout
        assert record.modules == (module,)
        assert record.events == len(events)
        assert record.byte_order == "little"
        assert record.balance == Balance(len(data) // 4, len(data) // 4)
        (source,) = record.sources
        assert (source.path, source.size) == (path, len(data))
        assert source.sha256 == hashlib.sha256(data).hexdigest()


def test_rejected_words_with_reasons_and_places(tmp_path) -> None:
    events = some_events(60)
    data = raw_bytes(events)
    sound = written(tmp_path / "sound", data)
    a = written(tmp_path / "a", data[:80] + bytes(8) + data[80:400])
    b = written(tmp_path / "b", data[400:480] + bytes(12) + data[480:-4])
    output = tmp_path / "out.h5"
    streams = [Stream((sound,), LAYOUT), Stream((a, b), LAYOUT)]
    report = convert(streams, output)
    assert report.rejected_stretches == 2
    assert report.streams[1].balance == Balance(244, 236, 5, 3)
    assert report.notes == (
        (
            f"{a}: word 20: header length is not one that the firmware writes; 5 words "
            f"in 2 stretches from here on (2 % of the stream) belong to no event and "
            f"are left out, the events behind them are kept"
        ),
        (
            f"{b}: word 139: the last event is incomplete, its 3 words are left out; "
            f"the run was stopped in the middle of an event, or the next file is "
            f"missing"
        ),
    )
    metadata = read_hdf5_metadata(output)
    assert metadata.rejected.tolist() == [(1, 1, 20, 2, 1), (1, 2, 122, 3, 1)]
    assert metadata.events == 60 + 59
    assert metadata.provenance.streams[1].balance == report.streams[1].balance
    assert metadata.versions["pixie_pipe"] == __version__
    assert metadata.versions["numpy"] == np.__version__
    assert abs(datetime.now(UTC) - metadata.created) < timedelta(minutes=5)


def test_tables_for_plain_h5py(tmp_path) -> None:
    path = written(tmp_path / "a", some_events(5))
    convert([Stream((path,), LAYOUT)], tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert set(file) == {
            "balance", "events", "layouts", "modules", "rejected", "sources",
            "time_index",
        }  # fmt: skip
        assert file["sources"][0]["path"].decode() == str(path)
        assert file["balance"].dtype.names == (
            "events", "read", "decoded", "rejected", "leftover", "trailing_bytes",
        )  # fmt: skip
        assert file["balance"][0].item() == (5, 20, 20, 0, 0, 0)
        assert file["modules"][:].tolist() == [(0, 0, 2)]
        assert '"frequency": 500' in file["layouts"].asstr()[0]
        assert all(file[name].attrs["description"] for name in set(file) - {"events"})


def test_byte_swapped(tmp_path) -> None:
    events = some_events(20)
    data = np.frombuffer(raw_bytes(events), ">u4").astype("<u4").tobytes()
    path = written(tmp_path / "a", data)
    convert([Stream((path,), LAYOUT)], tmp_path / "a.h5", byte_order="big")
    assert read_hdf5(tmp_path / "a.h5").equals(events)
    metadata = read_hdf5_metadata(tmp_path / "a.h5")
    assert metadata.provenance.streams[0].byte_order == "big"


def test_odd_size_and_empty(tmp_path) -> None:
    a = written(tmp_path / "a", raw_bytes(some_events(5)) + b"xy")
    b = written(tmp_path / "b", b"")
    report = convert([Stream((a,), LAYOUT), Stream((b,), LAYOUT)], tmp_path / "out.h5")
    assert report.notes == (
        (
            f"{a}: word 20: 2 bytes behind the last whole word, 82 bytes are no "
            f"multiple of 4; the end of the stream is cut off"
        ),
        f"{b}: the file is empty",
    )
    assert report.events == 5


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("ending", [".h5", ".parquet"])
def test_an_exception_leaves_nothing(tmp_path, monkeypatch, kind, ending) -> None:
    pieces_of(monkeypatch, 1000)
    path = written(tmp_path / "a.bin", some_events(5000))

    def stop(done, _total, _events) -> None:
        if done:
            raise kind("stop")

    with pytest.raises(kind, match="stop"):
        convert([Stream((path,), LAYOUT)], tmp_path / f"a{ending}", progress=stop)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_writer_leaves_nothing(tmp_path, monkeypatch) -> None:
    pieces_of(monkeypatch, 1000)
    path = written(tmp_path / "a.bin", some_events(500))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pixie_pipe.storage.hdf5.Hdf5Writer.write", full)
    with pytest.raises(OSError, match="No space left"):
        convert([Stream((path,), LAYOUT)], tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_goes_away_in_between(tmp_path) -> None:
    a = written(tmp_path / "a", some_events(5))
    streams = [Stream((a, tmp_path / "b"), LAYOUT)]
    with pytest.raises(RawFileError, match=r"b: there is no such file$"):
        convert(streams, tmp_path / "out.h5")
    assert list(tmp_path.iterdir()) == [a]


KILLED = """
import sys, time
from pathlib import Path
from pixie_pipe.listmode import Layout
from pixie_pipe.storage import Stream, convert

def wait(done, total, events):
    print("working", flush=True)
    time.sleep(60)

stream = Stream((Path(sys.argv[1]),), Layout.find(500, 34688))
convert([stream], sys.argv[2], force=True, progress=wait)
"""


@pytest.mark.parametrize("existing", [False, True])
def test_a_killed_process_leaves_no_half_output(tmp_path, existing) -> None:
    path = written(tmp_path / "a.bin", some_events(5000))
    output = tmp_path / "a.h5"
    if existing:
        output.write_bytes(b"old")
    command = [sys.executable, "-c", KILLED, str(path), str(output)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert output.exists() == existing
    if existing:
        assert output.read_bytes() == b"old"
    (left,) = set(tmp_path.iterdir()) - {path, output}
    assert left.name.startswith("a.h5.")
    assert left.suffix == ".part"
    # What is left is in nobody's way.
    assert convert([Stream((path,), LAYOUT)], output, force=True).events == 5000


def test_an_existing_output(tmp_path) -> None:
    path = written(tmp_path / "a.bin", some_events(5))
    output = written(tmp_path / "a.h5", b"precious")
    with pytest.raises(OutputExistsError, match="exists already and is left as it is"):
        convert([Stream((path,), LAYOUT)], output)
    assert output.read_bytes() == b"precious"
    convert([Stream((path,), LAYOUT)], output, force=True)
    assert len(read_hdf5(output)) == 5


def test_an_output_that_appears_meanwhile(tmp_path) -> None:
    path = written(tmp_path / "a.bin", some_events(5))
    output = tmp_path / "a.h5"

    def appear(*_: int) -> None:
        output.write_bytes(b"other")

    with pytest.raises(OutputExistsError):
        convert([Stream((path,), LAYOUT)], output, progress=appear)
    assert output.read_bytes() == b"other"
    assert set(tmp_path.iterdir()) == {path, output}


@pytest.mark.parametrize("link", [False, True])
def test_an_output_that_is_an_input(tmp_path, link) -> None:
    path = written(tmp_path / "a.h5", some_events(5))
    before = path.read_bytes()
    output = path
    if link:
        output = tmp_path / "b.h5"
        output.hardlink_to(path)
    with pytest.raises(OutputError) as caught:
        convert([Stream((path,), LAYOUT)], output, force=True)
    assert str(caught.value) == (
        f"{output}: is one of the raw files, expected another name for the output"
    )
    assert path.read_bytes() == before


def test_an_unknown_ending(tmp_path) -> None:
    path = written(tmp_path / "a.bin", some_events(5))
    with pytest.raises(OutputError) as caught:
        convert([Stream((path,), LAYOUT)], tmp_path / "a.txt")
    assert str(caught.value) == (
        f"{tmp_path}/a.txt: the ending '.txt' is no format of events, expected .h5, "
        f".hdf5, .parquet, .lh5, .root, .csv"
    )


def test_progress(tmp_path, monkeypatch) -> None:
    pieces_of(monkeypatch, 100)
    path = written(tmp_path / "a.bin", some_events(2000))
    calls: list[tuple[int, int, int]] = []
    start = time.monotonic()
    convert(
        [Stream((path,), LAYOUT)],
        tmp_path / "a.h5",
        progress=lambda *figures: calls.append(figures),
    )
    assert calls[-1] == (32_000, 32_000, 2000)
    assert calls == sorted(calls)
    assert len(calls) <= 2 + (time.monotonic() - start) / 0.1


@pytest.mark.parametrize(
    ("name", "count"), [("headers.bin", 24_598), ("traces.bin", 9)]
)
def test_recorded_data(real_data, tmp_path, name, count) -> None:
    path = real_data / name
    report = convert([Stream((path,), RECORDED)], tmp_path / "a.h5")
    assert report.events == count
    assert report.balance.rejected == report.balance.leftover == 0
    assert report.notes == ()
    assert read_hdf5(tmp_path / "a.h5").equals(
        decode(np.fromfile(path, np.uint32), RECORDED).events
    )
