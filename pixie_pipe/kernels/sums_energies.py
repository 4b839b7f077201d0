"""Energies from the energy sums of headers, with the settings of each channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels.energy_filter import energy_of_sums


@jit
def sums_energies(
    which: NDArray[np.int32],
    settings: NDArray[np.void],
    valid: NDArray[np.bool_],
    trailing: NDArray[np.uint32],
    gap: NDArray[np.uint32],
    leading: NDArray[np.uint32],
    baseline: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write energies from the sums of headers, NaN without sums or settings."""
    for i in range(out.size):
        out[i] = np.nan
        if which[i] < 0 or not valid[i]:
            continue
        s = settings[which[i]]
        if s.slow_length > 0:
            out[i] = energy_of_sums(
                np.float64(trailing[i]),
                np.float64(gap[i]),
                np.float64(leading[i]),
                np.float64(baseline[i]),
                s.c0,
                s.c1,
                s.c2,
            )
