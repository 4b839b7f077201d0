"""SimulatedDigitizer: a crate for those who have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.drivers import find_driver
from pixie_pipe.drivers.digitizer import Digitizer, DriverError
from pixie_pipe.drivers.simulated import SimulatedDigitizer
from pixie_pipe.listmode import decode
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.truth import Fate
from pixie_pipe.testing.digitizer_tests import (
    DigitizerTests,
    ParametersTests,
    PausingTests,
    SignalsTests,
)
from tests.support.simulated_runs import StepClock, simulated

TWO = ["0/2:500/34688", "0/3:250/34688"]


class TestSimulated(DigitizerTests, PausingTests, ParametersTests, SignalsTests):
    """Two modules of different clocks."""

    @pytest.fixture
    def digitizer(self) -> Iterator[Digitizer]:
        found = SimulatedDigitizer(TWO)
        yield found
        found.close()


class TestSimulatedFast(TestSimulated):
    """The same, from templates."""

    @pytest.fixture
    def digitizer(self) -> Iterator[Digitizer]:
        found = SimulatedDigitizer(TWO, mode="fast", rate_hz=50_000)
        yield found
        found.close()


def read_in_steps(
    steps: list[float], most: int, seconds: float = 0.3, **options: Any
) -> list[Any]:
    """Return the words of two modules that are read as the clock goes in steps."""
    clock = StepClock()
    digitizer = SimulatedDigitizer(TWO, clock=clock, rate_hz=20_000, **options)
    parts: list[list[Any]] = [[], []]
    with digitizer:
        digitizer.start_run()
        passed, number = 0.0, 0
        while passed < seconds:
            step = min(steps[number % len(steps)], seconds - passed)
            clock.now += step
            passed += step
            number += 1
            for module, kept in enumerate(parts):
                kept.append(digitizer.read(module, most))
        digitizer.stop_run()
        for module, kept in enumerate(parts):
            while (words := digitizer.read(module, most)).size:
                kept.append(words)
            assert digitizer.statistics(module)["words_dropped"] == 0
    return [np.concatenate(kept) for kept in parts]


@pytest.mark.parametrize("mode", ["physics", "fast"])
def test_the_words_do_not_depend_on_how_they_are_read(mode):
    once = read_in_steps([0.3], 1 << 20, mode=mode, trace_samples=64)
    often = read_in_steps([0.001, 0.0137], 5000, mode=mode, trace_samples=64)
    for words, others in zip(once, often, strict=True):
        assert words.size > 10_000
        np.testing.assert_array_equal(words, others)
    other_seed = read_in_steps([0.3], 1 << 20, mode=mode, seed=2, trace_samples=64)
    assert not np.array_equal(once[0], other_seed[0])


def test_runs_differ_and_sessions_repeat_them():
    clock = StepClock()
    digitizer = SimulatedDigitizer(TWO[:1], clock=clock, truth=True)
    runs = []
    for _ in range(2):
        with digitizer:
            for _ in range(2):
                digitizer.start_run()
                clock.now += 0.1
                digitizer.stop_run()
                runs.append(digitizer.read(0, 1 << 20))
                events = decode(runs[-1], digitizer.modules[0].layout).events
                # Clocks and counters start anew.
                assert events.time_ps.min() < 10**10
                assert len(events) == sum(digitizer.statistics(0)["output_counts"])
                assert digitizer.truth().decay.max() < 2000
    np.testing.assert_array_equal(runs[0], runs[2])
    np.testing.assert_array_equal(runs[1], runs[3])
    assert not np.array_equal(runs[0], runs[1])


def test_words_come_as_the_clock_goes():
    clock = StepClock()
    with SimulatedDigitizer(TWO[:1], clock=clock, rate_hz=20_000) as digitizer:
        digitizer.start_run()
        assert digitizer.read(0, 1000).size == 0
        layout = digitizer.modules[0].layout
        words = np.zeros(0, np.uint32)
        for _ in range(50):
            clock.now += 0.001
            words = np.concatenate([words, digitizer.read(0, 100_000)])
            latest = decode(words, layout).events.time_ps.max()
            # Some 15 events come in a millisecond.
            now_ps = (clock.now - 100.0) * 1e12
            assert now_ps - 1e9 < latest < now_ps


def test_events_are_nearly_in_the_order_of_time():
    run = simulated(TWO[:1], 0.2, rate_hz=50_000, trace_samples=300)
    times = run.events[0].time_ps
    behind = np.maximum.accumulate(times) - times
    # No later than a trace and the energy filter last.
    assert 0 < behind.max() < 2_000_000


def test_a_full_fifo_loses_words_silently_and_counts_them():
    options: dict[str, Any] = {"rate_hz": 50_000, "trace_samples": 100, "truth": True}
    whole = simulated(TWO[:1], 0.1, **options)
    clock = StepClock()
    with SimulatedDigitizer(
        TWO[:1], clock=clock, fifo_words=3001, room_hz=0.0, **options
    ) as digitizer:
        digitizer.start_run()
        read, kept = 0, []
        for step in range(10):
            # Every second read comes too late.
            clock.now += 0.001 if step % 2 else 0.019
            words = digitizer.read(0, 1 << 20)
            assert words.size <= 3001
            read += words.size
            kept.append(words)
        digitizer.stop_run()
        kept.append(digitizer.read(0, 1 << 20))
        statistics = digitizer.statistics(0)
        truth = digitizer.truth()
    words = np.concatenate(kept)
    written = whole.words[0]
    assert statistics["words_written"] == written.size
    assert statistics["words_read"] == words.size
    assert statistics["words_dropped"] == written.size - words.size
    assert statistics["words_dropped"] > 10_000
    assert 4 <= statistics["hw_overflows"] <= 11
    assert statistics["fifo_words"] == 0

    # What is left are the first words of each stretch: events are cut in the middle.
    np.testing.assert_array_equal(words[:3001], written[:3001])
    decoded = decode(words, digitizer.modules[0].layout)
    assert decoded.balance.rejected > 0
    total = decoded.balance
    assert total.decoded + total.rejected + total.leftover == words.size
    kept_events = (truth.fate == Fate.RECORDED).sum()
    lost_events = (truth.fate == Fate.LOST_IN_FIFO).sum()
    assert kept_events + lost_events == len(whole.events[0])
    # The decoder finds what was not damaged, and nothing else.
    sound = np.sort(whole.events[0].time_ps[truth.event[truth.recorded]])
    found = np.sort(decoded.events.time_ps)
    assert set(found.tolist()) <= set(whole.events[0].time_ps.tolist())
    assert np.isin(sound, found).mean() > 0.98


@pytest.mark.parametrize("mode", ["physics", "fast"])
def test_truth_counts_and_words_agree(mode):
    run = simulated(
        TWO,
        0.5,
        mode=mode,
        rate_hz=20_000,
        external_timestamps=True,
        energy_sums=True,
    )
    truth = run.truth
    for module, events in enumerate(run.events):
        counted = run.digitizer.channel_statistics(module)
        statistics = run.digitizer.statistics(module)
        by_channel = np.bincount(events.channel, minlength=16)
        np.testing.assert_array_equal(counted["output_counts"], by_channel)
        assert sum(statistics["output_counts"]) == len(events)
        assert statistics["real_time_s"] == counted["real_time_s"].tolist()
        rows = np.flatnonzero((truth.module == module) & truth.recorded)
        own = events[truth.event[rows]]
        np.testing.assert_array_equal(own.channel, truth.channel[rows])
        late = own.time_ps - truth.time_ps[rows]
        assert abs(np.median(late) - 20_000) < 20_000
        assert abs(late).max() < 10**6
        external = own.external_timestamp.astype(np.int64) * 10_000
        assert abs(external - truth.time_ps[rows]).max() < 10**6
        for channel in range(4):
            alone = events.energy[(events.channel == channel) & ~events.pileup]
            histogram = run.digitizer.histogram(module, channel)
            expected = np.bincount(alone >> 1, minlength=32768)
            np.testing.assert_array_equal(histogram, expected)
    assert (np.diff(np.unique(truth.decay[truth.decay >= 0])) < 50).all()


def test_histogram_runs_send_no_words():
    clock = StepClock()
    with SimulatedDigitizer(TWO, clock=clock) as digitizer:
        with pytest.raises(DriverError, match="no run yet"):
            digitizer.histogram(0, 0)
        digitizer.start_histogram_run(1e9)
        clock.now += 0.2
        assert digitizer.read(0, 1000).size == 0
        during = digitizer.histogram(0, 0).sum()
        assert during > 0
        digitizer.stop_run()
        assert digitizer.statistics(0)["words_written"] == 0
        assert digitizer.histogram(0, 0).sum() >= during
        for channel in (-1, 16):
            with pytest.raises(DriverError, match=f"no channel {channel}"):
                digitizer.histogram(0, channel)


def test_traces_show_pulses_and_baselines_their_level():
    options: dict[str, Any] = {"detector": "HPGe", "channels": 2, "truth": False}
    with SimulatedDigitizer(TWO, **options) as digitizer:
        for module in (0, 1):
            traces = digitizer.adc_traces(module)
            assert traces.shape == (16, 8192)
            assert traces.dtype == np.uint16
            np.testing.assert_array_equal(traces, digitizer.adc_traces(module))
            level = 0.1 * ((1 << 14) - 1)
            before, behind = traces[:, :2000], traces[:, 2050:2100]
            assert abs(before[2:].mean(axis=1) - level).max() < 2
            for channel in (0, 1):
                height = behind[channel].mean() - before[channel, -50:].mean()
                assert height > 10
            values = digitizer.baselines(module)
            assert values.shape == (16, 3640)
            assert np.isfinite(values[:2]).all()
            assert np.isnan(values[2:]).all()
        digitizer.variables[0]["OffsetDAC"][:] += np.uint32(2000)
        assert digitizer.adc_traces(0)[5].mean() > level + 500
        digitizer.start_run()
        for ask in (digitizer.adc_traces, digitizer.baselines):
            with pytest.raises(DriverError, match="a run goes on"):
                ask(0)


def test_variables_are_read_when_a_run_starts():
    clock = StepClock()
    with SimulatedDigitizer(TWO[:1], clock=clock, rate_hz=20_000) as digitizer:
        digitizer.start_run()
        digitizer.variables[0]["SlowLength"][0] = 0
        clock.now += 0.05
        digitizer.stop_run()
        with pytest.raises(SimulationError, match="channel 0: SlowLength is 0"):
            digitizer.start_run()
        assert not digitizer.is_running
        digitizer.variables[0]["ChanCSRa"][0] = 0
        digitizer.start_run()
        clock.now += 0.1
        digitizer.stop_run()
        events = decode(digitizer.read(0, 1 << 20), digitizer.modules[0].layout).events
        assert np.unique(events.channel).tolist() == [1, 2, 3]


def test_a_slow_computer_is_late_and_loses_nothing():
    clock = StepClock()
    digitizer = SimulatedDigitizer(TWO[:1], clock=clock)
    with digitizer:
        digitizer.start_run()
        run = digitizer._run
        assert run is not None
        advance = run.advance

        def slow() -> None:
            advance()
            clock.now += 1.0

        run.advance = slow  # type: ignore[method-assign]
        clock.now += 10.0
        first = digitizer.read(0, 1 << 20)
        assert digitizer.statistics(0)["late_s"] > 9
        run.advance = advance  # type: ignore[method-assign]
        clock.now += 0.2
        digitizer.stop_run()
        words = np.concatenate([first, digitizer.read(0, 1 << 20)])
    again = simulated(TWO[:1], 0.2, truth=True, room_hz=20.0).words[0]
    shorter = min(words.size, again.size)
    np.testing.assert_array_equal(words[:shorter], again[:shorter])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "quick"}, "mode is 'quick', expected 'physics' or 'fast'"),
        ({"rate_hz": -1}, "rate_hz is -1, expected 0 to"),
        ({"coverage": 2}, "coverage is 2"),
        ({"channels": 0}, "channels is 0, expected 1 to 32"),
        ({"fifo_words": 0}, "fifo_words is 0"),
    ],
)
def test_parameters_that_cannot_be_are_refused(options, told):
    with pytest.raises(SimulationError, match=told):
        SimulatedDigitizer(TWO, **options)


@pytest.mark.parametrize(
    ("modules", "options", "told"),
    [
        ([], {}, "modules is empty"),
        (TWO, {"channels": 17}, "channels is 17, but module 0/2 has 16"),
        (TWO, {"detector": ["NaI"]}, "detector has 1 values, expected one, or one for"),
        (TWO, {"detector": "CsI"}, "no detector 'CsI'"),
        (TWO, {"source": "Eu-152"}, "no source 'Eu-152'"),
        (TWO, {"adc_bits": [14, 13]}, "12, 14 or 16 bits, not 13"),
    ],
)
def test_crates_that_cannot_be_are_refused(modules, options, told):
    digitizer = SimulatedDigitizer(modules, **options)
    with pytest.raises(SimulationError, match=told):
        digitizer.open()
    with pytest.raises(DriverError, match="not open"):
        digitizer.start_run()
    with pytest.raises(ConfigError):
        SimulatedDigitizer(["0/2:500"]).open()


def test_no_truth_unless_asked_for():
    with SimulatedDigitizer(TWO) as digitizer:
        digitizer.start_run()
        with pytest.raises(DriverError, match="make the driver with truth=True"):
            digitizer.truth()


def test_it_is_found_by_its_name():
    assert find_driver("simulated") is SimulatedDigitizer
