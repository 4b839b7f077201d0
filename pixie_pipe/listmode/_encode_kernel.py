"""The encoder's kernel: writes events as words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._column_kernels import blocks_of
from pixie_pipe.listmode._constants import ENERGY_SUMS, EXTERNAL_TIME, QDC

u32 = np.uint32
u64 = np.uint64


class EventParts(NamedTuple):
    """What an event is made of: ready core words, and the optional blocks."""

    core: NDArray[np.uint32]
    header_length: NDArray[np.int64]
    sums: NDArray[np.uint32]
    qdc: NDArray[np.uint32]
    external: NDArray[np.uint64]
    trace_offsets: NDArray[np.int64]
    sample_pairs: NDArray[np.uint32]


@jit
def write_events(
    parts: EventParts, positions: NDArray[np.int64], words: NDArray[np.uint32]
) -> None:
    """Write each event where `positions` says; absent blocks are empty arrays."""
    for i in range(positions.size):
        position = positions[i]
        for k in range(4):
            words[position + k] = parts.core[i, k]
        blocks = blocks_of(u32(parts.header_length[i]))
        at = position + 4
        if blocks & ENERGY_SUMS:
            for k in range(4):
                words[at + k] = parts.sums[i, k]
            at += 4
        if blocks & QDC:
            for k in range(8):
                words[at + k] = parts.qdc[i, k]
            at += 8
        if blocks & EXTERNAL_TIME:
            words[at] = u32(parts.external[i] & u64(0xFFFFFFFF))
            words[at + 1] = u32(parts.external[i] >> u64(32))
            at += 2
        if parts.trace_offsets.size:
            first = parts.trace_offsets[i] >> 1
            for pair in range(first, parts.trace_offsets[i + 1] >> 1):
                words[at] = parts.sample_pairs[pair]
                at += 1
