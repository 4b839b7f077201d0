"""Pulses in traces: whether there is one, and where."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_STEP_SAMPLES: Final = 4
"""A pulse is looked for in the difference of the means of so many samples."""

_GAP_SAMPLES: Final = 4
"""Samples between them, in which the pulse may rise."""

_SIGMAS: Final = 8.0
"""How many standard deviations of the noise make a pulse: with Gaussian noise, a trace
of a million samples has none by chance."""

_LEAST_NOISE: Final = 0.3
"""Noise of an ideal ADC in its own units: 1 / sqrt(12)."""


def has_pulse(trace: NDArray[Any], threshold: float | None = None) -> bool:
    """Tell whether there is a pulse of either polarity in a trace; see `find_pulse`."""
    return find_pulse(trace, threshold) is not None


def find_pulse(trace: NDArray[Any], threshold: float | None = None) -> int | None:
    """Return where the steepest pulse of a trace begins, if there is one.

    That is where it has half of its height, which does not depend on how high it is, as
    the crossing of a threshold does.

    Parameters
    ----------
    trace
        Samples in ADC units, shape (samples,).
    threshold
        Least height of a step, in ADC units; by default 8 standard deviations of the
        noise, of which the median tells, so that pulses do not count for noise.

    Returns
    -------
    int or None
        The first sample beyond half of the height.
    """
    length, gap = _STEP_SAMPLES, _GAP_SAMPLES
    if trace.size < 2 * length + gap:
        return None
    sums = np.concatenate(([0], np.cumsum(trace, dtype=np.int64)))
    means = (sums[length:] - sums[:-length]) / length
    steps = means[length + gap :] - means[: -(length + gap)]
    away = np.abs(steps - np.median(steps))
    if threshold is None:
        noise = max(float(np.median(away)) * 1.4826, _LEAST_NOISE)
        threshold = _SIGMAS * noise
    steepest = int(away.argmax())
    if away[steepest] < threshold:
        return None
    return _half_height(trace, steepest)


def _half_height(trace: NDArray[Any], step: int) -> int:
    """Return where a pulse has half of its height, which a step is part of."""
    # Of a pulse that is shorter than the step, it may be the end.
    begin = max(step - _STEP_SAMPLES - 2 * _GAP_SAMPLES, 0)
    near = trace[begin : step + 2 * (2 * _STEP_SAMPLES + _GAP_SAMPLES)]
    height = np.abs(near - np.mean(near[:_STEP_SAMPLES]))
    top = int(height.argmax())
    below = np.flatnonzero(height[:top] < height[top] / 2)
    return begin + (int(below[-1]) + 1 if below.size else top)
