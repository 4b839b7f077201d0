"""The survey, beside a plain Python account of the same events."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events, EventsError
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.storage.survey import Survey, SurveyResult, TimeStep
from pixie_pipe.testing.generators import random_events

SECOND = 10**12
LAYOUT = Layout.find(500, 34688)


def table(times, *, crate=0, slot=2, channel=0, energy=100) -> Events:
    count = len(times)
    return Events(
        {
            "crate": np.broadcast_to(np.asarray(crate, "u1"), count).copy(),
            "slot": np.broadcast_to(np.asarray(slot, "u1"), count).copy(),
            "channel": np.broadcast_to(np.asarray(channel, "u1"), count).copy(),
            "energy": np.broadcast_to(np.asarray(energy, "u2"), count).copy(),
            "time_ps": np.asarray(times, "i8"),
            "cfd_fraction": np.zeros(count, "u2"),
            "cfd_source": np.zeros(count, "u1"),
            "cfd_forced": np.zeros(count, "?"),
            "pileup": np.zeros(count, "?"),
            "out_of_range": np.zeros(count, "?"),
        }
    )


def surveyed(*parts, **limits) -> SurveyResult:
    survey = Survey(**limits)
    for part in parts:
        survey.add(part)
    return survey.result()


def account_of_time(times, reset_ps, gap_ps, gap_factor) -> dict[str, Any]:
    """Tell disorder, resets, gaps and span by looking ahead in the whole list."""
    disorder, resets, gaps = [], [], []
    largest_step = (0, 0)
    span = 0
    earliest = latest = times[0]
    in_segment = 0
    i = 0
    while i < len(times):
        far = i
        while far < len(times) and times[far] < latest - reset_ps:
            far += 1
        if far - i >= 4:
            resets.append((i, latest, times[i]))
            span += latest - earliest
            earliest = latest = times[i]
            in_segment = 0
        elif far > i:
            disorder += [(latest - times[k], k) for k in range(i, far)]
            i = far
            continue
        time = times[i]
        if time < latest:
            disorder.append((latest - time, i))
            earliest = min(earliest, time)
        else:
            step = time - latest
            if step > largest_step[0]:
                largest_step = (step, i)
            known = in_segment >= 10
            if known and step > gap_ps:
                mean = float(latest - earliest) / (in_segment - 1)
                if step > gap_factor * mean:
                    gaps.append((i, latest, time))
            latest = time
        in_segment += 1
        i += 1
    span += latest - earliest
    largest = max((step for step, _ in disorder), default=0)
    first_largest = next((k for step, k in disorder if step == largest), 0)
    return {
        "disorder": len(disorder),
        "back": (largest, first_largest),
        "resets": resets,
        "gaps": gaps,
        "step": largest_step,
        "span": span,
    }


# Small numbers around small limits: every branch is taken often. Powers of two keep
# the float comparison of gaps exact, whichever way it is written.
steps = st.one_of(
    st.integers(0, 3), st.integers(-3, -1), st.sampled_from([-300, -90, 20, 64, 400])
)


@given(st.lists(steps, min_size=1, max_size=120), st.data())
def test_time_is_followed_as_by_plain_python(steps, data):
    times = (1000 + np.cumsum(steps)).tolist()
    cut = data.draw(st.integers(0, len(times)))
    events = table(times)
    result = surveyed(
        events[:cut], events[cut:], reset_s=50e-12, gap_s=16e-12, gap_factor=4
    )
    expected = account_of_time(times, 50, 16, 4)
    (module,) = result.modules
    assert module.events == len(times)
    assert (module.first_ps, module.last_ps) == (times[0], times[-1])
    assert module.disorder == expected["disorder"]
    assert (module.largest_back_ps, module.largest_back_event) == expected["back"]
    assert module.reset_count == len(expected["resets"])
    assert module.resets == tuple(TimeStep(*row) for row in expected["resets"][:10])
    assert module.gap_count == len(expected["gaps"])
    assert module.gaps == tuple(TimeStep(*row) for row in expected["gaps"][:10])
    assert (module.largest_step_ps, module.largest_step_event) == expected["step"]
    assert module.span_ps == expected["span"]


@given(
    st.integers(1, 300),
    st.sampled_from([(4,), (4, 8), (6, 12, 18), (4, 6, 8, 10, 12, 14, 16, 18)]),
    st.sampled_from([(0,), (0, 10, 30), (7, 8)]),
    st.integers(0, 2**32),
    st.data(),
)
def test_counts_as_by_plain_python(count, headers, traces, seed, data):
    modules = [(0, 2), (0, 3), (1, 14), (3, 7), (15, 2)]
    events = random_events(
        LAYOUT,
        count,
        np.random.default_rng(seed),
        header_lengths=headers,
        trace_lengths=traces,
        modules=modules,
    )
    cut = data.draw(st.integers(0, count))
    result = surveyed(events[:cut], events[cut:])
    assert result.events == count
    rows = list(
        zip(
            events.crate.tolist(),
            events.slot.tolist(),
            events.channel.tolist(),
            strict=True,
        )
    )
    assert {
        (row.crate, row.slot, row.channel): row.events for row in result.channels
    } == Counter(rows)
    assert [(row.crate, row.slot) for row in result.modules] == sorted(
        {row[:2] for row in rows}
    )
    for row in result.channels:
        chosen = events.select(crate=row.crate, slot=row.slot, channel=row.channel)
        off = (chosen.cfd_fraction == 0) & (chosen.cfd_source == 0)
        assert row.pileup == chosen.pileup.sum()
        assert row.out_of_range == chosen.out_of_range.sum()
        assert row.cfd_forced == chosen.cfd_forced.sum()
        assert row.cfd_off == (off & ~chosen.cfd_forced).sum()
        assert row.cfd_valid == chosen.cfd_valid.sum()
        expected = np.bincount(chosen.energy // row.energy_per_bin, minlength=1 << 14)
        assert row.spectrum is not None
        assert np.array_equal(row.spectrum, expected)
    for module in result.modules:
        chosen = events.select(crate=module.crate, slot=module.slot)
        assert module.header_lengths == Counter(header_lengths(chosen))
        lengths = (
            chosen.trace_length.tolist()
            if "trace_length" in chosen.columns
            else [0] * len(chosen)
        )
        assert module.trace_lengths == Counter(lengths)
        if module.rate_hz is not None:
            share = sum(
                row.rate_hz or 0.0
                for row in result.channels
                if (row.crate, row.slot) == (module.crate, module.slot)
            )
            assert share == pytest.approx(module.rate_hz)


def header_lengths(events) -> list[int]:
    lengths = np.full(len(events), 4)
    words = {"esum_valid": 4, "qdc_valid": 8, "external_timestamp_valid": 2}
    for name, size in words.items():
        if name in events.columns:
            lengths += size * events[name]
    values: list[int] = lengths.tolist()
    return values


def test_a_counter_reset_is_told_from_disorder():
    before = [5 * SECOND + k * 10**9 for k in range(100)]
    after = [k * 10**9 for k in range(100)]
    result = surveyed(table(before + after))
    (module,) = result.modules
    assert module.resets == (TimeStep(100, before[-1], 0),)
    assert module.disorder == 0
    assert module.span_ps == 2 * 99 * 10**9
    assert module.rate_hz == pytest.approx(1000.0)


def test_stray_times_are_disorder_and_leave_the_span_alone():
    times = [5 * SECOND + k * 10**9 for k in range(100)]
    times[50:53] = [0, 1, 2]
    (module,) = surveyed(table(times)).modules
    assert module.reset_count == 0
    assert module.disorder == 3
    assert module.largest_back_event == 50
    assert module.span_ps == 99 * 10**9


def test_a_pause_is_a_gap_and_a_low_rate_is_not():
    fast = [k * 10**6 for k in range(100)]
    pause = [fast[-1] + 3 * SECOND + k * 10**6 for k in range(10)]
    slow = [2 * SECOND * k for k in range(50)]
    (module,) = surveyed(table(fast + pause)).modules
    assert module.gaps == (TimeStep(100, fast[-1], pause[0]),)
    assert surveyed(table(slow)).modules[0].gap_count == 0


def test_only_the_first_ten_are_listed_but_all_are_counted():
    times = [
        (0 if turn % 2 else 10) * SECOND + k * 10**6
        for turn in range(31)
        for k in range(5)
    ]
    (module,) = surveyed(table(times)).modules
    assert module.reset_count == 15
    assert len(module.resets) == 10


def test_nothing_gives_nothing_and_one_event_has_no_rate():
    assert surveyed(Events.empty()).modules == ()
    (module,) = surveyed(table([7])).modules
    assert module.rate_hz is None
    assert module.span_ps == 0


def test_more_channels_than_spectra():
    count = 256 * 6
    channel = np.arange(count) % 256
    slot = 2 + np.arange(count) // 256
    result = surveyed(table(np.arange(count), slot=slot, channel=channel))
    assert len(result.channels) == count
    assert all(row.events == 1 for row in result.channels)
    assert sum(row.spectrum is not None for row in result.channels) == 1024


def test_a_missing_column_is_named():
    events = table([1, 2]).without("energy", "pileup")
    with pytest.raises(EventsError, match="energy, pileup"):
        Survey().add(events)


@pytest.mark.parametrize(
    ("events", "step", "gaps"), [(10, 401, 1), (10, 400, 0), (9, 401, 0), (30, 401, 1)]
)
def test_a_gap_begins_where_the_limits_say(events, step, gaps):
    times = [100 * k for k in range(events)]
    times.append(times[-1] + step)
    (module,) = surveyed(table(times), gap_s=0, gap_factor=4).modules
    assert module.gap_count == gaps
