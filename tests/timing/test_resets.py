"""Resets are found in any cut of the data, and are what a plain model finds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.timing import (
    ClockResets,
    Reset,
    ResetRule,
    TimingError,
    find_resets,
    wrap_ps,
)

S = 10**12
RULE = ResetRule(jump_ps=100, near_zero_ps=300, wrap_gap_ps=200)


def model(events, rule, wrap):
    """Follow the clocks in Python's integers; return placed events and resets."""
    clocks: dict[int, tuple[int, int, int]] = {}
    placed: list[tuple[int, int]] = []
    resets, stray = [], 0
    for row, (slot, time) in enumerate(events):
        segment, turns, latest = clocks.get(slot, (0, 0, time))
        now = time + turns * wrap
        back = latest - now
        if back > rule.jump_ps:
            if wrap and wrap - back <= rule.wrap_gap_ps:
                turns, now = turns + 1, now + wrap
            elif time < rule.near_zero_ps:
                segment, turns, now = segment + 1, 0, time
                resets.append(Reset((1, slot), segment, row, latest, time))
                latest = time
            else:
                stray += 1
        elif turns and -back > wrap // 2:
            now -= wrap
        clocks[slot] = (segment, turns, max(latest, now))
        placed.append((segment, now))
    return placed, resets, stray


events_of_modules = st.lists(
    st.tuples(
        st.integers(2, 4),
        st.integers(-5, 1000) | st.sampled_from([0, 99, 100, 101, 299, 300, 999]),
    ),
    max_size=60,
)


@given(events_of_modules, st.lists(st.integers(0, 60)), st.sampled_from([0, 1000]))
def test_any_cut_gives_what_the_model_does(events, cuts, wrap):
    times = np.array([time for _, time in events], np.int64)
    slots = np.array([slot for slot, _ in events], np.uint8)
    crates = np.ones_like(slots)
    clocks = ClockResets(RULE)
    placed: list[tuple[int, int]] = []
    resets = []
    for first, behind in pairwise([0, *sorted(cuts), len(events)]):
        part = slice(first, behind)
        found, more = clocks.follow(
            crates[part], slots[part], times[part], wrap_ps=wrap
        )
        placed += zip(found.segment.tolist(), found.clock_ps.tolist(), strict=True)
        resets += more
    expected, expected_resets, stray = model(events, RULE, wrap)
    assert placed == expected
    assert resets == expected_resets
    assert clocks.stray_events == stray
    for slot in range(2, 5):
        segments = [
            p for p, (of, _) in zip(expected, events, strict=True) if of == slot
        ]
        span = clocks.span((1, slot))
        if not segments:
            assert span is None
            continue
        last = segments[-1][0]
        clock = [time for segment, time in segments if segment == last]
        assert span == (last, max(clock))


@st.composite
def runs(draw):
    """Draw the times of a module in several runs, in disorder, and where runs begin."""
    times: list[int] = []
    firsts = []
    for _ in range(draw(st.integers(1, 4))):
        seconds = draw(st.integers(70, 5000))
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        exact = np.cumsum(rng.exponential(seconds * S / 50, 50)).astype(np.int64)
        exact += draw(st.integers(0, 40)) * S - exact[0]
        firsts.append(len(times))
        late = exact + rng.integers(0, 5 * 10**9, 50)
        times += exact[np.argsort(late)].tolist()
    return times, firsts


@given(runs(), runs())
def test_each_run_behind_another_is_a_reset_in_spite_of_disorder(one, other):
    """Modules in turn; offline, and with resets of each at other places."""
    found = []
    for slot, (times, _) in ((2, one), (3, other)):
        found.append([(slot, time) for time in times])
    together = [event for pair in zip(*found, strict=False) for event in pair]
    longer = max(found, key=len)
    together += longer[len(together) // 2 :]
    slots, times = zip(*together, strict=True)
    resets = find_resets([0] * len(times), list(slots), list(times), tick_ps=10_000)
    for slot, (own, firsts) in ((2, one), (3, other)):
        rows = [row for row, of in enumerate(slots) if of == slot]
        assert [reset.row for reset in resets if reset.module == (0, slot)] == [
            rows[first] for first in firsts[1:]
        ]
        for reset in resets:
            if reset.module == (0, slot):
                assert reset.after_ps == times[reset.row]
                assert reset.before_ps > reset.after_ps + S // 10
        del own
    assert [reset.row for reset in resets] == sorted(reset.row for reset in resets)


@pytest.mark.parametrize("tick_ps", [8000, 10_000])
def test_a_counter_that_goes_round_is_no_reset(tick_ps):
    """Events from before that point may come behind it."""
    wrap = wrap_ps(tick_ps)
    times = [wrap - 3 * S, wrap - S, S, wrap - 5, 2 * S, 2 * S - 7]
    clocks = ClockResets()
    placed, resets = clocks.follow([0] * 6, [2] * 6, times, wrap_ps=wrap)
    assert resets == []
    assert placed.segment.tolist() == [0] * 6
    assert placed.clock_ps.tolist() == [
        wrap - 3 * S, wrap - S, wrap + S, wrap - 5, wrap + 2 * S, wrap + 2 * S - 7
    ]  # fmt: skip
    # Without knowing the tick, it is one; far from that point, it is in any case.
    assert len(find_resets([0] * 2, [2] * 2, times[1:3])) == 1
    early = [wrap - 5000 * S, S]
    assert len(find_resets([0, 0], [2, 2], early, tick_ps=tick_ps)) == 1
    by_module = find_resets([0, 0], [2, 2], times[1:3], tick_ps={(0, 2): tick_ps})
    assert by_module == []


def test_modules_of_different_ticks():
    at = [wrap_ps(8000) - S, S]
    modules, times = [2, 3, 2, 3], [at[0], at[0], at[1], at[1]]
    found = find_resets([0] * 4, modules, times, tick_ps={(0, 2): 8000, (0, 3): 10_000})
    assert found == [Reset((0, 3), 1, 3, at[0], S)]


def test_a_counter_that_goes_round_too_often():
    wrap = wrap_ps(10_000)
    clocks = ClockResets()
    round_once = [S, wrap // 3, wrap // 3 * 2, wrap - S]
    for _ in range(3):
        clocks.follow([0] * 4, [2] * 4, round_once, wrap_ps=wrap)
    span = clocks.span((0, 2))
    assert span is not None
    assert span.last_ps == 3 * wrap - S
    with pytest.raises(TimingError, match="module 0/2 went round so often"):
        clocks.follow([0], [2], [S], wrap_ps=wrap)


@pytest.mark.parametrize("time", [-(1 << 62), (1 << 62) + 1])
def test_times_that_are_none(time):
    with pytest.raises(TimingError, match="are these times of the module's own clock"):
        ClockResets().follow([0], [2], [time])
    with pytest.raises(TimingError, match="expected at most 2814750767106"):
        ClockResets().follow([0], [2], [1 << 62], wrap_ps=wrap_ps(10_000))


def test_rules_that_cannot_be():
    with pytest.raises(TimingError, match="jump_ps is 0, expected a whole number"):
        ResetRule(jump_ps=0)
