"""Events of a module as the words that it writes, and what can be done with them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.time_shift import shift_timestamps

EXTERNAL_TICK_PS: Final = 10_000
"""The external clock is one of 100 MHz that starts with the run."""

_HEADER_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events as words.

    Attributes
    ----------
    words
        Shape (n,), uint32.
    ends
        End of each event in `words`, shape (events,).
    ready_ps
        When each of them is complete in its channel, rising, shape (events,).
    channel
        Channel of each.
    external
        Where the external timestamp of each is in `words`; -1 without one.
    bins
        Bin of each in the histogram of its channel; -1 for those that are not in it.
    """

    words: NDArray[np.uint32]
    ends: NDArray[np.int64]
    ready_ps: NDArray[np.int64]
    channel: NDArray[np.int64]
    external: NDArray[np.int64]
    bins: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each event begins in `words`, shape (events,)."""
        return np.concatenate([np.zeros(1, np.int64), self.ends])[:-1]


def part_of(events: Chunk, first: int, end: int) -> Chunk:
    """Return some events, with their words."""
    begin = int(events.ends[first - 1]) if first else 0
    stop = int(events.ends[end - 1]) if end else 0
    external = events.external[first:end]
    return Chunk(
        words=events.words[begin:stop],
        ends=events.ends[first:end] - begin,
        ready_ps=events.ready_ps[first:end],
        channel=events.channel[first:end],
        external=np.where(external >= 0, external - begin, -1),
        bins=events.bins[first:end],
    )


def chosen(chunk: Chunk, wanted: NDArray[np.bool_]) -> Chunk:
    """Return those events of a chunk that are wanted, shape (events,)."""
    sizes = chunk.ends - chunk.starts
    left_out = np.cumsum(np.where(wanted, 0, sizes))
    external = chunk.external[wanted]
    return Chunk(
        words=chunk.words[np.repeat(wanted, sizes)],
        ends=np.cumsum(sizes[wanted]),
        ready_ps=chunk.ready_ps[wanted],
        channel=chunk.channel[wanted],
        external=np.where(external >= 0, external - left_out[wanted], -1),
        bins=chunk.bins[wanted],
    )


def stamps(chunk: Chunk) -> NDArray[np.int64]:
    """Return the timestamps in the words, in ticks, shape (events,)."""
    starts = chunk.starts
    low = chunk.words[starts + 1].astype(np.int64)
    return low | (chunk.words[starts + 2].astype(np.int64) & 0xFFFF) << 32


def stamped_later(chunk: Chunk, shift_ps: int, tick_ps: int) -> Chunk:
    """Return a chunk, in memory of its own, with later times in its words.

    Parameters
    ----------
    chunk
        The events.
    shift_ps
        How much later: whole ticks, also of the external clock.
    tick_ps
        Ticks of the module.
    """
    words = np.empty(chunk.words.size + _HEADER_WORDS, np.uint32)
    words[: chunk.words.size] = chunk.words
    shift_timestamps(words, chunk.starts, shift_ps // tick_ps)
    # The words of an external timestamp are in the order of the timestamp's, which are
    # the second and third of a header.
    external = chunk.external[chunk.external >= 0]
    shift_timestamps(words, external - 1, shift_ps // EXTERNAL_TICK_PS)
    return dataclasses.replace(chunk, words=words[: chunk.words.size])
