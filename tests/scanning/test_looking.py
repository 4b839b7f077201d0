"""Traces, spectra, baselines and decay times of channels."""

from __future__ import annotations

import csv
import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from pixie_pipe import scanning
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning import (
    ChoiceError,
    ScanningError,
    Traces,
    adjust_offsets,
    baselines,
    choose_targets,
    find_pulse,
    has_pulse,
    take_spectra,
    take_traces,
    tau,
)
from pixie_pipe.storage.atomic import OutputExistsError
from tests.support.drivers import fake_crate


class Bare:
    """A driver that has only what each must have."""

    is_running = False

    def __init__(self, crate):
        for name in ("modules", "read", "statistics", "start_run", "stop_run"):
            setattr(self, name, getattr(crate, name))


@pytest.fixture
def bare(crate) -> Any:
    return Bare(crate)


def test_all_channels_are_chosen_without_a_choice(crate):
    targets = choose_targets(crate)
    assert [(one.module, one.channel) for one in targets] == [
        (module, channel) for module in range(2) for channel in range(4)
    ]


@pytest.mark.parametrize("modules", [1, "c0-s03", ["c0-s03"], [1, "1"]])
def test_modules_have_numbers_and_names(crate, modules):
    targets = choose_targets(crate, modules, (3, 0))
    assert [one.name for one in targets] == ["c0-s03 ch 03", "c0-s03 ch 00"]


@pytest.mark.parametrize(
    ("modules", "channels", "text"),
    [
        (2, None, r"no module 2; known: 0 \(c0-s02\), 1 \(c0-s03\)"),
        ("c1-s02", None, "no module c1-s02"),
        (None, 4, "no channel 4 in module c0-s02, expected 0 to 3"),
        (None, -1, "no channel -1"),
        (None, [], "no channel was chosen"),
        ([], None, "no channel was chosen"),
    ],
)
def test_channels_that_are_not_there(crate, modules, channels, text):
    with pytest.raises(ChoiceError, match=text):
        choose_targets(crate, modules, channels)


def test_traces_as_they_come(crate, pace):
    traces = take_traces(crate, count=3, modules=0, channels=[0, 3], pace=pace)
    assert traces.array.shape == (2, 3, fake_crate.SAMPLES)
    assert traces.array.dtype == np.uint16
    assert traces.sample_us == (0.08, 0.08)
    # Every third trace of the crate holds a pulse, but none of its last channel.
    assert [found.tolist() for found in traces.has_pulse] == [
        [False, False, True],
        [False, False, False],
    ]
    assert repr(traces) == (
        "<Traces: 6 of 2 channels, 1000 samples each, 1 with a pulse>"
    )


def test_traces_are_taken_until_there_are_pulses(crate, pace):
    traces = take_traces(
        crate, count=2, channels=[0, 1], until_pulse=True, timeout_s=60, pace=pace
    )
    assert all(found.tolist() == [True, True] for found in traces.has_pulse)
    heights = traces.array.max(axis=2) - 1000.0
    assert (abs(heights - fake_crate.PULSE_HEIGHT) < 20).all()


def test_a_channel_without_pulses_has_others_when_the_time_is_over(crate, pace):
    traces = take_traces(
        crate,
        count=2,
        modules=0,
        channels=[1, 3],
        until_pulse=True,
        timeout_s=0.5,
        pace=pace,
    )
    assert [found.tolist() for found in traces.has_pulse] == [
        [True, True],
        [False, False],
    ]
    assert traces.array.shape == (2, 2, fake_crate.SAMPLES)


def test_a_threshold_says_what_a_pulse_is():
    noise = np.random.default_rng(1).normal(1000, 3, 1000)
    step = np.where(np.arange(1000) < 500, 0, 40)
    tail = 400 * np.exp(-np.arange(1000) / 2000)
    assert not has_pulse(noise)
    assert has_pulse(noise + step)
    assert has_pulse(noise - step)
    assert not has_pulse(noise + step, threshold=60)
    assert has_pulse(noise + step, threshold=30)
    assert not has_pulse(np.full(1000, 7))
    assert not has_pulse(np.arange(5))
    # The tail of an earlier pulse is none.
    assert not has_pulse(noise + tail)


