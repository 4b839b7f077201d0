"""Traces for the tests of filters, and the filters in plain Python."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Trace = list[int]

traces = st.lists(st.integers(0, 65535), max_size=60)
sets_of_traces = st.lists(traces, max_size=5)


def packed(rows: list[Trace]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Return the samples in a row and the offsets."""
    samples = np.array([sample for row in rows for sample in row], np.uint16)
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return samples, offsets


def split(values: NDArray[Any], offsets: NDArray[np.int64]) -> list[list[float]]:
    """Return the values of each trace."""
    return [values[first:end].tolist() for first, end in itertools.pairwise(offsets)]


def fast(x: Trace, length: int, gap: int) -> list[float]:
    """Return the fast filter of one trace by its definition."""
    o = 2 * length + gap - 1
    if len(x) < 2 * (o + 1):
        return [math.nan] * len(x)
    out = [0.0] * len(x)
    for k in range(o, len(x)):
        late = sum(x[k - length + 1 : k + 1])
        early = sum(x[k - o : k - o + length])
        out[k] = (late - early) / length
    out[:o] = [out[o]] * o
    return out


def answer(x: Trace, end: int, length: int, gap: int, tau: float, dt: float) -> float:
    """Return the energy filter, 16 bits, with the window ending before `end`."""
    b = math.exp(-dt / tau)
    window = x[end - 2 * length - gap : end]
    trailing = sum(window[:length])
    middle = sum(window[length : length + gap])
    leading = sum(window[length + gap :])
    return (1 - b) * (
        -(b**length) / (1 - b**length) * trailing + middle + leading / (1 - b**length)
    )
