"""Runs: all modules at once, also when something fails, and histograms."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pixie_pipe.drivers import _xia_runs
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.xia import XiaError
from tests.support.raw_files import words_of

LEADER = 1 << 6
ALL = (2, 3, 4, 5)


def wait_for_the_end(digitizer) -> None:
    until = time.monotonic() + 20
    while digitizer.is_running:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_run_starts_and_ends_in_all_modules(make, xia):
    with make() as digitizer:
        digitizer.start_run()
        assert [xia.call.test_running(module) for module in range(4)] == [1, 1, 1, 0]
        digitizer.stop_run()
        assert not any(xia.call.test_running(module) for module in range(4))


def test_closing_ends_the_run_in_all_modules(make, xia):
    with make() as digitizer:
        digitizer.start_run()
    assert not any(xia.call.test_running(module) for module in range(4))


def test_all_modules_are_told_to_end_at_the_same_time(make, xia):
    with make() as digitizer:
        digitizer.start_run()
        # Each takes a quarter of a second: one after the other, the last runs on.
        xia.call.test_end_at_once(3)
        digitizer.stop_run()
        xia.call.test_end_at_once(0)


def test_a_run_that_starts_late_is_waited_for(make, xia):
    with make() as digitizer:
        xia.call.test_delay_start(1, 5)
        digitizer.start_run()
        assert digitizer.is_running
        assert digitizer._runs.are_running() == [True] * 3


def test_modules_that_do_not_start_end_the_run_in_all(make, xia, monkeypatch):
    monkeypatch.setattr(_xia_runs, "_START_S", 0.01)
    with make() as digitizer:
        xia.call.test_delay_start(1, 10**9)
        with pytest.raises(
            DriverError, match=r"did not go on in .* slots: 3; it was ended"
        ):
            digitizer.start_run()
        assert not any(xia.call.test_running(module) for module in range(4))
        xia.call.test_delay_start(1, 0)
        digitizer.start_run()


def test_a_start_that_fails_halfway_leaves_no_module_running(make, xia):
    with make() as digitizer:
        xia.call.test_fail_start(1)
        with pytest.raises(
            XiaError, match=r"Pixie16StartListModeRun.* -214.*boot: reset"
        ):
            digitizer.start_run()
        assert not any(xia.call.test_running(module) for module in range(4))
        xia.call.test_fail_start(-1)
        digitizer.start_run()


def test_a_module_that_fails_at_the_start_ends_the_run_in_all(make, xia, monkeypatch):
    with make() as digitizer:
        library = digitizer._crate.library

        def call(function, *arguments, **options):
            code = type(library).call(library, function, *arguments, **options)
            if function == "Pixie16StartListModeRun":
                xia.call.test_refuse_boot(2, 1)
            return code

        monkeypatch.setattr(library, "call", call)
        with pytest.raises(XiaError, match=r"slot 4: Pixie16CheckRunStatus.* -204"):
            digitizer.start_run()
        assert [xia.call.test_running(module) for module in range(2)] == [0, 0]
        assert not digitizer.is_running
        xia.call.test_refuse_boot(2, 0)


def test_an_end_that_fails_does_not_keep_the_others_running(make, xia):
    with make() as digitizer:
        digitizer.start_run()
        xia.call.test_fail_end(0)
        with pytest.raises(
            XiaError, match="slot 2: Pixie16EndRun failed with code -214"
        ):
            digitizer.stop_run()
        running = [bool(xia.call.test_running(module)) for module in range(3)]
        assert running == [True, False, False]
        assert digitizer.is_running
        xia.call.test_fail_end(-1)
        digitizer.stop_run()
        assert not xia.call.test_running(0)
        assert not digitizer.is_running


def test_a_run_that_ended_by_itself_is_still_ended(make, xia):
    with make() as digitizer:
        for _ in range(2):
            digitizer.start_histogram_run(0.001)
            wait_for_the_end(digitizer)
            # Whoever starts the next one need not have stopped it.
        assert xia.calls("Pixie16EndRun") == 3
        digitizer.stop_run()
        assert xia.calls("Pixie16EndRun") == 6


def test_a_histogram_run_lasts_as_long_as_was_asked_for(make, xia):
    with make() as digitizer:
        digitizer.start_histogram_run(3600)
        assert digitizer.is_running
        assert xia.call.test_running(0) == 2
        with pytest.raises(DriverError, match="a run goes on"):
            digitizer.start_histogram_run(1)
        # Single precision, as bits: 10 as an integer would end it at once.
        bits = np.uint32(xia.parameter(2, "HOST_RT_PRESET"))
        assert bits.view(np.float32) == 3600
        digitizer.stop_run()
        for seconds in (0, -1, float("nan"), float("inf"), 1e300):
            with pytest.raises(DriverError, match=r"positive number|no time in"):
                digitizer.start_histogram_run(seconds)


def test_a_histogram_run_does_not_discard_words_silently(make, xia):
    with make() as digitizer:
        digitizer.start_run()
        xia.inject(0, np.arange(100, dtype=np.uint32))
        digitizer.stop_run()
        digitizer.start_histogram_run(0.001)
        assert digitizer.statistics(0)["words_discarded"] == 100
        assert xia.call.test_discarded(0) == 0


def test_a_histogram_has_its_bins_and_no_more(make):
    with make((2, 5)) as digitizer:
        first, second = digitizer.histogram(0, 3), digitizer.histogram(1, 20)
        # More words than bins come as 0xFFFFFFFF.
        np.testing.assert_array_equal(first, 21 + np.arange(32768))
        np.testing.assert_array_equal(second, 140 + np.arange(16384))
        digitizer.start_run()
        assert digitizer.histogram(0, 3).size == 32768


def test_synchronous_runs_get_a_leader_and_clocks_that_begin_at_zero(make, xia):
    with make(ALL, synchronous=True) as digitizer:
        xia.set_parameter(2, "IN_SYNCH", 1)
        digitizer.start_run()
        for module in range(4):
            assert xia.parameter(module, "SYNCH_WAIT") == 1
            assert xia.parameter(module, "IN_SYNCH") == 0
        leaders = [xia.parameter(module, "MODULE_CSRB") & LEADER for module in range(4)]
        assert leaders == [LEADER, 0, 0, 0]


def test_clocks_go_on_in_a_run_that_is_resumed(make, xia):
    with make(ALL, synchronous=True) as digitizer:
        digitizer.start_run()
        digitizer.stop_run()
        digitizer.start_run(resume=True)
        assert [xia.parameter(module, "IN_SYNCH") for module in range(4)] == [1] * 4


@pytest.mark.parametrize("synchronous", [None, False, True])
def test_a_pause_leaves_clocks_and_counts_as_they_are(make, xia, synchronous):
    with make(ALL, synchronous=synchronous) as digitizer:
        digitizer.start_run()
        once = digitizer.statistics(0)
        for _ in range(2):
            digitizer.pause_run()
            assert not any(xia.call.test_running(module) for module in range(4))
            digitizer.resume_run()
            # With 0, the modules would set their clocks to 0 (and the library tells).
            assert [xia.parameter(n, "IN_SYNCH") for n in range(4)] == [1] * 4
            assert all(xia.call.test_running(module) for module in range(4))
        found = digitizer.statistics(0)
        # A new run would have set them to 0: here, each part has the same.
        for name in ("real_time_s", "live_time_s", "input_counts", "output_counts"):
            np.testing.assert_allclose(found[name], 3 * np.array(once[name]))
        digitizer.stop_run()
        # Else the settings, if saved, would keep the next run from setting its clocks.
        assert [xia.parameter(n, "IN_SYNCH") for n in range(4)] == [0] * 4


def test_clocks_that_are_kept_anyway_stay_so(make, xia):
    with make((2, 3)) as digitizer:
        digitizer.write_module("IN_SYNCH", 1, 0)
        digitizer.start_run()
        digitizer.pause_run()
        digitizer.resume_run()
        digitizer.stop_run()
        assert xia.parameter(0, "IN_SYNCH") == 1


def test_a_pause_that_fails_in_a_module_is_told_and_the_run_can_be_stopped(make, xia):
    with make() as digitizer:
        digitizer.start_run()
        xia.call.test_fail_end(0)
        with pytest.raises(XiaError, match="slot 2: Pixie16EndRun failed"):
            digitizer.pause_run()
        xia.call.test_fail_end(-1)
        digitizer.stop_run()
        assert not any(xia.call.test_running(module) for module in range(3))


def test_a_run_that_ended_by_itself_is_not_paused(make, xia):
    words = words_of(500)
    xia.source(0, words, step=10_000)
    with make((2,)) as digitizer:
        digitizer.start_run()
        xia.call.Pixie16EndRun(0)
        digitizer.pause_run()
        assert not digitizer.is_running
        digitizer.resume_run()
        assert not digitizer.is_running


def test_in_a_pause_modules_are_not_looked_at_or_set(make):
    with make() as digitizer:
        digitizer.start_run()
        digitizer.pause_run()
        for call in (
            lambda: digitizer.adc_traces(0),
            lambda: digitizer.baselines(0),
            lambda: digitizer.tau(0),
            lambda: digitizer.write_module("SLOW_FILTER_RANGE", 3, 0),
            digitizer.adjust_offsets,
            lambda: digitizer.copy_parameters((0, 0), [(1, 0)]),
            lambda: digitizer.save_settings("never.json"),
            lambda: digitizer.load_settings("never.json"),
        ):
            with pytest.raises(DriverError, match="a run is paused: stop it first"):
                call()
        assert digitizer.histogram(0, 0).size


def test_a_leader_that_is_there_stays_the_only_one(make, xia):
    with make(ALL, synchronous=True) as digitizer:
        xia.set_parameter(2, "MODULE_CSRB", LEADER | 1)
        digitizer.start_run()
        assert xia.parameter(2, "MODULE_CSRB") == LEADER | 1
        assert xia.parameter(0, "MODULE_CSRB") == 0


def test_the_leader_ends_a_synchronous_run_for_all(make, xia):
    with make(ALL, synchronous=True) as digitizer:
        xia.set_parameter(2, "MODULE_CSRB", LEADER)
        digitizer.start_run()
        digitizer.stop_run()
        ended = [xia.call.test_ended_while_running(module) for module in range(4)]
        assert ended == [0, 0, 1, 0]
        # All are told, so that the library parks its threads; the leader twice.
        assert xia.calls("Pixie16EndRun") == 5
        digitizer.start_run()


def test_a_leader_that_does_not_end_does_not_keep_the_others_running(make, xia):
    with make(ALL, synchronous=True) as digitizer:
        digitizer.start_run()
        xia.call.test_fail_end(0)
        with pytest.raises(XiaError, match="slot 2: Pixie16EndRun"):
            digitizer.stop_run()
        running = [bool(xia.call.test_running(module)) for module in range(4)]
        assert running == [True, False, False, False]
        xia.call.test_fail_end(-1)


def test_without_a_leader_settings_that_wait_are_explained(make, xia):
    with make(ALL) as digitizer:
        digitizer.write_module("SYNCH_WAIT", 1, 0)
        with pytest.raises(
            XiaError, match=r"-206.*need a run leader \(MODULE_CSRB bit 6"
        ):
            digitizer.start_run()
        assert not digitizer.is_running


def test_modules_that_are_left_out_are_explained(make):
    told = "every module that is in the crate"
    digitizer = make((2, 3, 4), synchronous=True)
    with digitizer, pytest.raises(XiaError, match=told):
        digitizer.start_run()


def test_runs_that_are_not_synchronous_do_not_wait(make, xia):
    with make((2, 3), synchronous=False) as digitizer:
        digitizer.write_module("SYNCH_WAIT", 1, 1)
        digitizer.start_run()
        assert xia.parameter(0, "SYNCH_WAIT") == 0


def test_simulated_modules_do_not_wait_for_the_backplane(make, xia):
    with make(ALL, synchronous=True, offline=True) as digitizer:
        digitizer.start_run()
        digitizer.stop_run()
        assert xia.calls("Pixie16EndRun") == 4


def test_what_the_modules_hold_at_the_end_is_read(make, xia):
    words = words_of(2000, mixed=True)
    xia.source(0, words, step=97)
    with make((2,)) as digitizer:
        digitizer.start_run()
        parts = [digitizer.read(0, 10_000) for _ in range(50)]
        digitizer.stop_run()
        while (part := digitizer.read(0, 10_000)).size:
            parts.append(part)
        read = np.concatenate(parts)
    np.testing.assert_array_equal(read, words[: read.size])
    assert read.size > 50 * 97


def test_while_a_run_goes_on_settings_are_refused_with_the_reason(make):
    with make() as digitizer:
        digitizer.start_run()
        for call in (
            lambda: digitizer.read_channel("TAU", 0, 0),
            lambda: digitizer.write_channel("TAU", 1.0, 0, 0),
            lambda: digitizer.write_module("SLOW_FILTER_RANGE", 3, 0),
            lambda: digitizer.adc_traces(0),
            digitizer.adjust_offsets,
            lambda: digitizer.copy_parameters((0, 0), [(1, 0)]),
        ):
            with pytest.raises(XiaError, match=r"-218.*stop the run first") as caught:
                call()
            assert caught.value.code == 218
