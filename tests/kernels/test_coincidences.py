"""Coincidences are those of plain Python, however the events come."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels import coincidences
from pixie_pipe.kernels.channel_table import ChannelError, ChannelRange
from pixie_pipe.kernels.coincidence_definition import (
    CoincidenceDefinition,
    CoincidenceError,
    Mode,
)
from pixie_pipe.kernels.coincidences import CoincidenceBuilder, find_coincidences
from tests.support.coincidence_draws import definitions, tables
from tests.support.coincidence_oracle import plain_coincidences


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
@given(
    tables(),
    definitions(),
    st.lists(st.integers(0, 60), max_size=8),
    st.sets(st.integers(0, 8)),
)
def test_batches_do_not_matter(joined_bytes, events, definition, cuts, releases):
    plain = plain_coincidences(events, definition)
    builder = CoincidenceBuilder(definition)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "_JOINED_BYTES", joined_bytes)
        found = []
        for number, batch in enumerate(parts_of(events, cuts)):
            found += builder.add(batch)
            if number in releases:
                found += builder.release()
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


def in_order(times: Any, **columns: Any) -> Events:
    count = len(times)
    core: dict[str, Any] = {
        "crate": np.zeros(count, np.uint8),
        "slot": np.full(count, 2, np.uint8),
        "channel": np.zeros(count, np.uint8),
        "time_ps": np.array(times, np.int64),
    }
    return Events(core | columns)


FIRST = (ChannelRange(0, 2, 0, 0),)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"mode": Mode.FIRST},
        {"mode": Mode.TRIGGER, "trigger": FIRST},
        # Nothing but its first event is a trigger.
        {"mode": Mode.TRIGGER, "trigger": (ChannelRange(0, 2, 1, 1),)},
        {"mode": Mode.TRIGGER, "trigger": (ChannelRange(0, 2, 9, 9),)},
        {"delays_ps": ((ChannelRange(0, 2, 1, 1), 3),)},
    ],
)
def test_a_coincidence_without_end_does_not_fill_the_memory(how):
    count, most = 5000, 100
    channel = np.zeros(count, np.uint8)
    channel[0] = 1
    events = in_order(np.arange(count), channel=channel)
    window = 10 * count
    before: dict[str, Any] = {"before_ps": window} if "trigger" in how else {}
    definition = CoincidenceDefinition(
        window_ps=window, max_events=most, **before, **how
    )
    builder = CoincidenceBuilder(definition)
    parts = []
    for first in range(0, count, 37):
        parts += builder.add(events[first : first + 37])
        assert builder.held_events <= most + 3
    parts += builder.finish()
    plain = plain_coincidences(events, definition)
    assert builder.full_count == plain.full
    assert builder.count == len(plain.members)
    sizes = np.bincount(Events.concatenate(parts).coincidence)[1:]
    assert sizes.tolist() == [len(members) for members in plain.members]
    assert max(sizes, default=0) <= most


def test_nothing_of_a_batch_is_copied_but_its_border():
    """Two events in each coincidence; the first batch ends between two, one within."""
    times = np.arange(0, 10**6, 10)
    times[1::2] -= 8
    events = in_order(times)
    builder = CoincidenceBuilder(CoincidenceDefinition(window_ps=3))
    assert builder.add(events[:40_000]) == []
    (whole,) = builder.add(events[40_000:70_001])
    assert np.shares_memory(whole.time_ps, events.time_ps)
    assert len(whole) == 40_000
    large, border = builder.add(events[70_001:])
    assert (len(large), len(border)) == (30_000, 2)
    (rest,) = builder.finish()
    for name in events.columns:
        assert np.shares_memory(large[name], events[name])
        assert not np.shares_memory(border[name], events[name])
        assert np.shares_memory(rest[name], events[name])


def test_what_is_decided_need_not_wait_for_more_events():
    builder = CoincidenceBuilder(CoincidenceDefinition(window_ps=3))
    events = in_order([0, 1, 10, 20])
    assert builder.add(events) == []
    assert builder.held_events == 4
    (part,) = builder.release()
    assert part.coincidence.tolist() == [1, 1, 0]
    assert builder.release() == []
    assert builder.held_events == 1
    (rest,) = builder.finish()
    assert not np.shares_memory(rest.time_ps, events.time_ps)
    assert rest.coincidence.tolist() == [0]


def test_channels_are_counted_anew_when_the_numbers_of_groups_run_out(monkeypatch):
    monkeypatch.setattr("pixie_pipe.kernels._groups._LAST_STAMP", 5)
    definition = CoincidenceDefinition(window_ps=3, count_channels=True)
    # Every fifth group has the same two channels, and so has the same numbers.
    times = np.repeat(np.arange(0, 200, 10), 2)
    events = in_order(times, channel=np.arange(40, dtype=np.uint8) % 10)
    builder = CoincidenceBuilder(definition)
    for first in range(0, 40, 2):
        builder.add(events[first : first + 2])
    builder.finish()
    assert builder.count == 20


def test_events_out_of_order_are_refused_with_their_times():
    definition = CoincidenceDefinition()
    builder = CoincidenceBuilder(definition)
    builder.add(in_order([5, 9]))
    for early in ([8, 10], [9, 12, 11]):
        with pytest.raises(CoincidenceError, match=r"an event at \d+ ps follows.*Sort"):
            builder.add(in_order(early))
        assert builder.held_events == 2
    with pytest.raises(CoincidenceError, match="at 3 ps follows one at 4 ps"):
        find_coincidences(in_order([4, 3]), definition)
    assert sum(map(len, builder.finish())) == 2
    with pytest.raises(CoincidenceError, match="after finish"):
        builder.add(in_order([20]))


def test_what_coincidences_need_is_there():
    with pytest.raises(EventsError, match="without time_ps"):
        find_coincidences(Events({"energy": [1]}), CoincidenceDefinition())
    by_channel = CoincidenceDefinition(count_channels=True)
    with pytest.raises(EventsError, match="without slot, channel"):
        find_coincidences(Events({"time_ps": [1], "crate": [0]}), by_channel)
    # Times are enough where channels do not matter.
    assert find_coincidences(
        Events({"time_ps": [1, 2]}), CoincidenceDefinition()
    ).first.size


def test_times_that_cannot_be_delayed_are_refused():
    definition = CoincidenceDefinition(delays_ps=((ChannelRange(0, 2, 0, 0), 10),))
    with pytest.raises(CoincidenceError, match="within 64 bits"):
        find_coincidences(in_order([2**63 - 5]), definition)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"window_ps": -1}, "window_ps is -1, expected a whole number from 0"),
        ({"max_events": 1}, "max_events is 1"),
        ({"min_multiplicity": 0}, "min_multiplicity is 0"),
        ({"min_multiplicity": 3, "max_multiplicity": 2}, "max_multiplicity is 2"),
        ({"mode": Mode.TRIGGER}, "need trigger channels"),
        ({"mode": Mode.TRIGGER, "trigger": FIRST, "reference": FIRST}, "as reference"),
        ({"trigger": FIRST}, "trigger goes with the mode 'trigger'"),
        ({"before_ps": 5}, "before_ps goes with the mode 'trigger'"),
        ({"required": (FIRST,) * 33}, "33 groups of channels are required"),
        ({"delays_ps": ((FIRST[0], 10**16),)}, "the delay of 0/2/0 in ps"),
        ({"veto": (ChannelRange(0, 256, 0, 0),)}, "numbers from 0 to 255"),
        ({"veto": (ChannelRange(0, 2, 5, 4),)}, "before the first"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(values, text):
    with pytest.raises((CoincidenceError, ChannelError), match=text) as caught:
        CoincidenceDefinition(**values)
    assert isinstance(caught.value, PixiePipeError)
