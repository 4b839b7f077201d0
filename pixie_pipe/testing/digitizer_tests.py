"""The tests that every driver must pass.

A driver's own tests derive from `DigitizerTests` and give the fixture ``digitizer``;
those of a driver that can pause, of one that can be set up, and of one that shows
signals, derive from `PausingTests`, `ParametersTests` and `SignalsTests`, too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers.digitizer import (
    Digitizer,
    DriverError,
    Parameters,
    Pausing,
    SettingsFiles,
    Signals,
    Spectra,
)
from pixie_pipe.listmode.decoder import decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PATIENCE_S = 20.0

_PAUSE_S = 0.12
"""How long a pause lasts: longer than drivers take to pass on what came before."""

_COUNTED = (
    "input_counts",
    "output_counts",
    "live_time_s",
    "real_time_s",
    "words_read",
    "words_dropped",
)


def _wait_until(what: Callable[[], bool], told: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not what():
        assert time.monotonic() < until, f"{told}: not within {_PATIENCE_S:g} s"
        time.sleep(0.001)


def _must_refuse(what: Callable[..., object], *arguments: object) -> None:
    refused = False
    try:
        what(*arguments)
    except DriverError:
        refused = True
    assert refused, f"{what} took {arguments}, expected a DriverError"


def _runs(digitizer: Digitizer) -> bool:
    return digitizer.is_running


class _Collector:
    """Reads all modules in turn and keeps what they give."""

    def __init__(self, digitizer: Digitizer, max_words: int = 10_000) -> None:
        self.digitizer = digitizer
        self.max_words = max_words
        self.read: list[list[NDArray[np.uint32]]] = [[] for _ in digitizer.modules]

    def round(self) -> int:
        """Read each module once; return how many words there were."""
        count = 0
        for number, parts in enumerate(self.read):
            words = self.digitizer.read(number, self.max_words)
            assert words.dtype == np.uint32
            assert words.ndim == 1
            assert words.size <= self.max_words, "more words than were asked for"
            if words.size:
                parts.append(words)
            count += words.size
        return count

    def wait_for_words(self) -> None:
        """Read until there are some words, or the run has ended."""
        _wait_until(lambda: self.round() > 0 or not self.digitizer.is_running, "words")

    def drain(self) -> None:
        """Read until nothing is left of a run that has ended."""
        _wait_until(lambda: not self.digitizer.is_running, "the end of the run")
        until = time.monotonic() + _PATIENCE_S
        while self.round():
            assert time.monotonic() < until, "reading what is left takes too long"

    @property
    def words(self) -> list[NDArray[np.uint32]]:
        """The words of each module."""
        empty = np.zeros(0, np.uint32)
        return [np.concatenate([empty, *parts]) for parts in self.read]


class DigitizerTests:
    """What holds for each driver; pytest collects what derives from it.

    A subclass has a fixture ``digitizer`` that gives a closed `Digitizer` whose runs
    give words within a second or so, and closes it afterwards. The runs need not end
    by themselves.
    """

    def test_it_has_all_parts_of_the_protocol(self, digitizer: Digitizer) -> None:
        """The methods are there."""
        assert isinstance(digitizer, Digitizer)

    def test_a_closed_one_refuses_to_run_and_to_read(
        self, digitizer: Digitizer
    ) -> None:
        """Nothing can be done before `open`, nor after `close`."""
        for _ in range(2):
            _must_refuse(digitizer.start_run)
            _must_refuse(digitizer.read, 0, 100)
            _must_refuse(digitizer.statistics, 0)
            digitizer.open()
            digitizer.close()

    def test_open_and_close_may_be_repeated(self, digitizer: Digitizer) -> None:
        """Both do nothing where nothing is to be done."""
        digitizer.close()
        digitizer.open()
        modules = list(digitizer.modules)
        digitizer.open()
        assert list(digitizer.modules) == modules
        digitizer.close()
        digitizer.close()
        with digitizer as entered:
            assert entered is digitizer
            assert list(digitizer.modules) == modules

    def test_modules_are_described(self, digitizer: Digitizer) -> None:
        """Each module is there once, with the layout of its data."""
        with digitizer:
            modules = list(digitizer.modules)
            assert modules
            assert len({(module.crate, module.slot) for module in modules}) == len(
                modules
            )
            for module in modules:
                assert module.layout.frequency == module.frequency
                assert module.layout.revision == module.revision
                assert module.hardware in {"", module.layout.hardware}

    def test_wrong_arguments_are_refused(self, digitizer: Digitizer) -> None:
        """Unknown modules, and reads of no words, which hardware cannot stand."""
        with digitizer:
            digitizer.start_run()
            count = len(digitizer.modules)
            for module in (-1, count):
                _must_refuse(digitizer.read, module, 100)
                _must_refuse(digitizer.statistics, module)
            for words in (0, -1):
                _must_refuse(digitizer.read, 0, words)

    def test_runs_start_and_stop(self, digitizer: Digitizer) -> None:
        """A run goes on until it is stopped; a second one at once is refused."""
        with digitizer:
            assert not _runs(digitizer)
            digitizer.stop_run()
            digitizer.start_run()
            assert _runs(digitizer)
            _must_refuse(digitizer.start_run)
            digitizer.stop_run()
            _wait_until(lambda: not digitizer.is_running, "the end of the run")
            digitizer.stop_run()

    def test_every_module_gives_events_of_its_own(self, digitizer: Digitizer) -> None:
        """The words decode, nearly all, with the module's layout and number."""
        with digitizer:
            collector = _Collector(digitizer)
            digitizer.start_run()
            enough = [False] * len(digitizer.modules)

            def all_have() -> bool:
                collector.round()
                for number, parts in enumerate(collector.read):
                    enough[number] = sum(part.size for part in parts) >= 100
                return all(enough) or not digitizer.is_running

            _wait_until(all_have, "words of every module")
            digitizer.stop_run()
            collector.drain()
            for words, module in zip(collector.words, digitizer.modules, strict=True):
                decoded = decode(words, module.layout)
                assert decoded.balance.decoded > 0.9 * words.size, module.name
                of_module = (decoded.events.crate == module.crate) & (
                    decoded.events.slot == module.slot
                )
                assert of_module.all(), module.name

    def test_it_is_drained_after_the_end(self, digitizer: Digitizer) -> None:
        """What was queued can be read; then no more comes, and no event is cut."""
        with digitizer:
            collector = _Collector(digitizer, max_words=7)
            digitizer.start_run()
            collector.wait_for_words()
            digitizer.stop_run()
            collector.drain()
            for number, (words, module) in enumerate(
                zip(collector.words, digitizer.modules, strict=True)
            ):
                assert decode(words, module.layout).balance.leftover == 0
                assert digitizer.read(number, 1000).size == 0

    def test_what_was_read_is_never_changed(self, digitizer: Digitizer) -> None:
        """The arrays are the caller's, whatever is read later."""
        with digitizer:
            collector = _Collector(digitizer)
            copies: list[list[NDArray[np.uint32]]] = [[] for _ in collector.read]
            digitizer.start_run()
            rounds = 0

            def some_rounds() -> bool:
                nonlocal rounds
                rounds += bool(collector.round())
                for parts, kept in zip(collector.read, copies, strict=True):
                    kept += [part.copy() for part in parts[len(kept) :]]
                return rounds >= 5 or not digitizer.is_running

            _wait_until(some_rounds, "some words")
            digitizer.stop_run()
            collector.drain()
            for parts, kept in zip(collector.read, copies, strict=True):
                for part, copy in zip(parts, kept, strict=False):
                    np.testing.assert_array_equal(part, copy)

    def test_statistics_count_the_words_read(self, digitizer: Digitizer) -> None:
        """``words_read`` is what `read` returned since the run was started."""
        with digitizer:
            for _ in range(2):
                collector = _Collector(digitizer)
                digitizer.start_run()
                collector.wait_for_words()
                digitizer.stop_run()
                collector.drain()
                for number, words in enumerate(collector.words):
                    assert digitizer.statistics(number)["words_read"] == words.size

    def test_close_ends_a_run(self, digitizer: Digitizer) -> None:
        """After `close` no run goes on, and another session can begin one."""
        with digitizer:
            digitizer.start_run()
        assert not _runs(digitizer)
        with digitizer:
            digitizer.start_run()
            assert _runs(digitizer)


