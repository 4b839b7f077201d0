"""Events at a prompt and in a notebook, and the units they are told in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pixie_pipe._units import (
    format_bytes,
    format_count,
    format_duration_ps,
    format_rate_hz,
)
from pixie_pipe.events import COLUMN, Block, Events


def events_of(channel: ArrayLike, time_ps: ArrayLike, **columns: Any) -> Events:
    zeros = np.zeros(np.shape(channel), dtype="u1")
    return Events(
        {
            "crate": zeros,
            "slot": zeros + np.uint8(2),
            "channel": np.asarray(channel, dtype="u1"),
            "time_ps": np.asarray(time_ps, dtype="i8"),
            **columns,
        }
    )


@pytest.mark.parametrize(
    ("duration_ps", "text"),
    [
        (0, "0 s"),
        (1, "1 ps"),
        (999, "999 ps"),
        (1000, "1.0 ns"),
        (12_340, "12.3 ns"),
        (999_949, "999.9 ns"),
        (999_951, "1.0 µs"),
        (5 * 10**9, "5.0 ms"),
        (12_300 * 10**9, "12.3 s"),
        (86_400 * 10**12, "86 400.0 s"),
        (-1500, "-1.5 ns"),
    ],
)
def test_durations(duration_ps, text):
    assert format_duration_ps(duration_ps) == text


@pytest.mark.parametrize(
    ("rate_hz", "text"),
    [
        (0.0, "0.0 Hz"),
        (0.25, "0.2 Hz"),
        (999.94, "999.9 Hz"),
        (999.96, "1.0 kHz"),
        (1999.8, "2.0 kHz"),
        (3.21e6, "3.2 MHz"),
        (1e9, "1.0 GHz"),
        (float("nan"), "n/a"),
        (float("inf"), "n/a"),
    ],
)
def test_rates(rate_hz, text):
    assert format_rate_hz(rate_hz) == text


def test_counts_and_sizes():
    assert format_count(7) == "7"
    assert format_count(24_598) == "24 598"
    assert format_count(10**8) == "100 000 000"
    assert format_bytes(999) == "999 B"
    assert format_bytes(42_123) == "42.1 kB"
    assert format_bytes(5 * 10**15) == "5 000.0 TB"


def test_repr_of_few_channels_counts_each():
    count = 24_598
    times = np.linspace(0, 12_300 * 10**9, count).astype("i8")
    events = events_of(9 + np.arange(count) % 2, times)
    assert repr(events) == (
        "<Events: 24 598 events, 12.3 s, 2.0 kHz; "
        "channels 0/2/9 (12 299), 0/2/10 (12 299)>"
    )


def test_repr_of_many_channels_counts_modules():
    events = events_of(np.arange(32) % 16, np.arange(32) * 10**6)
    events = events.with_columns(slot=np.repeat([2, 3], 16).astype("u1"))
    assert repr(events) == (
        "<Events: 32 events, 31.0 µs, 1.0 MHz; 32 channels of 2 modules>"
    )


def test_repr_names_blocks_and_trace_lengths():
    events = events_of(
        [1, 1],
        [0, 5000],
        qdc=np.zeros((2, 8), "u4"),
        trace_offsets=[0, 3, 6],
        trace_samples=[1] * 6,
    )
    assert repr(events).endswith("channel 0/2/1 (2); with qdc, traces of 3 samples>")
    uneven = events.with_columns(trace_offsets=[0, 0, 6])
    assert repr(uneven).endswith("traces of 0 to 6 samples>")


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (Events({}), "<Events: 0 events>"),
        (Events.empty(), "<Events: 0 events>"),
        (Events.empty(["trace", "qdc"]), "<Events: 0 events; with qdc, trace>"),
        (Events({"energy": [1]}), "<Events: 1 event>"),
        (Events({"time_ps": [7]}), "<Events: 1 event>"),
        (Events({"time_ps": [7, 7]}), "<Events: 2 events, 0 s>"),
        (Events({"crate": [7, 7]}), "<Events: 2 events>"),
        (Events({"trace_length": [7]}), "<Events: 1 event; with trace>"),
    ],
)
def test_repr_and_html_work_with_what_there_is(events, text):
    assert repr(events) == text
    parsed(events)


def parsed(events: Events) -> ET.Element:
    return ET.fromstring(events._repr_html_())


def test_html_has_channels_shares_and_columns():
    events = events_of([1, 1, 1, 2], [0, 10**6, 2 * 10**6, 3 * 10**6])
    root = parsed(events)
    cells = [
        ["".join(cell.itertext()) for cell in row.iter("td")] for row in root.iter("tr")
    ]
    assert ["0/2/1", "3", "75.0 %", ""] in cells
    assert ["0/2/2", "1", "25.0 %", ""] in cells
    (details,) = root.iter("details")
    columns = "".join(details.itertext())
    assert COLUMN["time_ps"].description in columns
    assert "int64" in columns
    text = "".join(root.itertext())
    assert "3.0 µs" in text
    assert "1.0 MHz" in text


def test_html_is_self_contained_and_takes_the_colours_of_the_page():
    html = Events.empty(list(Block))._repr_html_()
    html += events_of([1], [1])._repr_html_()
    assert "currentColor" in html
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb\(|https?:|<script|<link", html)


def test_html_of_very_many_channels_is_short():
    channel = np.arange(256)
    events = events_of(channel, channel)
    text = "".join(parsed(events).itertext())
    assert "and 192 more channels" in text


def test_millions_of_events_are_sampled_and_marked():
    count = 3_000_000
    # Channels that fire in turn: a fixed stride would see only some of them.
    events = events_of(np.arange(count) % 4, np.arange(count) * 10**6)
    text = repr(events)
    assert text.startswith("<Events: 3 000 000 events, about 3.0 s, about 1.0 MHz;")
    assert text.endswith(
        "channels " + ", ".join(f"0/2/{k} (about 750 000)" for k in range(4)) + ">"
    )
    assert "about 750 000" in events._repr_html_()
    exact = repr(events[:1_000_000])
    assert "about" not in exact


def test_repr_takes_no_longer_for_very_many_events():
    count = 30_000_000
    # Broadcast columns stand for data of this size without their memory.
    zeros = np.broadcast_to(np.uint8(0), count)
    times = np.broadcast_to(np.int64(0), count)
    columns: dict[str, NDArray[Any]] = {
        "crate": zeros,
        "slot": zeros,
        "channel": zeros,
        "time_ps": times,
    }
    events = Events._trusted(columns, count)
    repr(events)
    fastest = min(elapsed(repr, events) for _ in range(5))
    # Reading all rows takes more than 100 ms, the sample some 2 ms.
    assert fastest < 0.05


def elapsed(function: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start
