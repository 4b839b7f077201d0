"""Traces, baselines and tau: taken and read with no other task in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pixie_pipe.drivers.xia import XiaError


def test_traces_have_a_row_for_each_channel(make):
    with make((2, 5)) as digitizer:
        traces = digitizer.adc_traces(1)
    assert traces.dtype == np.uint16
    assert traces.shape == (32, 8192)
    expected = 1000 + 100 * np.arange(32)[:, None] + np.arange(8192) % 100
    np.testing.assert_array_equal(traces, expected)


def test_no_other_task_comes_between_taking_and_reading(make):
    with make((2, 3)) as digitizer, ThreadPoolExecutor(2) as pool:
        # Each DAC that is set spoils traces that were not read yet.
        traces = pool.submit(lambda: [digitizer.adc_traces(0) for _ in range(40)])
        while not traces.done():
            digitizer.set_dacs(0)
        assert len(traces.result()) == 40


def test_reading_without_taking_is_explained(make):
    with make() as digitizer:
        crate = digitizer._crate
        with pytest.raises(XiaError, match=r"-206.*must first be told to take them"):
            crate.library.call(
                "Pixie16ReadSglChanADCTrace", np.zeros(10, np.uint16), 10, 0, 0
            )


def test_baselines_have_as_many_as_the_module_keeps(make):
    with make() as digitizer:
        values, times = digitizer.timed_baselines(0)
        again = digitizer.baselines(0)
    assert values.shape == times.shape == (16, 3640)
    np.testing.assert_array_equal(values[5], 500 + np.arange(3640))
    assert times[5, -1] == pytest.approx(3639e-6)
    np.testing.assert_array_equal(again, values)


def test_modules_tell_what_they_are(make):
    with make((2, 5)) as digitizer:
        told = [(info.channels, info.bits) for info in digitizer.modules]
        serials = [info.serial for info in digitizer.modules]
    assert told == [(16, 16), (32, 14)]
    assert serials == [250, 1002]


def test_a_tau_that_was_not_found_is_nan(make):
    with make() as digitizer:
        tau = digitizer.tau(1)
        assert digitizer.baseline_cut(1, 4) == 44
    assert np.flatnonzero(np.isnan(tau)).tolist() == [3]
    np.testing.assert_array_equal(tau[[0, 15]], [10, 25])


def test_modules_of_rev_h_have_some_tasks_not(make):
    with make((2, 5)) as digitizer:
        for call in (
            lambda: digitizer.baselines(1),
            lambda: digitizer.tau(1),
            lambda: digitizer.baseline_cut(1, 0),
        ):
            with pytest.raises(
                XiaError, match=r"slot 5: .* -803.*those of Rev H"
            ) as caught:
                call()
            assert caught.value.code == 803
