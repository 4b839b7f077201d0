"""LoadFiles: every byte of every file, in the right order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.drivers._raw_streams import StreamReader
from pixie_pipe.pipeline.data import Words
from pixie_pipe.storage.raw import RawFileError
from pixie_pipe.storage.streams import StreamError
from pixie_pipe.tasks.load_files import LoadFiles
from tests.support.raw_files import cut, words_of
from tests.support.source_runs import SourceRun

LAYOUT: dict[str, Any] = {"frequency": 500, "revision": 34688}


@given(data=st.data())
def test_reader_gives_every_byte_wherever_files_and_frames_are_cut(
    data, tmp_path_factory
):
    content = data.draw(st.binary(max_size=60))
    places = data.draw(st.lists(st.integers(0, len(content)), max_size=4))
    byte_order = data.draw(st.sampled_from(["little", "big"]))
    paths = cut(tmp_path_factory.mktemp("cut"), content, places)
    reader = StreamReader(
        paths, frame_bytes=data.draw(st.integers(8, 32)), byte_order=byte_order
    )
    parts = []
    while not reader.is_done:
        parts.append(reader.read())
        assert not (parts[-1].size == 0 and not reader.is_done)
    whole = len(content) // 4 * 4
    joined = np.concatenate(parts)
    expected = np.frombuffer(content[:whole], ">u4" if byte_order == "big" else "<u4")
    np.testing.assert_array_equal(joined, expected)
    assert reader.trailing == content[whole:]
    assert [file.size for file in reader.inputs] == [p.stat().st_size for p in paths]
    assert reader.bytes_read == reader.bytes_total == len(content)


def test_files_of_one_module_are_one_stream_with_trailing_bytes(tmp_path):
    words = words_of(5000)
    paths = cut(tmp_path, words.tobytes() + b"xyz", [30_001, 50_002])
    pattern = str(tmp_path / "part_*.bin")
    run = SourceRun(LoadFiles, files=[pattern], frame_kb=16, **LAYOUT).run()
    (stream,) = run.streams.values()
    np.testing.assert_array_equal(stream.words, words)
    assert stream.trailing == b"xyz"
    assert run.task.ledger == {"words_read": words.size, "trailing_bytes": 3}
    statistics = run.task.statistics
    assert statistics["bytes_read"] == statistics["bytes_total"] == words.nbytes + 3
    assert statistics["files_total"] == 3
    assert statistics["inputs"] == [
        {"path": str(path), "size": path.stat().st_size} for path in paths
    ]
    assert statistics["file"] == str(paths[-1])
    assert stream.stream.files == tuple(map(str, paths))
    assert stream.stream.decoding.name == "500-34688"


def test_no_frame_is_larger_than_asked_for(tmp_path):
    path = tmp_path / "a.bin"
    words_of(5000).tofile(path)
    run = SourceRun(LoadFiles, files=[path], frame_kb=16, **LAYOUT).run()
    sizes = [part.nbytes for part in run.streams["a"].parts]
    assert sizes[:-1] == [16384] * (len(sizes) - 1)
    assert len(sizes) == 5


def two_modules(tmp_path: Path) -> dict[str, np.ndarray]:
    """Write files of two modules, one twice as large as the other."""
    words = {
        "c0-s02": words_of(20_000, modules=[(0, 2)]),
        "c0-s03": words_of(10_000, modules=[(0, 3)], seed=2),
    }
    for name, array in words.items():
        array.tofile(tmp_path / f"{name}.bin")
    return words


def test_modules_are_streams_of_their_own_read_in_proportion(tmp_path):
    words = two_modules(tmp_path)
    modules = [
        {"crate": 0, "slot": slot, **LAYOUT, "files": [f"{tmp_path}/c0-s0{slot}.bin"]}
        for slot in (2, 3)
    ]
    run = SourceRun(LoadFiles, modules=modules, frame_kb=8).run()
    assert list(run.streams) == ["c0-s02", "c0-s03"]
    sent = dict.fromkeys(words, 0)
    for data in run.sent:
        if isinstance(data, Words):
            sent[data.stream.name] += data.words.size
            first, second = (sent[name] / words[name].size for name in words)
            assert abs(first - second) <= 2048 / 40_000
    for name, stream in run.streams.items():
        np.testing.assert_array_equal(stream.words, words[name])
        assert stream.stream.modules == ((0, int(name[-1])),)


def test_streams_found_by_content_are_named_after_their_files(tmp_path):
    words = two_modules(tmp_path)
    for name in words:
        (tmp_path / f"{name}.bin").rename(tmp_path / f"{name}-0000.bin")
    run = SourceRun(LoadFiles, files=[f"{tmp_path}/*.bin"], **LAYOUT).run()
    assert {n: s.words.size for n, s in run.streams.items()} == {
        name: array.size for name, array in words.items()
    }


def test_streams_with_files_of_one_name_get_different_names(tmp_path):
    for slot in (2, 3):
        (tmp_path / f"run {slot}").mkdir()
        words_of(100, modules=[(0, slot)]).tofile(tmp_path / f"run {slot}" / "#a b.bin")
    files = [f"{tmp_path}/run {slot}/#a b.bin" for slot in (2, 3)]
    run = SourceRun(LoadFiles, files=files, **LAYOUT).run()
    assert list(run.streams) == ["a-b", "a-b-2"]


@pytest.mark.parametrize("size", [0, 3])
def test_a_file_without_a_word_is_fine(tmp_path, size):
    path = tmp_path / "empty.bin"
    path.write_bytes(b"abc"[:size])
    run = SourceRun(LoadFiles, files=[path], **LAYOUT).run()
    assert run.streams["empty"].words.size == 0
    assert run.streams["empty"].trailing == b"abc"[:size]


def test_big_endian_files_are_turned(tmp_path):
    words = words_of(100)
    words.astype(">u4").tofile(tmp_path / "a.bin")
    run = SourceRun(
        LoadFiles, files=[tmp_path / "a.bin"], byte_order="big", **LAYOUT
    ).run()
    np.testing.assert_array_equal(run.streams["a"].words, words)


def test_stopping_early_accounts_for_what_was_read(tmp_path):
    words = words_of(5000)
    cut(tmp_path, words.tobytes(), [5])
    run = SourceRun(
        LoadFiles, files=[f"{tmp_path}/*"], modules=["0/2:500/34688"], frame_kb=8
    )
    run.run(until=lambda: run.words_sent > 0)
    (stream,) = run.streams.values()
    assert stream.words.size == 2048
    assert run.task.statistics["bytes_read"] == 8192


def test_a_second_run_reads_everything_again(tmp_path):
    words = words_of(100)
    words.tofile(tmp_path / "a.bin")
    run = SourceRun(LoadFiles, files=[tmp_path / "a.bin"], **LAYOUT).run().run()
    np.testing.assert_array_equal(run.streams["a"].words, words)


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"files": [], **LAYOUT}, RawFileError, "no raw files were given"),
        ({"files": ["{}/none.bin"], **LAYOUT}, RawFileError, "there is no such file"),
        ({"files": ["{}/none*"], **LAYOUT}, RawFileError, "no file matches"),
        ({"files": ["{}"], **LAYOUT}, RawFileError, "is a directory"),
        ({"files": ["{}/a.bin"]}, StreamError, "nothing tells the layout"),
        ({"files": ["{}/a.bin"], "frequency": 500}, StreamError, "nothing tells"),
        (
            {"files": ["{}/a.bin"], "modules": ["0/2:500/34688"], "frequency": 500},
            StreamError,
            "both modules and frequency",
        ),
        ({"files": ["{}/a.bin"], "modules": ["0/2"]}, ConfigError, "'0/2'"),
        (
            {"files": ["{}/a.bin"], "modules": [{"crate": 0, "slott": 2}]},
            ConfigError,
            r"modules\[0\].*did you mean 'slot'",
        ),
        (
            {"files": ["{}/a.bin"], "modules": ["0/2:500/34688"] * 2},
            ConfigError,
            r"modules\[1\].*listed twice",
        ),
        (
            {"modules": [{"crate": 0, "slot": 2, **LAYOUT, "files": ["{}/none.bin"]}]},
            RawFileError,
            "there is no such file",
        ),
        ({"files": ["{}/a.bin"], "modules": ["0/5:500/34688"]}, StreamError, "0/2"),
    ],
)
def test_what_cannot_be_read_is_refused_before_any_data(
    tmp_path, parameters, error, text
):
    words_of(200).tofile(tmp_path / "a.bin")

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.format(tmp_path)
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return value

    run = SourceRun(LoadFiles, **fill(parameters))
    with pytest.raises(error, match=text):
        run.start()
    assert run.sent == []


def test_recorded_data_come_as_they_are(real_data):
    run = SourceRun(LoadFiles, files=[real_data / "headers.bin"], **LAYOUT).run()
    assert (
        run.streams["headers"].words.tobytes()
        == (real_data / "headers.bin").read_bytes()
    )


def test_in_a_pipeline_all_words_arrive(tmp_path):
    from pixie_pipe.pipeline.pipeline import Pipeline
    from tests.support.source_tasks import CollectWords

    words = two_modules(tmp_path)
    with Pipeline() as pipeline:
        pipeline.create_task(
            "LoadFiles",
            files=[f"{tmp_path}/*.bin"],
            modules=["0/2:500/34688", "0/3:500/34688"],
            frame_kb=32,
        )
        pipeline.create_task(CollectWords.__name__, directory=str(tmp_path))
        pipeline.start()
        pipeline.wait(60, quiet=True)
        balance = pipeline.balance()
    assert balance.closes
    assert balance.words_read == sum(array.size for array in words.values())
    for name, array in words.items():
        arrived = np.fromfile(tmp_path / f"{name}.words", np.uint32)
        np.testing.assert_array_equal(arrived, array)


def test_a_file_that_becomes_shorter_is_told(tmp_path):
    path = tmp_path / "a.bin"
    words_of(4000).tofile(path)
    size = path.stat().st_size
    run = SourceRun(LoadFiles, files=[str(path)], frame_kb=1, **LAYOUT).start()
    run.task.do_work(None)
    with path.open("r+b") as file:
        file.truncate(size // 2)
    with pytest.raises(RawFileError, match=f"ended after {size // 2} bytes, but had"):
        run.work()
