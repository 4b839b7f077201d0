"""Kernels that walk from event to event, as the decoder does, and fill no columns.

Two fast ways lead through sound data: one for events of four words, one for short
events of any kind. Whatever they do not accept is judged by the decoder's own
kernels.
"""
# mypy: disable-error-code="arg-type, assignment, no-any-return"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._constants import CORE_WORDS
from pixie_pipe.listmode._gather_kernels import alike, gather, trust
from pixie_pipe.listmode._header_kernels import (
    NO,
    UNKNOWN,
    Geometry,
    count_plausible,
    event_length,
    find_run,
    judge_header,
    module_index,
)
from pixie_pipe.listmode._state import (
    EVENTS,
    GROUP_CUT,
    GROUP_FULL,
    GROUP_LOST,
    GROUP_STARVED,
    ID_BITS,
    ID_MASK,
    LOST_FROM,
    LOST_REASON,
    POSITION,
    PROBE_EVENTS,
    Group,
)

u32 = np.uint32
# Unsigned indices: numba asks of a signed one whether it is negative.
u64 = np.uint64

# Events that are looked at together; where one of them does not pass, another way
# begins with the first of them.
_BLOCK = 256

# Events with more words than this are searched faster one by one.
_SHORT = 64


@jit
def _all_bare(
    words: NDArray[np.uint32],
    start: int,
    count: int,
    mask: np.uint32,
    bits: np.uint32,
    trace_mask: np.uint32,
) -> bool:
    """Tell whether `count` events have these bits in word 0 and no trace."""
    wrong = u32(0)
    first = u64(start)
    for i in range(u64(count)):
        word0 = words[first + u64(4) * i]
        word3 = words[first + u64(4) * i + u64(3)]
        wrong |= u32(u32(u32(word0 & mask) ^ bits) | u32(word3 & trace_mask))
    return wrong == u32(0)


@jit
def _pass_bare(
    words: NDArray[np.uint32],
    start: int,
    g: Geometry,
    allowed: NDArray[np.uint8],
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    id_mask: np.uint32,
) -> int:
    """Pass over events of four words each, of one module; return how many, or 0.

    One more plausible header follows those that are counted.
    """
    most = (words.size - start) // CORE_WORDS - 1
    if most < PROBE_EVENTS or g.max_length < u32(CORE_WORDS):
        return 0
    for i in range(PROBE_EVENTS):
        if event_length(words[start + CORE_WORDS * i], g) != u32(CORE_WORDS):
            return 0
    word0 = words[start]
    if allowed[module_index(word0, g)] == 0:
        return 0
    length_mask = u32(u32(g.event_mask << g.event_shift) | u32(31 << 12))
    length_bits = u32(u32(u32(4) << g.event_shift) | u32(4 << 12))
    mask = u32(length_mask | id_mask)
    bits = u32(length_bits | u32(word0 & id_mask))
    trace_mask = u32(g.trace_mask << g.trace_shift)
    count = 0
    while count < most:
        more = min(_BLOCK, most - count)
        if not _all_bare(
            words, start + CORE_WORDS * count, more, mask, bits, trace_mask
        ):
            break
        count += more
    if count == 0:
        return 0
    end = start + CORE_WORDS * count
    if judge_header(words[end], words[end + 3], g, allowed) != u32(0):
        # The last one's header is the plausible one that follows.
        count -= 1
    if count > 0:
        trust(word0, g, trusted, state, id_mask)
    return count


@jit
def _pass_short(
    words: NDArray[np.uint32],
    start: int,
    g: Geometry,
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    positions: NDArray[np.int64],
) -> tuple[int, int]:
    """Pass over short events of modules that have been seen.

    One more plausible header follows them, and inside them is none. Returns how
    many there are, or 0, and the position behind them; fills `positions`.
    """
    size = words.size
    if size - start < CORE_WORDS:
        return 0, start
    word0, word3 = words[start], words[start + 3]
    if judge_header(word0, word3, g, trusted) != u32(0):
        return 0, start
    # What makes a header plausible if it is the same as in a plausible one, and the
    # module has been seen.
    same0 = u32(u32(g.event_mask << g.event_shift) | u32(31 << 12))
    same3 = u32(g.trace_mask << g.trace_shift)
    position = start
    count = 0
    longest = np.int64(0)
    while count < _BLOCK:
        length = np.int64(event_length(word0, g))
        end = position + length
        if length > _SHORT or end + CORE_WORDS > size:
            break
        next0, next3 = words[end], words[end + 3]
        if (
            trusted[module_index(next0, g)] == 0
            or not alike(word0 ^ next0, word3 ^ next3, same0, same3)
        ) and judge_header(next0, next3, g, trusted) != u32(0):
            break
        positions[count] = position
        longest = max(longest, length)
        word0, word3 = next0, next3
        count += 1
        position = end
    mask, bits = u32(state[ID_MASK]), u32(state[ID_BITS])
    if longest > CORE_WORDS and count_plausible(
        words, start, position, g, mask, bits
    ) != u32(count):
        return 0, start
    return count, position


@jit
def _note(
    positions: NDArray[np.int64],
    known: int,
    start: int,
    count: int,
    bare: bool,
    group: Group,
) -> None:
    """Write where the next `count` events begin."""
    if bare:
        for i in range(count):
            positions[known + i] = start + CORE_WORDS * i
    else:
        positions[known : known + count] = group.positions[:count]


@jit
def scan_words(
    words: NDArray[np.uint32],
    base: int,
    final: bool,
    g: Geometry,
    allowed: NDArray[np.uint8],
    trusted: NDArray[np.uint8],
    state: NDArray[np.int64],
    group: Group,
    positions: NDArray[np.int64],
) -> None:
    """Walk as far as the data allow, from ``state[POSITION]`` on.

    The parameters are those of `decode_words`; all blocks must be set in
    ``state[BLOCKS]``. In `positions`, unless it is empty, the index of each event's
    first word in `words` is written, from row ``state[EVENTS]`` on.
    """
    id_mask = u32(u32(g.slot_mask << g.slot_shift) | u32(g.crate_mask << g.crate_shift))
    size = words.size
    while True:
        position = state[POSITION]
        if state[LOST_FROM] >= 0:
            answer, run = find_run(words, position, size, final, g, allowed)
            state[POSITION] = run
            if answer == UNKNOWN or (answer == NO and not final):
                return
            state[LOST_FROM] = -1
            if answer == NO:
                return
            continue
        outcome, reason, run = GROUP_FULL, u32(0), 0
        count = _pass_bare(words, position, g, allowed, trusted, state, id_mask)
        end = position + CORE_WORDS * count
        bare = count > 0
        if count == 0:
            count, end = _pass_short(
                words, position, g, trusted, state, group.positions
            )
        if count == 0:
            count, end, outcome, reason, run = gather(
                words, position, final, g, allowed, trusted, state, id_mask, group
            )
        if positions.size > 0:
            _note(positions, state[EVENTS], position, count, bare, group)
        state[EVENTS] += count
        state[POSITION] = end
        if outcome == GROUP_STARVED:
            return
        if outcome == GROUP_LOST:
            state[LOST_FROM] = base + end
            state[LOST_REASON] = reason
            state[POSITION] = end + 1
        elif outcome == GROUP_CUT:
            state[POSITION] = run
