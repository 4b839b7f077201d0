"""Shift the timestamps of events where they are, in raw words."""

from __future__ import annotations

import operator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.errors import PixiePipeError

TIMESTAMP_BITS: Final = 48
_CORE_WORDS: Final = 4

u32 = np.uint32
u64 = np.uint64


class TimeShiftError(PixiePipeError, ValueError):
    """Timestamps cannot be shifted in these words."""


@jit
def _shift(
    words: NDArray[np.uint32], positions: NDArray[np.int64], ticks: np.uint64
) -> None:
    """Add `ticks`, less than 2**48, to the timestamps of the events."""
    for i in range(positions.size):
        first = u64(positions[i])
        high = words[first + u64(2)]
        before = u64(words[first + u64(1)]) | u64(u64(high & u32(0xFFFF)) << u64(32))
        after = u64(before + ticks)
        words[first + u64(1)] = u32(after & u64(0xFFFFFFFF))
        words[first + u64(2)] = u32(high & u32(0xFFFF0000)) | u32(
            u64(after >> u64(32)) & u64(0xFFFF)
        )


def shift_timestamps(
    words: NDArray[np.uint32], positions: NDArray[np.int64], ticks: int
) -> None:
    """Add a time to the timestamp of each event, in place.

    The timestamp has the same place in all layouts: word 1, and the lower half of
    word 2. It goes round at 2**48, as the counter does. Everything else stays,
    the external timestamp too.

    Parameters
    ----------
    words
        Raw words, shape (n,), uint32, writeable.
    positions
        Index of the first word of each event, shape (m,), int64, each once, as
        `pixie_pipe.listmode.event_positions` gives them.
    ticks
        What is added, in ticks of the module's clock; may be negative.

    Raises
    ------
    TimeShiftError
        If the words cannot be written or are of another type, or if a position is
        not that of a whole header in them.
    TypeError
        If `ticks` is not a whole number.
    """
    if words.dtype != np.uint32 or words.ndim != 1 or not words.flags.writeable:
        raise TimeShiftError(
            f"words are {words.dtype} of {words.ndim} dimensions, writeable="
            f"{words.flags.writeable}; expected a writeable row of uint32: copy them"
        )
    if positions.dtype != np.int64 or positions.ndim != 1:
        raise TimeShiftError(
            f"positions are {positions.dtype} of {positions.ndim} dimensions, expected "
            f"a row of int64"
        )
    shift = operator.index(ticks) % (1 << TIMESTAMP_BITS)
    if positions.size == 0:
        return
    lowest, highest = int(positions.min()), int(positions.max())
    if lowest < 0 or highest + _CORE_WORDS > words.size:
        raise TimeShiftError(
            f"events begin at words {lowest} to {highest}, but there are {words.size} "
            f"words, and a header has at least {_CORE_WORDS}: give the positions of "
            f"events in these words"
        )
    _shift(words, positions, u64(shift))
