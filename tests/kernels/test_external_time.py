"""Times of an external clock are exact, and follow its counter when it goes round."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels.external_time import ExternalTimeError, ExternalTimes

MOST = 2**31 - 1


def table(rows):
    slot, own, valid, ticks = zip(*rows, strict=True) if rows else [()] * 4
    return Events(
        {
            "crate": np.zeros(len(rows), np.uint8),
            "slot": np.array(slot, np.uint8),
            "time_ps": np.array(own, np.int64),
            "external_timestamp_valid": np.array(valid, np.bool_),
            "external_timestamp": np.array(ticks, np.uint64),
        }
    )


def model(rows, ps, per_ticks, offset, bits, without):
    """Do the same with whole numbers of any size."""
    latest, last, found = {}, {}, []
    tick = Fraction(ps, per_ticks)
    most = (2**63 - 2 - abs(offset) - ps) // ps
    for slot, own, valid, ticks in rows:
        if valid:
            raw = ticks % 2**bits
            if slot not in latest:
                latest[slot] = position = raw
            else:
                step = (raw - latest[slot] + 2 ** (bits - 1)) % 2**bits
                position = latest[slot] + step - 2 ** (bits - 1)
            if abs(position // per_ticks) > most or position >= 2**63:
                return None
            time = floor(position * tick + Fraction(1, 2)) + offset
            assert abs(time) < 2**63
            latest[slot] = max(latest[slot], position)
            last[slot] = (own, time)
            found.append(time)
        elif without == "bridge" and slot in last:
            before, time = last[slot]
            found.append(time + own - before)
        elif without == "error":
            return "missing"
    return found


@st.composite
def counters(draw, bits):
    """Draw events of counters that go on, now and then round, with some disorder."""
    start = draw(st.sampled_from([0, 2**bits - 50, 2**40, 2**bits + 7]))
    step = st.integers(-20, 100) | st.sampled_from([2 ** (bits - 2), 2**44])
    position, rows = start, []
    for slot, more, valid in draw(
        st.lists(st.tuples(st.integers(2, 3), step, st.booleans()), max_size=30)
    ):
        position = max(0, position + more)
        noise = draw(st.integers(0, 3)) << 60 if bits == 48 else 0
        ticks = (position % 2**bits | noise) if valid else draw(st.integers(0, 9))
        rows.append((slot, draw(st.integers(0, 10**15)), valid, ticks))
    return rows


@given(
    st.data(),
    st.integers(1, 10**5) | st.just(MOST),
    st.integers(1, 100) | st.just(MOST),
    st.integers(-(10**15), 10**15),
    st.sampled_from([48, 64]),
    st.sampled_from(["drop", "bridge", "error"]),
)
def test_any_counters(data, ps, per_ticks, offset, bits, without):
    rows = data.draw(counters(bits))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    clock = ExternalTimes(
        ps, per_ticks=per_ticks, offset_ps=offset, bits=bits, without=without
    )
    expected = model(rows, ps, per_ticks, offset, bits, without)
    events = table(rows)
    found = []

    def work():
        for first, behind in pairwise([0, *cuts, len(rows)]):
            found.extend(clock.apply(events[first:behind]).time_ps.tolist())

    if expected is None or expected == "missing":
        words = "no external timestamp" if expected else "does not fit 64 bits"
        with pytest.raises(ExternalTimeError, match=words):
            work()
    else:
        work()
        assert found == expected


def test_all_columns_follow():
    events = table([(2, 0, True, 7), (2, 1, False, 0), (3, 2, True, 9)]).with_columns(
        energy=[1, 2, 3], trace_offsets=[0, 2, 3, 5], trace_samples=[7, 8, 9, 4, 5]
    )
    found = ExternalTimes(10_000, offset_ps=5).apply(events)
    assert found.time_ps.tolist() == [70_005, 90_005]
    assert found.energy.tolist() == [1, 3]
    assert found.trace(1).tolist() == [4, 5]
    assert events.time_ps.tolist() == [0, 1, 2]


def test_events_without_the_block():
    plain = table([(2, 0, True, 7)]).without("external_time")
    assert len(ExternalTimes(1).apply(plain)) == 0
    with pytest.raises(ExternalTimeError, match=r"event 0 .* of module 0/2, has no"):
        ExternalTimes(1, without="error").apply(plain)
    with pytest.raises(EventsError, match="without slot, time_ps cannot be given"):
        ExternalTimes(1).apply(plain.without("slot", "time_ps"))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"ps": 0}, "ps is 0, expected a whole number from 1 to 2147483647"),
        ({"per_ticks": MOST + 1}, "per_ticks is 2147483648"),
        ({"bits": 32}, "bits is 32, expected 48 or 64"),
        ({"without": "keep"}, "without is 'keep', expected one of drop, error, bridge"),
        ({"offset_ps": 2**62 + 1}, "expected less than 53 days either way"),
    ],
)
def test_parameters_out_of_range(parameters, words):
    with pytest.raises(ExternalTimeError, match=words):
        ExternalTimes(**{"ps": 1, **parameters})
