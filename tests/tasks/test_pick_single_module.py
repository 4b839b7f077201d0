from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.tasks.pick_single_module import PickSingleModule, picked_events
from tests.storage.runs import MIXED, some_events

EVENTS = some_events(200, modules=[(0, 2), (0, 3), (1, 2)], channels=4, **MIXED)


@given(
    st.integers(0, 1),
    st.integers(2, 4),
    st.none() | st.lists(st.integers(0, 4), max_size=3),
)
def test_the_events_of_one_module_are_kept_and_the_others_counted(
    drive, crate, slot, channels
):
    pick = drive(PickSingleModule, crate=crate, slot=slot, channels=channels).start()
    sent = pick.work(EVENTS)
    mask = (EVENTS.crate == crate) & (EVENTS.slot == slot)
    if channels is not None:
        mask &= np.isin(EVENTS.channel, channels)
    assert sum(map(len, sent)) == np.count_nonzero(mask)
    assert all(batch.equals(EVENTS[mask]) for batch in sent)
    assert pick.task.ledger == {"events_dropped": int(np.count_nonzero(~mask))}


def test_a_batch_of_that_module_is_not_copied():
    own = EVENTS.select(crate=0, slot=2)
    assert picked_events(own, 0, 2, None) is own


def test_channels_must_be_numbers_of_channels(drive):
    with pytest.raises(ParameterError, match=r"channels has 300.*0 to 255"):
        drive(PickSingleModule, channels=[2, 300])
