from __future__ import annotations

import h5py
import numpy as np
import pytest

from pixie_pipe.pipeline import ParameterError
from pixie_pipe.storage import read_spectra
from pixie_pipe.tasks.fill_histograms import FillHistograms
from tests.spectra.test_spectra import ALL_KINDS, assert_same, filled, random_events
from tests.storage.runs import some_events

MODULES = [(0, 3), (0, 2)]
EVENTS = some_events(2000, modules=MODULES, channels=3)


def test_the_file_has_a_spectrum_of_each_channel(drive, tmp_path):
    run = tmp_path / "0042"
    run.mkdir()
    fill = drive(FillHistograms, directory=run).start()
    fill.work(EVENTS[:700], EVENTS[700:])
    fill.stop()
    spectra = read_spectra(run)
    assert spectra.names == ["energy"]
    assert spectra.events == 2000
    assert spectra.runs == (42,)
    energy = spectra["energy"]
    assert energy.channels == [f"c0-s0{s}-ch0{c}" for s in (2, 3) for c in range(3)]
    for slot, channel in [(2, 0), (3, 2)]:
        values = EVENTS.select(slot=slot, channel=channel).energy
        expected = np.bincount(values >> 2, minlength=16_384)
        assert energy[f"c0-s0{slot}-ch0{channel}"].tolist() == expected.tolist()
    assert energy.outside == 0


def test_what_is_declared_is_filled(drive, tmp_path):
    events = random_events(1000)
    fill = drive(FillHistograms, directory=tmp_path, histograms=ALL_KINDS).start()
    fill.work(events[:400], events[400:])
    fill.stop()
    spectra = read_spectra(tmp_path)
    expected = filled(events)
    for one in expected:
        assert spectra[one.name].total == one.total > 0
    told = fill.task.statistics["histograms"]
    assert told["kev"]["outside"] == expected["kev"].outside > 0
    assert told["matrix"] == {
        "counts": expected["matrix"].total,
        "outside": 0,
        "left_out": 0,
    }


@pytest.mark.parametrize(
    ("histograms", "words"),
    [
        ([{"kind": "spectra"}], "histograms is wrong: item 0: kind is 'spectra'"),
        ([{"kind": "rate", "bins": 0}], "item 0: bins is 0"),
        ([5], "histograms has 5 as item 0, expected a mapping"),
    ],
)
def test_declarations_are_checked_with_the_configuration(histograms, words):
    parameter = FillHistograms.parameters["histograms"]
    with pytest.raises(ParameterError, match=words.removeprefix("histograms ")):
        parameter.check(histograms)


def test_totals_are_reported_and_counts_told_by_channel(drive):
    fill = drive(FillHistograms).start()
    fill.work(EVENTS)
    fill.wait()
    assert fill.reports == [{"events": 2000, "channels": 6}]
    counts = fill.task.statistics["channels"]
    assert list(counts) == [f"c0-s0{s}-ch0{c}" for s in (2, 3) for c in range(3)]
    assert counts["c0-s03-ch01"] == len(EVENTS.select(slot=3, channel=1))


def test_the_file_is_written_now_and_then(drive, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(
        "pixie_pipe.tasks.fill_histograms.time.monotonic", lambda: now[0]
    )
    path = tmp_path / "histograms.h5"
    fill = drive(FillHistograms, directory=tmp_path, snapshot_s=5).start()
    fill.work(EVENTS[:700])
    fill.wait()
    assert not path.exists()
    now[0] += 5
    fill.wait()
    with h5py.File(path) as file:
        assert file.attrs["events"] == 700
    before = path.stat().st_ino
    now[0] += 5
    fill.wait()
    assert path.stat().st_ino == before  # nothing new
    fill.work(EVENTS[700:])
    fill.stop()
    with h5py.File(path) as file:
        assert file.attrs["events"] == 2000


def test_a_run_without_events_or_without_a_directory(drive, tmp_path):
    fill = drive(FillHistograms, directory=tmp_path).start()
    fill.stop()
    assert read_spectra(tmp_path)["energy"].channels == []
    drive(FillHistograms).start().stop()


def test_a_new_process_goes_on_with_the_state(drive, tmp_path):
    events = random_events(1500)
    first, second = (drive(FillHistograms, histograms=ALL_KINDS) for _ in range(2))
    for driven in (first, second):
        driven.task.state_path = str(tmp_path / "state")
    first.start()
    first.work(events[:900])
    state = first.task.serialize()
    # These were not acknowledged, and come again.
    first.work(events[900:1200])
    second.start()
    second.task.restore(state)
    second.work(events[900:])
    second.stop()
    assert_same(second.task.spectra, filled(events))
    assert len(state) < 2000


def test_without_a_place_for_it_there_is_no_state(drive):
    fill = drive(FillHistograms).start()
    fill.work(EVENTS)
    assert fill.task.serialize() is None


def test_a_new_run_begins_empty(drive, tmp_path):
    fill = drive(FillHistograms)
    fill.task.state_path = str(tmp_path / "state")
    for count in (300, 500):
        fill.start()
        fill.work(EVENTS[:count])
        fill.task.serialize()
        assert fill.task.spectra["energy"].total == count
        fill.stop()
