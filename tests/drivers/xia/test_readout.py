"""Words come out of the queues whole, and none are lost without being counted."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.xia import XiaError


def numbers(count: int, first: int = 0):
    return np.arange(first, first + count, dtype=np.uint32)


@pytest.fixture
def running(make, xia):
    digitizer = make((2, 3))
    digitizer.open()
    digitizer.start_run()
    return digitizer


def test_of_an_empty_queue_nothing_is_read(running, xia):
    words = running.read(0, 1000)
    assert words.size == 0
    assert words.dtype == np.uint32
    # To ask for 0 words would be deadly if some came meanwhile.
    assert xia.calls("Pixie16ReadDataFromExternalFIFO") == 0


@pytest.mark.parametrize("most", [1, 7, 100, 1000])
def test_never_more_is_asked_for_than_is_queued(running, xia, most):
    xia.inject(0, numbers(100))
    parts = []
    while (part := running.read(0, most)).size:
        assert part.size <= most
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), numbers(100))
    assert xia.call.test_queued(0) == 0


def test_no_words_are_never_asked_for(running, xia):
    xia.inject(0, numbers(100))
    for most in (0, -1):
        with pytest.raises(DriverError, match="expected at least 1"):
            running.read(0, most)
    assert xia.calls("Pixie16ReadDataFromExternalFIFO") == 0
    assert xia.call.test_queued(0) == 100


def test_words_that_somebody_else_took_are_not_made_up(running, xia):
    xia.inject(0, numbers(100))
    xia.call.test_steal(1)
    # The library says that it succeeded, and has written nothing.
    with pytest.raises(DriverError, match="slot 2: 100 words were queued, but gone"):
        running.read(0, 1000)
    xia.call.test_steal(0)
    assert running.statistics(0)["words_read"] == 0


def test_one_word_that_somebody_else_took_is_not_made_up(running, xia):
    xia.inject(0, numbers(1))
    xia.call.test_steal(1)
    with pytest.raises(DriverError, match="1 words were queued, but gone"):
        running.read(0, 1000)


def test_words_like_those_of_an_untouched_buffer_are_read(running, xia):
    # Only both ends together tell that nothing was read.
    for words in ([0x8BADF00D, 1], [1, 0x5EEDFACE], [0x8BADF00D]):
        xia.inject(0, np.array(words, np.uint32))
        assert running.read(0, 10).tolist() == words


def test_a_second_reader_is_told_of(running, xia):
    xia.inject(0, numbers(100))
    xia.call.test_steal(-1)
    with pytest.raises(XiaError, match=r"100 words.* -807.*nothing was lost") as caught:
        running.read(0, 1000)
    assert caught.value.slot == 2


def test_many_threads_may_read_one_module(running, xia):
    xia.inject(0, numbers(20_000))

    def read(_: int):
        parts = [numbers(0)]
        while (part := running.read(0, 50)).size:
            parts.append(part)
        return np.concatenate(parts)

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(read, range(4)))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), numbers(20_000))
    assert running.statistics(0)["words_read"] == 20_000


def test_arrays_are_the_caller_s_also_those_that_waited(running, xia):
    xia.inject(0, numbers(100))
    running.stop_run()
    running.start_run(resume=True)
    parts = []
    while (part := running.read(0, 30)).size:
        assert part.base is None
        assert part.flags.writeable
        parts.append(part)
    assert [part.size for part in parts] == [30, 30, 30, 10]


def test_a_new_run_discards_what_nobody_read_and_tells(running, xia, caplog):
    xia.inject(0, numbers(3_000_000))
    running.stop_run()
    assert running.fifo_level(0) == 3_000_000
    with caplog.at_level(logging.WARNING):
        running.start_run()
    assert "slot 2: 3000000 words of the last run were not read" in caplog.text
    assert running.statistics(0)["words_discarded"] == 3_000_000
    assert running.statistics(1)["words_discarded"] == 0
    assert running.read(0, 10).size == 0
    # The library had nothing to discard silently.
    assert xia.call.test_discarded(0) == 0


def test_a_run_that_is_resumed_loses_nothing(running, xia):
    xia.inject(0, numbers(100))
    assert running.read(0, 40).size == 40
    for first in (100, 200):
        running.stop_run()
        running.start_run(resume=True)
        xia.inject(0, numbers(100, first))
    assert running.fifo_level(0) == 260
    parts = []
    while (part := running.read(0, 1000)).size:
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), numbers(260, 40))
    assert xia.call.test_discarded(0) == 0
    assert running.statistics(0)["words_read"] == 300
    assert running.statistics(0)["words_discarded"] == 0


def test_words_of_a_resumed_run_that_nobody_read_are_counted(running, xia):
    xia.inject(0, numbers(100))
    running.stop_run()
    running.start_run(resume=True)
    running.stop_run()
    running.start_run()
    assert running.statistics(0)["words_discarded"] == 100
    assert running.fifo_level(0) == 0


def test_statistics_tell_what_was_lost(running, xia, caplog):
    pool = 100 * 65536
    xia.inject(0, numbers(pool + 77))
    xia.call.test_overflow_hardware(0, 3)
    with caplog.at_level(logging.WARNING):
        found = running.statistics(0)
        running.statistics(0)
    assert found["words_dropped"] == 77
    assert found["hardware_overflows"] == 3
    assert found["words_queued"] == pool
    assert found["bytes_in"] == 4 * pool
    assert found["bytes_out"] == 0
    assert caplog.text.count("slot 2: 77 words were lost") == 1
    assert running.statistics(1)["words_dropped"] == 0
    # Counted from the start of a run.
    running.stop_run()
    running.start_run()
    assert running.statistics(0)["words_dropped"] == 0


def test_statistics_have_times_counts_and_rates(make):
    with make((3, 5)) as digitizer:
        first, second = digitizer.statistics(0), digitizer.statistics(1)
    assert first["real_time_s"] == pytest.approx(2.0)
    assert len(first["live_time_s"]) == 16
    assert first["live_time_s"][1] == pytest.approx(1.0)  # 10 ns at 500 MSPS
    assert len(second["live_time_s"]) == 32
    assert second["live_time_s"][1] == pytest.approx(0.8)  # 8 ns at 250 MSPS
    assert first["input_counts"][0] == 2**32 + 1000
    assert first["output_counts"][0] == 500
    assert first["input_rate_hz"][1] == pytest.approx(2**32 + 1000)
    assert first["output_rate_hz"][1] == pytest.approx(250.0)
    assert second["serial_number"] == 1002
    assert (second["hardware_revision"], second["adc_bits"]) == (17, 14)
    assert (second["frequency_msps"], second["channels"]) == (250, 32)
    assert second["firmware"] == "1.0.1"


@pytest.mark.parametrize("size", [2600, 2604, 4000])
def test_room_for_statistics_is_as_large_as_the_library_says(
    make, xia, monkeypatch, size
):
    with make((2,)) as digitizer:
        xia.call.test_set_statistics_bytes(size)
        library = digitizer._crate.library
        rooms = []

        def spy(function, *arguments, **options):
            if function == "Pixie16ReadStatisticsFromModule":
                rooms.append(arguments[0])
            return type(library).call(library, function, *arguments, **options)

        monkeypatch.setattr(library, "call", spy)
        digitizer.statistics(0)
    (room,) = rooms
    # Bytes, not words: XIA's own example has four times as much.
    assert size <= room.nbytes < size + 8
    assert room.ctypes.data % 8 == 0


def test_a_module_that_is_gone_fails_loudly(running, xia):
    xia.call.test_refuse_boot(1, 1)
    with pytest.raises(
        XiaError, match=r"slot 3: Pixie16CheckExternalFIFOStatus.* -204"
    ):
        running.read(1, 100)
    with pytest.raises(XiaError, match=r"slot 3: Pixie16CheckRunStatus.* -204"):
        _ = running.is_running
    xia.call.test_refuse_boot(1, 0)
    running._has_started = False


def test_losses_are_counted_over_pauses(running, xia, caplog):
    pool = 100 * 65536
    with caplog.at_level(logging.WARNING):
        for lost in (11, 22, 33):
            xia.inject(0, numbers(pool + lost))
            xia.call.test_overflow_hardware(0, lost)
            running.pause_run()
            while running.read(0, 1 << 20).size:
                pass
            # The library sets its counters to 0 here.
            running.resume_run()
        found = running.statistics(0)
    assert found["words_dropped"] == 66
    assert found["hardware_overflows"] == 66
    assert found["words_read"] == 3 * pool
    assert found["bytes_in"] == found["bytes_out"] == 12 * pool
    assert caplog.text.count("words were lost") == 1
    assert running.statistics(1)["words_dropped"] == 0
    # The next run begins with none.
    running.stop_run()
    running.start_run()
    found = running.statistics(0)
    assert (found["words_dropped"], found["bytes_in"]) == (0, 0)


def test_losses_are_counted_though_a_run_was_resumed_in_vain(running, xia):
    xia.inject(0, numbers(100 * 65536 + 7))
    running.pause_run()
    # The first module has begun by then.
    xia.call.test_fail_start(1)
    with pytest.raises(XiaError, match="Pixie16StartListModeRun"):
        running.resume_run()
    assert running.is_running
    assert running.statistics(0)["words_dropped"] == 7
    xia.call.test_fail_start(-1)
    running.resume_run()
    assert running.statistics(0)["words_dropped"] == 7
    xia.inject(0, numbers(3))
    running.stop_run()
    parts = []
    while (part := running.read(0, 1 << 22)).size:
        parts.append(part)
    np.testing.assert_array_equal(
        np.concatenate(parts), np.append(numbers(100 * 65536), numbers(3))
    )


def test_words_discarded_before_a_run_are_told_after_a_pause(running, xia):
    xia.inject(0, numbers(100))
    running.stop_run()
    running.start_run()
    running.pause_run()
    running.resume_run()
    assert running.statistics(0)["words_discarded"] == 100
