"""TakeData: all that modules give, from the start to the last word after the end."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import pytest

from pixie_pipe import drivers
from pixie_pipe.buffers import BufferPool
from pixie_pipe.drivers import DriverNotFoundError
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.listmode import Layout
from pixie_pipe.pipeline.data import Words
from pixie_pipe.pipeline.messages import Error, Status
from pixie_pipe.settings import read_json
from pixie_pipe.storage.raw import RawFileError
from pixie_pipe.tasks import take_data
from pixie_pipe.tasks._collected_words import CollectedWords
from pixie_pipe.tasks.take_data import TakeData, TakeDataError
from tests.support.raw_files import words_of
from tests.support.source_runs import Clock, SourceRun

SCRIPTED = '''
import numpy as np
from pixie_pipe.drivers.digitizer import DriverError, ModuleInfo
from pixie_pipe.listmode import Layout

LAYOUT = Layout.find(500, 34688)

class ScriptedDigitizer:
    """Two modules that give numbers, some of them only after the stop."""

    made = []

    def __init__(
        self, late=0, per_read=10, refuse_stop=False, fail_at=None, dropped=()
    ):
        self.dropped = dropped
        self.late, self.per_read, self.fail_at = late, per_read, fail_at
        self.refuse_stop = refuse_stop
        self.calls = []
        self.is_running = False
        self.made.append(self)
        self.modules = [
            ModuleInfo(0, slot, 500, 34688, "", LAYOUT) for slot in (2, 3)
        ]

    def open(self):
        self.calls.append("open")

    def close(self):
        self.calls.append("close")

    def start_run(self):
        self.calls.append("start")
        self.is_running = True
        self.given = [0, 0]
        self.left = None

    def stop_run(self):
        self.calls.append("stop")
        self.is_running = self.refuse_stop
        self.left = [self.late] * 2

    def read(self, module, max_words):
        assert max_words >= 1
        if self.fail_at is not None and self.given[module] >= self.fail_at:
            raise DriverError("the bus is gone")
        count = min(self.per_read, max_words)
        if self.left is not None:
            count = min(count, self.left[module])
            self.left[module] -= count
        first = self.given[module]
        self.given[module] += count
        return np.arange(first, first + count, dtype=np.uint32) + module * 10**6

    def statistics(self, module):
        told = {"words_read": self.given[module] if hasattr(self, "given") else 0}
        if self.dropped and hasattr(self, "given"):
            told["words_dropped"] = self.dropped[module]
        return told
'''


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(take_data, "time", clock)
    return clock


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Return the parameters that give the scripted driver; its class has `made`."""
    (tmp_path / "scripted.py").write_text(SCRIPTED)
    monkeypatch.setattr(drivers, "__path__", list(drivers.__path__))
    yield {"driver": "scripted", "driver_path": [str(tmp_path)]}
    sys.modules.pop("pixie_pipe.drivers.scripted", None)


def made() -> list[Any]:
    """Return the scripted drivers that were made."""
    kind: Any = sys.modules["pixie_pipe.drivers.scripted"]
    return list(kind.ScriptedDigitizer.made)


def test_all_words_are_sent_also_those_that_come_after_the_stop(clock, scripted):
    run = SourceRun(
        TakeData,
        clock,
        step_s=0.01,
        runtime_s=1.0,
        frame_kb=1,
        options={"late": 1234},
        **scripted,
    ).run()
    (digitizer,) = made()
    assert digitizer.calls == ["open", "start", "stop"]
    assert list(run.streams) == ["c0-s02", "c0-s03"]
    for number, stream in enumerate(run.streams.values()):
        expected = np.arange(digitizer.given[number], dtype=np.uint32)
        assert expected.size > 1234 + 900
        np.testing.assert_array_equal(stream.words, expected + number * 10**6)
        assert stream.stream.modules == ((0, 2 + number),)
    assert run.task.statistics["modules"] == {
        name: {"words_read": stream.words.size} for name, stream in run.streams.items()
    }
    assert run.task._reasons == []


