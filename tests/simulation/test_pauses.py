"""Pauses of a simulated run: times go on, data and counters stand still."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.drivers.simulated import SimulatedDigitizer
from pixie_pipe.listmode import decode
from pixie_pipe.simulation.chunks import Chunk, chosen
from pixie_pipe.simulation.truth import Fate
from tests.support.simulated_runs import StepClock

TWO = ["0/2:500/34688", "0/3:250/34688"]
BLOCK_S = 0.05
"""Longest block: a pause begins with the end of one."""


class PausedRun:
    """Two modules with pauses of 10 s, read as the clock goes."""

    def __init__(self, parts: list[float], pause_s: float, **options: Any) -> None:
        clock = StepClock()
        options = {"rate_hz": 20_000.0, "room_hz": 0.0, "truth": True} | options
        digitizer = SimulatedDigitizer(TWO, clock=clock, **options)
        self.words: list[list[Any]] = [[], []]
        self.pauses: list[tuple[float, float]] = []
        self.between: list[list[dict[str, Any]]] = []
        with digitizer:
            digitizer.start_run()
            begun = clock.now
            for number, seconds in enumerate(parts):
                if number:
                    digitizer.pause_run()
                    pause_begun = clock.now - begun
                    self._read(digitizer)
                    counted = [digitizer.statistics(n) for n in range(2)]
                    clock.now += pause_s
                    assert [digitizer.read(n, 1 << 20).size for n in range(2)] == [0, 0]
                    assert [digitizer.statistics(n) for n in range(2)] == counted
                    self.between.append(counted)
                    digitizer.resume_run()
                    self.pauses.append((pause_begun, clock.now - begun))
                for _ in range(4):
                    clock.now += seconds / 4
                    self._read(digitizer)
            digitizer.stop_run()
            self._read(digitizer)
            self.seconds = sum(parts)
            self.statistics = [digitizer.statistics(n) for n in range(2)]
            self.histograms = [
                [digitizer.histogram(n, channel) for channel in range(4)]
                for n in range(2)
            ]
            self.truth = digitizer.truth()
            self.events = []
            for n, module in enumerate(digitizer.modules):
                decoded = decode(np.concatenate(self.words[n]), module.layout)
                assert decoded.balance.rejected == decoded.balance.leftover == 0
                self.events.append(decoded.events)

    def _read(self, digitizer: SimulatedDigitizer) -> None:
        for kept, n in zip(self.words, range(2), strict=True):
            kept.append(digitizer.read(n, 1 << 20))


@pytest.mark.parametrize("mode", ["physics", "fast"])
def test_no_event_is_in_a_pause_and_all_that_is_counted_agrees(mode):
    run = PausedRun(
        [0.2, 0.15, 0.2],
        10.0,
        mode=mode,
        external_timestamps=True,
        trace_samples=200,
    )
    assert len(run.pauses) == 2
    truth = run.truth
    for module, events in enumerate(run.events):
        times = events.time_ps * 1e-12
        for begin, end in run.pauses:
            inside = (times >= begin + BLOCK_S) & (times < end)
            assert not inside.any()
            # But there are some soon before it, and soon behind.
            assert ((times >= begin - 0.01) & (times < begin + BLOCK_S)).sum() > 10
            assert ((times >= end) & (times < end + 0.01)).sum() > 10
        told = run.statistics[module]
        # The clock of the real time stood still, but for what a block has more.
        assert run.seconds <= told["real_time_s"][0] <= run.seconds + 3 * BLOCK_S
        assert all(live <= told["real_time_s"][0] for live in told["live_time_s"])
        by_channel = np.bincount(events.channel, minlength=16)
        assert told["output_counts"] == by_channel.tolist()
        assert told["words_read"] == sum(part.size for part in run.words[module])
        rows = np.flatnonzero((truth.module == module) & truth.recorded)
        own = events[truth.event[rows]]
        np.testing.assert_array_equal(own.channel, truth.channel[rows])
        assert abs(own.time_ps - truth.time_ps[rows]).max() < 10**6
        external = own.external_timestamp.astype(np.int64) * 10_000
        assert abs(external - truth.time_ps[rows]).max() < 10**6
        for channel in range(4):
            alone = events.energy[(events.channel == channel) & ~events.pileup]
            expected = np.bincount(alone >> 1, minlength=32768)
            np.testing.assert_array_equal(run.histograms[module][channel], expected)
    assert (truth.fate == Fate.LOST_IN_FIFO).sum() == 0


def test_only_what_was_under_way_when_a_pause_began_is_lost():
    # Long filters: at some of the pauses an event is not complete.
    options: dict[str, Any] = {"detector": "HPGe", "rate_hz": 40_000.0}
    run = PausedRun([0.04] * 9, 10.0, **options)
    paused_ps = [1e12 * told[0]["real_time_s"][0] for told in run.between]
    end_ps = 1e12 * run.statistics[0]["real_time_s"][0] - 10**8
    whole = PausedRun([1e-12 * end_ps + BLOCK_S], 0.0, **options)
    # The same deposits, in the same order.
    truth = whole.truth.take(np.arange(len(run.truth)))
    np.testing.assert_array_equal(truth.kev, run.truth.kev)
    known = truth.time_ps < end_ps
    assert not (run.truth.recorded & ~truth.recorded)[known].any()
    lost_ps = truth.time_ps[(truth.recorded & ~run.truth.recorded) & known]
    assert 0 < lost_ps.size < 30
    for time_ps in lost_ps.tolist():
        assert min(abs(time_ps - pause) for pause in paused_ps) < 50e6


def test_a_pause_within_a_block_is_none():
    once = PausedRun([0.21], 0.0)
    # Each pause ends before the block in which it began.
    often = PausedRun([0.07, 0.07, 0.07], 1e-9)
    for words, others in zip(once.words, often.words, strict=True):
        np.testing.assert_array_equal(np.concatenate(words), np.concatenate(others))


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.booleans()), max_size=9))
def test_some_events_of_a_chunk(items):
    sizes = np.array([4 * size for size, _, _ in items], np.int64)
    ends = np.cumsum(sizes)
    words = np.arange(sizes.sum(), dtype=np.uint32)
    external = np.array([2 if has else -1 for _, has, _ in items], np.int64)
    starts = ends - sizes
    chunk = Chunk(
        words=words,
        ends=ends,
        ready_ps=np.arange(sizes.size) * 10,
        channel=np.arange(sizes.size) % 3,
        external=np.where(external >= 0, starts + external, -1),
        bins=np.arange(sizes.size),
    )
    wanted = np.array([is_wanted for _, _, is_wanted in items], np.bool_)
    found = chosen(chunk, wanted)
    rows = np.flatnonzero(wanted)
    parts = [words[starts[row] : ends[row]] for row in rows]
    assert found.words.tolist() == [word for part in parts for word in part]
    assert found.ends.tolist() == np.cumsum([part.size for part in parts]).tolist()
    assert found.bins.tolist() == rows.tolist()
    assert found.ready_ps.tolist() == (10 * rows).tolist()
    assert found.channel.tolist() == (rows % 3).tolist()
    for at, row in zip(found.external.tolist(), rows.tolist(), strict=True):
        if external[row] < 0:
            assert at == -1
        else:
            assert found.words[at] == words[starts[row] + 2]
