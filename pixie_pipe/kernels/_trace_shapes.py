"""The form of the pulse of one trace: rise, decay, charge."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._trace_levels import window_sum
from pixie_pipe.kernels.trace_numbers import SUMS

_LEAST_POINTS = 3
"""A line goes through any two points."""


@jit
def last_below(samples: NDArray[np.uint16], before: int, level: float) -> int:
    """Return the last sample before a sample that is below a level, or -1."""
    k = before - 1
    while k >= 0 and samples[k] >= level:
        k -= 1
    return k


@jit
def crossing_behind(samples: NDArray[np.uint16], k: int, level: float) -> float:
    """Return where a line from sample k, below the level, to the next one meets it."""
    return k + (level - samples[k]) / (np.float64(samples[k + 1]) - samples[k])


@jit
def decay_time(
    samples: NDArray[np.uint16], top: int, base: float, height: float, fit: int
) -> float:
    """Return the decay time behind the maximum in samples, NaN if there is none.

    Parameters
    ----------
    samples
        The trace.
    top
        Its maximum.
    base, height
        Baseline and height above it.
    fit
        ``LOG_LINEAR``: a line through the logarithms of the samples above the
        baseline, from the maximum to 10 % of the height or the end; each has the
        weight of its square, as the noise is the same in all samples. ``SUMS``:
        PAASS's formula from the maximum to the minimum behind it, which needs no
        baseline. Of both stretches, 10 % are cut at each side.
    """
    end = top + 1
    if fit == SUMS:
        for k in range(top + 1, samples.size):
            if samples[k] < samples[end]:
                end = k
        end = min(end, samples.size)
    else:
        least = base + 0.1 * height
        while end < samples.size and samples[end] >= least:
            end += 1
    cut = (end - top) // 10
    points = samples[top + cut : end - cut]
    if points.size < _LEAST_POINTS:
        return np.nan
    rate = _rate_of_sums(points) if fit == SUMS else _rate_of_logarithms(points, base)
    return 1.0 / rate if rate > 0.0 else np.nan


@jit
def _rate_of_sums(points: NDArray[np.uint16]) -> float:
    """Return the decay in a sample by PAASS's sums (TauAnalyzer.cpp)."""
    n = np.float64(points.size)
    one = two = 0.0
    for k in range(points.size):
        i = np.float64(k)
        j = i + 1.0
        one += points[k] * (j * n * n - 3.0 * j * j * n + 2.0 * j * j * j)
        two += points[k] * (i * n * n - 3.0 * i * i * n + 2.0 * i * i * i)
    ratio = one / two
    return math.log(ratio) if 0.0 < ratio < np.inf else np.nan


@jit
def _rate_of_logarithms(points: NDArray[np.uint16], base: float) -> float:
    """Return the decay in a sample by a line through logarithms, with weights y^2."""
    weights = first = second = mixed = values = 0.0
    middle = 0.5 * (points.size - 1)
    for k in range(points.size):
        y = points[k] - base
        i = k - middle  # small numbers keep their digits
        weight = y * y
        value = math.log(y)
        weights += weight
        first += weight * i
        second += weight * i * i
        values += weight * value
        mixed += weight * i * value
    spread = weights * second - first * first
    return -(weights * mixed - first * values) / spread


@jit
def charge_of(
    samples: NDArray[np.uint16], first: int, count: int, base: float
) -> float:
    """Return the sum of samples above the baseline."""
    return window_sum(samples, first, first + count) - count * base
