"""Events and definitions of coincidences for Hypothesis to draw."""

from __future__ import annotations

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
maybe_channels = st.one_of(st.just(()), some_channels)


@st.composite
def definitions(draw: st.DrawFn) -> CoincidenceDefinition:
    mode = draw(st.sampled_from(Mode))
    is_triggered = mode is Mode.TRIGGER
    trigger = draw(some_channels) if is_triggered else ()
    least = draw(st.integers(1, 3))
    delays = draw(
        st.lists(
            st.tuples(st.integers(0, 4).map(channel), st.integers(-20, 20)), max_size=3
        )
    )
    return CoincidenceDefinition(
        mode=mode,
        window_ps=draw(st.integers(0, 15)),
        before_ps=draw(st.integers(0, 15)) if is_triggered else 0,
        trigger=trigger,
        min_multiplicity=least,
        max_multiplicity=draw(st.none() | st.integers(least, 6)),
        count_channels=draw(st.booleans()),
        required=draw(st.lists(some_channels, max_size=2).map(tuple)),
        require_all=draw(st.booleans()),
        veto=draw(maybe_channels),
        reference=() if is_triggered else draw(maybe_channels),
        delays_ps=tuple(delays),
        max_events=draw(st.sampled_from([6, 7, 1 << 14])),
    )


@st.composite
def tables(draw: st.DrawFn, size: int = 40) -> Events:
    """Draw events of five channels in order, but for late ones."""
    steps = draw(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=size)
    )
    times = draw(st.sampled_from(STARTS)) + np.cumsum(
        [step for step, _ in steps] or [0]
    )
    numbers = np.array([number for _, number in steps], np.uint8)
    events = Events(
        {
            "crate": np.zeros(len(steps), np.uint8),
            "slot": 2 + numbers // 2,
            "channel": numbers % 2,
            "timestamp": np.arange(len(steps), dtype=np.uint64),
            "time_ps": times[: len(steps)].astype(np.int64),
        }
    )
    late = draw(st.sets(st.integers(0, max(len(steps) - 1, 0)), max_size=3))
    if late and steps:
        mask = np.isin(np.arange(len(steps)), sorted(late))
        early = events.time_ps - 10 * mask
        events = events.with_columns(late=mask, time_ps=early)
    return events
