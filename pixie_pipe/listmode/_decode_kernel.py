"""The decoder's kernel: walks over the words, accepts events, rejects damage.

The walk alternates between two conditions. *In step*, `position` is where an
event begins; a group of events is gathered, then their columns are filled. *Lost*,
the words from `lost_from` on belong to no event, and `position` moves on word by
word until a run of plausible headers begins.

An event is accepted when

- its header is plausible and all its words are there,
- no run of headers of trusted modules begins inside it, and
- what follows is plausible too, or the end of the data. If it is not, a run that
  begins inside the event proves that the event was cut short; otherwise the event
  is sound and the damage begins behind it.

Every decision is taken only when the words that it depends on are there, so that
it does not matter how the data are cut into pieces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._column_kernels import (
    Fields,
    blocks_of,
    cfd_corrections,
    fill_cfd,
    fill_energy,
    fill_energy_sums,
    fill_external_timestamps,
    fill_ids,
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
from pixie_pipe.listmode._header_kernels import (
    NO,
    UNKNOWN,
    YES,
    Geometry,
    any_of_module,
    event_length,
    find_run,
    find_run_inside,
    judge_first_word,
    judge_header,
    module_index,
)

u32 = np.uint32

GROUP_EVENTS = 1024
"""Events gathered before columns are filled: 4 words each stay in the L1 cache."""

GROUP_WORDS = 1 << 15
"""Words after which a group ends: they stay in the L2 cache until copied."""

PROBE_EVENTS = 4
"""Events of four words in a row that make the fast way worth trying."""

# Entries of the state, an int64 array that the caller keeps between calls.
POSITION = 0
EVENTS = 1
SAMPLES = 2
REJECTIONS = 3
LOST_FROM = 4
LOST_REASON = 5
BLOCKS = 6
NEEDED = 7
ID_MASK = 8
ID_BITS = 9
DECODED_WORDS = 10
STATE_SIZE = 11

# What the caller must do before the kernel can go on.
FINISHED = 0
NEED_BLOCKS = 1
NEED_REJECTION_SPACE = 2

# How a group ended.
GROUP_FULL = 0
GROUP_STARVED = 1
GROUP_LOST = 2
GROUP_CUT = 3
GROUP_NEEDS_BLOCKS = 4

NO_MODULE = -1
"""Value of the id bits before any module is trusted."""


class Group(NamedTuple):
    """Room for what is gathered of a group of events."""

    word0: NDArray[np.uint32]
    word1: NDArray[np.uint32]
    word2: NDArray[np.uint32]
    word3: NDArray[np.uint32]
    positions: NDArray[np.int64]
    correction_ps: NDArray[np.int32]


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


@jit
def _trust(
    word0: np.uint32,
    g: Geometry,
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    id_mask: np.uint32,
) -> None:
    """Remember the module of an event: headers of it count inside later events."""
    index = module_index(word0, g)
    if trusted[index] == 0:
        trusted[index] = 1
        bits = np.int64(u32(word0 & id_mask))
        if state[ID_BITS] == NO_MODULE:
            state[ID_MASK] = np.int64(id_mask)
        else:
            state[ID_MASK] &= ~(state[ID_BITS] ^ bits)
        state[ID_BITS] = bits & state[ID_MASK]


@jit
def _split(words: NDArray[np.uint32], group: Group) -> None:
    """Separate the four words of consecutive events without anything else."""
    word0, word1, word2, word3 = group.word0, group.word1, group.word2, group.word3
    for i in range(words.size // CORE_WORDS):
        word0[i] = words[4 * i]
        word1[i] = words[4 * i + 1]
        word2[i] = words[4 * i + 2]
        word3[i] = words[4 * i + 3]


@jit
def _all_bare(
    word0: NDArray[np.uint32],
    word3: NDArray[np.uint32],
    g: Geometry,
    allowed: NDArray[np.uint8],
    id_mask: np.uint32,
) -> bool:
    """Tell whether all are plausible headers of one module, with nothing behind."""
    length_mask = u32(u32(g.event_mask << g.event_shift) | u32(31 << 12))
    length_bits = u32(u32(u32(4) << g.event_shift) | u32(4 << 12))
    trace_mask = u32(g.trace_mask << g.trace_shift)
    first_id = u32(word0[0] & id_mask)
    wrong = u32(0)
    for i in range(word0.size):
        wrong |= u32(u32(word0[i] & length_mask) ^ length_bits)
        wrong |= u32(u32(word0[i] & id_mask) ^ first_id)
        wrong |= u32(word3[i] & trace_mask)
    return wrong == u32(0) and allowed[module_index(word0[0], g)] != 0


@jit
def _gather_bare(
    words: NDArray[np.uint32],
    start: int,
    g: Geometry,
    allowed: NDArray[np.uint8],
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    id_mask: np.uint32,
    group: Group,
) -> int:
    """Gather a group of events of four words each; return how many, or 0.

    The fast way for the commonest data. One more plausible header must follow.
    """
    count = min(GROUP_EVENTS, (words.size - start) // CORE_WORDS - 1)
    if count < PROBE_EVENTS or g.max_length < u32(CORE_WORDS):
        return 0
    for i in range(PROBE_EVENTS):
        if event_length(words[start + CORE_WORDS * i], g) != u32(CORE_WORDS):
            return 0
    end = start + CORE_WORDS * count
    if judge_header(words[end], words[end + 3], g, allowed) != u32(0):
        return 0
    _split(words[start:end], group)
    if not _all_bare(group.word0[:count], group.word3[:count], g, allowed, id_mask):
        return 0
    _trust(group.word0[0], g, trusted, state, id_mask)
    positions = group.positions
    for i in range(count):
        positions[i] = start + CORE_WORDS * i
    return count


@jit
def _follows_soundly(
    words: NDArray[np.uint32],
    position: int,
    g: Geometry,
    allowed: NDArray[np.uint8],
) -> np.uint32:
    """Return 0 if an event or the end of the data is at `position`, else why not."""
    left = words.size - position
    if left == 0:
        return u32(0)
    if left < CORE_WORDS:
        return judge_first_word(words[position], g, allowed)
    return judge_header(words[position], words[position + 3], g, allowed)


@jit
def _blocks_of_event(word0: np.uint32, word3: np.uint32, g: Geometry) -> int:
    """Return the optional blocks of an event as bits."""
    blocks = blocks_of(u32(u32(word0 >> u32(12)) & u32(31)))
    if u32(word3 >> g.trace_shift) & g.trace_mask:
        blocks |= TRACE
    return blocks


@jit
def _gather(
    words: NDArray[np.uint32],
    start: int,
    final: bool,  # noqa: FBT001
    g: Geometry,
    allowed: NDArray[np.uint8],
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    id_mask: np.uint32,
    group: Group,
) -> tuple[int, int, int, np.uint32, int]:
    """Gather a group of events of any kind.

    Returns
    -------
    tuple
        Number of events, position behind them, how the group ended, the reason
        if it ended lost, and, if it ended with an event that was cut short, where
        the next run begins; if its first event needs blocks, these as bits.
    """
    # Taken out of the tuple once: numba counts references at each access.
    words0, words1, words2, words3 = (
        group.word0,
        group.word1,
        group.word2,
        group.word3,
    )
    positions = group.positions
    size = words.size
    position = start
    count = 0
    reason = u32(0)
    if size - start >= CORE_WORDS or (final and size > start):
        reason = _follows_soundly(words, start, g, allowed)
        if reason != u32(0):
            return 0, start, GROUP_LOST, reason, 0
    while count < GROUP_EVENTS and position - start < GROUP_WORDS:
        if size - position < CORE_WORDS:
            return count, position, GROUP_STARVED, reason, 0
        word0 = words[position]
        length = np.int64(event_length(word0, g))
        end = position + length
        if end > size or (not final and end + CORE_WORDS > size):
            if not final:
                return count, position, GROUP_STARVED, reason, 0
            answer, run = find_run(words, position + 1, size, final, g, allowed)
            if answer == YES:
                return count, position, GROUP_CUT, reason, run
            return count, position, GROUP_STARVED, reason, 0
        _trust(word0, g, trusted, state, id_mask)
        mask, bits = u32(state[ID_MASK]), u32(state[ID_BITS])
        inside = min(end, size - 3)
        # Most events have no word that could begin a header of a trusted module.
        if length > CORE_WORDS and any_of_module(
            words, position + 1, inside, mask, bits
        ):
            answer, run = find_run_inside(
                words, position + 1, inside, final, g, trusted, mask, bits
            )
            if answer == UNKNOWN:
                return count, position, GROUP_STARVED, reason, 0
            if answer == YES:
                return count, position, GROUP_CUT, reason, run
        reason = _follows_soundly(words, end, g, allowed)
        if reason != u32(0):
            answer, run = find_run(words, position + 1, end, final, g, allowed)
            if answer == UNKNOWN:
                return count, position, GROUP_STARVED, u32(0), 0
            if answer == YES:
                return count, position, GROUP_CUT, u32(0), run
        word3 = words[position + 3]
        missing = _blocks_of_event(word0, word3, g) & ~state[BLOCKS]
        if missing:
            if count > 0:
                return count, position, GROUP_FULL, u32(0), 0
            return 0, position, GROUP_NEEDS_BLOCKS, u32(0), missing
        words0[count] = word0
        words1[count] = words[position + 1]
        words2[count] = words[position + 2]
        words3[count] = word3
        positions[count] = position
        state[DECODED_WORDS] += length
        count += 1
        position = end
        if reason != u32(0):
            return count, position, GROUP_LOST, reason, 0
    return count, position, GROUP_FULL, reason, 0


@jit
def _fill(
    words: NDArray[np.uint32],
    count: int,
    f: Fields,
    state: NDArray[np.int64],
    group: Group,
    c: Columns,
) -> None:
    """Fill the columns for the group's events, behind those that are there."""
    a = state[EVENTS]
    z = a + count
    word0, word3 = group.word0[:count], group.word3[:count]
    word1, word2 = group.word1[:count], group.word2[:count]
    positions = group.positions[:count]
    corrections = group.correction_ps[:count]
    fill_ids(word0, f, c.crate[a:z], c.slot[a:z], c.channel[a:z], c.pileup[a:z])
    ranged = word3 if f.range_word == u32(3) else word0
    fill_energy(ranged, word3, f, c.energy[a:z], c.out_of_range[a:z])
    fill_cfd(word2, f, c.cfd_fraction[a:z], c.cfd_source[a:z], c.cfd_forced[a:z])
    cfd_corrections(word2, f, corrections)
    fill_times(
        word1, word2, corrections, f.tick_ps, c.timestamp[a:z], c.time_ps[a:z]
    )
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
            word3,
            f,
            state[SAMPLES],
            c.trace_length[a:z],
            c.trace_ends[a:z],
            c.sample_pairs,
        )
    state[EVENTS] = z


