"""Corners of the rule of damage that random streams do not reach."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode import (
    Decoded,
    Layout,
    RejectReason,
    StreamDecoder,
    decode,
    encode,
)
from pixie_pipe.testing.generators import random_events

NEWEST = Layout.find(500, 34688)
FILL = 0x01900190

# With three words kept the fourth is another one's first: lengths disagree.
REASON = {1: RejectReason.CUT, 2: RejectReason.CUT, 3: RejectReason.EVENT_LENGTH}


def event(
    time: int,
    length: int = 4,
    *,
    slot: int = 2,
    header: int = 4,
    body: tuple[int, ...] = (),
) -> list[int]:
    """Return the words of one event; `body` comes at the front of its trace."""
    first = length << 17 | header << 12 | slot << 4
    words = [first, time, 0, 2 * (length - header) << 16 | 5, *body]
    return words + [FILL] * (length - len(words))


def bare(times: range, slot: int = 2) -> list[int]:
    return [word for time in times for word in event(time, slot=slot)]


def decoded(words: list[int], **restrictions: object) -> Decoded:
    """Decode in one go and word by word, which must be the same."""
    data = np.array(words, np.uint32)
    whole = decode(data, NEWEST, **restrictions)  # type: ignore[arg-type]
    stream = StreamDecoder(NEWEST, **restrictions)  # type: ignore[arg-type]
    for word in data[:4000]:
        stream.feed(np.array([word]))
    stream.feed(data[4000:])
    last = stream.finish()
    assert last.events.equals(whole.events)
    assert last.rejected.tolist() == whole.rejected.tolist()
    assert last.balance == whole.balance
    return whole


def times(result: Decoded) -> list[int]:
    found: list[int] = result.events.timestamp.tolist()
    return found


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_bare_event_that_lost_its_end(kept: int) -> None:
    words = bare(range(10)) + event(10)[:kept] + bare(range(11, 20))
    result = decoded(words)
    assert times(result) == [*range(10), *range(11, 20)]
    assert result.rejected.tolist() == [(40, kept, REASON[kept])]


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_the_last_bare_event_of_a_group_that_lost_its_end(kept: int) -> None:
    words = bare(range(4095)) + event(4095)[:kept] + bare(range(4096, 4110))
    result = decoded(words)
    assert times(result) == [*range(4095), *range(4096, 4110)]
    assert result.rejected.tolist() == [(4 * 4095, kept, REASON[kept])]


@pytest.mark.parametrize("header", [4, 6, 8, 10, 12, 14, 16, 18])
def test_events_of_every_header_length_are_found_inside(header: int) -> None:
    """The cut event states that it ends where one of them ends."""
    cut = event(1, 4 + 4 * header)[:4]
    words = cut + [
        w for time in range(10, 20) for w in event(time, header, header=header)
    ]
    result = decoded(words)
    assert times(result) == list(range(10, 20))
    assert result.rejected.tolist() == [(0, 4, RejectReason.CUT)]


def test_a_lone_header_inside_does_not_end_the_search() -> None:
    """What looks like a header comes first, the run many words behind it."""
    lone = event(7, 8)[:4]
    cut = event(1, 404)[:4] + lone + [FILL] * 192
    words = bare(range(3)) + cut + bare(range(10, 90))
    result = decoded(words)
    assert times(result) == [0, 1, 2, *range(10, 90)]
    assert result.rejected.tolist() == [(12, 200, RejectReason.CUT)]


def test_events_of_any_module_seen_are_found_inside() -> None:
    words = (
        bare(range(3), slot=2) + bare(range(3, 6), slot=3) + bare(range(6, 9), slot=12)
    )
    cut = event(9, 24, slot=12)[:4]
    for slot in (2, 3, 12):
        result = decoded(words + cut + bare(range(10, 30), slot=slot))
        assert times(result) == [*range(9), *range(10, 30)]
        assert result.rejected.tolist() == [(36, 4, RejectReason.CUT)]


def test_events_of_modules_not_seen_do_not_count_inside() -> None:
    inside = (*event(70, slot=9), *event(71, slot=9), *event(72, slot=9))
    words = bare(range(3)) + event(3, 20, body=inside) + bare(range(4, 9))
    assert times(decoded(words)) == list(range(9))
    # They do if the user says that the module is there.
    result = decoded(words, modules=[(0, 2), (0, 9)])
    assert times(result) == [0, 1, 2, 70, 71, 72, 4, 5, 6, 7, 8]


def test_an_incomplete_event_does_not_make_its_module_seen() -> None:
    inside = (*event(70, slot=9), *event(71, slot=9), *event(72, slot=9))
    words = bare(range(3)) + event(1, 5000, slot=9)[:4]
    words += event(3, 20, body=inside) + bare(range(4, 9))
    result = decoded(words)
    assert times(result) == list(range(9))
    assert result.rejected.tolist() == [(12, 4, RejectReason.CUT)]


@pytest.mark.parametrize(("length", "kept"), [(30, 5), (30, 29), (5, 4)])
def test_what_follows_damaged_lets_any_module_count_inside(
    length: int, kept: int
) -> None:
    """A module that was not seen counts if the stated end is no sound place."""
    cut = event(3, length)[:kept]
    words = bare(range(3)) + cut + bare(range(10, 30), slot=9)
    result = decoded(words)
    assert times(result) == [0, 1, 2, *range(10, 30)]
    assert result.rejected.tolist() == [(12, kept, RejectReason.CUT)]


def test_an_incomplete_last_event_with_others_of_a_new_module_inside() -> None:
    words = bare(range(3)) + event(3, 5000)[:5] + bare(range(10, 20), slot=9)
    result = decoded(words)
    assert times(result) == [0, 1, 2, *range(10, 20)]
    assert result.rejected.tolist() == [(12, 5, RejectReason.CUT)]


def test_one_whole_event_before_an_incomplete_one_brings_back() -> None:
    result = decoded([0, *event(1), *event(2, 30)[:9]])
    assert times(result) == [1]
    assert result.rejected.tolist() == [(0, 1, RejectReason.HEADER_LENGTH)]
    assert result.balance.leftover == 9


@pytest.mark.parametrize("behind", [1, 2, 3])
def test_one_event_before_words_that_begin_none_does_not(behind: int) -> None:
    result = decoded([0, *event(1), *[0] * behind])
    assert times(result) == []
    assert result.rejected.tolist() == [(0, 5 + behind, RejectReason.HEADER_LENGTH)]
    result = decoded([0, *event(1), *event(2)[:behind]])
    assert times(result) == [1]
    assert result.balance.leftover == behind


def test_a_run_needs_no_more_than_its_third_header() -> None:
    """A stream need not wait for the words of the third event."""
    stream = StreamDecoder(NEWEST)
    stream.feed(np.array([0, *event(1), *event(2), *event(3, 5000)[:4]], np.uint32))
    assert stream.take().events.timestamp.tolist() == [1, 2]


def test_bare_events_of_a_module_that_is_not_allowed() -> None:
    """Only the event behind them, of another module, is."""
    result = decoded(bare(range(10), slot=3) + bare(range(10, 11)), modules=[(0, 2)])
    assert times(result) == [10]
    assert result.rejected.tolist() == [(0, 40, RejectReason.MODULE)]


def test_modules_change_among_bare_events() -> None:
    words = bare(range(10), slot=3) + bare(range(10, 20)) + bare(range(20, 30), slot=3)
    assert decoded(words).events.slot.tolist() == [3] * 10 + [2] * 10 + [3] * 10


@pytest.mark.parametrize("header", [6, 8, 12, 18])
def test_bare_events_behind_a_group_with_blocks(header: int) -> None:
    rng = np.random.default_rng(header)
    parts = [
        random_events(
            NEWEST, 4096, rng, header_lengths=(header,), trace_lengths=(0, 6)
        ),
        random_events(NEWEST, 5000, rng),
        random_events(NEWEST, 50, rng, header_lengths=(header,), trace_lengths=(6,)),
    ]
    events = Events.concatenate(parts)
    assert decode(encode(events, NEWEST), NEWEST).events.equals(events)


def test_groups_of_events_that_are_not_bare() -> None:
    """More than a group holds, counted in events (the words are few)."""
    rng = np.random.default_rng(1)
    events = random_events(NEWEST, 9000, rng, header_lengths=(6,))
    assert decode(encode(events, NEWEST), NEWEST).events.equals(events)


def test_a_run_right_behind_the_first_word() -> None:
    """The next event's CFD word makes the lengths agree, its end the stated one."""
    follower = event(10)
    follower[2] = 2 << 16
    words = bare(range(3)) + event(3, 5)[:1] + follower + bare(range(11, 20))
    result = decoded(words)
    assert times(result) == [0, 1, 2, *range(10, 20)]
    assert result.rejected.tolist() == [(12, 1, RejectReason.CUT)]
