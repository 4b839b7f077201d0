"""The decoder's kernel: walks over the words, fills columns, rejects damage.

The walk alternates between two conditions. *In step*, the position is where an
event begins; a group of events is gathered, then their columns are filled. *Lost*,
the words from where the step was lost belong to no event, and the position moves
on word by word until a run of plausible headers begins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._column_kernels import (
    Fields,
    cfd_corrections,
    fill_cfd,
    fill_channels,
    fill_energy,
    fill_energy_sums,
    fill_external_timestamps,
    fill_modules,
    fill_one_module,
    fill_qdc,
    fill_times,
    fill_traces,
)
from pixie_pipe.listmode._constants import (
    CORE_WORDS,
    CUT,
    ENERGY_SUMS,
    EXTERNAL_TIME,
    QDC,
    TRACE,
)
from pixie_pipe.listmode._gather_kernels import gather, gather_bare
from pixie_pipe.listmode._header_kernels import NO, UNKNOWN, Geometry, find_run
from pixie_pipe.listmode._state import (
    BLOCKS,
    EVENTS,
    FINISHED,
    GROUP_CUT,
    GROUP_FULL,
    GROUP_LOST,
    GROUP_NEEDS_BLOCKS,
    GROUP_STARVED,
    LOST_FROM,
    LOST_REASON,
    NEED_BLOCKS,
    NEED_REJECTION_SPACE,
    NEEDED,
    POSITION,
    REJECTIONS,
    SAMPLES,
    Columns,
    Group,
)

u32 = np.uint32


@jit
def _fill_core(
    count: int,
    one_module: bool,
    f: Fields,
    state: NDArray[np.int64],
    group: Group,
    c: Columns,
) -> None:
    """Fill the core columns for the group's events, behind those that are there."""
    a = state[EVENTS]
    z = a + count
    word0, word3 = group.word0[:count], group.word3[:count]
    word1, word2 = group.word1[:count], group.word2[:count]
    corrections = group.correction_ps[:count]
    fill_channels(word0, f, c.channel[a:z], c.pileup[a:z])
    if one_module:
        fill_one_module(word0[0], f, c.crate[a:z], c.slot[a:z])
    else:
        fill_modules(word0, f, c.crate[a:z], c.slot[a:z])
    ranged = word3 if f.range_word == u32(3) else word0
    fill_energy(ranged, word3, f, c.energy[a:z], c.out_of_range[a:z])
    fill_cfd(word2, f, c.cfd_fraction[a:z], c.cfd_source[a:z], c.cfd_forced[a:z])
    cfd_corrections(word2, f, corrections)
    fill_times(word1, word2, corrections, f.tick_ps, c.timestamp[a:z], c.time_ps[a:z])


@jit
def _fill_blocks(
    words: NDArray[np.uint32],
    count: int,
    f: Fields,
    state: NDArray[np.int64],
    group: Group,
    c: Columns,
) -> None:
    """Fill the optional blocks that any event so far has had."""
    a = state[EVENTS]
    z = a + count
    positions = group.positions[:count]
    blocks = state[BLOCKS]
    if blocks & ENERGY_SUMS:
        fill_energy_sums(
            words,
            positions,
            c.esum_valid[a:z],
            c.esum_trailing[a:z],
            c.esum_leading[a:z],
            c.esum_gap[a:z],
            c.baseline_bits[a:z],
        )
    if blocks & QDC:
        fill_qdc(words, positions, c.qdc_valid[a:z], c.qdc[a:z])
    if blocks & EXTERNAL_TIME:
        fill_external_timestamps(
            words, positions, c.external_valid[a:z], c.external[a:z]
        )
    if blocks & TRACE:
        state[SAMPLES] = fill_traces(
            words,
            positions,
            group.word3[:count],
            f,
            state[SAMPLES],
            c.trace_length[a:z],
            c.trace_ends[a:z],
            c.sample_pairs,
        )


@jit
def _reject(state: NDArray[np.int64], rejected: NDArray[np.int64], stop: int) -> None:
    """Reject the words from where the step was lost up to `stop`."""
    row = state[REJECTIONS]
    rejected[row, 0] = state[LOST_FROM]
    rejected[row, 1] = stop - state[LOST_FROM]
    rejected[row, 2] = state[LOST_REASON]
    state[REJECTIONS] = row + 1
    state[LOST_FROM] = -1


@jit
def decode_words(
    words: NDArray[np.uint32],
    base: int,
    final: bool,
    g: Geometry,
    f: Fields,
    allowed: NDArray[np.uint8],
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    rejected: NDArray[np.int64],
    group: Group,
    columns: Columns,
) -> int:
    """Decode as far as the data allow, from ``state[POSITION]`` on.

    Parameters
    ----------
    words
        The words; ``words[0]`` is word `base` of the stream.
    final
        Whether the stream ends with these words.
    allowed, trusted
        256 flags by `module_index`: modules that may appear at all, and modules
        whose headers count inside an event (written here, module by module).
    state
        The entries named above; positions of rejections are those of the stream.
    rejected
        Rows of (first word, number of words, reason).

    Returns
    -------
    int
        FINISHED when nothing more can be decided; else what is needed first.
    """
    id_mask = u32(u32(g.slot_mask << g.slot_shift) | u32(g.crate_mask << g.crate_shift))
    size = words.size
    while True:
        if state[REJECTIONS] == rejected.shape[0]:
            return NEED_REJECTION_SPACE
        position = state[POSITION]
        if state[LOST_FROM] >= 0:
            answer, run = find_run(words, position, size, final, g, allowed)
            state[POSITION] = run
            if answer == UNKNOWN or (answer == NO and not final):
                return FINISHED
            _reject(state, rejected, base + run)
            if answer == NO:
                return FINISHED
            continue
        one_module = True
        outcome, reason, detail = GROUP_FULL, u32(0), 0
        count = gather_bare(words, position, g, allowed, trusted, state, id_mask, group)
        end = position + CORE_WORDS * count
        if count == 0:
            one_module = False
            count, end, outcome, reason, detail = gather(
                words, position, final, g, allowed, trusted, state, id_mask, group
            )
        if outcome == GROUP_NEEDS_BLOCKS:
            state[NEEDED] = detail
            return NEED_BLOCKS
        _fill_core(count, one_module, f, state, group, columns)
        if state[BLOCKS]:
            _fill_blocks(words, count, f, state, group, columns)
        state[EVENTS] += count
        state[POSITION] = end
        if outcome == GROUP_STARVED:
            return FINISHED
        if outcome == GROUP_LOST:
            state[LOST_FROM] = base + end
            state[LOST_REASON] = reason
            state[POSITION] = end + 1
        elif outcome == GROUP_CUT:
            state[LOST_FROM] = base + end
            state[LOST_REASON] = CUT
            _reject(state, rejected, base + detail)
            state[POSITION] = detail