def test_frames_are_as_large_as_asked_for_and_none_waits_too_long(clock, scripted):
    parameters = {"step_s": 0.01, "runtime_s": 2.0, **scripted}
    small = SourceRun(TakeData, clock, frame_kb=1, latency_s=10, **parameters).run()
    sizes = [part.size for part in small.streams["c0-s02"].parts]
    assert set(sizes[:-2]) == {256}
    begin = clock.now
    slow = SourceRun(TakeData, clock, latency_s=0.1, **parameters).run()
    assert slow.times[0] >= begin
    for data, now in zip(slow.sent, slow.times, strict=True):
        if isinstance(data, Words) and data.words.size:
            assert now - data.time_ns * 1e-9 <= 0.111
    assert len(slow.streams["c0-s02"].parts) in range(15, 25)


def test_sessions_last_over_runs_until_the_options_change(clock, scripted):
    run = SourceRun(TakeData, clock, step_s=0.1, runtime_s=1.0, **scripted)
    run.run()
    first = run.streams["c0-s02"].words
    run.run()
    np.testing.assert_array_equal(run.streams["c0-s02"].words, first)
    (digitizer,) = made()
    assert digitizer.calls == ["open", "start", "stop", "start", "stop"]
    run.task.configure({"runtime_s": 2.0})
    assert digitizer.calls[-1] == "stop"
    run.task.configure({"options": {"late": 5}})
    assert digitizer.calls[-1] == "close"
    run.run()
    run.task.do_quit()
    assert made()[1].calls == ["open", "start", "stop", "close"]


def test_stopping_before_the_first_step_starts_nothing(clock, scripted):
    run = SourceRun(TakeData, clock, **scripted).run(until=lambda: True)
    (digitizer,) = made()
    assert digitizer.calls == ["open"]
    assert [s.words.size for s in run.streams.values()] == [0, 0]


PAUSING = (
    SCRIPTED.replace("Scripted", "Pausing")
    + """
    def pause_run(self):
        self.calls.append("pause")
        self.left = [self.late] * 2

    def resume_run(self):
        self.calls.append("resume")
        self.left = None
"""
)


def paused(clock: Clock, **parameters) -> SourceRun:
    """Take data for 0.5 s, pause for 100 s, and go on for as long as is left."""
    run = SourceRun(TakeData, clock, step_s=0.01, runtime_s=1.0, **parameters).start()
    begin = clock.now
    while clock.now < begin + 0.5:
        run.task.do_work(None)
        clock.now += run.step_s
    run.task.do_pause()
    sent = run.words_sent
    clock.now += 100
    run.task.do_resume()
    assert run.words_sent == sent
    run.work()
    assert 101 <= clock.now - begin < 101.5
    return run


def test_in_a_pause_modules_are_paused_and_what_they_hold_is_sent(
    clock, scripted, tmp_path, monkeypatch
):
    (tmp_path / "pausing.py").write_text(PAUSING)
    parameters = {**scripted, "driver": "pausing", "options": {"late": 33}}
    run = paused(clock, **parameters)
    kind: Any = sys.modules.pop("pixie_pipe.drivers.pausing").PausingDigitizer
    (driver,) = kind.made
    assert driver.calls == ["open", "start", "pause", "resume", "stop"]
    for known in run.streams.values():
        # 33 of them in the pause, as many after the stop, and all in order.
        assert np.array_equal(np.diff(known.words), np.ones(known.words.size - 1))
        assert known.words.size > 1000


