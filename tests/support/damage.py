"""Streams, and what can happen to them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout, encode
from pixie_pipe.testing.generators import random_events


def sound_stream(
    layout: Layout, seed: int, count: int, *, traces: bool = True
) -> tuple[list[NDArray[np.uint32]], list[int]]:
    """Return the words of each event, and their timestamps, which all differ."""
    rng = np.random.default_rng(seed)
    events = random_events(
        layout,
        count,
        rng,
        header_lengths=(4, 8, 12, 16),
        trace_lengths=(0, 0, 0, 12, 61) if traces else (0,),
        modules=((0, 2), (1, 13)) if seed % 2 else ((0, 2),),
        first_timestamp=10_000_000_000,
    )
    events = events.with_columns(
        timestamp=events.timestamp + 7 * np.arange(count, dtype=np.uint64)
    )
    pieces = [encode(events[i], layout) for i in range(count)]
    return pieces, events.timestamp.tolist()


@st.composite
def damages(draw: st.DrawFn, event: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Draw something that can happen to the words of one event."""
    size = event.size
    start = draw(st.integers(0, size - 1))
    stop = draw(st.integers(start + 1, size))
    noise = st.integers(0, 0xFFFFFFFF)
    kind = draw(
        st.sampled_from(
            ["flip", "overwrite", "zero", "cut", "drop", "insert", "length", "gone"]
        )
    )
    words = event.copy()
    if kind == "flip":
        words[start] ^= np.uint32(1 << draw(st.integers(0, 31)))
    elif kind == "overwrite":
        values = draw(st.lists(noise, min_size=stop - start, max_size=stop - start))
        words[start:stop] = np.array(values, np.uint32)
    elif kind == "zero":
        words[start:stop] = 0
    elif kind == "cut":
        words = words[:start]
    elif kind == "drop":
        words = np.concatenate([words[:start], words[stop:]])
    elif kind == "insert":
        values = draw(st.lists(noise, min_size=1, max_size=20))
        inserted = np.array(values, np.uint32)
        words = np.concatenate([words[:start], inserted, words[start:]])
    elif kind == "length" and size >= 4:  # it may have been cut before
        words = with_length(words, draw(st.integers(4, 16383)))
    elif kind == "gone":
        words = words[:0]
    return words


def with_length(event: NDArray[np.uint32], length: int) -> NDArray[np.uint32]:
    """Return a newest-layout event that claims `length` words, without a flaw."""
    words = event.copy()
    header = int(words[0] >> 12) & 31
    length = max(length, header)
    words[0] = (int(words[0]) & ~(0x3FFF << 17)) | length << 17
    words[3] = (int(words[3]) & ~(0x7FFF << 16)) | 2 * (length - header) << 16
    return words
