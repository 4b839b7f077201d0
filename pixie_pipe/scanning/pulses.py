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
    """Return where a trace rises or falls most steeply, if that is a pulse.

    The place does not depend on the height of the pulse, as that of a threshold does.

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
        The sample in the middle of the step.
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
    return steepest + length + gap // 2
