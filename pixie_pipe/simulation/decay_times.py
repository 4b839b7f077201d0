"""The decay time of a pulse in a trace, as the modules look for it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BEFORE: Final = 8
"""The baseline is that of the first part of the trace: one in so many."""
_FROM, _TO = 0.6, 0.1
"""The part of the falling edge that is looked at, of the height: the rise has ended."""
_LEAST_POINTS: Final = 4
_SIGMA: Final = 12.0
"""Least height of a pulse, in standard deviations of the noise."""


def decay_time(trace: NDArray[np.uint16]) -> float:
    """Return the decay time of the highest pulse of a trace.

    A line is fitted to the logarithm of the falling edge, each sample with the weight
    that it has where the noise is the same everywhere.

    Parameters
    ----------
    trace
        ADC samples, with a pulse that rises, shape (n,).

    Returns
    -------
    float
        In samples; nan if there is no pulse, or it does not fall within the trace.
    """
    values = trace.astype(np.float64)
    quiet = values[: max(trace.size // _BEFORE, 2)]
    values -= quiet.mean()
    top = int(values.argmax())
    height = values[top]
    if height < _SIGMA * max(float(quiet.std()), 1.0):
        return float("nan")
    tail = values[top:]
    below = np.flatnonzero(tail < _TO * height)
    stop = int(below[0]) if below.size else tail.size
    start = int(np.flatnonzero(tail[:stop] > _FROM * height)[-1]) if stop else 0
    points = tail[start:stop]
    if points.size < _LEAST_POINTS:
        return float("nan")
    slope = np.polyfit(np.arange(points.size), np.log(points), 1, w=points)[0]
    return float(-1 / slope) if slope < 0 else float("nan")
