"""Whole pipelines: what is written is what is in the raw words, event for event."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode import decode, encode
from pixie_pipe.storage import read_events, read_hdf5, read_hdf5_metadata, read_raw
from pixie_pipe.storage.run_directory import RunDirectory
from tests.storage.runs import LAYOUT, MIXED, RECORDED, some_events

if TYPE_CHECKING:
    from tests.tasks.conftest import Captured

WAYS = ("1 worker", "2 workers", "3 workers", "one process", "two processes")
MODULES = ("0/2:500/34688", "0/3:500/34688")


def last_run(runs: Path) -> RunDirectory:
    return RunDirectory.open(max(runs.glob("[0-9]*")))


@pytest.fixture(scope="module")
def replay(module_pipeline, tmp_path_factory):
    """Return a function that replays files, and returns the directory of the run.

    There is one pipeline for each number of workers, and for each way to share
    processes.
    """
    pipes: dict[str, tuple[Captured, Path]] = {}

    def pipeline_of(way: str) -> tuple[Captured, Path]:
        if way not in pipes:
            runs = tmp_path_factory.mktemp("runs")
            pipe = module_pipeline(runs=runs)
            number, what = way.split(" ")
            workers = int(number) if what.startswith("worker") else 1
            first = "" if what.startswith("worker") else "a"
            last = "b" if way == "two processes" else first
            pipe.create_task("LoadFiles", frequency=500, revision=34688, process=first)
            pipe.create_task("GatherData", record="always", process=first)
            pipe.create_task("ConvertToEvents", workers=workers, process=first)
            pipe.create_task("SortEvents", process=last)
            pipe.create_task("WriteEvents", process=last)
            pipes[way] = pipe, runs
        return pipes[way]

    def run(way: str, files: list[Path], **values) -> RunDirectory:
        pipe, runs = pipeline_of(way)
        pipe.configure(
            {
                "LoadFiles": {
                    "files": list(map(str, files)),
                    "frame_kb": values.get("frame_kb", 2048),
                },
                "GatherData": {"chunk_mb": values.get("chunk_mb", 2.0)},
                "SortEvents": {
                    "window_us": values.get("window_us", 100.0),
                    "rows": values.get("rows", 32_768),
                },
            }
        )
        pipe.start()
        assert pipe.wait(60, quiet=True)
        assert pipe.balance().closes
        pipe.stop()
        assert not pipe.errors
        done = last_run(runs)
        assert done.state == "complete"
        return done

    return run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["headers", "traces"])
def test_recorded_data_are_written_exactly(replay, real_data, name, way):
    source = real_data / f"{name}.bin"
    expected = read_events(source, RECORDED).sort()
    for values in (
        {},
        {"frame_kb": 1, "chunk_mb": 0.01, "rows": 1},
        {"frame_kb": 37, "chunk_mb": 0.003},
    ):
        run = replay(way, [source], **values)
        assert read_hdf5(run.path / "events.h5").equals(expected)
        (file,) = run.files
        assert (run.raw / file.name).read_bytes() == source.read_bytes()


def damaged(seed: int, slot: int) -> np.ndarray:
    """Return words of a module, some of which are zeroed, lost or noise."""
    rng = np.random.default_rng(seed)
    words = encode(some_events(6000, seed, modules=[(0, slot)], **MIXED), LAYOUT)
    for start in rng.integers(200, words.size - 200, 40):
        words[start : start + rng.integers(1, 60)] = rng.integers(0, 2**32)
    return np.delete(words, rng.integers(200, words.size, 20))


@pytest.mark.parametrize("way", WAYS)
def test_damaged_streams_are_written_exactly_with_what_was_rejected(
    replay, tmp_path, way
):
    wholes = []
    paths: list[Path] = []
    for number, trailing in ((0, b""), (1, b"abc")):
        data = damaged(7 + number, 2 + number).tobytes() + trailing
        # The second stream is in two files; a word is cut by the end of the first.
        parts = [data] if number == 0 else [data[:100_001], data[100_001:]]
        for part in parts:
            paths.append(tmp_path / f"{len(paths)}.bin")
            paths[-1].write_bytes(part)
        wholes.append(decode(data, LAYOUT))
    # Damage makes times of any size: they are in order only if all are waited for.
    run = replay(way, paths, frame_kb=16, chunk_mb=0.02, window_us=1e12)
    expected = Events.concatenate([whole.events for whole in wholes]).sort()
    assert read_hdf5(run.path / "events.h5").equals(expected)
    metadata = read_hdf5_metadata(run.path / "events.h5")
    rows = metadata.rejected
    for number, whole in enumerate(wholes):
        assert whole.rejected.size > 10
        mine = rows[rows["stream"] == number]
        for name in ("word_offset", "word_count", "reason"):
            assert mine[name].tolist() == whole.rejected[name].tolist()
        record = metadata.provenance.streams[number]
        assert record.balance == whole.balance
        assert record.events == len(whole.events)
        assert record.modules == ((0, 2 + number),)
    sources = [source for r in metadata.provenance.streams for source in r.sources]
    assert [source.size for source in sources] == [p.stat().st_size for p in paths]
    assert set(rows["source"]) == {0, 1, 2}
    assert run.balance["trailing_bytes"] == 3


def test_live_runs_stopped_at_any_moment_are_complete(module_pipeline, tmp_path):
    pipe = module_pipeline(runs=tmp_path)
    pipe.create_task("DummyData", modules=list(MODULES), trace_samples=20, rate_hz=0)
    pipe.create_task("GatherData", rotate_mb=8, chunk_mb=0.3)
    pipe.create_task("ConvertToEvents", workers=2)
    pipe.create_task("SortEvents")
    pipe.create_task("WriteEvents", compression="none")
    pipe.create_task("FillHistograms")
    moments = random.Random(3)
    for rate, frame_kb in ((0, 2048), (0, 100), (30_000, 2048), (0, 999)):
        pipe.configure({"DummyData": {"rate_hz": rate, "frame_kb": frame_kb}})
        pipe.start()
        time.sleep(moments.uniform(0, 0.25))
        pipe.stop()
        run = last_run(tmp_path)
        assert run.state == "complete"
        assert not pipe.errors
        balance = pipe.balance()
        assert balance.closes
        assert balance.words_read == balance.words_recorded
        written = read_hdf5(run.path / "events.h5")
        assert len(written) == balance.events_written == balance.events_decoded
        assert written.equals(events_of(run).sort())
        assert not (run.path / "events-incomplete.h5").exists()
        assert (run.path / "histograms.h5").exists()


def events_of(run: RunDirectory) -> Events:
    """Decode the raw files of a run; whole streams, one behind the other."""
    files: dict[str, list[Path]] = {}
    for file in run.files:
        files.setdefault(file.stream, []).append(run.raw / file.name)
    parts = [read_raw(files[name], LAYOUT).events for name in sorted(files)]
    return Events.concatenate(parts)


def test_a_run_that_loses_a_task_leaves_readable_files(pipeline, tmp_path):
    pipe = pipeline(runs=tmp_path)
    pipe.create_task("DummyData", modules=list(MODULES), rate_hz=200_000)
    pipe.create_task("GatherData")
    pipe.create_task("ConvertToEvents")
    pipe.create_task("SortEvents")
    pipe.create_task("WriteEvents")
    pipe.start()
    until = time.monotonic() + 60
    while pipe.balance().events_written in (None, 0) and time.monotonic() < until:
        pipe.poll(0.05)
    pipe.send_kill("ConvertToEvents")
    with pytest.raises(RuntimeError, match="ConvertToEvents"):
        pipe.wait(60, quiet=True)
    run = last_run(tmp_path)
    assert run.state == "incomplete"
    assert any("ConvertToEvents" in reason for reason in run.reasons)
    assert not (run.path / "events.h5").exists()
    written = read_hdf5(run.path / "events-incomplete.h5")
    recorded = events_of(run)
    assert 0 < len(written) <= len(recorded)
    # What was written is in the raw files, all words of which are recorded.
    assert set(written.timestamp.tolist()) <= set(recorded.timestamp.tolist())
    assert run.balance["words_recorded"] == run.balance["words_read"]
