"""Levels of traces: the mean before a pulse, and where a filter reaches a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._traces import (
    check_number,
    checked_rows,
    checked_traces,
    checked_values,
)


@jit
def _means(
    samples: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    count: int,
    out: NDArray[np.float64],
) -> None:
    for i in range(offsets.size - 1):
        first = offsets[i]
        end = min(first + count, offsets[i + 1])
        total = np.int64(0)
        for k in range(first, end):
            total += np.int64(samples[k])
        out[i] = total / (end - first) if end > first else np.nan


def trace_baselines(
    samples: NDArray[np.uint16], offsets: NDArray[Any], count: int
) -> NDArray[np.float64]:
    """Return the mean of the first samples of each trace, in ADC units.

    Parameters
    ----------
    samples, offsets
        The traces: i is ``samples[offsets[i]:offsets[i + 1]]``.
    count
        Number of samples; shorter traces have the mean of all they have.

    Returns
    -------
    ndarray of float64
        Shape (traces,); NaN for empty traces.

    Raises
    ------
    TraceError
        If the traces are no traces, or `count` is less than 1.
    """
    samples, offsets = checked_traces(samples, offsets)
    check_number("count", count, 1, np.inf)
    out = np.empty(offsets.size - 1)
    _means(samples, offsets, count, out)
    return out


@jit
def _reach(
    values: NDArray[np.float64],
    offsets: NDArray[np.int64],
    first: NDArray[np.int64],
    threshold: float,
    out: NDArray[np.int64],
) -> None:
    for i in range(offsets.size - 1):
        out[i] = -1
        for k in range(offsets[i] + first[i], offsets[i + 1]):
            if values[k] >= threshold:
                out[i] = k - offsets[i]
                break


def threshold_crossings(
    values: NDArray[np.float64],
    offsets: NDArray[Any],
    threshold: float,
    first: NDArray[Any] | int = 0,
) -> NDArray[np.int64]:
    """Return where a filter first reaches a threshold.

    Parameters
    ----------
    values, offsets
        What a filter gave for traces: that of i is
        ``values[offsets[i]:offsets[i + 1]]``.
    threshold
        In the units of the filter; for `fast_filter`, FastThresh divided by
        FastLength and the samples of a tick.
    first
        Sample from which on to look, counted from the start of each trace: one for
        all or one for each, not negative.

    Returns
    -------
    ndarray of int64
        Sample of each trace, shape (traces,); -1 where it is never reached.

    Raises
    ------
    TraceError
        If the values do not fit the offsets, or `first` is negative.
    """
    values, offsets = checked_values(values, offsets)
    rows = checked_rows("first", first, offsets)
    if rows.size:
        check_number("first", int(rows.min()), 0, np.inf)
    out = np.empty(offsets.size - 1, np.int64)
    _reach(values, offsets, rows, threshold, out)
    return out
