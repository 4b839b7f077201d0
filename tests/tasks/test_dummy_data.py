"""DummyData: sound words at the right time, as many as were asked for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout, decode, encode
from pixie_pipe.pipeline.data import Words
from pixie_pipe.storage.raw import RawFileError
from pixie_pipe.tasks import dummy_data
from pixie_pipe.tasks._generated import Recipe, generate
from pixie_pipe.tasks._looped_words import LoopedWords, NothingToLoopError
from pixie_pipe.tasks.dummy_data import DummyData, DummyDataError
from pixie_pipe.testing.generators import random_events
from tests.support.raw_files import LAYOUT, words_of
from tests.support.source_runs import Clock, SourceRun

RATE = 10_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(dummy_data, "time", clock)
    return clock


# The loop


def oracle(words: NDArray[np.uint32], rounds: int, period: int) -> NDArray[np.uint32]:
    """Repeat sound events; add the period to each timestamp, number by number."""
    out = []
    for number in range(rounds):
        position = 0
        values = words.tolist()
        while position < len(values):
            stamp = values[position + 1] | (values[position + 2] & 0xFFFF) << 32
            stamp = (stamp + number * period) % 2**48
            values[position + 1] = stamp % 2**32
            values[position + 2] = values[position + 2] >> 16 << 16 | stamp >> 32
            position += values[position] >> 17 & 0x3FFF
        out += values
    return np.array(out, np.uint32)


@given(data=st.data())
@settings(max_examples=60)
def test_words_taken_anywhere_are_those_of_repeated_events(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    events = random_events(
        LAYOUT,
        data.draw(st.integers(1, 6)),
        rng,
        header_lengths=(4, 8, 18),
        trace_lengths=(0, 3, 10),
        first_timestamp=data.draw(st.sampled_from([0, 2**32 - 50, 2**48 - 50])),
        mean_ticks=20,
    )
    words = encode(events, LAYOUT)
    period = data.draw(st.sampled_from([1, 1000, 2**32 - 1, 2**47 + 12345]))
    looped = LoopedWords(words, LAYOUT, modules=[(0, 2)], period_ticks=period)
    expected = oracle(words, 4, period)
    first = data.draw(st.integers(0, expected.size - 1))
    count = data.draw(st.integers(1, expected.size - first))
    np.testing.assert_array_equal(
        looped.take(first, count), expected[first : first + count]
    )


def test_words_and_events_are_counted_across_rounds():
    words = words_of(5, mixed=True)
    looped = LoopedWords(words, LAYOUT, period_ticks=1)
    ends = np.cumsum([0, *(words[looped._positions] >> 17 & 0x3FFF)])
    ends = np.concatenate([ends, ends[1:] + words.size])
    for events, end in enumerate(ends):
        assert looped.words_until(events) == end
        assert looped.events_within(int(end)) == events
        assert looped.events_within(int(end) - 1) == max(events - 1, -(not events))


def test_memory_that_is_still_referred_to_is_not_used_again():
    words = words_of(100)
    looped = LoopedWords(words, LAYOUT, period_ticks=0)
    taken = [looped.take(0, words.size) for _ in range(10)]
    taken[0][:] = 0
    for other in taken[1:]:
        np.testing.assert_array_equal(other, words)


def test_period_of_a_file_is_its_span_and_the_mean_gap_also_across_a_wrap():
    stamps = np.array([2**48 - 100, 2**48 - 40, 2**48 - 50, 50], np.uint64)
    events = random_events(LAYOUT, 4, np.random.default_rng(1))
    words = encode(events.with_columns(timestamp=stamps), LAYOUT)
    assert LoopedWords(words, LAYOUT).period_ticks == 150 + 50


# What is made


@pytest.mark.parametrize("layout", Layout.known(), ids=lambda layout: layout.name)
def test_made_up_events_fit_every_layout(layout):
    recipe = Recipe(
        layout, 0, 2, 1e5, trace_samples=20, energy_sums=True, qdc=True, channels=16
    )
    block = generate(recipe, 1000, np.random.default_rng(1))
    decoded = decode(encode(block.events, layout), layout, modules=[(0, 2)])
    assert decoded.balance.rejected == decoded.balance.leftover == 0
    events = decoded.events
    assert len(events) == 1000
    assert len(np.unique(events.channel)) == 16
    assert np.all(np.diff(block.due_ticks) >= 0)
    assert events.timestamp.max() <= block.period_ticks
    assert block.due_ticks[-1] <= block.period_ticks
    # The CFD moves no event out of its tick, or the one beside it.
    correction = events.time_ps - events.timestamp.astype(np.int64) * layout.tick_ps
    assert np.abs(correction).max() <= layout.tick_ps
    assert np.unique(events.cfd_fraction).size > 500
    assert events.esum_valid.all()
    assert events.qdc_valid.all()
    assert set(events.trace_length.tolist()) == {20}


def test_times_are_in_order_within_channels_but_not_across_them():
    recipe = Recipe(LAYOUT, 0, 2, 1e5)
    events = generate(recipe, 5000, np.random.default_rng(1)).events
    time = events.timestamp.astype(np.int64)
    late = np.diff(time) < 0
    assert 0 < late.mean() < 0.6
    disorder_ps = (np.maximum.accumulate(time) - time).max() * LAYOUT.tick_ps
    assert disorder_ps <= 10_000_000
    for channel in range(16):
        assert np.all(np.diff(time[events.channel == channel]) >= 0)


def test_rate_and_lines_are_as_asked_for():
    recipe = Recipe(LAYOUT, 0, 2, 1e5)
    block = generate(recipe, 20_000, np.random.default_rng(1))
    rate = 20_000 / (block.period_ticks * LAYOUT.tick_ps * 1e-12)
    assert rate == pytest.approx(1e5, rel=0.03)
    events = block.events[block.events.channel == 3]
    counts, edges = np.histogram(events.energy, np.arange(4000, 7000, 10))
    # The line at 662 keV is the highest there.
    assert edges[counts.argmax()] == pytest.approx(661.7 * 8, rel=0.05)


# The task


def events_of(stream: Any) -> Any:
    """Decode a stream, which must have nothing but events."""
    decoded = decode(
        stream.words, stream.stream.decoding, modules=stream.stream.modules
    )
    assert decoded.balance.rejected == decoded.balance.leftover == 0
    return decoded.events


def test_as_many_events_as_asked_for_and_no_more(clock):
    modules = ["0/2:500/34688", "0/3:250/34688", "1/2:100/34688"]
    run = SourceRun(
        DummyData, clock, rate_hz=0, events=200_000, modules=modules, frame_kb=64
    ).run()
    counts = {name: len(events_of(s)) for name, s in run.streams.items()}
    assert counts == {"c0-s02": 66_667, "c0-s03": 66_667, "c1-s02": 66_666}
    assert run.task.statistics["events"] == 200_000


@pytest.mark.parametrize("rate", [0, RATE])
def test_no_events_at_all_are_possible(clock, rate):
    run = SourceRun(DummyData, clock, rate_hz=rate, events=0).run()
    assert run.streams["c0-s02"].words.size == 0


def test_same_seed_same_words_however_they_are_cut(clock):
    parameters: dict[str, Any] = {"events": 5000, "qdc": True, "trace_samples": 11}
    runs = [
        SourceRun(DummyData, clock, rate_hz=RATE, seed=7, **parameters),
        SourceRun(DummyData, clock, rate_hz=RATE, seed=7, latency_s=1.0, **parameters),
        SourceRun(DummyData, clock, rate_hz=RATE, seed=8, **parameters),
    ]
    first, second, other = (run.run().streams["c0-s02"] for run in runs)
    np.testing.assert_array_equal(first.words, second.words)
    assert len(first.parts) != len(second.parts)
    assert not np.array_equal(first.words, other.words)


def test_a_second_run_begins_anew(clock):
    run = SourceRun(DummyData, clock, rate_hz=RATE, events=1000)
    first = run.run().streams["c0-s02"].words
    np.testing.assert_array_equal(run.run().streams["c0-s02"].words, first)


@pytest.mark.parametrize(("rate", "runtime"), [(3.0, 10.0), (RATE, 5.0), (1e6, 0.5)])
def test_event_times_advance_as_real_time_does(clock, rate, runtime):
    run = SourceRun(
        DummyData, clock, rate_hz=rate, runtime_s=runtime, frame_kb=64
    ).run()
    begin = clock.now - runtime
    events = events_of(run.streams["c0-s02"])
    expected = runtime * rate
    assert len(events) == pytest.approx(expected, abs=6 * expected**0.5)
    assert events.time_ps.max() <= runtime * 1e12
    sent_before = 0
    for data, now in zip(run.sent, run.times, strict=True):
        if isinstance(data, Words) and data.words.size:
            sent_before += data.words.size
            whole = sent_before // 4
            # None before its time, and none later than the latency allows.
            assert events.time_ps[:whole].max(initial=0) <= (now - begin) * 1e12
            waiting = events.time_ps[whole:] < (now - begin - 0.101) * 1e12 - 1e7
            assert not waiting.any()


def test_slow_rates_do_not_wait_for_full_frames(clock):
    run = SourceRun(DummyData, clock, rate_hz=5.0, runtime_s=20.0).run()
    sizes = [part.size for part in run.streams["c0-s02"].parts]
    assert len(sizes) > 50
    assert max(sizes) < 50


@pytest.mark.parametrize("rate", [0, RATE, 1e6])
def test_frames_are_cut_within_events_and_never_too_large(clock, rate):
    run = SourceRun(DummyData, clock, rate_hz=rate, events=100_000, frame_kb=64).run()
    parts = run.streams["c0-s02"].parts
    ends = list(itertools.accumulate(part.size for part in parts))
    assert {end % 4 for end in ends} == {0, 1, 2, 3}
    assert max(part.nbytes for part in parts) <= 64 * 1024


@pytest.mark.parametrize("rate", [0, RATE])
@pytest.mark.parametrize("words", [1, 20_001, 100_003])
def test_stopping_completes_the_last_event(clock, rate, words):
    run = SourceRun(DummyData, clock, rate_hz=rate, trace_samples=100, frame_kb=8)
    run.run(until=lambda: run.words_sent >= words)
    assert len(events_of(run.streams["c0-s02"])) == run.task.statistics["events"]


@pytest.mark.parametrize("rate", [0, RATE])
def test_stopping_before_any_event_gives_an_empty_stream(clock, rate):
    run = SourceRun(DummyData, clock, rate_hz=rate).run(until=lambda: True)
    assert run.streams["c0-s02"].words.size == 0


def test_modules_stay_together_in_time(clock):
    modules = ["0/2:500/34688", "0/3:250/34688"]
    run = SourceRun(
        DummyData, clock, rate_hz=0, modules=modules, events=400_000, frame_kb=64
    ).run()
    times = {name: events_of(s).time_ps for name, s in run.streams.items()}
    sent = dict.fromkeys(times, 0)
    # A frame holds 4096 events of a module with 0.5 MHz.
    frame_ps = 4096 / 0.5e6 * 1e12
    for data in run.sent:
        if isinstance(data, Words):
            sent[data.stream.name] += data.words.size // 4
            last = [times[name][max(n - 1, 0)] for name, n in sent.items()]
            assert abs(int(last[0]) - int(last[1])) < 1.5 * frame_ps


def test_a_slow_consumer_makes_the_clock_wait(clock):
    run = SourceRun(
        DummyData, clock, rate_hz=1e6, runtime_s=10.0, frame_kb=64, per_send_s=0.01
    ).run()
    events = events_of(run.streams["c0-s02"])
    # A frame of 4096 events each 10 ms; what is behind is at most about a second.
    assert len(events) < 6_000_000
    assert run.task.statistics["behind_s"] > 4


def test_a_file_is_sent_again_and_again_with_its_time_going_on(clock, tmp_path):
    sound = words_of(300, mixed=True)
    lost = np.full(5, 0xFFFFFFFF, np.uint32)
    np.concatenate([sound, lost, words_of(200, seed=2), lost[:3]]).tofile(
        tmp_path / "a.bin"
    )
    run = SourceRun(
        DummyData, clock, rate_hz=RATE, file=tmp_path / "a.bin", events=1750, frame_kb=8
    ).run()
    (stream,) = run.streams.values()
    assert stream.stream.name == "c0-s02"
    decoded = decode(stream.words, LAYOUT)
    assert len(decoded.events) == 1750
    # Three whole rounds and a half.
    assert decoded.balance.rejected == 3 * lost.size
    energies = decoded.events.energy
    np.testing.assert_array_equal(energies[:500], energies[500:1000])
    np.testing.assert_array_equal(energies[:250], energies[1500:1750])
    stamps = decoded.events.timestamp.astype(np.int64)
    period = stamps[500] - stamps[0]
    np.testing.assert_array_equal(stamps[500:1500] - stamps[:1000], period)
    assert stamps[499] < stamps[500] or period > np.ptp(stamps[:500])
    assert clock.now - 1000 == pytest.approx(1750 / RATE, abs=0.11)


def test_what_is_behind_the_last_event_of_a_file_is_left_out(tmp_path):
    np.concatenate([words_of(100), words_of(1)[:3]]).tofile(tmp_path / "a.bin")
    run = SourceRun(
        DummyData, file=tmp_path / "a.bin", rate_hz=0, events=1000, frame_kb=8
    ).run()
    words = run.streams["c0-s02"].words
    assert words.size == decode(words, LAYOUT).balance.decoded == 4000


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"modules": []}, DummyDataError, "modules is empty"),
        (
            {"file": "{}/a.bin", "modules": ["0/2:500/34688", "0/3:500/34688"]},
            DummyDataError,
            "2 are given",
        ),
        ({"file": "{}/none.bin"}, RawFileError, "there is no such file"),
        ({"file": "{}/noise.bin"}, RawFileError, "nothing decodes"),
        ({"file": "{}/empty.bin"}, NothingToLoopError, "empty.bin: there is no event"),
        ({"channels": 64}, ValueError, "channel is"),
    ],
)
def test_what_cannot_be_sent_is_refused(tmp_path, parameters, error, text):
    words_of(100).tofile(tmp_path / "a.bin")
    (tmp_path / "empty.bin").touch()
    np.full(10_000, 0xFFFFFFFF, np.uint32).tofile(tmp_path / "noise.bin")
    if "file" in parameters:
        parameters = parameters | {"file": parameters["file"].format(tmp_path)}
    run = SourceRun(DummyData, **parameters)
    with pytest.raises(error, match=text):
        run.start()
    assert run.sent == []


def test_recorded_data_repeat_without_damage(real_data):
    run = SourceRun(
        DummyData, file=real_data / "headers.bin", rate_hz=0, events=100_000
    ).run()
    events = events_of(run.streams["c0-s02"])
    assert len(events) == 100_000
    first = events.time_ps[:24_000]
    behind = events.time_ps[24_598:48_598]
    assert np.unique(behind - first).size == 1


def test_in_a_pipeline_all_words_arrive(tmp_path):
    from pixie_pipe.pipeline.pipeline import Pipeline
    from tests.support.source_tasks import CollectWords

    with Pipeline() as pipeline:
        task = pipeline.create_task("DummyData", rate_hz=0, events=1_000_001)
        pipeline.create_task(CollectWords.__name__, directory=str(tmp_path))
        pipeline.start()
        pipeline.wait(60, quiet=True)
        balance = pipeline.balance()
        own = task.statistics["DummyData"]["own"]
    assert balance.closes
    assert balance.words_read == 4_000_004
    assert own["events"] == 1_000_001
    words = np.fromfile(tmp_path / "c0-s02.words", np.uint32)
    assert len(decode(words, LAYOUT, modules=[(0, 2)]).events) == 1_000_001


def worked(run: SourceRun, seconds: float) -> SourceRun:
    """Let a source work for some time."""
    until = run.clock.now + seconds
    while run.clock.now < until:
        run.task.do_work(None)
        run.clock.now += run.step_s
    return run


@pytest.mark.parametrize("ends_paused", [False, True])
def test_in_a_pause_the_clock_stands_still(clock, ends_paused):
    whole = worked(SourceRun(DummyData, clock, rate_hz=RATE, step_s=0.01).start(), 2.0)
    whole.task.do_stop()
    run = worked(SourceRun(DummyData, clock, rate_hz=RATE, step_s=0.01).start(), 1.0)
    for seconds in (100.0, 50.0):
        run.task.do_pause()
        clock.now += seconds
        run.task.do_resume()
    worked(run, 1.0)
    if ends_paused:
        run.task.do_pause()
        clock.now += 100
    run.task.do_stop()
    (name, expected), *_ = whole.streams.items()
    found = run.streams[name]
    # The same words, but for those of a step of the clock.
    least = min(expected.words.size, found.words.size)
    assert np.array_equal(expected.words[:least], found.words[:least])
    assert abs(expected.words.size - found.words.size) <= 0.03 * RATE * 4
    assert run.task.statistics["behind_s"] < 0.1


def test_a_pause_before_the_first_step_changes_nothing(clock):
    run = SourceRun(DummyData, clock, rate_hz=RATE, events=100, step_s=0.01).start()
    run.task.do_pause()
    clock.now += 100
    run.task.do_resume()
    run.work()
    assert run.task.statistics["events"] == 100