class PausingTests:
    """What holds for a driver with `Pausing`.

    A subclass has the fixture ``digitizer`` of `DigitizerTests`.
    """

    def test_in_a_pause_no_words_come_and_none_are_lost(
        self, digitizer: Digitizer
    ) -> None:
        """What was queued can be read; then the run goes on where it was."""
        pausing = _pausing(digitizer)
        with digitizer:
            collector = _Collector(digitizer)
            digitizer.start_run()
            for _ in range(2):
                collector.wait_for_words()
                pausing.pause_run()
                pausing.pause_run()
                assert _runs(digitizer)
                _must_refuse(digitizer.start_run)
                _wait_until(lambda: collector.round() == 0, "the last words")
                before = sum(words.size for words in collector.words)
                _look_for(_PAUSE_S, collector.round)
                assert sum(words.size for words in collector.words) == before
                pausing.resume_run()
                pausing.resume_run()
                collector.wait_for_words()
                assert sum(words.size for words in collector.words) > before
            digitizer.stop_run()
            collector.drain()
            _check_whole(digitizer, collector)

    def test_words_that_nobody_reads_in_a_pause_are_kept(
        self, digitizer: Digitizer
    ) -> None:
        """They come before those that the modules take afterwards."""
        pausing = _pausing(digitizer)
        with digitizer:
            collector = _Collector(digitizer, max_words=50)
            digitizer.start_run()
            collector.wait_for_words()
            pausing.pause_run()
            pausing.resume_run()
            collector.wait_for_words()
            digitizer.stop_run()
            collector.drain()
            _check_whole(digitizer, collector)

    def test_counts_go_on_over_a_pause(self, digitizer: Digitizer) -> None:
        """All that is counted since the start of the run, for each channel."""
        pausing = _pausing(digitizer)
        with digitizer:
            collector = _Collector(digitizer)
            digitizer.start_run()
            collector.wait_for_words()
            pausing.pause_run()
            paused = [_counts(digitizer, n) for n in range(len(digitizer.modules))]
            _look_for(_PAUSE_S, lambda: None)
            pausing.resume_run()
            collector.wait_for_words()
            digitizer.stop_run()
            for number, before in enumerate(paused):
                after = _counts(digitizer, number)
                assert after.keys() == before.keys()
                for name, values in before.items():
                    assert (after[name] >= values).all(), name

    def test_a_run_is_ended_in_a_pause(self, digitizer: Digitizer) -> None:
        """Nothing of the pause is left in the next run."""
        pausing = _pausing(digitizer)
        with digitizer:
            for _ in range(2):
                collector = _Collector(digitizer)
                digitizer.start_run()
                collector.wait_for_words()
                pausing.pause_run()
                digitizer.stop_run()
                assert not _runs(digitizer)
                pausing.resume_run()
                assert not _runs(digitizer)
                collector.drain()
                _check_whole(digitizer, collector)

    def test_where_nothing_goes_on_nothing_is_paused(
        self, digitizer: Digitizer
    ) -> None:
        """A closed digitizer refuses; between runs, nothing happens."""
        pausing = _pausing(digitizer)
        _must_refuse(pausing.pause_run)
        _must_refuse(pausing.resume_run)
        with digitizer:
            pausing.pause_run()
            pausing.resume_run()
            assert not _runs(digitizer)
            if isinstance(digitizer, Spectra):
                digitizer.start_histogram_run(1e6)
                _must_refuse(pausing.pause_run)
                digitizer.stop_run()

    def test_settings_stay_in_a_pause(self, digitizer: Digitizer) -> None:
        """The data of a run belong to one setting."""
        pausing = _pausing(digitizer)
        if not isinstance(digitizer, Parameters):
            return
        with digitizer:
            tau = digitizer.read_channel("TAU", 0, 0)
            digitizer.start_run()
            pausing.pause_run()
            _must_refuse(digitizer.write_channel, "TAU", tau + 1, 0, 0)
            digitizer.stop_run()
            assert digitizer.read_channel("TAU", 0, 0) == tau


