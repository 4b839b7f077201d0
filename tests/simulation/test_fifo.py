"""The FIFO: against one that takes every word alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.simulation.chunks import Chunk
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.fifo import WORD_PS, Fifo

events = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40)), max_size=12)
readings = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=8)


def chunk_of(lengths: list[int], ready: list[int], first: int) -> Chunk:
    ends = np.cumsum(lengths)
    none = np.zeros(len(lengths), np.int64)
    return Chunk(
        words=np.arange(first, first + sum(lengths), dtype=np.uint32),
        ends=ends,
        ready_ps=np.array(ready, np.int64) * WORD_PS,
        channel=none,
        external=none - 1,
        bins=none,
    )


@given(events, readings, st.integers(1, 30), st.data())
def test_it_is_a_finite_queue_of_words(found, reads, size, data):
    """In units of the time of a word."""
    lengths = [length for length, _ in found]
    ready = np.cumsum([pause for _, pause in found]).tolist()
    fifo = Fifo(size)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(found)), max_size=3)))
    for begin, end in zip([0, *cuts], [*cuts, len(found)], strict=True):
        if end > begin:
            first = sum(lengths[:begin])
            fifo.offer(chunk_of(lengths[begin:end], ready[begin:end], first))

    # When each word has come: one after the other.
    arrival: list[int] = []
    for length, at in zip(lengths, ready, strict=True):
        begin = max(at, arrival[-1] if arrival else 0)
        arrival += [begin + 1 + i for i in range(length)]
    held: list[int] = []
    lost: set[int] = set()
    overflows, is_full, come, now = 0, False, 0, 0
    for pause, most in [*reads, (10**6, 10**6)]:
        now += pause
        while come < len(arrival) and arrival[come] <= now:
            if len(held) < size:
                held.append(come)
                is_full = False
            else:
                lost.add(come)
                overflows += not is_full
                is_full = True
            come += 1
        fifo.advance(now * WORD_PS)
        assert fifo.level == len(held)
        assert fifo.read(most).tolist() == held[:most]
        held = held[most:]
        assert (fifo.words_written, fifo.words_dropped) == (come, len(lost))
        assert fifo.overflows == overflows
    ends = np.cumsum([0, *lengths])
    expected = [
        any(word in lost for word in range(ends[i], ends[i + 1]))
        for i in range(len(lengths))
    ]
    assert fifo.damaged(ends[1:]).tolist() == expected


def test_at_the_end_of_a_run_everything_comes():
    fifo = Fifo()
    fifo.offer(chunk_of([4, 4], [10, 20], 0))
    fifo.advance(12 * WORD_PS)
    assert fifo.level == 2
    fifo.advance(None)
    assert fifo.read(100).tolist() == list(range(8))


def test_a_fifo_holds_something():
    with pytest.raises(SimulationError, match="a FIFO of 0 words"):
        Fifo(0)
