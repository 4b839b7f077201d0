"""RecordedDigitizer: recorded files as a live crate, by the times of their events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixie_pipe.drivers._replay import EventClock
from pixie_pipe.drivers.digitizer import Digitizer, DriverError
from pixie_pipe.drivers.recorded import FIFO_WORDS, RecordedDigitizer
from pixie_pipe.listmode import Layout, decode, encode
from pixie_pipe.storage.raw import RawFileError
from pixie_pipe.testing.digitizer_tests import DigitizerTests
from pixie_pipe.testing.generators import random_events
from tests.support.raw_files import LAYOUT, cut, words_of
from tests.support.source_runs import Clock

ONE: dict[str, Any] = {"frequency": 500, "revision": 34688}
TICK_S = 1e-8


class TestRecorded(DigitizerTests):
    """Two modules in two files, played much faster than recorded."""

    @pytest.fixture
    def digitizer(self, tmp_path) -> Iterator[Digitizer]:
        words_of(20_000, modules=[(0, 2)]).tofile(tmp_path / "a.bin")
        words_of(20_000, modules=[(0, 3)], seed=2).tofile(tmp_path / "b.bin")
        # 20 000 events with 10 µs between them.
        found = RecordedDigitizer(
            [tmp_path / "a.bin", tmp_path / "b.bin"],
            ["0/2:500/34688", "0/3:500/34688"],
            speed=0.5,
        )
        yield found
        found.close()


class TestRecordedUnpaced(TestRecorded):
    """The same, as fast as possible."""

    @pytest.fixture
    def digitizer(self, tmp_path) -> Iterator[Digitizer]:
        words_of(200_000, mixed=True).tofile(tmp_path / "a.bin")
        found = RecordedDigitizer(tmp_path / "a.bin", **ONE, speed=0)
        yield found
        found.close()


def read_all(digitizer: Digitizer, module: int = 0, most: int = 10_000) -> Any:
    """Read until nothing comes."""
    parts = [np.zeros(0, np.uint32)]
    while (part := digitizer.read(module, most)).size:
        parts.append(part)
    return np.concatenate(parts)


def test_full_speed_gives_all_words_also_damaged_ones(tmp_path):
    lost = np.full(1_000_000, 0xFFFFFFFF, np.uint32)
    words = np.concatenate([lost[:7], words_of(5000), lost, words_of(500, mixed=True)])
    paths = cut(tmp_path, words.tobytes() + b"ab", [4001, 100_002])
    with RecordedDigitizer(paths, ["0/2:500/34688"], speed=0) as digitizer:
        for _ in range(2):
            digitizer.start_run()
            np.testing.assert_array_equal(read_all(digitizer), words)
            assert not digitizer.is_running
            assert digitizer.statistics(0) == {
                "words_read": words.size,
                "trailing_bytes": 2,
                "fraction": 1.0,
            }


def test_no_read_is_larger_than_a_fifo(tmp_path):
    words_of(100_000).tofile(tmp_path / "a.bin")
    with RecordedDigitizer(tmp_path / "a.bin", **ONE, speed=0) as digitizer:
        digitizer.start_run()
        assert digitizer.read(0, 10 * FIFO_WORDS).size <= FIFO_WORDS
        assert digitizer.read(0, 5).size <= 5


def timed_words(stamps: list[int], slot: int = 2) -> NDArray[np.uint32]:
    """Return events with these timestamps."""
    events = random_events(
        LAYOUT, len(stamps), np.random.default_rng(1), modules=[(0, slot)]
    )
    return encode(events.with_columns(timestamp=np.array(stamps, np.uint64)), LAYOUT)


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_events_come_when_their_time_has_come(tmp_path, speed):
    stamps = [10**9 + 10**7 * n for n in range(100)]
    timed_words(stamps).tofile(tmp_path / "a.bin")
    clock = Clock()
    with RecordedDigitizer(
        tmp_path / "a.bin", **ONE, speed=speed, clock=clock.monotonic
    ) as digitizer:
        digitizer.start_run()
        count = 0
        # Never at the very moment of an event, which rounding could miss.
        clock.sleep(0.01 / speed)
        for step in range(60):
            clock.sleep(0.05 / speed)
            count += read_all(digitizer).size
            due = 1 + int((0.01 + (step + 1) * 0.05) / 0.1)
            # Up to seven words are still being written.
            assert 4 * due - 7 <= count <= 4 * due
        assert digitizer.is_running
        digitizer.stop_run()
        count += read_all(digitizer).size
        assert count == 4 * 31


def test_modules_keep_their_distance_in_time(tmp_path):
    timed_words([10**8 * n for n in range(5)], slot=2).tofile(tmp_path / "a.bin")
    timed_words([3 * 10**8] * 5, slot=3).tofile(tmp_path / "b.bin")
    clock = Clock()
    with RecordedDigitizer(
        [tmp_path / "a.bin", tmp_path / "b.bin"], **ONE, clock=clock.monotonic
    ) as digitizer:
        assert [module.name for module in digitizer.modules] == ["c0-s02", "c0-s03"]
        digitizer.start_run()
        clock.sleep(2.5)
        assert read_all(digitizer, 0).size > 0
        assert read_all(digitizer, 1).size == 0
        clock.sleep(2)
        assert read_all(digitizer, 0).size + read_all(digitizer, 1).size > 20
        assert not digitizer.is_running


def test_reads_are_cut_within_events(tmp_path):
    words = words_of(10_000, mixed=True)
    words.tofile(tmp_path / "a.bin")
    clock = Clock()
    with RecordedDigitizer(
        tmp_path / "a.bin", **ONE, clock=clock.monotonic
    ) as digitizer:
        digitizer.start_run()
        parts = []
        while digitizer.is_running:
            clock.sleep(1e-3)
            parts.append(digitizer.read(0, FIFO_WORDS))
        np.testing.assert_array_equal(np.concatenate(parts), words)
        ends = np.cumsum([part.size for part in parts])
        cut_off = [decode(words[:end], LAYOUT).balance.leftover for end in ends[:20]]
        assert sum(count > 0 for count in cut_off) > 10


def test_clock_goes_over_wraps_disorder_and_resets():
    clock = EventClock(10_000)
    top = 2**48
    stamps = [top - 30, top - 10, top - 20, 10, 25, 20]
    first = clock.times_ps(np.array(stamps[:2], np.int64))
    rest = clock.times_ps(np.array(stamps[2:], np.int64))
    ticks = (np.concatenate([first, rest]) // 10_000 - (top - 30)).tolist()
    assert ticks == [0, 20, 20, 40, 55, 55]
    # Ten minutes later the counter is set to zero.
    after = clock.times_ps(np.array([6 * 10**10, 5, 105], np.int64)) // 10_000
    assert np.diff(after).tolist() == [0, 100]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"files": "{}/none.bin", **ONE}, RawFileError, "there is no such file"),
        ({"files": "{}/both.bin", **ONE}, DriverError, "events of 0/2, 0/3"),
        ({"files": "{}/empty.bin", **ONE}, DriverError, "no module"),
    ],
)
def test_what_cannot_be_played_is_refused(tmp_path, options, error, text):
    words_of(100, modules=[(0, 2), (0, 3)]).tofile(tmp_path / "both.bin")
    (tmp_path / "empty.bin").touch()
    digitizer = RecordedDigitizer(
        **options | {"files": options["files"].format(tmp_path)}
    )
    with pytest.raises(error, match=text):
        digitizer.open()
    with pytest.raises(DriverError, match="not open"):
        digitizer.start_run()


@pytest.mark.parametrize("speed", [-1.0, float("nan")])
def test_speed_must_be_possible(speed):
    with pytest.raises(ValueError, match="speed is"):
        RecordedDigitizer(speed=speed)


def test_modules_are_those_of_the_files(tmp_path):
    layout = Layout.find(250, 46540, "F")
    words_of(100, layout=layout, modules=[(1, 5)]).tofile(tmp_path / "a.bin")
    with RecordedDigitizer(tmp_path / "a.bin", ["1/5:250/46540/F"]) as digitizer:
        (module,) = digitizer.modules
    assert (module.crate, module.slot, module.name) == (1, 5, "c1-s05")
    assert (module.frequency, module.revision, module.hardware) == (250, 46540, "F")
    assert module.layout == layout


def test_recorded_data_take_as_long_as_they_took(real_data):
    clock = Clock()
    path = real_data / "headers.bin"
    words = np.fromfile(path, np.uint32)
    events = decode(words, LAYOUT).events
    duration = np.ptp(events.timestamp.astype(np.int64)) * TICK_S
    with RecordedDigitizer(path, **ONE, clock=clock.monotonic) as digitizer:
        digitizer.start_run()
        begin, parts = clock.now, []
        while digitizer.is_running:
            clock.sleep(0.05)
            parts.append(read_all(digitizer))
    np.testing.assert_array_equal(np.concatenate(parts), words)
    assert clock.now - begin == pytest.approx(duration, abs=0.06)