def test_a_driver_without_pauses_is_not_read_meanwhile(clock, scripted, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(TakeData, "print", lambda _, text: said.append(text))
    run = paused(clock, **scripted)
    (driver,) = made()
    assert driver.calls == ["open", "start", "stop"]
    assert "the driver scripted cannot pause its modules" in said[0]
    assert run.words_sent == sum(driver.given)


def test_a_pause_before_the_first_step_starts_nothing(clock, scripted):
    run = SourceRun(TakeData, clock, runtime_s=1.0, step_s=0.1, **scripted).start()
    run.task.do_pause()
    clock.now += 100
    run.task.do_resume()
    run.work()
    (driver,) = made()
    assert driver.calls == ["open", "start", "stop"]


def test_modules_that_do_not_stop_are_given_up(clock, scripted):
    run = SourceRun(
        TakeData,
        clock,
        step_s=0.1,
        runtime_s=1.0,
        options={"refuse_stop": True},
        **scripted,
    ).run()
    assert "still running 10 s after" in run.task._reasons[0]


def test_a_driver_that_failed_is_opened_anew(clock, scripted):
    run = SourceRun(TakeData, clock, step_s=0.1, options={"fail_at": 50}, **scripted)
    with pytest.raises(Exception, match="the bus is gone"):
        run.run()
    assert made()[0].calls == ["open", "start", "stop", "close"]
    run.task.status = Status.PANICKING
    run.task.do_stop()
    assert made()[0].calls == ["open", "start", "stop", "close"]
    run.task.status = Status.WAITING
    run.start()
    assert len(made()) == 2


@pytest.mark.parametrize("where", ["work", "stop", "pause"])
def test_if_a_module_fails_all_words_are_sent_that_can_be_had(
    clock, scripted, where, monkeypatch
):
    # Nothing is due for hours: what is sent, the rescue sends.
    late: dict[str, Any] = {"latency_s": 10.0, "frame_kb": 4}
    run = SourceRun(
        TakeData, clock, step_s=0.001, options={"late": 333}, **late, **scripted
    ).start()
    for _ in range(7):
        run.task.do_work(None)
    (digitizer,) = made()
    read = digitizer.read

    def fail(module, most):
        if module == 1:
            raise DriverError("the module is gone")
        return read(module, most)

    monkeypatch.setattr(digitizer, "read", fail)
    call = {
        "work": lambda: run.task.do_work(None),
        "stop": run.task.do_stop,
        "pause": run.task.do_pause,
    }[where]
    monkeypatch.setattr(type(digitizer), "pause_run", digitizer.stop_run, raising=False)
    monkeypatch.setattr(type(digitizer), "resume_run", print, raising=False)
    with pytest.raises(DriverError, match="the module is gone"):
        call()
    good, gone = run.streams.values()
    np.testing.assert_array_equal(good.words, np.arange(digitizer.given[0]))
    assert good.words.size >= 333 + 70
    np.testing.assert_array_equal(gone.words, np.arange(70) + 10**6)
    assert run.task.ledger["words_read"] == good.words.size + 70
    assert digitizer.calls[-1] == "close"


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"driver": "recoded"}, DriverNotFoundError, "did you mean 'recorded'"),
        ({"options": {"spede": 1}}, TakeDataError, "options spede: .*spede"),
        (
            {"options": {"files": ["/none.bin"], "frequency": 500, "revision": 34688}},
            RawFileError,
            "there is no such file",
        ),
        ({"driver_path": ["/none"]}, DriverNotFoundError, "is no directory"),
    ],
)
def test_what_cannot_be_opened_is_refused(parameters, error, text):
    run = SourceRun(TakeData, **parameters)
    with pytest.raises(error, match=text):
        run.start()
    assert run.sent == []


def test_a_recorded_run_ends_by_itself(tmp_path):
    words = words_of(10_000, mixed=True)
    words.tofile(tmp_path / "a.bin")
    options = {"files": [str(tmp_path / "a.bin")], "modules": ["0/2:500/34688"]}
    run = SourceRun(TakeData, options={**options, "speed": 0}).run()
    np.testing.assert_array_equal(run.streams["c0-s02"].words, words)
    assert run.task.statistics["modules"]["c0-s02"]["fraction"] == 1.0


