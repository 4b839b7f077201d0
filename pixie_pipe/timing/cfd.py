"""Times of events: from the ticks of a module's clock to picoseconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def corrected_time_ps(
    timestamp: NDArray[np.uint64],
    cfd_fraction: NDArray[np.uint16],
    cfd_source: NDArray[np.uint8],
    cfd_forced: NDArray[np.bool_],
    *,
    tick_ps: int,
    cfd_unit_ps: int,
    fraction_bits: int,
    source_step: int = 0,
    source_offset: int = 0,
) -> NDArray[np.int64]:
    """Return times with the CFD correction where the CFD is valid.

    The correction is ``(fraction / 2**fraction_bits + source_step * source +
    source_offset) * cfd_unit_ps``, rounded to whole picoseconds (a half rounds up).
    It is left out where the CFD was forced or failed, and where it was off, which
    shows as fraction and source both zero.

    Parameters
    ----------
    timestamp
        Counter of the module's clock in ticks, below 2**48, shape (n,).
    cfd_fraction, cfd_source, cfd_forced
        The CFD columns of the events, shape (n,).
    tick_ps, cfd_unit_ps, fraction_bits, source_step, source_offset
        The clock of the module's layout: `Layout.tick_ps`, `Layout.cfd_unit_ps`,
        the width of `Layout.cfd_fraction`, `Layout.cfd_source_step` and
        `Layout.cfd_source_offset`.

    Returns
    -------
    ndarray of int64
        Times in picoseconds, shape (n,). 2**48 ticks of 10 ns are 2.8e18 ps, so
        every time fits.
    """
    fraction = cfd_fraction.astype(np.int64)
    source = cfd_source.astype(np.int64)
    rounded = (fraction * cfd_unit_ps + (1 << fraction_bits >> 1)) >> fraction_bits
    correction = rounded + (source_step * source + source_offset) * cfd_unit_ps
    valid = ~cfd_forced & ((fraction != 0) | (source != 0))
    coarse = timestamp.astype(np.int64) * tick_ps
    return coarse + np.where(valid, correction, 0)
