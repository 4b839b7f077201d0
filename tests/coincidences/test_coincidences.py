"""Coincidences as people use them, beside what plain Python finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.coincidences import (
    ChannelError,
    ChannelRange,
    CoincidenceDefinition,
    CoincidenceError,
    Coincidences,
    Mode,
    build_coincidences,
    choose_channels,
    define_coincidences,
)
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels.coincidences import CoincidenceBuilder
from tests.support.coincidence_draws import definitions, tables
from tests.support.coincidence_oracle import delay_of, is_of, plain_coincidences


def channels_of(events: Events) -> list[tuple[int, int, int]]:
    columns = (events.crate, events.slot, events.channel)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(tables(), definitions())
def test_columns_are_those_of_the_definition(events, definition):
    plain = plain_coincidences(events, definition)
    found = build_coincidences(events, definition=definition)
    channels = channels_of(events)
    times = [
        time + delay_of(channel, definition)
        for time, channel in zip(events.time_ps.tolist(), channels, strict=True)
    ]
    assert len(found) == len(plain.members)
    assert found.multiplicity.tolist() == [len(rows) for rows in plain.members]
    assert found.reference.tolist() == plain.references
    assert found.rows.tolist() == [row for rows in plain.members for row in rows]
    assert found.span_ps.tolist() == [
        times[rows[-1]] - times[rows[0]] for rows in plain.members
    ]
    assert found.dt_ps.tolist() == [
        times[row] - times[reference]
        for rows, reference in zip(plain.members, plain.references, strict=True)
        for row in rows
    ]
    assert found.channel_multiplicity.tolist() == [
        len({channels[row] for row in rows}) for rows in plain.members
    ]
    wanted = (ChannelRange(0, 3, 0, 255), ChannelRange(0, 2, 1, 1))
    assert found.has(["0/3", "0/2/1"]).tolist() == [
        any(is_of(channels[row], wanted) for row in rows) for rows in plain.members
    ]
    for number, rows in enumerate(plain.members):
        assert found.events(number).equals(events[rows])
    assert found.numbers.tolist() == list(range(1, len(found) + 1))


@given(tables(), definitions(), st.integers(0, 60), st.randoms())
def test_the_columns_of_events_tell_the_same(events, definition, cut, random):
    built = build_coincidences(events, definition=definition)
    builder = CoincidenceBuilder(definition)
    parts = [*builder.add(events[:cut]), *builder.add(events[cut:]), *builder.finish()]
    numbered = Events.concatenate(parts) if parts else Events.empty(["coincidence"])
    delays = {str(one): ps / 1000 for one, ps in definition.delays_ps}
    found = Coincidences.from_events(numbered, delays_ns=delays)
    assert len(found) == len(built)
    for name in ("multiplicity", "reference", "rows", "span_ps", "dt_ps", "numbers"):
        assert getattr(found, name).tolist() == getattr(built, name).tolist(), name
    # In any order of rows they are the same events.
    rows = list(range(len(numbered)))
    random.shuffle(rows)
    mixed = Coincidences.from_events(numbered[rows])
    assert mixed.numbers.tolist() == built.numbers.tolist()
    for number in range(len(built)):
        own = mixed.events(number).timestamp.tolist()
        assert sorted(own) == sorted(built.events(number).timestamp.tolist())


EVENTS = Events(
    {
        "crate": [0] * 8,
        "slot": [2, 2, 3, 3, 2, 2, 3, 2],
        "channel": [0, 1, 0, 1, 0, 1, 0, 0],
        "energy": [10, 20, 30, 40, 50, 60, 70, 80],
        "time_ps": [0, 1000, 2000, 9000, 20000, 21000, 50000, 51000],
        "trace_offsets": [0, 1, 1, 3, 3, 3, 4, 4, 4],
        "trace_samples": [1, 2, 3, 4],
    }
)
FOUND = build_coincidences(EVENTS, window_ns=2)


def test_some_of_them():
    assert FOUND.multiplicity.tolist() == [3, 2, 2]
    assert repr(FOUND) == "<Coincidences: 3 of 8 events; 2 to 3 events each>"
    assert repr(FOUND[:0]) == "<Coincidences: 0 of 8 events>"
    assert FOUND[1:].numbers.tolist() == [2, 3]
    assert FOUND[-1].events(0).energy.tolist() == [70, 80]
    assert FOUND[FOUND.span_ps == 1000].first.tolist() == [4, 6]
    assert FOUND[[2, 0]].rows.tolist() == [6, 7, 0, 1, 2]
    assert len(FOUND[[]]) == 0
    assert FOUND[FOUND.has("0/3/0")].numbers.tolist() == [1, 3]
    assert np.shares_memory(FOUND.events(1).energy, EVENTS.energy)
    assert FOUND.events(-3).trace(2).tolist() == [2, 3]
    with pytest.raises(IndexError, match="coincidence 3 is out of range: there are 3"):
        FOUND.events(3)
    with pytest.raises(EventsError, match="no column 'slot'"):
        build_coincidences(EVENTS.without("slot"), window_ns=2).has("0/2")


def test_as_a_data_frame():
    frame = FOUND.to_pandas()
    assert frame.index.names == ["coincidence", "member"]
    assert frame.index.tolist() == [
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
    ]
    assert frame.loc[1, "dt_ps"].tolist() == [0, 1000, 2000]
    assert frame.loc[(3, 1), "energy"] == 80


def test_as_an_awkward_array():
    array = FOUND.to_awkward()
    assert array.number.tolist() == [1, 2, 3]
    assert array.multiplicity.tolist() == [3, 2, 2]
    assert array.span_ps.tolist() == [2000, 1000, 1000]
    assert array.events.energy.tolist() == [[10, 20, 30], [50, 60], [70, 80]]
    assert array.events.dt_ps.tolist() == [[0, 1000, 2000], [0, 1000], [0, 1000]]
    assert array.events.trace[0].tolist() == [[1], [], [2, 3]]
    assert len(FOUND[:0].to_awkward()) == 0


def test_events_without_the_column_tell_none():
    with pytest.raises(EventsError, match="tell no coincidences; build them"):
        Coincidences.from_events(EVENTS)
    numbered = EVENTS.with_columns(coincidence=[0, 7, 7, 0, 9, 0, 0, 9])
    found = Coincidences.from_events(numbered)
    assert found.numbers.tolist() == [7, 9]
    assert found.reference.tolist() == [1, 4]
    assert [found.events(k).energy.tolist() for k in (0, 1)] == [[20, 30], [50, 80]]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("0/2/5", [(0, 2, 5, 5)]),
        (" 0/2 ", [(0, 2, 0, 255)]),
        ("1/13/0-3", [(1, 13, 0, 3)]),
        ((0, 2, 5), [(0, 2, 5, 5)]),
        ([0, 2, 5], [(0, 2, 5, 5)]),
        ((0, 2), [(0, 2, 0, 255)]),
        (["0/2/5", (0, 3)], [(0, 2, 5, 5), (0, 3, 0, 255)]),
        ((np.uint8(0), np.uint8(2), np.uint8(5)), [(0, 2, 5, 5)]),
        ([], []),
        (ChannelRange(0, 2, 1, 4), [(0, 2, 1, 4)]),
        ([ChannelRange(0, 2, 1, 4)], [(0, 2, 1, 4)]),
    ],
)
def test_channels_as_people_write_them(choice, expected):
    assert [tuple(one) for one in choose_channels(choice)] == expected


@pytest.mark.parametrize("text", ["0/2/5", "0/2", "1/13/0-3"])
def test_channels_are_shown_as_they_are_written(text):
    (channels,) = choose_channels(text)
    assert str(channels) == text


@pytest.mark.parametrize(
    "choice",
    ["c0s02", "0", "0/2/5-3", "0/2/256", "", 5, (0,), (0, 2.5), [["0/2"]], "-1/2"],
)
def test_what_is_no_channel_is_refused(choice):
    with pytest.raises(ChannelError, match=r"expected|before"):
        choose_channels(choice)


def test_a_definition_in_the_units_of_people():
    assert define_coincidences() == CoincidenceDefinition()
    made = define_coincidences(
        mode="trigger",
        window_ns=0.5,
        before_ns=20,
        trigger="0/2/5",
        count="channels",
        required=["0/2/1", ["0/3/0", "0/3/4"]],
        require="any",
        delays_ns={"0/2": 1.25, "0/2/5": -3},
    )
    assert made == CoincidenceDefinition(
        mode=Mode.TRIGGER,
        window_ps=500,
        before_ps=20_000,
        trigger=(ChannelRange(0, 2, 5, 5),),
        count_channels=True,
        required=(
            (ChannelRange(0, 2, 1, 1),),
            (ChannelRange(0, 3, 0, 0), ChannelRange(0, 3, 4, 4)),
        ),
        require_all=False,
        delays_ps=(
            (ChannelRange(0, 2, 0, 255), 1250),
            (ChannelRange(0, 2, 5, 5), -3000),
        ),
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"mode": "gaps"}, "mode is 'gaps', expected one of 'gap', 'first', 'trigger'"),
        ({"count": "crates"}, "count is 'crates'"),
        ({"require": "some"}, "require is 'some'"),
        ({"window_ns": "wide"}, "window_ns is 'wide', expected a number of ns"),
        ({"window_ns": float("nan")}, "window_ns is nan"),
        ({"delays_ns": {"0/2": float("inf")}}, "delays_ns of 0/2 is inf"),
    ],
)
def test_what_makes_no_definition_is_refused(values, text):
    with pytest.raises(CoincidenceError, match=text):
        define_coincidences(**values)
    with pytest.raises(CoincidenceError, match="one or the other"):
        build_coincidences(EVENTS, definition=CoincidenceDefinition(), **values)
