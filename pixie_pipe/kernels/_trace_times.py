"""When the pulse of one trace came: CFDs of the modules, and of one's own choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels.cfd import (
    FIXED_DELAY,
    LONGEST_TICKS,
    fixed_cfd_at,
    zero_crossing,
)
from pixie_pipe.kernels.fast_filter import add_up, fast_difference
from pixie_pipe.kernels.trace_numbers import MODULE_FIXED

_HALVINGS = 40
"""Of the sample in which a cubic falls through zero: 1e-12 of it are left."""


@jit
def module_cfd_reach(s: np.record) -> int:
    """Return how many samples a trace must have for the CFD of the modules."""
    if s.cfd == MODULE_FIXED:
        return 2 * FIXED_DELAY + 2
    return s.cfd_delay + 1


@jit
def module_cfd(
    samples: NDArray[np.uint16],
    trigger: int,
    s: np.record,
    sums: NDArray[np.int64],
    scratch: NDArray[np.float64],
) -> float:
    """Return the time of the CFD of the modules in samples, or -1 if it is forced.

    Looks as far behind the fast trigger as modules do. `sums` has room for the trace
    and one more, `scratch` for what is looked at.
    """
    count = min(LONGEST_TICKS * s.tick + 1, samples.size - trigger)
    if s.cfd == MODULE_FIXED:
        for i in range(count):
            k = min(max(trigger + i, 2 * FIXED_DELAY), samples.size - 2)
            scratch[i] = np.float64(fixed_cfd_at(samples, k))
    else:
        _filter_cfd(samples, trigger, count, s, sums, scratch)
    found, fraction = zero_crossing(scratch, 0, count, s.cfd_threshold)
    if found < 0:
        return -1.0
    return trigger + found + fraction


@jit
def _filter_cfd(
    samples: NDArray[np.uint16],
    first: int,
    count: int,
    s: np.record,
    sums: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Write the CFD of the fast filter at some samples from a first one on."""
    length, gap, delay = s.fast_length, s.fast_gap, s.cfd_delay
    reach = 2 * length + gap
    # Before its windows lie within the trace, the filter has its first value.
    least = reach - 1
    origin = max(first - delay, least) - least
    add_up(samples[origin : max(first + count, delay + 1)], sums)
    for i in range(count):
        k = max(first + i, delay)
        late = fast_difference(sums, max(k, least) - origin, length, gap)
        early = fast_difference(sums, max(k - delay, least) - origin, length, gap)
        out[i] = s.cfd_weight * late - early


@jit
def _cfd_at(
    samples: NDArray[np.uint16], k: int, base: float, weight: float, delay: int
) -> float:
    return weight * (samples[k] - base) - (samples[k - delay] - base)


@jit
def sample_cfd(
    samples: NDArray[np.uint16], top: int, base: float, s: np.record
) -> float:
    """Return the time of a CFD on the samples in samples, or -1 if there is none.

    It is where ``weight * y[k] - y[k - delay]``, with y the samples above the
    baseline, falls through zero for the last time before the maximum `top` has come
    through the delay: there it is negative. The trace must be longer than the delay.
    """
    weight, delay = s.cfd_weight, s.cfd_delay
    last = min(top + delay, samples.size - 1)
    behind = _cfd_at(samples, last, base, weight, delay)
    for k in range(last - 1, delay - 1, -1):
        before = _cfd_at(samples, k, base, weight, delay)
        if before > 0.0 and behind <= 0.0:
            has_room = k > delay and k + 2 < samples.size
            if s.cfd_cubic and has_room:
                return k + cubic_zero(
                    _cfd_at(samples, k - 1, base, weight, delay),
                    before,
                    behind,
                    _cfd_at(samples, k + 2, base, weight, delay),
                )
            return k + before / (before - behind)
        behind = before
    return -1.0


@jit
def cubic_zero(a: float, b: float, c: float, d: float) -> float:
    """Return where the cubic through four values is zero, between the middle two.

    Parameters
    ----------
    a, b, c, d
        Values at -1, 0, 1 and 2, with b above zero and c not.
    """
    # The polynomial of Lagrange: b + t (p + t (q + t r)).
    r = (d - a + 3.0 * (b - c)) / 6.0
    q = 0.5 * (a + c) - b
    p = c - b - q - r
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        t = 0.5 * (low + high)
        if b + t * (p + t * (q + t * r)) > 0.0:
            low = t
        else:
            high = t
    return high
