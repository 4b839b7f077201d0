"""Each task of the real lines is killed in the middle of a run.

The words that a source sends are known, so that the raw files can be compared with
them: they are the beginning of it, whichever task is killed.
"""

# ruff: noqa: F811 - fixtures are imported, then asked for

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.support.kill_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Error, Status, run_control
from pixie_pipe.storage import RunDirectory, list_runs, read_spectra
from tests.pipeline.conftest import _nothing_is_left, make_pipeline  # noqa: F401
from tests.storage.runs import LAYOUT, some_events, written
from tests.support.kill_tasks import CHAIN, make_chain, size_of_raw
from tests.support.run_checks import check_raw, check_written, raw_words

EVENTS = 100_000
"""Events of a run: too many to pass the brake before a task is killed."""

ENOUGH = 200_000
"""Bytes on the disk when all tasks have work."""

STREAM = "c0-s02"


@pytest.fixture(scope="module")
def source_file(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("source") / f"{STREAM}.bin"
    events = some_events(EVENTS, modules=[(0, 2)], header_lengths=(4,))
    return written(path, events, LAYOUT)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> np.ndarray:
    """Return the words that `DummyData` sends, from a run in which nobody is killed."""
    from tests.pipeline.conftest import Recorder

    runs = tmp_path_factory.mktemp("reference")
    with Recorder(runs=runs) as pipeline:
        pipeline.create_task("DummyData", rate_hz=0, events=EVENTS)
        pipeline.create_task("GatherData")
        pipeline.start()
        assert pipeline.wait(60, quiet=True)
    words: np.ndarray = raw_words(runs / "0001" / "raw")[STREAM]
    return words


@pytest.fixture
def chain(make_pipeline, tmp_path, source_file, made_up):
    """Return a function that starts a line; it gives its source's words, too."""
    from_file = np.fromfile(source_file, "<u4")
    layout = {"frequency": 500, "revision": 34688}
    sources: dict[str, tuple[dict[str, Any], np.ndarray]] = {
        "DummyData": ({"rate_hz": 0, "events": EVENTS}, made_up),
        "TakeData": (
            {"options": {"files": [str(source_file)], "speed": 0, **layout}},
            from_file,
        ),
        "LoadFiles": ({"files": [str(source_file)], **layout}, from_file),
    }

    def chain(source, *, enough=ENOUGH, **brake):
        parameters, words = sources[source]
        pipeline = make_pipeline(runs=tmp_path)
        make_chain(pipeline, source, brake, **parameters)
        if source == "LoadFiles":
            pipeline.configure({"GatherData": {"record": "always"}})
        else:
            # Else all is recorded at once: the source has ended before a kill.
            pipeline.configure({"GatherData": {"waiting_mb": 0}})
        pipeline.start()
        pipeline.until(lambda: size_of_raw(tmp_path) > enough)
        return pipeline, words

    return chain


def only_run(runs: Path) -> RunDirectory:
    (run,) = list_runs(runs)
    return run


def acknowledged(pipeline, source: str) -> int:
    """Return how many words of a source were surely recorded, by its last report."""
    out = pipeline.statistics()[source]["out"]["GatherData"]
    kept: int = out["outstanding_bytes"]
    return int(out.get("words", 0)) - kept // 4


VICTIMS = [
    ("DummyData", ("DummyData", *CHAIN)),
    ("TakeData", ("TakeData", "GatherData")),
    ("LoadFiles", ("LoadFiles", *CHAIN)),
]


@pytest.mark.parametrize(
    ("source", "victim"), [(source, v) for source, victims in VICTIMS for v in victims]
)
def test_whichever_is_killed_the_words_are_on_the_disk(chain, tmp_path, source, victim):
    pipeline, words = chain(source, seconds=0.1)
    pipeline.until(lambda: acknowledged(pipeline, source) > 0)
    recorded = acknowledged(pipeline, source)
    assert pipeline.state is Status.RUNNING
    pipeline.send_kill(victim)
    with pytest.raises(Error, match=f"{victim} was killed by SIGKILL"):
        pipeline.wait(60, quiet=True)
    assert pipeline.state is Status.PANICKING
    run = only_run(tmp_path)
    assert run.state == "incomplete"
    assert f"{victim} was killed by SIGKILL" in run.reasons
    found = raw_words(run.raw)[STREAM]
    assert ENOUGH // 4 < found.size < words.size
    assert np.array_equal(found, words[: found.size])
    assert found.size >= recorded
    events = check_raw(run)
    check_written(run, events)
    balance = run.balance
    assert not balance["closes"]
    if victim not in (source, "GatherData"):
        # Both count to the end, and nothing that was read was not recorded.
        assert balance["words_recorded"] == balance["words_read"] == found.size
    statistics = json.loads((run.path / "statistics-stop.json").read_text())
    assert statistics[source]["ledger"]["words_read"] >= recorded


def filled(run: RunDirectory) -> int:
    """Return the number of events in the spectra of a run."""
    spectra = read_spectra(run.path)
    total: int = spectra["energy"].total
    assert spectra.events == total
    # Where each event is counted once, whatever its time.
    assert spectra["rate"].total == total
    return total


@pytest.mark.parametrize("source", ["DummyData", "LoadFiles"])
def test_a_killed_tap_is_replaced_and_has_everything_that_is_not_counted_as_dropped(
    chain, tmp_path, monkeypatch, source
):
    monkeypatch.setattr(run_control, "LEAST_LIFE_SECONDS", 0.0)
    gate = tmp_path / "gate"
    pipeline, words = chain(source, enough=0, gate=str(gate))

    def seen():
        # A process that was started anew has not told anything yet.
        own = pipeline.statistics()["FillHistograms"].get("own", {})
        return own.get("events", 0)

    def kill_and_await_the_next():
        before = pipeline.supervisor.records["FillHistograms"]
        pipeline.send_kill("FillHistograms")
        pipeline.until(
            lambda: pipeline.supervisor.records["FillHistograms"] is not before
        )

    for _ in range(2):
        pipeline.until(lambda: seen() > 0)
        assert pipeline.state is Status.RUNNING
        kill_and_await_the_next()
    gate.touch()
    assert pipeline.wait(60, quiet=True)
    killed = [name for name, error in pipeline.errors]
    assert killed == ["FillHistograms", "FillHistograms"]
    run = only_run(tmp_path)
    assert run.state == "complete"
    events = check_raw(run)
    assert check_written(run, events) == len(events) > 0
    dropped = run.balance["taps"].get("FillHistograms", {}).get("events", 0)
    assert filled(run) + dropped == len(events)
    if source == "LoadFiles":
        assert dropped == 0
    found = raw_words(run.raw)[STREAM]
    assert np.array_equal(found, words[: found.size])