def test_collected_words_are_due_when_full_or_old():
    collected = CollectedWords(10, 0.5, BufferPool())
    assert collected.room == 10
    assert not collected.is_due(100.0)
    collected.add(np.arange(4, dtype=np.uint32), 1.0, 17)
    collected.add(np.arange(4, 6, dtype=np.uint32), 1.4, 18)
    assert collected.room == 4
    assert not collected.is_due(1.49)
    assert collected.is_due(1.5)
    words, time_ns = collected.take()
    np.testing.assert_array_equal(words, np.arange(6))
    assert time_ns == 17
    assert collected.room == 10
    assert collected.take()[0].size == 0
    collected.add(np.arange(10, dtype=np.uint32), 2.0, 19)
    assert collected.is_due(2.0)
    np.testing.assert_array_equal(words, np.arange(6))


def test_in_a_pipeline_all_words_arrive(tmp_path):
    from pixie_pipe.pipeline.pipeline import Pipeline
    from tests.support.source_tasks import CollectWords

    words = words_of(50_000)
    words.tofile(tmp_path / "a.bin")
    options = {"files": [str(tmp_path / "a.bin")], "modules": ["0/2:500/34688"]}
    with Pipeline() as pipeline:
        pipeline.create_task("TakeData", options={**options, "speed": 0})
        pipeline.create_task(CollectWords.__name__, directory=str(tmp_path))
        for _ in range(2):
            pipeline.start()
            pipeline.wait(60, quiet=True)
            balance = pipeline.balance()
            assert balance.closes
            assert balance.words_read == words.size
            arrived = np.fromfile(tmp_path / "c0-s02.words", np.uint32)
            np.testing.assert_array_equal(arrived, words)


def test_words_that_modules_lost_are_told_once_and_make_a_run_incomplete(
    clock, scripted
):
    run = SourceRun(
        TakeData,
        clock,
        step_s=0.1,
        runtime_s=3.0,
        options={"dropped": [0, 321]},
        **scripted,
    )
    prints: list[str] = []
    run.task.print = prints.append
    run.run()
    assert run.task.ledger["words_lost"] == 321
    (text,) = prints
    assert text.startswith("c0-s03 has lost 321 words")
    kept = SourceRun(
        TakeData,
        clock,
        step_s=0.1,
        runtime_s=1,
        options={"dropped": [0, 0]},
        **scripted,
    ).run()
    assert kept.task.ledger["words_lost"] == 0
    unknown = SourceRun(TakeData, clock, step_s=0.1, runtime_s=1.0, **scripted).run()
    assert "words_lost" not in unknown.task.ledger


def test_the_balance_of_a_run_tells_of_lost_words(tmp_path, scripted):
    from pixie_pipe.pipeline import Pipeline
    from tests.support.source_tasks import CollectWords

    with Pipeline(runs=tmp_path / "runs") as pipeline:
        pipeline.create_task(
            "TakeData", options={"dropped": [5, 7]}, runtime_s=0.2, **scripted
        )
        pipeline.create_task(CollectWords.__name__, directory=str(tmp_path))
        pipeline.start()
        with pytest.raises(Error, match="TakeData: the modules lost 12 words"):
            pipeline.wait(60, quiet=True)
        balance = pipeline.balance()
    assert balance.words_lost == 12
    assert "12 lost in the modules before" in str(balance)
    assert balance.problems == (
        "TakeData: the modules lost 12 words before they could be read",
    )


