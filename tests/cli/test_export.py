"""The command export: from runs, files of events and raw files, to every format."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode import encode
from pixie_pipe.spectra import Spectra
from pixie_pipe.storage import (
    Hdf5Writer,
    Provenance,
    RawRecorder,
    RunDirectory,
    StreamRecord,
    open_events,
    write_spectra,
)
from tests.storage.runs import LAYOUT, MIXED, some_events, with_late

MODULE = ("--frequency", "500", "--revision", "34688")
EVENTS = with_late(some_events(500, modules=((0, 2), (0, 3)), channels=4, **MIXED))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Make a run with events and raw files, and go to the directory above."""
    monkeypatch.chdir(tmp_path)
    run = RunDirectory.create("runs")
    with RawRecorder(run.raw) as recorder:
        for slot in (2, 3):
            words = encode(EVENTS.select(slot=slot), LAYOUT)
            recorder.write(f"c0-s{slot:02d}", words)
    with Hdf5Writer(run.path / "events.h5") as writer:
        writer.write(EVENTS)
        writer.describe(Provenance((StreamRecord(LAYOUT, ((0, 2), (0, 3))),)))
    run.finish(complete=True, files=recorder.files, outputs=["events.h5"])
    return tmp_path / "runs"


@pytest.mark.parametrize("ending", ["h5", "lh5", "parquet", "root", "csv"])
def test_a_run_to_every_format(runs, run, ending):
    code, out, err = run("export", 1, "-o", f"out.{ending}")
    assert (code, err) == (0, "")
    assert out.startswith(f"out.{ending}: 500 events, ")
    expected = EVENTS
    if ending == "csv":
        kept = [name for name in EVENTS.columns if not name.endswith(("sets", "ples"))]
        expected = Events({name: EVENTS[name] for name in kept})
    with open_events(f"out.{ending}") as table:
        assert table.read().equals(expected)
        assert table.provenance.command.startswith("pixie-pipe")
        assert table.provenance.streams[0].modules == ((0, 2), (0, 3))


def test_a_selection(runs, run):
    time_s = EVENTS.time_ps * 1e-12
    start, stop = np.quantile(time_s, [0.25, 0.75])
    arguments = ["--channels", "0/2/1", "0/3", "--columns", "energy", "qdc", "slot"]
    limits = ["--start", repr(float(start)), "--stop", repr(float(stop))]
    code, out, _ = run("export", runs / "0001", "-o", "o.h5", *arguments, *limits)
    assert code == 0
    is_meant = (time_s >= start) & (time_s < stop)
    is_meant &= (EVENTS.slot == 3) | (EVENTS.channel == 1)
    with open_events("o.h5") as table:
        assert table.columns == ("slot", "energy", "qdc")
        assert np.array_equal(table["energy"], EVENTS.energy[is_meant])
    assert f"o.h5: {is_meant.sum()} of " in out


def test_from_files_and_by_format(runs, run):
    assert run("export", 1, "--format", "parquet", "-q") == (0, "", "")
    assert run("export", "run_0001.parquet", "--format", "lh5", "-q") == (0, "", "")
    with open_events("run_0001.lh5") as table:
        assert table.read().equals(EVENTS)
    raw = sorted(map(str, (runs / "0001" / "raw").glob("*.bin")))
    assert run("export", *raw, *MODULE, "-o", "raw.root", "-q") == (0, "", "")
    assert run("export", 1, "--from-raw", "-o", "again.h5", "-q") == (0, "", "")
    for name in ("raw.root", "again.h5"):
        with open_events(name) as table:
            parts = [EVENTS.select(slot=slot).without("late") for slot in (2, 3)]
            assert table.read().equals(Events.concatenate(parts))


def test_what_is_refused(runs, run):
    (runs.parent / "out.h5").write_bytes(b"mine")
    for arguments, code, text in (
        (["-o", "a.h5"], 2, "no source was given"),
        ([1], 2, "no output was given"),
        ([1, "-o", "a.h5", "--format", "root"], 2, "leave one of both out"),
        ([1, "-o", "a.txt"], 2, "the ending '.txt' is no format of events"),
        ([1, "-o", "out.h5"], 1, "--force"),
        ([7, "-o", "a.h5"], 1, "there is no run 7; its only run is 1"),
        (["a.h5", "b.h5", "-o", "c.h5"], 2, "is exported alone"),
        ([1, "-o", "a.h5", "--channels", "5"], 2, "expected crate/slot/channel"),
        ([1, "-o", "a.h5", "--channels", "0/300"], 2, "--channels 0/300: expected"),
        ([1, "-o", "a.h5", "--columns", "enrgy"], 1, "has no column 'enrgy'"),
        ([1, "-o", "a.h5", "--compression", "zip"], 2, "no compression 'zip'"),
        (["runs/0001/events.h5", "-o", "runs/0001/events.h5", "--force"], 1, "is what"),
        (["a.bin", "-o", "a.h5", "--from-raw"], 2, "--from-raw is for runs"),
    ):
        found, out, err = run("export", *arguments)
        assert text in " ".join(err.split()), (arguments, err)
        assert (found, out) == (code, ""), arguments
    assert (runs.parent / "out.h5").read_bytes() == b"mine"


def test_lost_words_and_incomplete_runs_are_noted(runs, run):
    raw = next((runs / "0001" / "raw").glob("*.bin"))
    (runs.parent / "cut.bin").write_bytes(raw.read_bytes()[:-2])
    code, out, err = run("export", "cut.bin", *MODULE, "-o", "cut.csv", "-q")
    assert (code, out) == (0, "")
    assert "cut.bin" in err
    assert err.startswith("pixie-pipe: note: ")


def test_histograms_go_to_root_too(runs, run):
    uproot = pytest.importorskip("uproot")
    spectra = Spectra(
        [
            {"kind": "spectrum", "name": "energy", "bins": 3, "range": [0, 12]},
            {"kind": "time_difference", "channels": ["0/2/5", "0/2/6"], "bins": 4},
        ]
    )
    counts = np.array([[0, 3, 0, 5, 7]])
    spectra["energy"].put([(0, 2, 5)], counts)
    write_spectra(runs / "0001" / "histograms.h5", spectra, force=True)
    assert run("export", 1, "-o", "a.root")[0] == 0
    with uproot.open("a.root") as file:
        found = file["histograms/energy/c0_s02_ch05"]
        assert found.values(flow=True).tolist() == counts[0].tolist()
        assert found.axis().edges().tolist() == [0, 4, 8, 12]
        assert file["histograms/time_difference"].values().tolist() == [0, 0, 0, 0]