@jit
def _reject(
    state: NDArray[np.int64],
    rejected: NDArray[np.int64],
    start: int,
    stop: int,
    reason: int,
) -> None:
    row = state[REJECTIONS]
    rejected[row, 0] = start
    rejected[row, 1] = stop - start
    rejected[row, 2] = reason
    state[REJECTIONS] = row + 1


@jit
def decode_words(
    words: NDArray[np.uint32],
    base: int,
    final: bool,  # noqa: FBT001
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
    id_mask = u32(
        u32(g.slot_mask << g.slot_shift) | u32(g.crate_mask << g.crate_shift)
    )
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
            _reject(
                state, rejected, state[LOST_FROM], base + run, state[LOST_REASON]
            )
            state[LOST_FROM] = -1
            if answer == NO:
                return FINISHED
            continue
        count = _gather_bare(
            words, position, g, allowed, trusted, state, id_mask, group
        )
        if count > 0:
            _fill(words, count, f, state, group, columns)
            state[POSITION] = position + CORE_WORDS * count
            state[DECODED_WORDS] += CORE_WORDS * count
            continue
        count, end, outcome, reason, detail = _gather(
            words, position, final, g, allowed, trusted, state, id_mask, group
        )
        if outcome == GROUP_NEEDS_BLOCKS:
            state[NEEDED] = detail
            return NEED_BLOCKS
        _fill(words, count, f, state, group, columns)
        state[POSITION] = end
        if outcome == GROUP_STARVED:
            return FINISHED
        if outcome == GROUP_LOST:
            state[LOST_FROM] = base + end
            state[LOST_REASON] = reason
            state[POSITION] = end + 1
        elif outcome == GROUP_CUT:
            _reject(state, rejected, base + end, base + detail, CUT)
            state[POSITION] = detail
