"""Kernels that judge headers, and search for the next event.

A header is *plausible* when its header length is legal, its event length equals
header and trace together and is not above the limit, and its module is allowed.
A *run* is a chain of plausible headers, each where the event before it ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.listmode._constants import (
    CORE_WORDS,
    EVENT_LENGTH,
    HEADER_LENGTH,
    MODULE,
    RESYNC_EVENTS,
    TOO_LONG,
)

u32 = np.uint32
# Loops over unsigned indices: numba asks of a signed one whether it is negative.
u64 = np.uint64

# Answers of a search that may need more data than there are.
NO = 0
YES = 1
UNKNOWN = 2

# Words that are looked at together once one of them could begin a header.
_STRETCH = 64


class Geometry(NamedTuple):
    """What a kernel must know of a layout to walk from event to event."""

    legal_lengths: np.uint32
    event_shift: np.uint32
    event_mask: np.uint32
    trace_shift: np.uint32
    trace_mask: np.uint32
    slot_shift: np.uint32
    slot_mask: np.uint32
    crate_shift: np.uint32
    crate_mask: np.uint32
    max_length: np.uint32


@jit
def module_index(word0: np.uint32, g: Geometry) -> np.uint32:
    """Return slot + 16 * crate, the index into tables of modules."""
    slot = u32(u32(word0 >> g.slot_shift) & g.slot_mask)
    crate = u32(u32(word0 >> g.crate_shift) & g.crate_mask)
    return u32(slot | u32(crate << u32(4)))


@jit
def event_length(word0: np.uint32, g: Geometry) -> np.uint32:
    """Return the length that the header states, in words."""
    return u32(u32(word0 >> g.event_shift) & g.event_mask)


@jit
def judge_first_word(
    word0: np.uint32, g: Geometry, allowed: NDArray[np.uint8]
) -> np.uint32:
    """Return 0 if `word0` may begin an event, else the reason why not."""
    header = u32(u32(word0 >> u32(12)) & u32(31))
    if u32(g.legal_lengths >> header) & u32(1) == u32(0):
        return u32(HEADER_LENGTH)
    length = event_length(word0, g)
    if length < header:
        return u32(EVENT_LENGTH)
    if length > g.max_length:
        return u32(TOO_LONG)
    if allowed[module_index(word0, g)] == 0:
        return u32(MODULE)
    return u32(0)


@jit
def judge_header(
    word0: np.uint32, word3: np.uint32, g: Geometry, allowed: NDArray[np.uint8]
) -> np.uint32:
    """Return 0 if the header is plausible, else the reason why not."""
    reason = judge_first_word(word0, g, allowed)
    if reason == u32(0):
        header = u32(u32(word0 >> u32(12)) & u32(31))
        trace = u32(u32(u32(word3 >> g.trace_shift) & g.trace_mask) >> u32(1))
        if event_length(word0, g) != u32(header + trace):
            return u32(EVENT_LENGTH)
    return reason


@jit
def run_starts(
    words: NDArray[np.uint32],
    start: int,
    final: bool,
    g: Geometry,
    allowed: NDArray[np.uint8],
) -> int:
    """Tell whether a run begins at `start`: YES, NO, or UNKNOWN for want of data.

    A run has `RESYNC_EVENTS` plausible headers. At the end of the data (`final`)
    a shorter one counts if it has a whole event and what follows that, if
    anything, may begin another.
    """
    size = words.size
    position = start
    whole = 0
    for _ in range(RESYNC_EVENTS):
        left = size - position
        if left < CORE_WORDS:
            if left > 0 and judge_first_word(words[position], g, allowed) != u32(0):
                return NO
            if not final:
                return UNKNOWN
            return YES if whole > 0 else NO
        word0 = words[position]
        if judge_header(word0, words[position + 3], g, allowed) != u32(0):
            return NO
        position += np.int64(event_length(word0, g))
        if position > size:
            # The rest of the run lies behind the data, unless this was its last.
            if whole == RESYNC_EVENTS - 1:
                return YES
            if not final:
                return UNKNOWN
            return YES if whole > 0 else NO
        whole += 1
    return YES


@jit
def find_run(
    words: NDArray[np.uint32],
    start: int,
    stop: int,
    final: bool,
    g: Geometry,
    allowed: NDArray[np.uint8],
) -> tuple[int, int]:
    """Search for the first run that begins in [`start`, `stop`).

    Returns
    -------
    tuple of int
        (YES, where it begins), (NO, `stop`), or (UNKNOWN, the first position that
        cannot be judged without more data).
    """
    for position in range(start, stop):
        answer = run_starts(words, position, final, g, allowed)
        if answer != NO:
            return answer, position
    return NO, stop


@jit
def any_of_module(
    words: NDArray[np.uint32],
    start: int,
    stop: int,
    id_mask: np.uint32,
    id_bits: np.uint32,
) -> bool:
    """Tell whether any word in [`start`, `stop`) has the id bits of a module.

    It looks into every trace: a loop without branches, of which the compiler makes
    vector code (a minimum, since that reduction is one instruction).
    """
    least = u32(0xFFFFFFFF)
    for i in range(u64(start), u64(stop)):
        least = min(least, u32(u32(words[i] & id_mask) ^ id_bits))
    return least == u32(0)


@jit
def _flaws(
    word0: np.uint32,
    word3: np.uint32,
    g: Geometry,
    id_mask: np.uint32,
    id_bits: np.uint32,
) -> np.uint32:
    """Return 0 if the header has matching lengths and these id bits.

    Without branches, and not as strict as `judge_header`.
    """
    header = u32(u32(word0 >> u32(12)) & u32(31))
    trace = u32(u32(u32(word3 >> g.trace_shift) & g.trace_mask) >> u32(1))
    wrong_length = u32(event_length(word0, g) ^ u32(header + trace))
    illegal = u32(u32(header & u32(1)) | u32(u32(header - u32(4)) > u32(14)))
    other_module = u32(u32(word0 & id_mask) ^ id_bits)
    return u32(wrong_length | illegal | other_module)


@jit
def _any_plausible(
    words: NDArray[np.uint32],
    start: int,
    stop: int,
    g: Geometry,
    id_mask: np.uint32,
    id_bits: np.uint32,
) -> bool:
    """Tell whether any header in [`start`, `stop`) has matching lengths too."""
    least = u32(0xFFFFFFFF)
    for i in range(u64(start), u64(stop)):
        least = min(least, _flaws(words[i], words[i + u64(3)], g, id_mask, id_bits))
    return least == u32(0)


@jit
def count_plausible(
    words: NDArray[np.uint32],
    start: int,
    stop: int,
    g: Geometry,
    id_mask: np.uint32,
    id_bits: np.uint32,
) -> np.uint32:
    """Count the headers in [`start`, `stop`) for which `_any_plausible` looks."""
    count = u32(0)
    for i in range(u64(start), u64(stop)):
        flaws = _flaws(words[i], words[i + u64(3)], g, id_mask, id_bits)
        count = u32(count + u32(flaws == u32(0)))
    return count


@jit
def find_run_inside(
    words: NDArray[np.uint32],
    start: int,
    stop: int,
    final: bool,
    g: Geometry,
    trusted: NDArray[np.uint8],
    id_mask: np.uint32,
    id_bits: np.uint32,
) -> tuple[int, int]:
    """Search like `find_run`, fast where there is nothing, for trusted modules.

    Only headers that agree with `id_bits` under `id_mask` count. `stop` must be at
    least three words before the end of the data.
    """
    for first in range(start, stop, _STRETCH):
        last = min(first + _STRETCH, stop)
        if any_of_module(words, first, last, id_mask, id_bits) and _any_plausible(
            words, first, last, g, id_mask, id_bits
        ):
            return find_run(words, first, stop, final, g, trusted)
    return NO, stop
