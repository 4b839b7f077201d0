"""Energies in keV, by polynomials of channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit


@jit
def calibrate(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    energy: NDArray[np.uint16],
    timestamp: NDArray[np.uint64],
    module_rows: NDArray[np.int32],
    rows: NDArray[np.int32],
    coefficients: NDArray[np.float64],
    spread: bool,
    seed: int,
    kev: NDArray[np.float32],
) -> None:
    """Turn energies into keV.

    Parameters
    ----------
    crate, slot, channel, energy, timestamp
        Columns, shape (events,).
    module_rows, rows
        Of a `ChannelRows`: which row of `coefficients` a channel has, plus one.
    coefficients
        That of x**0 first, shape (channels, 4).
    spread
        Add a number from -1/2 to 1/2 to each energy before.
    seed
        Decides on these numbers, together with channel, energy and timestamp of the
        event: the same event gets the same number, whatever batch it is in.
    kev
        The energies in keV, NaN for channels without a row; shape (events,).
    """
    for i in range(energy.size):
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        row = np.int64(rows[module_rows[module], channel[i]]) - 1
        if row < 0:
            kev[i] = np.nan
            continue
        x = np.float64(energy[i])
        if spread:
            key = (
                np.uint64(module) << np.uint64(24)
                | np.uint64(channel[i]) << np.uint64(16)
                | np.uint64(energy[i])
            )
            x += _uniform(timestamp[i], key, np.uint64(seed)) - 0.5
        value = coefficients[row, 3]
        for k in range(2, -1, -1):
            value = value * x + coefficients[row, k]
        kev[i] = value


@jit
def _uniform(first: int, second: int, seed: int) -> float:
    """Return a number from 0 to 1, always the same of the same numbers.

    That of 53 bits of the mixed sum: the mixing of SplitMix64 (G. L. Steele, D. Lea,
    C. H. Flood, OOPSLA 2014).
    """
    z = seed
    for part in (first, second):
        z = z + part + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.float64(z >> np.uint64(11)) * 2.0**-53
