"""Rates, from what modules count."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning import (
    ChoiceError,
    RateHistory,
    ScanningError,
    module_counts,
    rates_between,
    watch_rates,
)
from tests.support.drivers.fake_crate import (
    FakeCrateDigitizer,
    input_rate,
    output_rate,
)

FIRST = {
    "input_counts": [900, 0],
    "output_counts": [800, 0],
    "live_time_s": [0.9, 1.0],
    "real_time_s": 1.0,
    "words_read": 4000,
    "words_dropped": 0,
}
SECOND = {
    "input_counts": [2700, 0],
    "output_counts": [2000, 0],
    "live_time_s": [2.7, 3.0],
    "real_time_s": 3.0,
    "words_read": 10000,
    "words_dropped": 16,
}


def test_rates_between_two_readings():
    rates = rates_between(module_counts(FIRST, 2), module_counts(SECOND, 2))
    assert rates.seconds == pytest.approx(2)
    np.testing.assert_allclose(rates.input_hz, [1000, 0])
    np.testing.assert_allclose(rates.output_hz, [600, 0])
    np.testing.assert_allclose(rates.dead_percent, [40, np.nan])
    np.testing.assert_allclose(rates.input_counts, [1800, 0])
    assert rates.words_hz == pytest.approx(3000)
    assert rates.words_dropped == 16


def test_the_first_reading_counts_from_the_start_of_the_run():
    rates = rates_between(None, module_counts(FIRST, 2))
    np.testing.assert_allclose(rates.output_hz, [800, 0])


def test_counters_that_run_backwards_mean_a_new_run():
    rates = rates_between(module_counts(SECOND, 2), module_counts(FIRST, 2))
    np.testing.assert_allclose(rates.output_hz, [800, 0])
    assert rates.words_hz == 4000


def test_a_driver_that_tells_only_of_words():
    before, after = (module_counts({"words_read": n}, 2) for n in (100, 700))
    rates = rates_between(before, after, seconds=2.0)
    assert rates.words_hz == 300
    assert np.isnan([*rates.input_hz, *rates.output_hz, *rates.dead_percent]).all()


def test_without_the_live_time_the_real_time_counts():
    counts = {"input_counts": [50, 60], "output_counts": [50, 30]}
    rates = rates_between(None, module_counts(counts, 2), seconds=0.5)
    np.testing.assert_allclose(rates.input_hz, [100, 120])
    np.testing.assert_allclose(rates.dead_percent, [0, 50])


def test_no_time_has_passed():
    same = module_counts(FIRST, 2)
    rates = rates_between(same, same)
    assert np.isnan(rates.output_hz).all()
    assert math.isnan(rates.words_hz)


@pytest.mark.parametrize("value", ["many", [1, 2, 3], [[1, 2]], ["a", "b"], 7])
def test_statistics_that_make_no_sense_are_refused(value):
    with pytest.raises(DriverError, match="input_counts"):
        module_counts({"input_counts": value}, 2)


def test_words_are_of_the_module_not_of_channels():
    with pytest.raises(DriverError, match=r"words_read .* expected one number"):
        module_counts({"words_read": [1, 2]}, 2)


@pytest.mark.parametrize("kind", ["list", "mca"])
def test_rates_of_a_run(crate, pace, kind):
    readings = list(watch_rates(crate, every_s=1, seconds=3, kind=kind, pace=pace))
    assert not crate.is_running
    assert len(readings) == 3
    assert [reading.seconds for reading in readings] == pytest.approx(
        [1, 2, 3], abs=0.2
    )
    for reading in readings:
        assert len(reading.targets) == 8
        for row, target in enumerate(reading.targets):
            expected = input_rate(50, target.channel)
            assert reading.input_hz[row] == pytest.approx(expected)
            out = output_rate(50, target.channel)
            assert reading.output_hz[row] == pytest.approx(out)
            dead = 100 * (1 - out / expected)
            assert reading.dead_percent[row] == pytest.approx(dead)
    words = readings[-1].modules[0].words_hz
    assert words == pytest.approx(1000, rel=0.05)


def test_a_generator_that_is_closed_ends_the_run(crate, pace):
    readings = watch_rates(crate, pace=pace, modules=1, channels=[2])
    (target,) = next(readings).targets
    assert target.name == "c0-s03 ch 02"
    assert crate.is_running
    readings.close()
    assert not crate.is_running


def test_a_run_that_goes_on_is_left_as_it_is(crate, pace):
    crate.start_run()
    list(watch_rates(crate, seconds=2, pace=pace))
    assert crate.is_running
    assert crate.runs == 1
    assert crate.statistics(0)["words_read"] == 0


def test_the_end_of_the_run_ends_the_readings(pace):
    with FakeCrateDigitizer(lasts_s=2.0) as crate:
        readings = list(watch_rates(crate, every_s=1, pace=pace))
    assert readings
    assert readings[-1].output_hz[0] > 0


@pytest.mark.parametrize(
    "arguments", [{"every_s": 0}, {"seconds": -1}, {"channels": 9}, {"modules": 2}]
)
def test_wrong_times_and_channels(crate, arguments: dict[str, Any]):
    with pytest.raises(ChoiceError):
        next(watch_rates(crate, **arguments))
    assert not crate.is_running


def test_a_history_of_rates(crate, pace, tmp_path):
    history = RateHistory()
    assert "empty" in repr(history)
    with pytest.raises(ScanningError, match="nothing to draw"):
        history.plot()
    history.readings += watch_rates(crate, seconds=4, modules=0, pace=pace)
    assert repr(history).startswith("<RateHistory: 4 readings of 4 channels in ")
    assert history.values("input_hz").shape == (4, 4)
    figure = history.plot(tmp_path / "rates.png")
    assert len(figure.axes[0].lines) == 4
    assert (tmp_path / "rates.png").exists()
    reading = history.readings[0]
    assert "4 channels" in repr(reading)
    found = json.loads(json.dumps(reading.to_dict(), allow_nan=False))
    assert found["channels"][2]["channel"] == 2
    assert found["modules"][0]["words_dropped"] == 0
