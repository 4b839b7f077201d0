"""The fast filter of the firmware: where a pulse begins.

Difference of two moving averages, as XIA's C interface computed it offline
(``Pixie16ComputeFastFiltersOffline`` in pixie16app.c, kept in
github.com/wuhongyi/PKUXIADAQ)::

    FF[k] = (sum x[k - L + 1 .. k] - sum x[k - o .. k - o + L - 1]) / L
    o = 2 L + G - 1;  FF[k] = FF[o] for k < o

with L and G in samples: FastLength and FastGap times the samples of a tick.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._traces import check_number, checked_traces

LONGEST = 1 << 20
"""Longest filter in samples; 127 steps of 64 ticks of 5 samples are 40 640."""


@jit
def add_up(samples: NDArray[np.uint16], sums: NDArray[np.int64]) -> None:
    """Write the sum of the first i samples to ``sums[i]``; one longer than samples."""
    total = np.int64(0)
    sums[0] = 0
    for i in range(samples.size):
        total += np.int64(samples[i])
        sums[i + 1] = total


@jit
def fast_difference(sums: NDArray[np.int64], k: int, length: int, gap: int) -> np.int64:
    """Return L times the fast filter at sample k, from the sums of `add_up`."""
    late = sums[k + 1] - sums[k + 1 - length]
    first = k + 1 - 2 * length - gap
    return late - (sums[first + length] - sums[first])


@jit
def _fast_filter(
    samples: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    length: int,
    gap: int,
    out: NDArray[np.float64],
) -> None:
    reach = 2 * length + gap
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    sums = np.empty(longest + 1, np.int64)
    for i in range(offsets.size - 1):
        first, end = offsets[i], offsets[i + 1]
        if end - first < 2 * reach:
            out[first:end] = np.nan
            continue
        add_up(samples[first:end], sums)
        for k in range(reach - 1, end - first):
            out[first + k] = fast_difference(sums, k, length, gap) / length
        out[first : first + reach - 1] = out[first + reach - 1]


def fast_filter(
    samples: NDArray[np.uint16], offsets: NDArray[Any], length: int, gap: int
) -> NDArray[np.float64]:
    """Return the fast filter of traces, in ADC units.

    Parameters
    ----------
    samples
        Samples of all traces, shape (n,), uint16.
    offsets
        Trace i is ``samples[offsets[i]:offsets[i + 1]]``; shape (traces + 1,).
    length, gap
        Rise time and flat top in samples.

    Returns
    -------
    ndarray of float64
        Shape (n,). NaN for traces of less than twice ``2 * length + gap`` samples,
        which XIA's function refuses, and outside all traces.

    Raises
    ------
    TraceError
        If the traces are no traces, or a length is out of range.
    """
    samples, offsets = checked_traces(samples, offsets)
    check_number("length", length, 1, LONGEST)
    check_number("gap", gap, 0, LONGEST)
    out = np.full(samples.size, np.nan)
    _fast_filter(samples, offsets, length, gap, out)
    return out