def _pausing(digitizer: Digitizer) -> Pausing:
    assert isinstance(digitizer, Pausing)
    return digitizer


def _look_for(seconds: float, look: Callable[[], object]) -> None:
    """Look again and again for some time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        look()
        time.sleep(0.005)


def _counts(digitizer: Digitizer, module: int) -> dict[str, NDArray[np.float64]]:
    """Return what a module has counted, by the names that a driver may tell."""
    told = digitizer.statistics(module)
    return {name: np.array(told[name], np.float64) for name in _COUNTED if name in told}


def _check_whole(digitizer: Digitizer, collector: _Collector) -> None:
    """Check that all words of all modules are events, and that all were counted."""
    modules = zip(collector.words, digitizer.modules, strict=True)
    for number, (words, module) in enumerate(modules):
        balance = decode(words, module.layout).balance
        assert (balance.rejected, balance.leftover) == (0, 0), module.name
        assert digitizer.statistics(number)["words_read"] == words.size


class ParametersTests:
    """What holds for a driver with `Parameters` and `SettingsFiles`.

    A subclass has the fixture ``digitizer`` of `DigitizerTests`.
    """

    def test_what_is_written_is_there(self, digitizer: Digitizer) -> None:
        """Each channel and module has values of its own."""
        with digitizer:
            assert isinstance(digitizer, Parameters)
            parameters: Parameters = digitizer
            modules = range(len(digitizer.modules))
            for module in modules:
                last = digitizer.modules[module].channels - 1
                for channel, value in ((0, 12.5), (last, 30.25)):
                    parameters.write_channel("TAU", value, module, channel)
                parameters.write_module("SLOW_FILTER_RANGE", 2 + module, module)
            for module in modules:
                last = digitizer.modules[module].channels - 1
                assert parameters.read_channel("TAU", module, 0) == 12.5
                assert parameters.read_channel("TAU", module, last) == 30.25
                found = parameters.read_module("SLOW_FILTER_RANGE", module)
                assert found == 2 + module

    def test_what_is_not_there_is_refused(self, digitizer: Digitizer) -> None:
        """Names, channels and modules; and nothing is open, or in a run."""
        assert isinstance(digitizer, Parameters)
        parameters: Parameters = digitizer
        _must_refuse(parameters.read_channel, "TAU", 0, 0)
        with digitizer:
            count = len(digitizer.modules)
            _must_refuse(parameters.read_channel, "NO_SUCH_THING", 0, 0)
            _must_refuse(parameters.write_channel, "NO_SUCH_THING", 1.0, 0, 0)
            _must_refuse(parameters.read_channel, "TAU", 0, 99)
            _must_refuse(parameters.read_channel, "TAU", count, 0)
            _must_refuse(parameters.read_module, "NO_SUCH_THING", 0)
            digitizer.start_run()
            _must_refuse(parameters.read_channel, "TAU", 0, 0)
            _must_refuse(parameters.write_channel, "TAU", 1.0, 0, 0)

    def test_settings_come_back_from_a_file(
        self, digitizer: Digitizer, tmp_path: Path
    ) -> None:
        """A file is not replaced without being told to."""
        path = tmp_path / "settings.json"
        assert isinstance(digitizer, SettingsFiles)
        files: SettingsFiles = digitizer
        with digitizer:
            assert isinstance(digitizer, Parameters)
            parameters: Parameters = digitizer
            parameters.write_channel("TAU", 12.5, 0, 1)
            files.save_settings(path)
            parameters.write_channel("TAU", 99.0, 0, 1)
            saved = path.read_bytes()
            refused = False
            try:
                files.save_settings(path)
            except FileExistsError:
                refused = True
            assert refused, "a file was replaced"
            assert path.read_bytes() == saved
            files.load_settings(path)
            assert parameters.read_channel("TAU", 0, 1) == 12.5
            files.save_settings(path, force=True)
            _must_refuse(files.load_settings, tmp_path / "nothing.json")


class SignalsTests:
    """What holds for a driver with `Signals` and `Spectra`.

    A subclass has the fixture ``digitizer`` of `DigitizerTests`; its module 0 can do
    all that there is.
    """

    def test_traces_and_baselines_have_a_row_for_each_channel(
        self, digitizer: Digitizer
    ) -> None:
        """Traces are what the ADCs give; nothing of it goes in a run."""
        assert isinstance(digitizer, Signals)
        signals: Signals = digitizer
        with digitizer:
            channels = digitizer.modules[0].channels
            traces = signals.adc_traces(0)
            assert traces.dtype == np.uint16
            assert traces.ndim == 2
            assert len(traces) == channels
            baselines = signals.baselines(0)
            assert baselines.dtype == np.float64
            assert baselines.ndim == 2
            assert len(baselines) == channels
            assert signals.tau(0).shape == (channels,)
            signals.adjust_offsets(0)
            signals.adjust_offsets()
            _must_refuse(signals.adc_traces, len(digitizer.modules))
            digitizer.start_run()
            _must_refuse(signals.adc_traces, 0)

    def test_a_run_of_histograms_has_a_spectrum_for_each_channel(
        self, digitizer: Digitizer
    ) -> None:
        """It can be read while the run goes on, and afterwards."""
        assert isinstance(digitizer, Spectra)
        spectra: Spectra = digitizer
        with digitizer:
            spectra.start_histogram_run(1e6)
            assert digitizer.is_running
            during = spectra.histogram(0, 0)
            assert during.dtype == np.uint32
            assert during.ndim == 1
            digitizer.stop_run()
            last = digitizer.modules[0].channels - 1
            assert spectra.histogram(0, last).shape == during.shape
            _must_refuse(spectra.histogram, 0, last + 1)
