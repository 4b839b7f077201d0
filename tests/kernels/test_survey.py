"""The compiled kernel and its Python source do the same."""

from __future__ import annotations

import numpy as np

from pixie_pipe.kernels import survey as kernel
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.storage.survey import Survey, _kernel_columns
from pixie_pipe.testing.generators import random_events


def test_rows_run_out_at_the_event_that_needs_one():
    events = random_events(
        Layout.find(500, 34688), 200, np.random.default_rng(1), channels=16
    )
    survey = Survey()
    state = survey._state._replace(channels=np.zeros((2, kernel.CHANNEL_COLUMNS), "i8"))
    done = kernel.survey_events(_kernel_columns(events), 0, state, survey._limits)
    seen = list(dict.fromkeys(events.channel.tolist()))
    assert done == events.channel.tolist().index(seen[2])
    assert state.channels[:, kernel.EVENTS].sum() == done
    assert state.modules[0, kernel.EVENTS] == done


def test_channels_beyond_the_spectra_are_counted():
    events = random_events(Layout.find(500, 34688), 200, np.random.default_rng(2))
    survey = Survey()
    state = survey._state._replace(spectra=survey._state.spectra[:3])
    done = kernel.survey_events(_kernel_columns(events), 0, state, survey._limits)
    assert done == len(events)
    assert state.channels[:, kernel.EVENTS].sum() == len(events)
    assert state.spectra.sum() == state.channels[:3, kernel.EVENTS].sum()
