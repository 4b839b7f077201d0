"""Call each kernel that builds coincidences once."""

from __future__ import annotations

from pixie_pipe.kernels.channel_table import ChannelRange
from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition, Mode
from pixie_pipe.kernels.coincidences import CoincidenceBuilder
from pixie_pipe.tasks._warm_up_events import read_only, some_events

_CHANNELS = (ChannelRange(0, 2, 0, 255),)


def warm_up_coincidences() -> None:
    """Build coincidences in each mode, and with delays."""
    events = some_events()
    for batch in (events, read_only(events)):
        for definition in (
            CoincidenceDefinition(),
            CoincidenceDefinition(mode=Mode.FIRST, count_channels=True),
            CoincidenceDefinition(mode=Mode.TRIGGER, trigger=_CHANNELS),
            CoincidenceDefinition(delays_ps=((_CHANNELS[0], 1),)),
        ):
            builder = CoincidenceBuilder(definition)
            builder.add(batch)
            builder.finish()
