from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.kernels.histogram import ChannelHistograms
from pixie_pipe.tasks._histogram_state import pack_state, unpack_state
from pixie_pipe.tasks.fill_histograms import FillHistograms
from tests.storage.runs import some_events

MODULES = [(0, 3), (0, 2)]
EVENTS = some_events(2000, modules=MODULES, channels=3)


def expected_counts(events, address, *, bins, shift):
    crate, slot, channel = address
    mask = (events.crate == crate) & (events.slot == slot) & (events.channel == channel)
    energy = events.energy[mask].astype(np.int64) >> shift
    return np.bincount(energy[energy < bins], minlength=bins)


def test_the_file_has_a_spectrum_of_each_channel_and_its_axes(drive, tmp_path):
    fill = drive(FillHistograms, directory=tmp_path, bins=1000, shift=5).start()
    fill.work(EVENTS[:700], EVENTS[700:])
    fill.stop()
    with h5py.File(tmp_path / "histograms.h5") as file:
        assert list(file["counts"].attrs["axes"]) == ["channel", "energy"]
        channels = file["channel"][:].tolist()
        assert channels == [(0, s, c) for s in (2, 3) for c in range(3)]
        assert file["counts"].shape == (6, 1000)
        for row, overflow, channel in zip(
            file["counts"][:], file["overflow"][:], channels, strict=True
        ):
            expected = expected_counts(EVENTS, channel, bins=1000, shift=5)
            assert row.tolist() == expected.tolist()
            assert overflow == (
                len(EVENTS.select(slot=channel[1], channel=channel[2])) - expected.sum()
            )
        edges = file["energy"][:]
        assert (edges[0], edges[1], edges[-1], edges.size) == (0, 32, 32_000, 1001)
        assert file["energy"].attrs["units"] == "ADC units"
        assert file.attrs["events"] == 2000


def test_the_default_spans_all_energies(drive):
    fill = drive(FillHistograms).start()
    config = fill.task.config
    assert config.bins << config.shift == 1 << 16


def test_totals_are_reported_and_counts_told_by_channel(drive):
    fill = drive(FillHistograms, bins=100, shift=0).start()
    fill.work(EVENTS)
    fill.wait()
    overflow = int(np.count_nonzero(EVENTS.energy >= 100))
    assert fill.reports == [{"events": 2000, "channels": 6, "overflow": overflow}]
    counts = fill.task.statistics["channels"]
    assert list(counts) == [f"c0-s0{s}-ch0{c}" for s in (2, 3) for c in range(3)]
    assert counts["c0-s03-ch01"] == len(EVENTS.select(slot=3, channel=1))
    assert fill.task.statistics["overflow"] == overflow


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
    with h5py.File(tmp_path / "histograms.h5") as file:
        assert file["counts"].shape[0] == 0
    drive(FillHistograms).start().stop()


def test_a_new_process_goes_on_with_the_state(drive):
    whole, first, second = (drive(FillHistograms).start() for _ in range(3))
    whole.work(EVENTS)
    first.work(EVENTS[:900])
    second.task.restore(first.task.serialize())
    second.work(EVENTS[900:])
    one, other = whole.task._histograms, second.task._histograms
    assert one.channels == other.channels
    assert one.counts.tolist() == other.counts.tolist()
    second.wait()
    assert second.reports[-1]["events"] == 2000


@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 299), st.integers(1, 2**60)), max_size=8),
)
def test_the_state_is_exact(bins, filled):
    histograms = ChannelHistograms(bins, shift=3)
    histograms.fill(EVENTS)
    for where, count in filled:
        histograms.counts[where % 6, where % bins] = count
    again, events = unpack_state(pack_state(histograms, 17))
    assert events == 17
    assert again.shift == 3
    assert again.channels == histograms.channels
    assert again.counts.tolist() == histograms.counts.tolist()
    assert again.overflow.tolist() == histograms.overflow.tolist()


@pytest.mark.parametrize("rows", [0, 3])
def test_the_state_of_nearly_nothing_is_small(rows):
    histograms = ChannelHistograms(1 << 16)
    histograms.fill(EVENTS[:rows])
    assert len(pack_state(histograms, rows)) < 300
