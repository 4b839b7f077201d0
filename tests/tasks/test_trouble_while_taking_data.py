"""Data taking when disks, modules and libraries fail: one clear error, nothing lost.

With ``-s``, all messages are printed in the end. Read them aloud at 3 a.m.
"""

# ruff: noqa: F811 - fixtures are imported, then asked for

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Error, Status
from pixie_pipe.storage import RunDirectory, read_hdf5
from tests.drivers.xia.conftest import compiled, library_path  # noqa: F401
from tests.drivers.xia.test_conformance import LAYOUTS, words_in
from tests.pipeline.conftest import _nothing_is_left, make_pipeline  # noqa: F401
from tests.storage.runs import some_events, written
from tests.support import full_disk
from tests.support.run_checks import LAYOUT, check_raw, raw_words
from tests.support.trouble import (
    CHAIN,
    Told,
    can_mount,
    check_failed,
    check_nothing_left,
    last_run,
    unwritable,
)
from tests.support.xia_mistakes import mistakes

DRIVERS = Path(__file__).parents[1] / "support" / "drivers"

SLOTS = (2, 3)
BY_STREAM = {f"c0-s{slot:02d}": LAYOUTS[slot] for slot in SLOTS}


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """Return what collects the messages; in the end they are printed."""
    told = Told()
    yield told
    print(told.table())


# XIA's library: what keeps a run from starting


@pytest.fixture
def xia_line(make_pipeline, library_path: Path, tmp_path: Path):
    """Return a line that takes data of two modules, and their words."""
    words = {f"c0-s{slot:02d}": words_in(slot, 3000) for slot in SLOTS}
    for slot, given in zip(SLOTS, words.values(), strict=True):
        given.tofile(library_path.parent / f"slot{slot:02d}.words")
    pipeline = make_pipeline(runs=tmp_path / "runs")
    options = {
        "slots": list(SLOTS),
        "library": str(library_path),
        "log_directory": str(tmp_path),
    }
    pipeline.create_task("TakeData", driver="xia", options=options)
    for name in CHAIN:
        pipeline.create_task(name)
    return pipeline, options, words


def check_taken(pipeline: Any, runs: Path, words: dict[str, np.ndarray]) -> None:
    """Take a run; all words of the modules are recorded and become events."""
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    assert pipeline.errors == []
    run = last_run(runs)
    assert (run.state, run.reasons) == ("complete", ())
    found = raw_words(run.raw)
    assert found.keys() == words.keys()
    assert all(np.array_equal(found[name], words[name]) for name in words)
    events = read_hdf5(run.path / "events.h5")
    assert len(events) == len(check_raw(run, BY_STREAM)) == 6000
    check_nothing_left(run)


def test_each_mistake_in_the_options_is_told_and_can_be_mended_in_the_session(
    xia_line, library_path, tmp_path, told
):
    pipeline, options, words = xia_line
    runs = tmp_path / "runs"
    for case, wrong, parts in mistakes(tmp_path, library_path):
        pipeline.configure({"TakeData": {"options": {**options, **wrong}}})
        with pytest.raises(Error, match="cannot start: TakeData: ") as caught:
            pipeline.start()
        told.check(case, str(caught.value), parts)
        run = check_failed(pipeline, runs, state=Status.WAITING)
        assert run.reasons[0].startswith("did not start: cannot start: TakeData: ")
        assert not list(run.raw.iterdir())
        assert pipeline.prints == []
    pipeline.configure({"TakeData": {"options": options}})
    check_taken(pipeline, runs, words)
    # Modules cannot be changed in the process that has them: that is told, too.
    pipeline.stop()
    fewer = {**options, "slots": [2]}
    pipeline.configure({"TakeData": {"options": fewer}})
    with pytest.raises(Error) as caught:
        pipeline.start()
    parts = ["slots (2, 3) instead of (2,)", "start again", "new process"]
    told.check("other slots after a run", str(caught.value), parts)
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    assert set(raw_words(last_run(runs).raw)) == {"c0-s02"}


# Modules that are pulled


