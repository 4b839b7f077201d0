"""Scans of parameters, against a crate whose answers are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning import (
    MEASURES,
    Axis,
    ChoiceError,
    Scan,
    load_scan,
)
from tests.support.drivers import fake_crate

RISE = "ENERGY_RISETIME"
THRESHOLD = "TRIGGER_THRESHOLD"


@pytest.mark.usefixtures("untouched")
def test_peaks_over_a_parameter(run, crate):
    result = run(
        RISE,
        "2:6:1",
        measure=["peak_width", "peak_position", "resolution", "peak_counts"],
        seconds=20,
        bins=(1850, 2250),
    )
    assert result.is_complete
    assert result.values().shape == (4, 5)
    back = result.read_back()
    # The crate rounds to 0.08 us.
    np.testing.assert_allclose(back[0], [2, 3.04, 4, 4.96, 6])
    for row, target in enumerate(result.targets):
        position = fake_crate.peak_position(target.channel)
        widths = np.array([fake_crate.peak_width(one) for one in back[row]])
        for name, expected in (
            ("peak_width", widths),
            ("peak_position", np.full(5, position)),
            ("resolution", 100 * widths / position),
            ("peak_counts", np.full(5, 20_000 * (target.channel + 1))),
        ):
            away = abs(result.values(name)[row] - expected)
            assert (away < 4 * result.errors(name)[row] + 0.01 * expected).all(), name
    assert crate.runs == 5


@pytest.mark.usefixtures("untouched")
def test_rates_over_a_parameter(run):
    result = run(
        THRESHOLD, [10, 50.1], measure=["input_rate", "output_rate", "dead_time"]
    )
    for row, target in enumerate(result.targets):
        for column, threshold in enumerate((10.0, 50.0)):
            into = fake_crate.input_rate(threshold, target.channel)
            out = fake_crate.output_rate(threshold, target.channel)
            found = {
                name: result.values(name)[row, column] for name in result.scan.measures
            }
            assert found["input_rate"] == pytest.approx(into)
            assert found["output_rate"] == pytest.approx(out)
            assert found["dead_time"] == pytest.approx(100 * (1 - out / into))
    assert (result.errors("input_rate") > 0).all()


@pytest.mark.usefixtures("untouched")
def test_baseline_noise_needs_no_run(run, crate):
    result = run(RISE, "2,4,8", measure="baseline_noise")
    np.testing.assert_allclose(result.values(), [[4, 2, 1]] * 4, rtol=0.1)
    assert crate.runs == 0
    assert result.scan.least_seconds == 0


@pytest.mark.usefixtures("untouched")
def test_counts_in_a_range(run):
    result = run(RISE, "2,4", measure="range_counts", bins=(1900, 2200), seconds=10)
    inside = 10_000 + 0.5 * 10 * 300
    assert result.values()[0] == pytest.approx([inside] * 2, rel=0.05)
    np.testing.assert_allclose(result.errors(), np.sqrt(result.values()))


@pytest.mark.usefixtures("untouched")
def test_two_parameters(run, tmp_path):
    result = run(
        THRESHOLD,
        "10,20",
        "SLOW_FILTER_RANGE",
        [1, 2, 3],
        measure="input_rate",
        modules=1,
    )
    assert result.values().shape == (2, 2, 3)
    assert result.values()[1, 1, 2] == pytest.approx(fake_crate.input_rate(20, 1))
    np.testing.assert_array_equal(result.read_back()[0], [[10] * 3, [20] * 3])
    # A parameter of the module is the same in both channels.
    np.testing.assert_array_equal(
        result.read_back("SLOW_FILTER_RANGE")[1], [[1, 2, 3]] * 2
    )
    figure = result.plot(tmp_path / "map.png")
    first = figure.axes[0]
    assert first.get_xlabel() == "SLOW_FILTER_RANGE"
    assert first.get_ylabel() == "TRIGGER_THRESHOLD (ADC units)"
    np.testing.assert_array_equal(first.collections[0].get_array(), result.values()[0])


def test_only_chosen_channels_are_touched(run, crate):
    run(RISE, "2,6", measure="baseline_noise", modules="c0-s03", channels=2)
    assert {(module, channel) for _, _, module, channel in crate.written} == {(1, 2)}
    assert [value for _, value, _, _ in crate.written] == [2, 6, 4]


def test_values_settle_before_data_are_taken(run, crate, pace):
    slept = []
    from pixie_pipe.scanning import Pace

    patient = Pace(clock=pace.clock, sleep=lambda s: slept.append((s, crate.runs)))
    run(RISE, "2,4", measure="peak_width", settle_s=3.0, pace=patient)
    assert [(s, runs) for s, runs in slept if s == 3.0] == [(3.0, 0), (3.0, 1)]


def test_the_table_and_the_plot(run, tmp_path):
    result = run(
        RISE, "2,2.1", measure=["input_rate", "peak_width"], seconds=10, modules=0
    )
    lines = result.table().splitlines()
    assert lines[0].split() == [RISE, "channel", "input_rate", "peak_width"]
    assert lines[1].split() == ["(µs)", "(Hz)", "(MCA", "bins)"]
    assert len(lines) == 6
    assert max(map(len, lines)) < 80
    assert lines[4].strip().startswith("2.1 [2.08]  c0-s02 ch 00")
    assert "+-" in lines[2]
    figure = result.plot(tmp_path / "p.pdf", measure="peak_width")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "ENERGY_RISETIME (µs)"
    assert axes.get_ylabel() == "Peak width, FWHM (MCA bins)"
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [2, 2.08])
    assert result.plot().axes[0].get_ylabel() == "Input rate (Hz)"
    assert repr(result) == (
        "<ScanResult: input_rate, peak_width over ENERGY_RISETIME (2 values), 2 of 2 "
        "points, 2 channels>"
    )
    with pytest.raises(ChoiceError, match="dead_time was not measured"):
        result.values("dead_time")
    with pytest.raises(ChoiceError, match="TAU was not scanned"):
        result.read_back("TAU")


def test_what_cannot_be_measured_is_a_gap(run):
    result = run(RISE, "2,4", measure="peak_width", bins=(3000, 3100), seconds=0.1)
    assert np.isnan(result.values()).all()
    assert result.table().splitlines()[2].endswith(" -")
    result.plot()


def test_progress_is_told(run):
    told = []
    run(
        RISE,
        "2,4",
        measure="baseline_noise",
        progress=lambda done, total, point: told.append((done, total, point["values"])),
    )
    assert told == [(1, 2, [2.0]), (2, 2, [4.0])]


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((RISE, "1:2"), {}, "no range"),
        ((RISE, []), {}, "no values for ENERGY_RISETIME"),
        ((RISE, [1, 1]), {}, "comes twice"),
        ((RISE, [float("inf")]), {}, "ENERGY_RISETIME is inf"),
        (("TAU", "-5"), {}, "TAU is -5.0: expected 0 to"),
        (("SLOW_FILTER_RANGE", [2.2]), {}, "expected a whole number"),
        (("TAUU", "1"), {}, "no parameter 'TAUU'; did you mean TAU"),
        (("Polarity", "up,down"), {}, "'up': expected positive or negative"),
        (("Polarity", [1]), {}, "Polarity is 1: expected 'positive' or 'negative'"),
        (("EnableCFD", "on,1"), {}, "a value for EnableCFD comes twice"),
        (("MultiplicitySelf", "1,2"), {}, "list of channels, which cannot be scanned"),
        (("XDT", "0.1", "CHANNEL_CSRB", "1"), {}, "disabled in the library"),
        (("", "1"), {}, "has no name"),
        ((RISE, "1", RISE, "2"), {}, "named twice"),
        ((RISE, "1"), {"measure": []}, "nothing is measured"),
        ((RISE, "1"), {"measure": ["dead_time"] * 2}, "named twice"),
        ((RISE, "1"), {"measure": "dead_tim"}, "did you mean 'dead_time'"),
        ((RISE, "1"), {"seconds": 0}, "positive"),
        ((RISE, "1"), {"settle_s": -1}, "settling time"),
        ((RISE, "1"), {"bins": (5, 2)}, "range of bins"),
        ((RISE, "0:999:1", THRESHOLD, "0:999:1"), {}, "1000000 points"),
        ((RISE, "1"), {"channels": 7}, "no channel 7"),
    ],
)
@pytest.mark.usefixtures("untouched")
def test_scans_that_make_no_sense(run, crate, arguments, options, text):
    with pytest.raises(ChoiceError, match=text):
        run(*arguments, **options)
    assert not crate.written


def test_a_parameter_that_the_driver_lacks_is_told_before_anything_is_set(run, crate):
    with pytest.raises(DriverError, match="no parameter EMIN"):
        run(THRESHOLD, "1,2", "EMIN", "1", measure="input_rate")
    assert not crate.written


@pytest.mark.parametrize("values", ["on,off", "1,0", [True, False], "yes, no"])
@pytest.mark.usefixtures("untouched")
def test_bits_of_channels(run, tmp_path, values):
    path = tmp_path / "bits.jsonl"
    result = run("GoodChannel", values, measure="input_rate", output=path, modules=0)
    on = fake_crate.input_rate(50, 0)
    assert result.values()[0] == pytest.approx([on, 0])
    np.testing.assert_array_equal(result.read_back()[0], [1, 0])
    words = [line.split()[0] for line in result.table().splitlines()[2:]]
    assert words == ["on", "on", "off", "off"]
    (axes,) = result.plot().axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["on", "off"]
    assert axes.get_xlabel() == "GoodChannel"
    loaded = load_scan(path)
    assert loaded.scan == result.scan
    assert loaded.table() == result.table()
    assert '"values": ["on", "off"]' in path.read_text()


@pytest.mark.usefixtures("untouched")
def test_bits_of_modules_and_choices(run, crate):
    crate.values["CHANNEL_CSRA", 0, 1] = float(0x8024)
    before = dict(crate.values)
    result = run(
        *("RejectPileup", ["pileup", "single", "all"], "SortEvents", "off,on"),
        measure="baseline_noise",
    )
    np.testing.assert_array_equal(result.read_back()[1], [[2, 2], [1, 1], [0, 0]])
    np.testing.assert_array_equal(result.read_back("SortEvents")[1], [[0, 1]] * 3)
    # The other bits of the registers stay as they are.
    words = {
        int(word)
        for name, word, module, channel in crate.written
        if (name, module, channel) == ("CHANNEL_CSRA", 0, 1)
    }
    assert words == {0x10024, 0x8024, 0x24}
    first = result.plot().axes[0]
    assert [text.get_text() for text in first.get_yticklabels()] == [
        "pileup",
        "single",
        "all",
    ]
    assert crate.values == before
    crate.values["CHANNEL_CSRA", 0, 1] = 4.0


def test_what_else_changes_is_told(run):
    result = run("TRIGGER_RISETIME", "0.1", measure="input_rate")
    assert "threshold in ADC units depends on TRIGGER_RISETIME" in result.notes[0]


def test_a_range_beyond_the_spectrum_is_refused(run, crate):
    with pytest.raises(ChoiceError, match="within the 4096 bins"):
        run(RISE, "2", measure="range_counts", bins=(4000, 5000))
    assert crate.values[RISE, 0, 0] == 4


def test_no_scan_while_a_run_goes_on(run, crate):
    crate.start_run()
    with pytest.raises(DriverError, match="a run goes on"):
        run(RISE, "2", measure="input_rate")
    assert not crate.written


def test_a_scan_can_be_described_and_made_again():
    definition = Scan(
        axes=(Axis(RISE, (1, 2)), Axis("TAU", (3,))),
        measures=("peak_width",),
        bins=(1, 5),
        settle_s=0.5,
    )
    assert Scan.from_dict(json.loads(json.dumps(definition.to_dict()))) == definition
    assert definition.points() == [(1, 3), (2, 3)]
    assert len(definition) == 2
    assert definition.least_seconds == 3


def test_each_measure_says_what_it_is():
    for name, measure in MEASURES.items():
        assert measure.name == name
        assert measure.unit in measure.axis_label
