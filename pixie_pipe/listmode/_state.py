"""What the decoder's kernels keep and fill: state, gathered words, columns."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import empty_aligned

GROUP_EVENTS: Final = 4096
"""Events gathered before columns are filled: their words stay in the L2 cache, and
the cost of a group (some 0.8 us) is spread over many."""

GROUP_WORDS: Final = 1 << 15
"""Words after which a group ends: they stay in the L2 cache until copied."""

PROBE_EVENTS: Final = 4
"""Events of four words in a row that make the fast way worth trying."""

# Entries of the state, an int64 array that the caller keeps between calls.
POSITION: Final = 0
EVENTS: Final = 1
SAMPLES: Final = 2
REJECTIONS: Final = 3
LOST_FROM: Final = 4
LOST_REASON: Final = 5
BLOCKS: Final = 6
NEEDED: Final = 7
ID_MASK: Final = 8
ID_BITS: Final = 9
DECODED_WORDS: Final = 10
SEEN_BLOCKS: Final = 11
STATE_SIZE: Final = 12

# What the caller must do before the kernel can go on.
FINISHED: Final = 0
NEED_BLOCKS: Final = 1
NEED_REJECTION_SPACE: Final = 2

# How a group ended.
GROUP_FULL: Final = 0
GROUP_STARVED: Final = 1
GROUP_LOST: Final = 2
GROUP_CUT: Final = 3
GROUP_NEEDS_BLOCKS: Final = 4

NO_MODULE: Final = -1
"""Value of the id bits before any module is trusted."""


class Group(NamedTuple):
    """Room for what is gathered of a group of events."""

    word0: NDArray[np.uint32]
    word1: NDArray[np.uint32]
    word2: NDArray[np.uint32]
    word3: NDArray[np.uint32]
    positions: NDArray[np.int64]
    correction_ps: NDArray[np.int32]


def new_group() -> Group:
    """Return room for one group."""
    word0, word1, word2, word3, correction = (
        empty_aligned(4 * GROUP_EVENTS).view(np.uint32) for _ in range(5)
    )
    positions = empty_aligned(8 * GROUP_EVENTS).view(np.int64)
    return Group(word0, word1, word2, word3, positions, correction.view(np.int32))


class Columns(NamedTuple):
    """The columns that the kernel writes; flags are bytes, pairs are two samples."""

    crate: NDArray[np.uint8]
    slot: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    energy: NDArray[np.uint16]
    timestamp: NDArray[np.uint64]
    time_ps: NDArray[np.int64]
    cfd_fraction: NDArray[np.uint16]
    cfd_source: NDArray[np.uint8]
    cfd_forced: NDArray[np.uint8]
    pileup: NDArray[np.uint8]
    out_of_range: NDArray[np.uint8]
    esum_valid: NDArray[np.uint8]
    esum_trailing: NDArray[np.uint32]
    esum_leading: NDArray[np.uint32]
    esum_gap: NDArray[np.uint32]
    baseline_bits: NDArray[np.uint32]
    qdc_valid: NDArray[np.uint8]
    qdc: NDArray[np.uint32]
    external_valid: NDArray[np.uint8]
    external: NDArray[np.uint64]
    trace_length: NDArray[np.uint16]
    trace_ends: NDArray[np.int64]
    sample_pairs: NDArray[np.uint32]
