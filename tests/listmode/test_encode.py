"""What the encoder refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode import EncodeError, Layout, decode, encode
from pixie_pipe.testing.generators import random_events

NEWEST = Layout.find(500, 34688)


def events(**changed: Any) -> Events:
    """Return three plain events with some columns changed."""
    plain = random_events(Layout.find(100, 29432), 3, np.random.default_rng(1))
    zeros: dict[str, Any] = {
        "cfd_fraction": np.zeros(3, np.uint16),
        "cfd_source": np.zeros(3, np.uint8),
        "cfd_forced": np.zeros(3, np.bool_),
    }
    return plain.with_columns(**(zeros | changed))


@pytest.mark.parametrize(
    ("layout", "changed", "message"),
    [
        (
            Layout.find(500, 30000),
            {"energy": np.array([1, 0x8000, 0x9000], np.uint16)},
            r"event 1: energy is 32768, but layout 500-29432 holds at most 32767 \(2",
        ),
        (NEWEST, {"channel": np.array([1, 2, 16], np.uint8)}, "event 2: channel is 16"),
        (
            NEWEST,
            {"timestamp": np.array([0, 1 << 48, 0], np.uint64)},
            "event 1: timestamp is 281474976710656",
        ),
        (
            Layout.find(100, 17562),
            {"cfd_source": np.array([0, 0, 1], np.uint8)},
            "event 2: cfd_source is 1",
        ),
        (
            Layout.find(100, 17562),
            {"cfd_forced": np.array([True, False, False])},
            "event 0: cfd_forced is ",
        ),
        (
            NEWEST,
            {"cfd_source": np.array([0, 7, 0], np.uint8)},
            "event 1: cfd_source 7 means a forced CFD",
        ),
        (
            NEWEST,
            {
                "trace_length": np.array([2, 8, 0], np.uint16),
                "trace_offsets": np.array([0, 2, 8, 8]),
                "trace_samples": np.zeros(8, np.uint16),
            },
            "event 1: trace_length is 8, but there are 6 samples; expected 8",
        ),
        (
            Layout.find(250, 30500),
            {
                "external_timestamp_valid": np.array([False, True, False]),
                "external_timestamp": np.zeros(3, np.uint64),
            },
            "event 1 has an external timestamp, but layout 250-30474 at revision 30500",
        ),
    ],
)
def test_values_that_do_not_fit(
    layout: Layout, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(EncodeError, match=message):
        encode(events(**changed), layout)


def test_an_event_longer_than_its_length_field() -> None:
    layout = Layout.find(100, 17562)
    rng = np.random.default_rng(1)
    fits = random_events(layout, 2, rng, trace_lengths=((8191 - 4) * 2,))
    assert len(decode(encode(fits, layout), layout).events) == 2
    over = random_events(layout, 2, rng, trace_lengths=((8191 - 3) * 2,))
    with pytest.raises(EncodeError, match="event length in words is 8192"):
        encode(over, layout)


def test_missing_columns() -> None:
    with pytest.raises(EncodeError, match="events without energy, pileup cannot"):
        encode(events().without("energy", "pileup"), NEWEST)
    assert encode(events().without("time_ps"), NEWEST).size == 12


def test_the_order_of_events_is_not_written() -> None:
    late = np.array([False, True, False])
    words = encode(events(late=late), NEWEST)
    assert words.tolist() == encode(events(), NEWEST).tolist()
    assert "late" not in decode(words, NEWEST).events.columns


def test_nothing() -> None:
    assert encode(Events.empty(), NEWEST).size == 0