def test_a_pulled_module_fails_the_run_and_all_that_was_read_is_recorded(
    xia_line, library_path, tmp_path, told
):
    pipeline, _, words = xia_line
    runs = tmp_path / "runs"
    pulled = library_path.parent / "slot03.pulled"
    pulled.write_text("50")
    pipeline.start()
    with pytest.raises(Error, match="the run failed: TakeData failed: ") as caught:
        pipeline.wait(60, quiet=True)
    told.check(
        "a module is pulled (xia)",
        str(caught.value),
        [
            "slot 3:",
            "-204",
            "pulled or has lost its power",
            "look at the crate",
            "start again",
        ],
    )
    run = check_failed(pipeline, runs, state=Status.PANICKING)
    assert pipeline.balance().words_read == pipeline.balance().words_recorded
    found = raw_words(run.raw)
    # At each look 1009 words were queued and read; slot 2 had its look before.
    assert found["c0-s03"].size == 49 * 1009
    assert found["c0-s02"].size >= 50 * 1009
    assert all(np.array_equal(found[n], words[n][: found[n].size]) for n in words)
    events = check_raw(run, BY_STREAM)
    assert len(read_hdf5(run.path / "events-incomplete.h5")) == len(events)
    pulled.unlink()
    pipeline.prints.clear()
    check_taken(pipeline, runs, words)
    # The stand-in's settings file lacks what would be needed to compare it.
    others = [text for _, text in pipeline.prints if "were not compared" not in text]
    assert others == []


@pytest.fixture
def simulated_line(make_pipeline, tmp_path: Path):
    """Return a function that starts to take data of simulated modules."""
    runs = tmp_path / "runs"

    def start(**gather):
        pipeline = make_pipeline(runs=runs)
        runs.mkdir()
        options = {
            "directory": str(runs),
            "modules": ["0/2:500/34688", "0/3:500/34688"],
            "rate_hz": 20_000.0,
            "channels": 1,
        }
        pipeline.create_task(
            "TakeData", driver="failing_crate", driver_path=[str(DRIVERS)],
            options=options, frame_kb=8,
        )  # fmt: skip
        pipeline.create_task(CHAIN[0], **gather)
        for name in CHAIN[1:]:
            pipeline.create_task(name)
        pipeline.start()
        pipeline.until(lambda: len(recorded(runs)) == 2)
        return pipeline, runs

    return start


def recorded(runs: Path) -> set[str]:
    """Return the streams of the last run that have words in raw files."""
    paths = max(runs.glob("0*")).glob("raw/*.bin")
    return {path.name.rsplit("-", 1)[0] for path in paths if path.stat().st_size}


def given(run: RunDirectory) -> dict[str, np.ndarray]:
    """Return the words that each module of a run has given."""
    return {
        name: np.fromfile(
            run.path.parent / f"given-{run.number:04d}-{name}.words", np.uint32
        )
        for name in ("c0-s02", "c0-s03")
    }


def check_given(run: RunDirectory, *, all_of_them: bool) -> None:
    """Compare what is recorded with what the modules gave, and decode it."""
    found = raw_words(run.raw)
    for name, words in given(run).items():
        there = found.get(name, np.zeros(0, np.uint32))
        assert np.array_equal(there, words[: there.size])
        assert there.size == words.size or not all_of_them
    assert run.balance["words_recorded"] == sum(part.size for part in found.values())
    assert len(check_raw(run)) > 0


def check_goes_on(pipeline: Any, runs: Path) -> None:
    """Check that the pipeline takes the next run."""
    pipeline.start()
    pipeline.until(lambda: len(recorded(runs)) == 2)
    pipeline.stop()
    assert pipeline.errors == []
    run = last_run(runs)
    assert (run.state, run.reasons) == ("complete", ())
    check_given(run, all_of_them=True)
    check_nothing_left(run)


def test_a_simulated_module_is_pulled(simulated_line, told):
    pipeline, runs = simulated_line()
    # At once: the driver may look between making the file and writing into it.
    (runs / "pull").write_text("1")
    (runs / "pull").rename(runs / "pulled")
    with pytest.raises(Error, match="the run failed: TakeData failed") as caught:
        pipeline.wait(60, quiet=True)
    parts = ["c0-s03 does not answer", "look whether", "start again"]
    told.check("a module is pulled (simulated)", str(caught.value), parts)
    run = check_failed(pipeline, runs, state=Status.PANICKING)
    check_given(run, all_of_them=True)
    assert run.balance["words_read"] == run.balance["words_recorded"]
    (runs / "pulled").unlink()
    check_goes_on(pipeline, runs)


# Disks


