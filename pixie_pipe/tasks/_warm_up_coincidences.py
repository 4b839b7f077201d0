"""Call each kernel that builds coincidences once."""

from __future__ import annotations

import numpy as np

from pixie_pipe.kernels.channel_table import ChannelRange
from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition, Mode
from pixie_pipe.kernels.coincidences import CoincidenceBuilder
from pixie_pipe.tasks._warm_up_events import read_only, some_events

_CHANNELS = (ChannelRange(0, 2, 0, 255),)


def warm_up_coincidences() -> None:
    """Build coincidences in each mode, few and many of them, and with delays."""
    events = some_events()
    crowd = events.with_columns(time_ps=np.arange(len(events)))
    for batch in (events, read_only(events), read_only(crowd)):
        for definition in (
            CoincidenceDefinition(),
            CoincidenceDefinition(max_events=2),
            CoincidenceDefinition(mode=Mode.FIRST, count_channels=True),
            CoincidenceDefinition(mode=Mode.TRIGGER, trigger=_CHANNELS),
            CoincidenceDefinition(delays_ps=((_CHANNELS[0], 1),)),
        ):
            builder = CoincidenceBuilder(definition)
            builder.add(batch)
            builder.finish()
