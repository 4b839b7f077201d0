from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.tasks.gather_events import GatherEvents
from tests.storage.runs import MIXED, some_events

EVENTS = some_events(500, **MIXED)


@given(st.lists(st.integers(0, 500), max_size=20), st.integers(1, 600))
def test_batches_are_joined_in_order_and_nothing_is_lost(drive, edges, rows):
    gather = drive(GatherEvents, rows=rows, batch_s=1e6).start()
    bounds = [0, *sorted(edges), 500]
    for first, behind in itertools.pairwise(bounds):
        gather.work(EVENTS[first:behind])
        assert gather.wait() == []
    gather.stop()
    assert Events.concatenate(gather.sent).equals(EVENTS)
    assert all(len(batch) >= rows for batch in gather.sent[:-1])


def test_large_events_need_not_be_many(drive):
    gather = drive(GatherEvents, rows=10**6, batch_mb=0.001).start()
    assert len(gather.work(EVENTS[:3], EVENTS[3:200])) == 1


def test_events_wait_no_longer_than_asked_for(drive):
    gather = drive(GatherEvents, batch_s=0).start()
    assert gather.wait() == []
    gather.work(EVENTS[:3], EVENTS[3:5])
    (batch,) = gather.wait()
    assert len(batch) == 5
    assert gather.stop() == []


def test_a_run_begins_with_nothing(drive):
    gather = drive(GatherEvents).start()
    gather.work(EVENTS)
    gather.start()
    assert gather.stop() == []
