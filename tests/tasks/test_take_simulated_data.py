"""Runs with the simulated crate: set up, recorded, converted, and what is lost told."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.listmode import Layout, decode
from pixie_pipe.pipeline import Pipeline
from pixie_pipe.pipeline.messages import Error
from pixie_pipe.settings import SettingsAccess, compare, read_json
from pixie_pipe.storage import read_hdf5
from pixie_pipe.storage.run_directory import RunDirectory

MODULES = ("0/2:500/34688", "0/3:250/30474")
LAYOUTS = (Layout.find(500, 34688), Layout.find(250, 30474))
PAUSE_S = 0.7
CHAIN = ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents")


def take(runs: Path, **parameters) -> Pipeline:
    """Return a pipeline that takes data of two modules and writes them."""
    pipeline = Pipeline(runs=runs)
    options = {"modules": list(MODULES), "mode": "fast", "channels": 2}
    options |= parameters.pop("options", {})
    pipeline.create_task("TakeData", driver="simulated", options=options, **parameters)
    for name in CHAIN:
        pipeline.create_task(name)
    return pipeline


def words_of(run: RunDirectory, name: str) -> np.ndarray:
    return np.concatenate(
        [np.fromfile(path, np.uint32) for path in sorted(run.raw.glob(f"{name}*.bin"))]
    )


def test_modules_are_set_up_and_all_that_they_send_is_written(tmp_path):
    pipeline = take(
        tmp_path,
        options={"rate_hz": 20_000.0, "trace_samples": 60},
        runtime_s=2.0,
        setup=[
            {"TRIGGER_RISETIME": 0.1, "CaptureSums": True},
            {"modules": ["c0-s03"], "TRACE_LENGTH": 0.2},
        ],
    )
    with pipeline:
        for _ in range(2):
            pipeline.start()
            assert pipeline.wait(60, quiet=True)
            balance = pipeline.balance()
            assert balance.closes
            assert balance.words_lost == 0
            pipeline.stop()
    run = RunDirectory.open(tmp_path / "0002")
    assert run.state == "complete"
    settings = read_json(run.path / "settings-start.json")
    access = SettingsAccess(settings)
    assert access.read_channel("TRIGGER_RISETIME", 3, 1) == 0.104
    assert access.read_channel("TRACE_LENGTH", 3, 1) == 0.2
    assert access.read_channel("TRACE_LENGTH", 2, 1) != 0.2
    events = read_hdf5(run.path / "events.h5")
    expected = []
    for name, layout in zip(("c0-s02", "c0-s03"), LAYOUTS, strict=True):
        decoded = decode(words_of(run, name), layout)
        assert decoded.rejected.size == 0
        assert len(decoded.events) > 1000
        expected.append(len(decoded.events))
        lengths = {60, 50}  # 0.2 us of 250 MSPS
        assert set(np.unique(decoded.events.trace_length)) <= lengths
    assert len(events) == sum(expected)
    assert (np.diff(events.time_ps) >= 0).all()
    assert events.esum_trailing.any()
    told = json.loads((run.path / "statistics-stop.json").read_text())
    modules = told["TakeData"]["own"]["modules"]
    assert [sum(modules[name]["output_counts"]) for name in modules] == expected
    for module in modules.values():
        real = module["real_time_s"][0]
        assert real > 0
        # On a busy machine the simulation is late; its channels are live all the same.
        assert all(0.9 * real < live <= real for live in module["live_time_s"])


def test_words_that_found_the_fifo_full_are_counted_and_the_run_is_marked(tmp_path):
    pipeline = take(
        tmp_path,
        # Full within some ms, in the middle of an event, and read every 50 ms.
        options={"rate_hz": 200_000.0, "fifo_words": 1999},
        runtime_s=1.0,
        poll_ms=50.0,
    )
    prints: list[str] = []
    pipeline.handle_print = lambda _name, text: prints.append(text)  # type: ignore[assignment, method-assign]
    with pipeline:
        pipeline.start()
        with pytest.raises(Error, match=r"the modules lost \d+ words before they"):
            pipeline.wait(60, quiet=True)
        balance = pipeline.balance()
        modules = pipeline.statistics()["TakeData"]["own"]["modules"]
        pipeline.stop()
    lost = {name: values["words_dropped"] for name, values in modules.items()}
    assert all(lost.values())
    assert balance.words_lost == sum(lost.values())
    assert any("has lost" in text for text in prints)
    run = RunDirectory.open(tmp_path / "0001")
    assert run.state != "complete"
    # To the word: what was written into the FIFOs is what was read and what was lost.
    for name, values in modules.items():
        assert values["fifo_words"] == 0
        assert values["words_read"] + values["words_dropped"] == values["words_written"]
        assert values["words_read"] == words_of(run, name).size
    assert balance.words_read == sum(v["words_read"] for v in modules.values())
    accounted = (
        (balance.words_decoded or 0)
        + (balance.words_rejected or 0)
        + (balance.words_leftover or 0)
    )
    assert accounted == balance.words_read
    assert balance.words_rejected


def test_in_a_pause_no_event_comes_and_no_word_is_lost(tmp_path):
    pipeline = take(tmp_path, options={"rate_hz": 20_000.0})
    with pipeline:
        pipeline.start()
        time.sleep(0.4)
        for _ in range(2):
            pipeline.pause()
            time.sleep(PAUSE_S)
            pipeline.resume()
            time.sleep(0.4)
        pipeline.stop()
        balance = pipeline.balance()
    assert balance.closes
    assert balance.words_lost == 0
    run = RunDirectory.open(tmp_path / "0001")
    assert run.state == "complete"
    assert len(run.record.pauses) == 2
    events = read_hdf5(run.path / "events.h5")
    # Some 5000 events come in a second; pauses begin with the end of a block of 50 ms.
    gaps_s = np.diff(events.time_ps) * 1e-12
    assert (gaps_s > PAUSE_S - 0.05).sum() == 2
    assert np.sort(gaps_s)[-3] < 0.1
    count = 0
    for table, layout in zip(run.record.statistics, LAYOUTS, strict=True):
        words = words_of(run, table["module"])
        decoded = decode(words, layout)
        assert decoded.rejected.size == 0
        assert decoded.balance.leftover == 0
        assert table["words_read"] == words.size
        assert table["words_lost"] == 0
        assert table["channels"] == [0, 1]
        assert sum(table["output_counts"]) == len(decoded.events)
        # The times of the channels stand still in a pause.
        assert table["real_time_s"][0] < 1e-12 * events.time_ps[-1] - 1.8 * PAUSE_S
        count += len(decoded.events)
    assert len(events) == count
    assert run.record.notes == ""
    settings = [
        read_json(run.path / f"settings-{end}.json") for end in ("start", "stop")
    ]
    assert not compare(*settings)
    begun = json.loads((run.path / "statistics-start.json").read_text())
    assert begun["TakeData"]["own"]["modules"]["c0-s02"]["words_read"] == 0


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"setup": [{"TRIGER_RISETIME": 1}]}, "did you mean TRIGGER_RISETIME"),
        ({"setup": [{"VOFFSET": -2}]}, "VOFFSET"),
        ({"setup": [{"modules": ["c0-s09"], "TAU": 1}]}, "no module c0-s09"),
        ({"settings": "/does/not/exist.json"}, "exist.json: cannot be read"),
    ],
)
def test_a_setup_that_is_wrong_starts_nothing(tmp_path, parameters, text):
    with take(tmp_path, runtime_s=0.2, **parameters) as pipeline:
        with pytest.raises(Error, match=text):
            pipeline.start()
        assert not list(tmp_path.glob("0001/raw/*.bin"))
        pipeline.configure({"TakeData": {"setup": [], "settings": None}})
        pipeline.start()
        assert pipeline.wait(60, quiet=True)
        pipeline.stop()
