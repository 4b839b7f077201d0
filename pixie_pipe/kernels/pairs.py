"""Pairs of events of the same coincidence: one of a side a, the other of a side b.

The members of all coincidences stand one behind the other, those of coincidence i from
``offsets[i]`` to ``offsets[i + 1]``. Of each, `sides` tells on which sides its channel
is. An event makes no pair with itself; where it is on both sides, each pair counts
twice, once in each order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit

SIDE_A: Final = 1
SIDE_B: Final = 2

Offsets = NDArray[np.int64]
Sides = NDArray[np.uint64]


def pair_differences(
    offsets: Offsets, sides: Sides, times_ps: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the time of b less that of a for each pair, in ps, shape (pairs,).

    Parameters
    ----------
    offsets
        Shape (coincidences + 1,).
    sides
        `SIDE_A`, `SIDE_B`, both or none, shape (members,).
    times_ps
        Shape (members,).
    """
    nothing = np.zeros(0, np.int64)
    found = np.empty(_differences(offsets, sides, times_ps, nothing), np.int64)
    _differences(offsets, sides, times_ps, found)
    return found


def count_pairs(
    offsets: Offsets,
    sides: Sides,
    bins_a: NDArray[np.int64],
    bins_b: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """Add each pair to a matrix; return how many pairs are not inside.

    Parameters
    ----------
    offsets, sides
        As for `pair_differences`.
    bins_a, bins_b
        Row and column of each member in the matrix, -1 if it is outside.
    counts
        The matrix, shape (rows, columns).
    """
    return int(_count_pairs(offsets, sides, bins_a, bins_b, counts))


def count_differences(
    offsets: Offsets,
    sides: Sides,
    times_ps: NDArray[np.int64],
    low_ps: int,
    bin_ps: int,
    counts: NDArray[np.int64],
) -> tuple[int, int]:
    """Add the differences of all pairs to a histogram.

    Parameters
    ----------
    offsets, sides, times_ps
        As for `pair_differences`.
    low_ps, bin_ps
        Lower edge of the first bin, and width of the bins, in ps.
    counts
        The histogram, shape (bins,).

    Returns
    -------
    tuple
        Number of pairs below and above the histogram.
    """
    below, above = _count_differences(offsets, sides, times_ps, low_ps, bin_ps, counts)
    return int(below), int(above)


@jit
def _differences(
    offsets: Offsets,
    sides: Sides,
    times_ps: NDArray[np.int64],
    found: NDArray[np.int64],
) -> int:
    """Return the number of pairs, and write their differences if there is room."""
    pairs = 0
    for k in range(offsets.size - 1):
        for i in range(offsets[k], offsets[k + 1]):
            if not sides[i] & np.uint64(SIDE_A):
                continue
            for j in range(offsets[k], offsets[k + 1]):
                if i != j and sides[j] & np.uint64(SIDE_B):
                    if found.size:
                        found[pairs] = times_ps[j] - times_ps[i]
                    pairs += 1
    return pairs


@jit
def _count_pairs(
    offsets: Offsets,
    sides: Sides,
    bins_a: NDArray[np.int64],
    bins_b: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    outside = 0
    for k in range(offsets.size - 1):
        for i in range(offsets[k], offsets[k + 1]):
            if not sides[i] & np.uint64(SIDE_A):
                continue
            for j in range(offsets[k], offsets[k + 1]):
                if i != j and sides[j] & np.uint64(SIDE_B):
                    if bins_a[i] >= 0 and bins_b[j] >= 0:
                        counts[bins_a[i], bins_b[j]] += 1
                    else:
                        outside += 1
    return outside


@jit
def _count_differences(
    offsets: Offsets,
    sides: Sides,
    times_ps: NDArray[np.int64],
    low_ps: int,
    bin_ps: int,
    counts: NDArray[np.int64],
) -> tuple[int, int]:
    below = above = 0
    for k in range(offsets.size - 1):
        for i in range(offsets[k], offsets[k + 1]):
            if not sides[i] & np.uint64(SIDE_A):
                continue
            for j in range(offsets[k], offsets[k + 1]):
                if i != j and sides[j] & np.uint64(SIDE_B):
                    difference = times_ps[j] - times_ps[i] - low_ps
                    if difference < 0:
                        below += 1
                    elif difference // bin_ps >= counts.size:
                        above += 1
                    else:
                        counts[difference // bin_ps] += 1
    return below, above
