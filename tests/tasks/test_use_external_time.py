from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.kernels.external_time import ExternalTimeError
from pixie_pipe.tasks.use_external_time import UseExternalTime
from tests.storage.runs import some_events


def events_with(count, valid):
    """Return events of one module with external timestamps 100, 101, ..."""
    return some_events(count, modules=[(0, 2)]).with_columns(
        external_timestamp_valid=np.full(count, valid),
        external_timestamp=np.arange(100, 100 + count, dtype=np.uint64),
    )


def test_times_are_those_of_the_external_clock(drive):
    use = drive(UseExternalTime, tick_ps=25, ticks=2, offset_ps=-3).start()
    events = events_with(5, True)
    (found,) = use.work(events)
    times = [1247, 1260, 1272, 1285, 1297]
    assert found.equals(events.with_columns(time_ps=times))
    assert use.task.ledger == {"events_dropped": 0}
    # A new run begins anew.
    use.start()
    assert use.work(events)[0].time_ps.tolist() == times


@pytest.mark.parametrize(("without", "left"), [("drop", 5), ("bridge", 10)])
def test_events_without_a_timestamp_are_counted_or_bridged(drive, without, left):
    use = drive(UseExternalTime, without=without).start()
    assert use.work(events_with(3, False)) == []
    sent = use.work(events_with(5, True), events_with(5, False))
    assert len(Events.concatenate(sent)) == left
    assert use.task.ledger == {"events_dropped": 13 - left}


def test_events_without_a_timestamp_can_end_the_run(drive):
    use = drive(UseExternalTime, without="error").start()
    with pytest.raises(ExternalTimeError, match="of module 0/2, has no external"):
        use.work(events_with(1, False))