SETTLED = (
    SCRIPTED.replace("Scripted", "Settled")
    + """
    def __init__(self, changes=(), fail="", **options):
        from pixie_pipe.settings import CrateSettings, ModuleKind, ModuleSettings

        self._init(**options)
        self.changes, self.fail = changes, fail
        kind = ModuleKind(500, 14, "F")
        self.settings = CrateSettings([ModuleSettings(slot, kind) for slot in (2, 3)])
        self.saved = []

    def save_settings(self, path, *, force=False):
        from pixie_pipe.settings import write_json

        assert not self.is_running
        if self.saved:
            if self.fail:
                raise OSError(self.fail)
            for variable in self.changes:
                kept = self.settings[2].channel.get(variable)
                kept = self.settings[2].module[variable] if kept is None else kept
                kept[:2] += 7
        self.saved.append(path.name)
        write_json(path, self.settings)

    def load_settings(self, path, *, ignore_serials=False):
        raise NotImplementedError

    def statistics(self, module):
        begun = getattr(self, "given", [0, 0])[module]
        return {
            "words_read": begun,
            "words_dropped": 5 * module * (begun > 0),
            "input_counts": [0, 10 * begun] + [0] * 14,
            "output_counts": [0, begun] + [0] * 14,
            "live_time_s": [2.0] * 16,
            "real_time_s": 4.0,
        }
"""
).replace(
    "    def __init__(\n        self, late=0", "    def _init(\n        self, late=0"
)


@pytest.fixture
def settled(scripted, tmp_path):
    (tmp_path / "settled.py").write_text(SETTLED)
    yield {**scripted, "driver": "settled"}
    sys.modules.pop("pixie_pipe.drivers.settled", None)


def with_directory(clock: Clock, directory, options=None, **settled: Any):
    """Take data for 1 s; return the run, and what was printed."""
    run = SourceRun(
        TakeData, clock, step_s=0.1, runtime_s=1.0, options=options or {}, **settled
    )
    directory.mkdir(exist_ok=True)
    run.task.run_directory = str(directory)
    prints: list[str] = []
    run.task.print = prints.append
    run.run()
    return run, prints


def test_settings_and_statistics_are_kept_at_both_ends(clock, settled, tmp_path):
    runs = tmp_path / "run"
    run, prints = with_directory(clock, runs, **settled)
    assert run.task.statistics["notes"] == []
    start = json.loads((runs / "statistics-start.json").read_text())
    assert start["Source"]["own"]["modules"]["c0-s02"]["words_read"] == 0
    layouts = [
        Layout.from_dict(entry["layout"]) for entry in start["Source"]["own"]["layouts"]
    ]
    assert layouts == [mark.stream.decoding for mark in run.sent[:2]]
    # When the modules were started is told to all, and kept.
    (started_ns,) = {mark.starts_ns for mark in run.sent[2:4]}
    assert started_ns == (start["Source"]["own"]["started_ns"],)
    assert started_ns == (run.task.statistics["started_ns"],)
    assert read_json(runs / "settings-stop.json").places == [(0, 2), (0, 3)]
    assert [text for text in prints if "settings" in text] == []
    # Another crate of the same run keeps its own.
    other = SourceRun(TakeData, clock, step_s=0.1, runtime_s=1.0, **settled)
    other.task.run_directory, other.task.name = str(runs), "Second"
    other.task.print = prints.append
    other.run()
    assert sorted(path.name for path in runs.iterdir()) == [
        "settings-start-Second.json",
        "settings-start.json",
        "settings-stop-Second.json",
        "settings-stop.json",
        "statistics-start-Second.json",
        "statistics-start.json",
    ]


def test_settings_that_have_changed_are_told_and_noted(clock, settled, tmp_path):
    options = {"changes": ["FastThresh", "InSynch", "RunTask", "SlowLength"]}
    run, prints = with_directory(clock, tmp_path / "run", options, **settled)
    (note,) = run.task.statistics["notes"]
    assert note.startswith("the settings have changed during the run: c0-s02 ")
    assert "TRIGGER_THRESHOLD of channels 0-1: " in note
    assert "ENERGY_RISETIME of channels 0-1: " in note
    # What starting a run changes is no news.
    assert "IN_SYNCH" not in note
    assert "RunTask" not in note
    (text,) = (text for text in prints if "settings" in text)
    assert "TRIGGER_THRESHOLD" in text


