"""Kernels that gather a group of events: accept them, and judge what is behind.

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

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._column_kernels import blocks_of
from pixie_pipe.listmode._constants import CORE_WORDS, TRACE
from pixie_pipe.listmode._header_kernels import (
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
from pixie_pipe.listmode._state import (
    BLOCKS,
    DECODED_WORDS,
    GROUP_CUT,
    GROUP_EVENTS,
    GROUP_FULL,
    GROUP_LOST,
    GROUP_NEEDS_BLOCKS,
    GROUP_STARVED,
    GROUP_WORDS,
    ID_BITS,
    ID_MASK,
    NO_MODULE,
    PROBE_EVENTS,
    SEEN_BLOCKS,
    Group,
)

u32 = np.uint32


@jit
def trust(
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
def _split_bare(
    words: NDArray[np.uint32],
    g: Geometry,
    id_mask: np.uint32,
    word0: NDArray[np.uint32],
    word1: NDArray[np.uint32],
    word2: NDArray[np.uint32],
    word3: NDArray[np.uint32],
) -> bool:
    """Separate the four words of each event.

    Returns whether all have headers of four words, nothing behind them, and the
    module of the first.
    """
    length_mask = u32(u32(g.event_mask << g.event_shift) | u32(31 << 12))
    length_bits = u32(u32(u32(4) << g.event_shift) | u32(4 << 12))
    trace_mask = u32(g.trace_mask << g.trace_shift)
    mask = u32(length_mask | id_mask)
    bits = u32(length_bits | u32(words[0] & id_mask))
    wrong = u32(0)
    for i in range(word0.size):
        first, fourth = words[4 * i], words[4 * i + 3]
        word0[i] = first
        word1[i] = words[4 * i + 1]
        word2[i] = words[4 * i + 2]
        word3[i] = fourth
        wrong |= u32(u32(u32(first & mask) ^ bits) | u32(fourth & trace_mask))
    return wrong == u32(0)


@jit
def gather_bare(
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
    if allowed[module_index(words[start], g)] == 0 or not _split_bare(
        words[start:end],
        g,
        id_mask,
        group.word0[:count],
        group.word1[:count],
        group.word2[:count],
        group.word3[:count],
    ):
        return 0
    trust(words[start], g, trusted, state, id_mask)
    state[DECODED_WORDS] += CORE_WORDS * count
    if state[BLOCKS]:
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
def alike(
    changed0: np.uint32, changed3: np.uint32, same0: np.uint32, same3: np.uint32
) -> bool:
    """Tell whether none of the bits that must be the same have changed."""
    return u32(u32(changed0 & same0) | u32(changed3 & same3)) == u32(0)


@jit
def _judge_closely(
    words: NDArray[np.uint32],
    position: int,
    end: int,
    final: bool,
    g: Geometry,
    allowed: NDArray[np.uint8],
    trusted: NDArray[np.uint8],
    id_mask: np.uint32,
    id_bits: np.uint32,
) -> tuple[int, np.uint32, int]:
    """Decide on an event that does not pass at first sight.

    Returns
    -------
    tuple
        GROUP_FULL if the event is accepted, else how the group ends with it; the
        reason if what follows is damaged; where the next run begins if the event
        was cut short.
    """
    size = words.size
    if end > size or (not final and end + CORE_WORDS > size):
        if final:
            answer, run = find_run(words, position + 1, size, final, g, allowed)
            if answer == YES:
                return GROUP_CUT, u32(0), run
        return GROUP_STARVED, u32(0), 0
    if end - position > CORE_WORDS:
        stop = min(end, size - 3)
        answer, run = find_run_inside(
            words, position + 1, stop, final, g, trusted, id_mask, id_bits
        )
        if answer == UNKNOWN:
            return GROUP_STARVED, u32(0), 0
        if answer == YES:
            return GROUP_CUT, u32(0), run
    reason = _follows_soundly(words, end, g, allowed)
    if reason != u32(0):
        answer, run = find_run(words, position + 1, end, final, g, allowed)
        if answer == UNKNOWN:
            return GROUP_STARVED, u32(0), 0
        if answer == YES:
            return GROUP_CUT, u32(0), run
    return GROUP_FULL, reason, 0


@jit
def gather(
    words: NDArray[np.uint32],
    start: int,
    final: bool,
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
    words0, words1, words2, words3, positions, _ = group
    size = words.size
    if size - start >= CORE_WORDS or (final and size > start):
        reason = _follows_soundly(words, start, g, allowed)
        if reason != u32(0):
            return 0, start, GROUP_LOST, reason, 0
    # What makes a header plausible if it is the same as in a plausible one.
    same0 = u32(u32(u32(g.event_mask << g.event_shift) | u32(31 << 12)) | id_mask)
    same3 = u32(g.trace_mask << g.trace_shift)
    last0, last3 = u32(0), u32(0)
    mask, bits = u32(0), u32(0)
    position = start
    count = 0
    while count < GROUP_EVENTS and position - start < GROUP_WORDS:
        if size - position < CORE_WORDS:
            return count, position, GROUP_STARVED, u32(0), 0
        word0, word3 = words[position], words[position + 3]
        length = np.int64(event_length(word0, g))
        end = position + length
        if end <= size and (count == 0 or u32(u32(word0 ^ last0) & id_mask) != u32(0)):
            trust(word0, g, trusted, state, id_mask)
            mask, bits = u32(state[ID_MASK]), u32(state[ID_BITS])
        reason = u32(0)
        if not (
            end + CORE_WORDS <= size
            and (
                alike(word0 ^ words[end], word3 ^ words[end + 3], same0, same3)
                or judge_header(words[end], words[end + 3], g, allowed) == u32(0)
            )
            and (
                length == CORE_WORDS
                # Most events have no word that a trusted module's header could
                # begin with.
                or not any_of_module(words, position + 1, end, mask, bits)
            )
        ):
            verdict, reason, run = _judge_closely(
                words, position, end, final, g, allowed, trusted, mask, bits
            )
            if verdict != GROUP_FULL:
                return count, position, verdict, u32(0), run
        if count == 0 or not alike(word0 ^ last0, word3 ^ last3, same0, same3):
            blocks = _blocks_of_event(word0, word3, g)
            missing = blocks & ~state[BLOCKS]
            if missing and count > 0:
                return count, position, GROUP_FULL, u32(0), 0
            if missing:
                return 0, position, GROUP_NEEDS_BLOCKS, u32(0), missing
            state[SEEN_BLOCKS] |= blocks
        words0[count] = last0 = word0
        words1[count] = words[position + 1]
        words2[count] = words[position + 2]
        words3[count] = last3 = word3
        positions[count] = position
        state[DECODED_WORDS] += length
        count += 1
        position = end
        if reason != u32(0):
            return count, position, GROUP_LOST, reason, 0
    return count, position, GROUP_FULL, u32(0), 0
