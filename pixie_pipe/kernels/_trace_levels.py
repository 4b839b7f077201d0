"""Levels of one trace, and the pulses that the fast filter finds in it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit

_SIGMAS = 8.0
"""Without a threshold, a pulse is so many standard deviations of the noise high: noise
alone has none in a million samples."""


@jit
def extremes(samples: NDArray[np.uint16]) -> tuple[np.int64, np.int64]:
    """Return the smallest and the largest sample of a trace that is not empty."""
    low = high = samples[0]
    for k in range(samples.size):
        value = samples[k]
        low = min(low, value)
        high = max(high, value)
    return np.int64(low), np.int64(high)


@jit
def first_of(samples: NDArray[np.uint16], first: int, value: int) -> int:
    """Return the first sample from `first` on that has a value, which must be there."""
    wanted = np.uint16(value)
    k = first
    while samples[k] != wanted:
        k += 1
    return k


@jit
def window_sum(samples: NDArray[np.uint16], first: int, end: int) -> np.int64:
    """Return the sum of samples; of up to 65 537 of them, so that 32 bits hold it."""
    window = samples[first:end]
    total = np.uint32(0)
    for k in range(window.size):
        total = np.uint32(total + np.uint32(window[k]))
    return np.int64(total)


@jit
def mean_of(samples: NDArray[np.uint16], count: int) -> float:
    """Return the mean of the first samples."""
    return window_sum(samples, 0, count) / count


@jit
def noise_of(samples: NDArray[np.uint16], count: int) -> float:
    """Return the standard deviation of the first samples, from exact sums."""
    total = np.uint64(0)
    squares = np.uint64(0)
    for k in range(count):
        value = np.uint64(samples[k])
        total += value
        squares += value * value
    # Of 65 535 samples, both products just fit into 64 bits.
    spread = np.uint64(count) * squares - total * total
    return math.sqrt(np.float64(spread)) / count


@jit
def least_height(threshold: float, noise: float) -> float:
    """Return how high a pulse must be at least."""
    if threshold > 0.0:
        return threshold
    return _SIGMAS * noise


@jit
def find_triggers(
    samples: NDArray[np.uint16],
    length: int,
    gap: int,
    level: int,
    out: NDArray[np.int64],
) -> int:
    """Return how often the fast filter comes to a level from below.

    Parameters
    ----------
    samples
        A trace of at least ``2 * length + gap`` samples. The filter begins where its
        windows lie within it.
    length, gap
        Rise time and flat top in samples.
    level
        Least difference of the two sums: the threshold times `length`.
    out
        Samples where it comes to the level, as many as fit.
    """
    reach = 2 * length + gap
    difference = window_sum(samples, reach - length, reach) - window_sum(
        samples, 0, length
    )
    was_above = difference >= level
    count = 0
    if was_above:
        if out.size:
            out[0] = reach - 1
        count = 1
    # What enters and leaves the two windows, from one sample to the next.
    late_in = samples[reach:]
    late_out = samples[reach - length :]
    early_in = samples[length:]
    for k in range(late_in.size):
        difference += np.int64(late_in[k]) - np.int64(late_out[k])
        difference += np.int64(samples[k]) - np.int64(early_in[k])
        is_above = difference >= level
        if is_above and not was_above:
            if count < out.size:
                out[count] = reach + k
            count += 1
        was_above = is_above
    return count