def test_settings_that_cannot_be_kept_at_the_end_harm_nothing(clock, settled, tmp_path):
    options = {"fail": "the bus is gone"}
    run, prints = with_directory(clock, tmp_path / "run", options, **settled)
    assert run.task.statistics["notes"] == []
    assert run.task._reasons == []
    (text,) = (text for text in prints if "settings" in text)
    assert text == "the settings at the end were not kept: OSError: the bus is gone"
    assert all(stream.words.size for stream in run.streams.values())


def test_a_run_that_ends_badly_is_not_kept_waiting(clock, settled, tmp_path):
    options = {"refuse_stop": True}
    run, _ = with_directory(clock, tmp_path / "run", options, **settled)
    assert "still running" in run.task._reasons[0]
    assert not (tmp_path / "run/settings-stop.json").exists()


def test_statistics_that_make_no_sense_are_told_once(clock, settled, tmp_path):
    path = tmp_path / "settled.py"
    path.write_text(
        path.read_text().replace('"input_counts": [0, ', '"input_counts": [')
    )
    run, prints = with_directory(clock, tmp_path / "run", **settled)
    assert run.task.statistics["run_statistics"] == []
    (text,) = (text for text in prints if "statistics" in text)
    assert text.startswith(
        "c0-s02: no statistics are kept: the statistics input_counts"
    )


def test_the_record_has_what_channels_counted_and_what_was_noted(
    settled, tmp_path, monkeypatch
):
    from pixie_pipe.pipeline import Pipeline, run_keeper
    from pixie_pipe.storage.run_directory import RunDirectory
    from tests.support.source_tasks import CollectWords

    monkeypatch.setattr(run_keeper, "REFRESH_SECONDS", 0.05)
    with Pipeline(runs=tmp_path / "runs") as pipeline:
        task = pipeline.create_task(
            "TakeData", options={"changes": ["FastThresh"]}, **settled
        )
        pipeline.create_task(CollectWords.__name__, directory=str(tmp_path))

        def tables(number: int) -> Any:
            return RunDirectory.open(tmp_path / f"runs/{number:04d}").record.statistics

        for runtime_s in (1.5, None):
            task.configure(runtime_s=runtime_s)
            pipeline.start()
            number = 1 if runtime_s else 2
            until = time.monotonic() + 60
            # Also while the run goes on.
            while not (found := tables(number)) or not found[0]["channels"]:
                assert time.monotonic() < until
                time.sleep(0.05)
            if not runtime_s:
                pipeline.send_kill("TakeData")
            with pytest.raises(Error, match=r"lost 5 words|TakeData was killed"):
                pipeline.wait(60, quiet=True)
            if runtime_s:
                (reported,) = task.statistics.values()
                expected = reported["own"]["run_statistics"]
            pipeline.stop()
        first, second = (
            RunDirectory.open(tmp_path / f"runs/{n:04d}").record for n in (1, 2)
        )
    assert list(first.statistics) == expected
    one, two = first.statistics
    words = one["words_read"]
    assert (one["module"], one["words_lost"], two["words_lost"]) == ("c0-s02", 0, 5)
    assert one["channels"] == [1]
    assert one["input_counts"] == [10 * words]
    assert one["output_counts"] == [words]
    assert (one["live_time_s"], one["real_time_s"]) == ([2.0], [4.0])
    assert one["input_rate_hz"] == [float(f"{5 * words:.6g}")]
    assert one["dead_percent"] == [95.0]
    assert "TRIGGER_THRESHOLD" in first.notes
    # Of a task that was killed, what it has told last.
    assert second.statistics[0]["channels"] == [1]
    assert second.state == "incomplete"


def test_the_run_time_begins_when_the_modules_have_started(clock, scripted):
    run = SourceRun(TakeData, clock, step_s=0.1, runtime_s=1.0, **scripted)
    run.start()
    (digitizer,) = made()
    real = digitizer.start_run

    def slowly():
        clock.sleep(30.0)
        real()

    digitizer.start_run = slowly
    run.work()
    # Ten words for each step of the run time, in each module.
    assert all(given >= 90 for given in digitizer.given)
