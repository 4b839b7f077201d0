"""Coincidences are those of plain Python, however the events come."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels import coincidences
from pixie_pipe.kernels.channel_table import ChannelError, ChannelRange
from pixie_pipe.kernels.coincidence_definition import (
    CoincidenceDefinition,
    CoincidenceError,
    Mode,
)
from pixie_pipe.kernels.coincidences import CoincidenceBuilder, find_coincidences
from tests.support.coincidence_oracle import plain_coincidences

LATEST = 2**63 - 200
STARTS = [0, 2_800_000_000_000_000_000, -(2**63) + 100]


def channel(number: int) -> ChannelRange:
    return ChannelRange(0, 2 + number // 2, number % 2, number % 2)


WHOLE_MODULE = ChannelRange(0, 3, 0, 255)
some_channels = st.sampled_from(
    [
        (channel(0),),
        (channel(3), channel(1)),
        (WHOLE_MODULE,),
        (channel(4), WHOLE_MODULE),
    ]
)
maybe_channels = st.one_of(st.just(()), some_channels)


@st.composite
def definitions(draw: st.DrawFn) -> CoincidenceDefinition:
    mode = draw(st.sampled_from(Mode))
    is_triggered = mode is Mode.TRIGGER
    trigger = draw(some_channels) if is_triggered else ()
    least = draw(st.integers(1, 3))
    delays = draw(
        st.lists(
            st.tuples(st.integers(0, 4).map(channel), st.integers(-20, 20)), max_size=3
        )
    )
    return CoincidenceDefinition(
        mode=mode,
        window_ps=draw(st.integers(0, 15)),
        before_ps=draw(st.integers(0, 15)) if is_triggered else 0,
        trigger=trigger,
        min_multiplicity=least,
        max_multiplicity=draw(st.none() | st.integers(least, 6)),
        count_channels=draw(st.booleans()),
        required=draw(st.lists(some_channels, max_size=2).map(tuple)),
        require_all=draw(st.booleans()),
        veto=draw(maybe_channels),
        reference=() if is_triggered else draw(maybe_channels),
        delays_ps=tuple(delays),
        max_events=draw(st.sampled_from([6, 7, 1 << 14])),
    )


@st.composite
def tables(draw: st.DrawFn, size: int = 40) -> Events:
    """Draw events of five channels in order; late ones are anywhere."""
    steps = draw(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=size)
    )
    times = draw(st.sampled_from(STARTS)) + np.cumsum(
        [step for step, _ in steps] or [0]
    )
    numbers = np.array([number for _, number in steps], np.uint8)
    events = Events(
        {
            "crate": np.zeros(len(steps), np.uint8),
            "slot": 2 + numbers // 2,
            "channel": numbers % 2,
            "timestamp": np.arange(len(steps), dtype=np.uint64),
            "time_ps": times[: len(steps)].astype(np.int64),
        }
    )
    late = draw(st.sets(st.integers(0, max(len(steps) - 1, 0)), max_size=3))
    if late and steps:
        mask = np.isin(np.arange(len(steps)), sorted(late))
        early = events.time_ps - 10 * mask
        events = events.with_columns(late=mask, time_ps=early)
    return events


def members_of(found: coincidences.Found) -> list[list[int]]:
    rows = found.members
    return [
        (
            np.arange(first, first + count)
            if rows is None
            else rows[first : first + count]
        ).tolist()
        for first, count in zip(found.first, found.multiplicity, strict=True)
    ]


@given(tables(), definitions())
def test_they_are_those_of_the_definition(events, definition):
    plain = plain_coincidences(events, definition)
    found = find_coincidences(events, definition)
    assert members_of(found) == plain.members
    assert found.reference.tolist() == plain.references
    assert found.full_count == plain.full
    late = events.late if "late" in events.columns else np.zeros(len(events), bool)
    assert found.late_count == late.sum()
    if not late.any() and not any(delay for _, delay in definition.delays_ps):
        assert found.members is None
        assert found.times_ps is None


def parts_of(events: Events, cuts: list[int]) -> list[Events]:
    edges = [0, *sorted(cut % (len(events) + 1) for cut in cuts), len(events)]
    parts = [events[a:b] for a, b in pairwise(edges)]
    return [
        part if "late" not in part.columns or part.late.any() else part.without("order")
        for part in parts
    ]


@pytest.mark.parametrize("joined_bytes", [0, 1 << 18])
@given(tables(), definitions(), st.lists(st.integers(0, 40), max_size=8))
def test_batches_do_not_matter(joined_bytes, events, definition, cuts):
    plain = plain_coincidences(events, definition)
    builder = CoincidenceBuilder(definition)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "_JOINED_BYTES", joined_bytes)
        found = [
            part for batch in parts_of(events, cuts) for part in builder.add(batch)
        ]
        found += builder.finish()
    assert builder.held_events == 0
    assert all(found)
    whole = Events.concatenate(found) if found else events
    assert whole.without("coincidence").equals(events)
    numbers = np.zeros(len(events), np.int64)
    references = np.zeros(len(events), bool)
    for number, members in enumerate(plain.members, 1):
        numbers[members] = number
    references[plain.references] = True
    if found:
        assert whole.coincidence.tolist() == numbers.tolist()
        assert whole.coincidence_reference.tolist() == references.tolist()
    assert builder.count == len(plain.members)
    assert builder.member_count == sum(map(len, plain.members))
    assert builder.full_count == plain.full
    assert builder.late_count == ("late" in events.columns and events.late.sum())
    # Each coincidence is whole in one batch.
    seen: set[int] = set()
    for part in found:
        own = set(part.coincidence.tolist()) - {0}
        assert not own & seen
        seen |= own
