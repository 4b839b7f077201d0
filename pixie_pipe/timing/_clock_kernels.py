"""Kernels: which stretch of its clock an event belongs to, and its time from that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit


@jit
def follow_clocks(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    time_ps: NDArray[np.int64],
    rule: NDArray[np.int64],
    seen: NDArray[np.bool_],
    state: NDArray[np.int64],
    segment: NDArray[np.int64],
    clock_ps: NDArray[np.int64],
    reset_rows: NDArray[np.int64],
    reset_before: NDArray[np.int64],
) -> tuple[int, int]:
    """Follow the clock of each module.

    `rule` is: least jump back, upper limit of what is near zero, the time after which
    the counter goes round (0: never), and the longest step over that point. A row of
    `state` is of one module: segment, what was added for going round, latest time, and
    events that jump back but are no reset.

    Returns the number of resets, or the place of the event after which no time fits 64
    bits as the first number and -1 as the second.
    """
    jump, near_zero, wrap, wrap_gap = rule[0], rule[1], rule[2], rule[3]
    highest = np.int64(0x7FFFFFFFFFFFFFFF)
    resets = 0
    for i in range(time_ps.size):
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        own = state[module]
        time = time_ps[i]
        if not seen[module]:
            seen[module] = True
            own[0] = 0
            own[1] = 0
            own[2] = time
            own[3] = 0
        now = time + own[1]
        if own[2] - now > jump:
            if wrap > 0 and wrap - (own[2] - now) <= wrap_gap:
                if own[1] > highest - 2 * wrap:
                    return i, -1
                own[1] += wrap
                now += wrap
            elif time < near_zero:
                reset_rows[resets] = i
                reset_before[resets] = own[2]
                resets += 1
                own[0] += 1
                own[1] = 0
                own[2] = time
                now = time
            else:
                own[3] += 1
        elif own[1] > 0 and now - own[2] > wrap // 2:
            # It was before the counter went round, and came behind.
            now -= wrap
        own[2] = max(own[2], now)
        segment[i] = own[0]
        clock_ps[i] = now
    return resets, 0


@jit
def place(
    segment: NDArray[np.int64],
    clock_ps: NDArray[np.int64],
    shift_ps: NDArray[np.int64],
    start_ns: NDArray[np.int64],
    no_wall_time: int,
    time_ps: NDArray[np.int64],
    wall_time_ns: NDArray[np.int64],
) -> int:
    """Make times of the first clock and of the wall; return a row that has none, or -1.

    A start of `no_wall_time` is not known.
    """
    left = np.int64(0)
    for i in range(segment.size):
        shift, clock = shift_ps[segment[i]], clock_ps[i]
        # Without signs, adding goes round; with them, compilers take it not to.
        total = np.int64(np.uint64(clock) + np.uint64(shift))
        # Negative if two numbers of one sign gave one of the other.
        left |= (clock ^ total) & (shift ^ total)
        time_ps[i] = total
        start = start_ns[segment[i]]
        # Towards the past, for times before the start, too.
        wall_time_ns[i] = start if start == no_wall_time else start + clock // 1000
    if left < 0:
        for i in range(segment.size):
            shift, clock = shift_ps[segment[i]], clock_ps[i]
            if (clock ^ time_ps[i]) & (shift ^ time_ps[i]) < 0:
                return i
    return -1