def test_a_raw_directory_that_becomes_read_only(simulated_line, told):
    pipeline, runs = simulated_line(rotate_mb=0.05)
    raw = last_run(runs).raw
    failed = pytest.raises(Error, match="the run failed: GatherData failed")
    with unwritable(raw), failed as caught:
        pipeline.wait(60, quiet=True)
    told.check(
        "raw/ becomes read-only",
        str(caught.value),
        [str(raw), "cannot be made: ", "who may write there"],
    )
    run = check_failed(pipeline, runs, state=Status.PANICKING)
    check_given(run, all_of_them=False)
    check_goes_on(pipeline, runs)


def test_a_raw_directory_that_is_replaced_by_a_file(simulated_line, tmp_path, told):
    pipeline, runs = simulated_line(rotate_mb=0.05)
    raw = last_run(runs).raw
    raw.rename(tmp_path / "moved")
    raw.write_text("somebody has moved the data")
    with pytest.raises(Error, match="the run failed: GatherData failed") as caught:
        pipeline.wait(60, quiet=True)
    told.check(
        "raw/ becomes a file", str(caught.value), [str(raw), "Not a directory", "check"]
    )
    raw.unlink()
    (tmp_path / "moved").rename(raw)
    run = check_failed(pipeline, runs, state=Status.PANICKING)
    check_given(run, all_of_them=False)
    check_goes_on(pipeline, runs)


def test_a_raw_directory_that_is_read_only_before_the_run(
    make_pipeline, tmp_path, told
):
    pipeline = make_pipeline(runs=tmp_path / "runs")
    place = tmp_path / "archive"
    place.mkdir()
    pipeline.create_task("DummyData", events=100)
    pipeline.create_task("GatherData", directory=str(place / "{run}"))
    with unwritable(place):
        with pytest.raises(Error, match="cannot start: GatherData") as caught:
            pipeline.start()
        parts = [str(place / "0001"), "cannot be made: ", "name another directory"]
        told.check("a directory for raw files is read-only", str(caught.value), parts)
        check_failed(pipeline, tmp_path / "runs", state=Status.WAITING)
    pipeline.start()
    assert pipeline.wait(60, quiet=True)


@pytest.mark.skipif(not can_mount(), reason="no mounts of its own (unshare -Urm)")
def test_a_disk_that_is_read_only_then_full_then_has_room(tmp_path, told):
    words = written(
        tmp_path / "c0-s02.bin",
        some_events(150_000, modules=[(0, 2)], header_lengths=(4,)),
        LAYOUT,
    )
    disk, results = tmp_path / "disk", tmp_path / "results"
    disk.mkdir()
    results.mkdir()
    program = Path(full_disk.__file__)
    mount = f"mount -t tmpfs -o size={full_disk.DISK_MB}m tmpfs '{disk}'"
    command = f'{mount} && exec "$@"'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", command, "sh", sys.executable,
         program, disk, results, words],
        check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((results / "told.json").read_text())
    runs, first = results / "runs", str(disk / "runs" / "0001")
    told.check(
        "the disk is read-only",
        found["read-only"]["raised"],
        [
            str(disk / "runs"),
            "runs cannot be kept here",
            "Read-only file system",
            "name another",
        ],
    )
    told.check(
        "the disk is full (raw files)",
        found["raw"]["raised"],
        ["GatherData failed", first, "No space left on device", "make room"],
    )
    second = str(disk / "runs" / "0002" / "events")
    told.check(
        "the disk is full (events)",
        found["events"]["raised"],
        ["WriteEvents failed", second, "No space left", "make room", "replay"],
    )
    assert found["room"] == {"raised": "", "errors": [], "state": "FINISHED"}
    for name in ("raw", "events"):
        assert found[name]["state"] == "PANICKING"
        assert len(found[name]["errors"]) == 1, found[name]
    source = np.fromfile(words, np.uint32)
    full = RunDirectory.open(runs / "0001")
    assert full.state == "incomplete"
    assert "No space left on device" in full.reasons[0]
    there = raw_words(full.raw)["c0-s02"]
    assert np.array_equal(there, source[: there.size])
    assert full.balance["words_recorded"] == there.size > 100_000
    check_raw(full)
    check_nothing_left(full)
    events = RunDirectory.open(runs / "0002")
    assert events.state == "incomplete"
    assert "No space left on device" in events.reasons[0]
    check_nothing_left(events)
    elsewhere = raw_words(results / "elsewhere" / "raw-0002")["c0-s02"]
    assert np.array_equal(elsewhere, source[: elsewhere.size])
    assert events.balance["words_recorded"] == elsewhere.size
    room = RunDirectory.open(runs / "0003")
    assert (room.state, room.reasons) == ("complete", ())
    assert len(read_hdf5(room.path / "events.h5")) == 150_000
