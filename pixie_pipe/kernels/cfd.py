"""The constant fraction discriminator of the firmware: when a pulse came.

At 100 and 250 MSPS it works on the fast filter, at 500 MSPS on the samples, with fixed
parameters (comments of XIA's C interface in pixie16app.c, kept in
github.com/wuhongyi/PKUXIADAQ)::

    100, 250:  CFD[k] = (w FF[k] - FF[k - D]) L,  w = 1 - CFDScale / 8
    500:       CFD[k] = S[k] - 2 S[k - 5] + S[k - 10],  S[k] = x[k] + x[k + 1]

The time is where it falls through zero, within a sample by a straight line.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._traces import (
    check_number,
    checked_rows,
    checked_traces,
    checked_values,
)

FIXED_DELAY: Final = 5
"""B and D of the CFD at 500 MSPS, in samples; CFDDelay and CFDScale do nothing."""

LONGEST_TICKS: Final = 32
"""Without a crossing in so many ticks the CFD is forced (PixieSDK, list_mode.hpp)."""


@jit
def fixed_cfd_at(samples: NDArray[np.uint16], k: int) -> np.int64:
    """Return the CFD of 500 MSPS at sample k, 10 <= k <= samples - 2."""
    late = np.int64(samples[k]) + np.int64(samples[k + 1])
    middle = np.int64(samples[k - 5]) + np.int64(samples[k - 4])
    early = np.int64(samples[k - 10]) + np.int64(samples[k - 9])
    return late - 2 * middle + early


@jit
def zero_crossing(
    cfd: NDArray[np.float64], first: int, end: int, threshold: float
) -> tuple[int, float]:
    """Return where `cfd` falls through zero after it has reached the threshold.

    Looks at samples from `first` to before `end`. The crossing lies between the
    sample that is returned and the next one, behind it by the fraction that is
    returned, in [0, 1). Without one, the sample is -1 and the fraction 0.
    """
    armed = False
    for k in range(first, end - 1):
        armed = armed or cfd[k] >= threshold
        if armed and cfd[k] > 0.0 and cfd[k + 1] <= 0.0:
            fraction = cfd[k] / (cfd[k] - cfd[k + 1])
            if fraction < 1.0:
                return k, fraction
            return k + 1, 0.0
    return -1, 0.0


@jit
def _filter_cfd(
    fast: NDArray[np.float64],
    offsets: NDArray[np.int64],
    length: int,
    delay: int,
    weight: float,
    out: NDArray[np.float64],
) -> None:
    for i in range(offsets.size - 1):
        first, end = offsets[i], offsets[i + 1]
        if end - first <= delay:
            out[first:end] = np.nan
            continue
        for k in range(first + delay, end):
            out[k] = (weight * fast[k] - fast[k - delay]) * length
        out[first : first + delay] = out[first + delay]


def filter_cfd(
    fast: NDArray[np.float64],
    offsets: NDArray[Any],
    *,
    length: int,
    delay: int,
    scale: int,
) -> NDArray[np.float64]:
    """Return the CFD of 100 and 250 MSPS modules.

    Parameters
    ----------
    fast, offsets
        What `fast_filter` gave for traces.
    length
        Rise time of that filter in samples.
    delay
        CFDDelay in samples (the register times the samples of a tick), at least 1.
    scale
        CFDScale, 0 to 7.

    Returns
    -------
    ndarray of float64
        Shape (n,), in ADC units times `length`; NaN for traces not longer than
        `delay`.

    Raises
    ------
    TraceError
        If the values do not fit the offsets, or a parameter is out of range.
    """
    fast, offsets = checked_values(fast, offsets)
    check_number("length", length, 1, np.inf)
    check_number("delay", delay, 1, np.inf)
    check_number("scale", scale, 0, 7)
    out = np.full(fast.size, np.nan)
    _filter_cfd(fast, offsets, length, delay, 1 - scale / 8, out)
    return out


@jit
def _fixed_cfd(
    samples: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    reach = 2 * FIXED_DELAY
    for i in range(offsets.size - 1):
        first, end = offsets[i], offsets[i + 1]
        if end - first < reach + 2:
            out[first:end] = np.nan
            continue
        for k in range(first + reach, end - 1):
            out[k] = fixed_cfd_at(samples, k)
        out[first : first + reach] = out[first + reach]
        out[end - 1] = out[end - 2]


def fixed_cfd(
    samples: NDArray[np.uint16], offsets: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the CFD of 500 MSPS modules, which has no parameters.

    Parameters
    ----------
    samples, offsets
        The traces: i is ``samples[offsets[i]:offsets[i + 1]]``.

    Returns
    -------
    ndarray of float64
        Shape (n,), in ADC units; the first ten samples of a trace have the value of
        the eleventh, the last one that of the one before it. NaN for traces of less
        than 12 samples.

    Raises
    ------
    TraceError
        If the traces are no traces.
    """
    samples, offsets = checked_traces(samples, offsets)
    out = np.full(samples.size, np.nan)
    _fixed_cfd(samples, offsets, out)
    return out


@jit
def _crossings(
    cfd: NDArray[np.float64],
    offsets: NDArray[np.int64],
    first: NDArray[np.int64],
    threshold: float,
    longest: int,
    sample: NDArray[np.int64],
    fraction: NDArray[np.float64],
) -> None:
    for i in range(offsets.size - 1):
        begin = offsets[i] + max(first[i], 0)
        end = min(begin + longest + 1, offsets[i + 1])
        k, part = zero_crossing(cfd, begin, end, threshold)
        sample[i] = k - offsets[i] if k >= 0 else -1
        fraction[i] = part


def zero_crossings(
    cfd: NDArray[np.float64],
    offsets: NDArray[Any],
    first: NDArray[Any] | int,
    *,
    threshold: float,
    longest: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where the CFD of traces falls through zero.

    Parameters
    ----------
    cfd, offsets
        What `filter_cfd` or `fixed_cfd` gave for traces.
    first
        Sample from which on to look, counted from the start of each trace, such as
        that of the fast trigger: one for all or one for each.
    threshold
        CFDThresh: what the CFD must have reached before.
    longest
        Samples after which it is forced: `LONGEST_TICKS` times those of a tick.

    Returns
    -------
    sample
        The last sample before the crossing, from the start of its trace, shape
        (traces,), int64; -1 where the CFD is forced.
    fraction
        How far behind that sample it is, in [0, 1), shape (traces,), float64; 0
        where it is forced.

    Raises
    ------
    TraceError
        If the values do not fit the offsets, or `longest` is less than 1.
    """
    cfd, offsets = checked_values(cfd, offsets)
    rows = checked_rows("first", first, offsets)
    check_number("longest", longest, 1, np.inf)
    sample = np.empty(offsets.size - 1, np.int64)
    fraction = np.empty(offsets.size - 1)
    _crossings(cfd, offsets, rows, threshold, longest, sample, fraction)
    return sample, fraction
