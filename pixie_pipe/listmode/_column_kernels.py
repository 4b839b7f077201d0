"""Kernels that fill the columns of `Events` from the words of events.

The core kernels read one word of each event from a contiguous array, so that the
compiler makes vector code of them: the explicit 32-bit casts are there because
numba widens every integer operation to 64 bits, which halves the vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._constants import ENERGY_SUMS, EXTERNAL_TIME, QDC

u32 = np.uint32
# Unsigned indices: numba asks of a signed one whether it is negative.
u64 = np.uint64
i32 = np.int32


class Fields(NamedTuple):
    """What a kernel must know of a layout to fill the core columns."""

    channel_shift: np.uint32
    channel_mask: np.uint32
    slot_shift: np.uint32
    slot_mask: np.uint32
    crate_shift: np.uint32
    crate_mask: np.uint32
    range_word: np.uint32
    range_shift: np.uint32
    energy_shift: np.uint32
    energy_mask: np.uint32
    trace_shift: np.uint32
    trace_mask: np.uint32
    fraction_shift: np.uint32
    fraction_mask: np.uint32
    fraction_bits: np.uint32
    source_shift: np.uint32
    source_mask: np.uint32
    forced_bit: np.uint32
    source_bits: np.uint32
    failed_bits: np.uint32
    tick_ps: np.uint32
    cfd_unit_ps: np.uint32
    source_step_ps: np.uint32
    source_offset_ps: np.uint32


@jit
def fill_channels(
    word0: NDArray[np.uint32],
    f: Fields,
    channel: NDArray[np.uint8],
    pileup: NDArray[np.uint8],
) -> None:
    """Fill channel and pile-up flag."""
    for i in range(channel.size):
        word = word0[i]
        channel[i] = np.uint8(u32(word >> f.channel_shift) & f.channel_mask)
        pileup[i] = np.uint8(word >> u32(31))


@jit
def fill_modules(
    word0: NDArray[np.uint32],
    f: Fields,
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
) -> None:
    """Fill crate and slot."""
    for i in range(crate.size):
        word = word0[i]
        slot[i] = np.uint8(u32(word >> f.slot_shift) & f.slot_mask)
        crate[i] = np.uint8(u32(word >> f.crate_shift) & f.crate_mask)


@jit
def fill_one_module(
    word0: np.uint32,
    f: Fields,
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
) -> None:
    """Fill crate and slot for events that are all of one module."""
    the_slot = np.uint8(u32(word0 >> f.slot_shift) & f.slot_mask)
    the_crate = np.uint8(u32(word0 >> f.crate_shift) & f.crate_mask)
    for i in range(crate.size):
        slot[i] = the_slot
    for i in range(crate.size):
        crate[i] = the_crate


@jit
def fill_energy(
    range_word: NDArray[np.uint32],
    word3: NDArray[np.uint32],
    f: Fields,
    energy: NDArray[np.uint16],
    out_of_range: NDArray[np.uint8],
) -> None:
    """Fill energy and out-of-range flag; early firmware has the flag in word 0."""
    for i in range(energy.size):
        value = u32(u32(word3[i] >> f.energy_shift) & f.energy_mask)
        energy[i] = np.uint16(value)
    for i in range(energy.size):
        flag = u32(u32(range_word[i] >> f.range_shift) & u32(1))
        out_of_range[i] = np.uint8(flag)


@jit
def fill_cfd(
    word2: NDArray[np.uint32],
    f: Fields,
    fraction: NDArray[np.uint16],
    source: NDArray[np.uint8],
    forced: NDArray[np.uint8],
) -> None:
    """Fill the raw CFD columns.

    One loop for each width of column: the compiler's vectors are fuller so.
    """
    for i in range(fraction.size):
        value = u32(u32(word2[i] >> f.fraction_shift) & f.fraction_mask)
        fraction[i] = np.uint16(value)
    for i in range(fraction.size):
        value = u32(u32(word2[i] >> f.source_shift) & f.source_mask)
        source[i] = np.uint8(value)
    for i in range(fraction.size):
        flagged = u32(word2[i] & f.forced_bit) != u32(0)
        failed = u32(word2[i] & f.source_bits) == f.failed_bits
        forced[i] = np.uint8(flagged | failed)


@jit
def cfd_corrections(
    word2: NDArray[np.uint32],
    f: Fields,
    correction_ps: NDArray[np.int32],
) -> None:
    """Write the CFD correction of each event, rounded to whole picoseconds.

    It is zero where the CFD was forced, failed, or off (fraction and source both
    zero). Half a picosecond rounds up.
    """
    half = u32(u32(u32(1) << f.fraction_bits) >> u32(1))
    for i in range(correction_ps.size):
        word = word2[i]
        fraction = u32(u32(word >> f.fraction_shift) & f.fraction_mask)
        source = u32(u32(word >> f.source_shift) & f.source_mask)
        within = u32(u32(u32(fraction * f.cfd_unit_ps) + half) >> f.fraction_bits)
        samples = u32(u32(source * f.source_step_ps) + f.source_offset_ps)
        flagged = u32(word & f.forced_bit) != u32(0)
        failed = u32(word & f.source_bits) == f.failed_bits
        off = u32(fraction | source) == u32(0)
        invalid = flagged | failed | off
        correction_ps[i] = i32(0) if invalid else i32(u32(within + samples))


@jit
def fill_times(
    word1: NDArray[np.uint32],
    word2: NDArray[np.uint32],
    correction_ps: NDArray[np.int32],
    tick_ps: np.uint32,
    timestamp: NDArray[np.uint64],
    time_ps: NDArray[np.int64],
) -> None:
    """Fill the timestamp in ticks and the corrected time in picoseconds."""
    for i in range(timestamp.size):
        high = u32(word2[i] & u32(0xFFFF))
        timestamp[i] = u64(word1[i]) | u64(u64(high) << u64(32))
        # Two 32-bit products are vector code; one 64-bit product is not.
        ticks_ps = u64(u64(word1[i]) * u64(tick_ps)) + u64(
            u64(u32(high * tick_ps)) << u64(32)
        )
        time_ps[i] = np.int64(ticks_ps) + np.int64(correction_ps[i])


@jit
def blocks_of(header_length: np.uint32) -> int:
    """Return the optional blocks in a header of this length, as bits."""
    blocks = 0
    if header_length >= u32(16) or u32(header_length - u32(8)) < u32(4):
        blocks |= ENERGY_SUMS
    if header_length >= u32(12):
        blocks |= QDC
    # Of the eight legal lengths, those with an external timestamp have bit 1.
    if header_length & u32(2) != u32(0):
        blocks |= EXTERNAL_TIME
    return blocks


@jit
def fill_energy_sums(
    words: NDArray[np.uint32],
    positions: NDArray[np.int64],
    valid: NDArray[np.uint8],
    trailing: NDArray[np.uint32],
    leading: NDArray[np.uint32],
    gap: NDArray[np.uint32],
    baseline_bits: NDArray[np.uint32],
) -> None:
    """Fill the energy sums; they follow the core words."""
    for i in range(positions.size):
        position = u64(positions[i])
        header = u32(u32(words[position] >> u32(12)) & u32(31))
        has = blocks_of(header) & ENERGY_SUMS != 0
        valid[i] = has
        trailing[i] = words[position + u64(4)] if has else u32(0)
        leading[i] = words[position + u64(5)] if has else u32(0)
        gap[i] = words[position + u64(6)] if has else u32(0)
        baseline_bits[i] = words[position + u64(7)] if has else u32(0)


@jit
def fill_qdc(
    words: NDArray[np.uint32],
    positions: NDArray[np.int64],
    valid: NDArray[np.uint8],
    qdc: NDArray[np.uint32],
) -> None:
    """Fill the eight QDC sums; they follow the energy sums, if any."""
    for i in range(positions.size):
        position = u64(positions[i])
        header = u32(u32(words[position] >> u32(12)) & u32(31))
        has = blocks_of(header) & QDC != 0
        start = position + (u64(8) if header >= u32(16) else u64(4))
        valid[i] = has
        if has:
            for k in range(u64(8)):
                qdc[u64(i), k] = words[start + k]
        else:
            for k in range(u64(8)):
                qdc[u64(i), k] = u32(0)


@jit
def fill_external_timestamps(
    words: NDArray[np.uint32],
    positions: NDArray[np.int64],
    valid: NDArray[np.uint8],
    external: NDArray[np.uint64],
) -> None:
    """Fill the external timestamp; it is the last two words of the header."""
    for i in range(positions.size):
        position = u64(positions[i])
        header = u32(u32(words[position] >> u32(12)) & u32(31))
        has = blocks_of(header) & EXTERNAL_TIME != 0
        end = position + u64(header)
        valid[i] = has
        if has:
            low, high = words[end - u64(2)], words[end - u64(1)]
            external[i] = u64(low) | u64(u64(high) << u64(32))
        else:
            external[i] = u64(0)


@jit
def fill_traces(
    words: NDArray[np.uint32],
    positions: NDArray[np.int64],
    word3: NDArray[np.uint32],
    f: Fields,
    used: int,
    lengths: NDArray[np.uint16],
    ends: NDArray[np.int64],
    sample_pairs: NDArray[np.uint32],
) -> int:
    """Copy the traces behind the `used` samples; return the samples used then.

    Two samples share a word, the earlier in its lower half, so the words are
    copied as they are.
    """
    for i in range(positions.size):
        length = np.int64(u32(word3[i] >> f.trace_shift) & f.trace_mask)
        pairs = length >> 1
        lengths[i] = length
        if pairs > 0:
            position = positions[i]
            header = np.int64(u32(words[position] >> u32(12)) & u32(31))
            start = u64(position + header)
            pair = u64(used >> 1)
            for k in range(u64(pairs)):
                sample_pairs[pair + k] = words[start + k]
            used += 2 * pairs
        ends[i] = used
    return used