@pytest.mark.parametrize("height", [-400, 60, 900])
@pytest.mark.parametrize("tau", [1, 4, 100])
@pytest.mark.parametrize("at", [3, 250, 580])
def test_a_pulse_is_found_where_it_is_whatever_its_height(height, tau, at):
    noise = np.random.default_rng(2).normal(1000, 2, 600)
    after = np.arange(600) - at
    pulse = np.where(after >= 0, height * np.exp(-after / tau), 0)
    found = find_pulse(noise + pulse)
    assert found is not None
    assert abs(found - at) <= 1
    assert find_pulse(noise) is None


def test_a_pulse_on_the_tail_of_another_is_found_where_it_is():
    noise = np.random.default_rng(2).normal(1000, 2, 600)
    after = np.arange(600) - 200
    first = np.where(after >= 0, 300 * np.exp(-after / 150), 0)
    second = np.where(after >= 60, 500 * np.exp(-(after - 60) / 150), 0)
    assert find_pulse(noise + first + second) == 260


def test_slow_noise_is_no_pulse():
    rng = np.random.default_rng(3)
    for _ in range(20):
        white = rng.normal(0, 2, 4000)
        slow = np.convolve(white, np.ones(50) / 5, "same")
        assert not has_pulse(1000 + slow)


def test_traces_can_be_saved_and_drawn(crate, pace, tmp_path):
    traces = take_traces(crate, count=2, modules=0, channels=[0, 1], pace=pace)
    traces.save(tmp_path / "t.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), traces.array)
    traces.save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as found:
        assert sorted(found) == ["c0-s02 ch 00", "c0-s02 ch 01", "sample_us"]
        np.testing.assert_array_equal(found["c0-s02 ch 01"], traces.samples[1])
    with pytest.raises(OutputExistsError):
        traces.save(tmp_path / "t.npy")
    with pytest.raises(ChoiceError, match=r"\.npy or \.npz"):
        traces.save(tmp_path / "t.txt")
    figure = traces.plot(tmp_path / "t.png")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert len(traces.plot(overlaid=True).axes) == 1


def test_persistence_of_traces(crate, pace, tmp_path):
    traces = take_traces(crate, count=9, modules=0, channels=[0, 3], pace=pace)
    figure = traces.persistence(tmp_path / "p.png")
    assert (tmp_path / "p.png").exists()
    assert [axes.get_title("left") for axes in figure.axes[:2]] == [
        "c0-s02 ch 00: 9 traces",
        "c0-s02 ch 03: 9 traces",
    ]
    aligned = traces.persistence(align=True, span_us=(-8, 20))
    # Three of nine have a pulse, and none of the last channel.
    assert [axes.get_title("left") for axes in aligned.axes[:2]] == [
        "c0-s02 ch 00: 3 of 9 traces",
        "c0-s02 ch 03: 0 of 9 traces",
    ]
    first, empty, _ = aligned.axes
    assert empty.get_xlabel() == "Time from the pulse (µs)"
    assert first.get_xlim() == pytest.approx((-8, 20.08))
    (image,) = first.images
    share = image.get_array().filled(0)
    low, high = image.get_extent()[2:]
    # Around the time 0 the level goes from the baseline to the height of the pulse.
    middle = share[:, 96:105].max(axis=1)
    levels = low + (np.flatnonzero(middle) + 0.5) * (high - low) / len(middle)
    assert levels.max() > 1000 + 0.8 * fake_crate.PULSE_HEIGHT
    before = np.flatnonzero(share[:, 10])
    assert low + before.max() * (high - low) / len(middle) < 1030
    assert not empty.images


def test_without_any_pulse_nothing_can_be_aligned(crate, pace):
    traces = take_traces(crate, count=2, channels=3, pace=pace)
    with pytest.raises(ScanningError, match="no trace has a pulse"):
        traces.persistence(align=True)


def test_traces_of_different_lengths_are_no_array(crate, pace):
    one, two = take_traces(crate, modules=0, channels=[0, 1], pace=pace).samples
    traces = Traces(
        targets=choose_targets(crate, 0, [0, 1]),
        samples=(one, two[:, :10]),
        sample_us=(1.0, 1.0),
        has_pulse=(np.zeros(1, bool),) * 2,
    )
    assert "10 or 1000 samples" in repr(traces)
    with pytest.raises(ScanningError, match="different shapes"):
        _ = traces.array


def test_wrong_numbers_of_traces(crate):
    with pytest.raises(ChoiceError, match="0 traces"):
        take_traces(crate, count=0)
    with pytest.raises(ChoiceError, match="positive"):
        take_traces(crate, timeout_s=math.nan)


def test_spectra_of_a_run(crate, pace, tmp_path):
    spectra = take_spectra(crate, 20, channels=[0, 2], pace=pace)
    assert spectra.counts.shape == (4, fake_crate.BINS)
    assert crate.runs == 1
    for row, target in enumerate(spectra.targets):
        best = spectra.peaks(row)[0]
        assert best.position == pytest.approx(
            fake_crate.peak_position(target.channel), abs=5 * best.position_error
        )
        assert best.width == pytest.approx(
            fake_crate.peak_width(4.0), abs=5 * best.width_error
        )
        rate = spectra.modules[target.module].output_hz[target.channel]
        assert rate == pytest.approx(fake_crate.output_rate(50, target.channel))
    assert repr(spectra).startswith("<Spectra of 4 channels, 4096 bins, ")
    figure = spectra.plot(tmp_path / "s.svg", bins=(500, 2500), rebin=2)
    assert len(figure.axes[0].patches) == 4
    assert figure.get_suptitle() == "MCA spectra, 20 s"


def test_spectra_can_be_saved(crate, pace, tmp_path):
    spectra = take_spectra(crate, 2, modules=1, channels=[0, 1], pace=pace)
    spectra.save(tmp_path / "s.csv")
    rows = list(csv.reader((tmp_path / "s.csv").read_text().splitlines()))
    assert rows[0] == ["bin", "c0-s03 ch 00", "c0-s03 ch 01"]
    found = np.array(rows[1:], np.int64)
    np.testing.assert_array_equal(found[:, 0], np.arange(fake_crate.BINS))
    np.testing.assert_array_equal(found[:, 1:].T, spectra.counts)
    spectra.save(tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as arrays:
        np.testing.assert_array_equal(arrays["counts"], spectra.counts)
        assert arrays["modules"].tolist() == [1, 1]
        assert arrays["channels"].tolist() == [0, 1]
        assert arrays["names"].tolist() == ["c0-s03 ch 00", "c0-s03 ch 01"]
        assert arrays["seconds"] == 2
    with pytest.raises(ChoiceError, match=r"\.csv or \.npz"):
        spectra.save(tmp_path / "s.root")


def test_a_run_for_spectra_that_does_not_end_is_ended(crate, pace, monkeypatch):
    real = crate.start_histogram_run
    monkeypatch.setattr(crate, "start_histogram_run", lambda _: real(1e9))
    with pytest.raises(DriverError, match="still went on 10 s after its end"):
        take_spectra(crate, 1, pace=pace)
    assert not crate.is_running


def test_ctrl_c_ends_the_run(crate, pace, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    calls = []
    monkeypatch.setattr(crate, "stop_run", lambda: calls.append("stop"))
    impatient = scanning.Pace(clock=pace.clock, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        take_spectra(crate, 5, pace=impatient)
    assert calls == ["stop"]


def test_baselines_of_channels(crate, tmp_path):
    found = baselines(crate, modules=1, channels=[1, 2])
    assert len(found.values) == 2
    assert found.noise == pytest.approx([fake_crate.noise(4.0)] * 2, rel=0.1)
    assert repr(found).startswith("<Baselines of 2 channels; noise (sigma) ")
    figure = found.plot(tmp_path / "b.png")
    assert [axes.get_title("left")[:12] for axes in figure.axes] == [
        "c0-s03 ch 01",
        "c0-s03 ch 02",
    ]


def test_decay_times(crate, tmp_path):
    found = tau(crate, channels=[0, 3])
    np.testing.assert_array_equal(found.tau_us, [42, np.nan, 43, np.nan])
    assert "c0-s02 ch 00: 42 µs, c0-s02 ch 03: none" in repr(found)
    figure = found.plot(tmp_path / "tau.png")
    assert figure.axes[0].get_ylabel() == "Decay time (µs)"


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (take_traces, "Signals"),
        (baselines, "Signals"),
        (tau, "Signals"),
        (adjust_offsets, "Signals"),
        (lambda bare: take_spectra(bare, 1), "Spectra"),
        (
            lambda bare: scanning.scan(bare, "TAU", "1,2", measure="input_rate"),
            "Parameters",
        ),
    ],
)
def test_a_driver_without_a_part_says_so(bare, function, part):
    with pytest.raises(DriverError, match=f"Bare cannot .* lacks the part {part}"):
        function(bare)


def test_rates_with_spectra_need_them(bare):
    with pytest.raises(DriverError, match="lacks the part Spectra"):
        next(scanning.watch_rates(bare, kind="mca"))


def test_the_package_shows_what_it_has():
    assert dir(scanning) == sorted(scanning.__all__)
    assert all(hasattr(scanning, name) for name in scanning.__all__)


def test_baselines_as_numbers(crate, tmp_path):
    found = baselines(crate, modules=1, channels=[1, 2])
    taken = crate.baselines(1)
    np.testing.assert_array_equal(found.count, [4000, 4000])
    np.testing.assert_allclose(found.mean, taken[1:3].mean(axis=1))
    np.testing.assert_allclose(found.spread, taken[1:3].std(axis=1))
    found.save(tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        np.testing.assert_array_equal(arrays["c0-s03 ch 02"], taken[2])
    found.save(tmp_path / "b.csv")
    head, *rows = csv.reader((tmp_path / "b.csv").read_text().splitlines())
    assert head == ["c0-s03 ch 01", "c0-s03 ch 02"]
    np.testing.assert_allclose(np.array(rows, float), taken[1:3].T, rtol=1e-8)
    with pytest.raises(ChoiceError, match=r"\.csv or \.npz"):
        found.save(tmp_path / "b.txt")


def test_channels_without_baselines(crate, monkeypatch, tmp_path):
    none = np.full((4, 5), np.nan)
    none[1, :2] = 7, 9
    monkeypatch.setattr(crate, "baselines", lambda _: none)
    found = baselines(crate, modules=0, channels=[0, 1])
    assert found.to_rows() == [
        {
            "module": 0,
            "name": "c0-s02",
            "channel": 0,
            "count": 0,
            "mean": None,
            "spread": None,
            "noise": None,
        },
        {
            "module": 0,
            "name": "c0-s02",
            "channel": 1,
            "count": 2,
            "mean": 8.0,
            "spread": 1.0,
            "noise": pytest.approx(1.4826),
        },
    ]
    found.plot(tmp_path / "b.png")


def test_decay_times_are_set(crate):
    found = tau(crate, modules=1)
    np.testing.assert_array_equal(found.setting_us, [50] * 4)
    changes = found.apply(crate)
    # None was found in the last channel.
    assert [(c.channel, c.got) for c in changes] == [(0, 43), (1, 43), (2, 43)]
    assert [crate.values["TAU", 1, n] for n in range(4)] == [43, 43, 43, 50]
    assert crate.values["TAU", 0, 0] == 50
    nothing = tau(crate, channels=3)
    assert len(nothing.apply(crate)) == 0


def test_offsets_are_adjusted(crate):
    found = adjust_offsets(crate, modules=1)
    assert crate.values["VOFFSET", 0, 0] == 0
    np.testing.assert_array_equal(found.before_v, [0] * 4)
    np.testing.assert_allclose(found.after_v, [fake_crate.volts(10)] * 4)
    full = (1 << 14) - 1
    np.testing.assert_allclose(found.before_percent, [100_000 / full] * 4, atol=0.1)
    np.testing.assert_allclose(found.after_percent, [10] * 4, atol=0.1)
    assert found.away() == []
    assert [target.channel for target in found.away(-1)] == [0, 1, 2, 3]
    assert repr(found) == "<Offsets of 4 channels, 4 have changed>"
    row = found.to_rows()[2]
    assert (row["name"], row["channel"], row["before_v"]) == ("c0-s03", 2, 0.0)


def test_the_level_is_not_known_without_the_bits_of_the_adc(crate, monkeypatch):
    infos = tuple(dataclasses.replace(info, bits=0) for info in crate.modules)
    monkeypatch.setattr(type(crate), "modules", property(lambda _: infos))
    found = adjust_offsets(crate, modules=0)
    assert np.isnan(found.after_percent).all()
    assert found.away() == []
    assert found.to_rows()[0]["after_percent"] is None
