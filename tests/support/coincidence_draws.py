"""Events and definitions of coincidences for Hypothesis to draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.kernels.channel_table import ChannelRange
from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition, Mode

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


def sometimes(strategy: st.SearchStrategy, otherwise: Any) -> st.SearchStrategy:
    """Draw what matters now and then: what leaves out most groups shows little."""
    return st.one_of(*[st.just(otherwise)] * 3, strategy)


@st.composite
def definitions(draw: st.DrawFn) -> CoincidenceDefinition:
    mode = draw(st.sampled_from(Mode))
    is_triggered = mode is Mode.TRIGGER
    least = draw(st.integers(1, 3))
    most = draw(st.sampled_from([3, 4, 1 << 14, 1 << 14]))
    delay = st.tuples(st.integers(0, 4).map(channel), st.integers(-20, 20))
    return CoincidenceDefinition(
        mode=mode,
        window_ps=draw(st.integers(0, 15)),
        before_ps=draw(st.integers(0, 15)) if is_triggered else 0,
        trigger=draw(some_channels) if is_triggered else (),
        min_multiplicity=least,
        max_multiplicity=draw(sometimes(st.integers(least, min(most, 6)), None)),
        count_channels=draw(sometimes(st.just(True), False)),
        required=draw(
            sometimes(st.lists(some_channels, min_size=1, max_size=2).map(tuple), ())
        ),
        require_all=draw(st.booleans()),
        veto=draw(sometimes(some_channels, ())),
        reference=() if is_triggered else draw(sometimes(some_channels, ())),
        delays_ps=draw(
            sometimes(st.lists(delay, min_size=1, max_size=3).map(tuple), ())
        ),
        max_events=most,
    )


@st.composite
def tables(draw: st.DrawFn) -> Events:
    """Draw events of five channels in order, but for late ones."""
    count = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    steps = rng.integers(0, draw(st.sampled_from([3, 10, 25])), count)
    numbers = rng.integers(0, 5, count, np.uint8)
    events = Events(
        {
            "crate": np.zeros(count, np.uint8),
            "slot": 2 + numbers // 2,
            "channel": numbers % 2,
            "timestamp": np.arange(count, dtype=np.uint64),
            "time_ps": draw(st.sampled_from(STARTS)) + np.cumsum(steps),
        }
    )
    if draw(sometimes(st.just(True), False)):
        late = rng.random(count) < 0.1
        if late.any():
            events = events.with_columns(late=late, time_ps=events.time_ps - 10 * late)
    return events
