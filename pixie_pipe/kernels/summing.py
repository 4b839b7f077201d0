"""Sums of energies of neighbouring detectors that see the same quantum (addback)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only


class Sums(NamedTuple):
    """Sums of energies, in the order of their first events.

    Attributes
    ----------
    group
        Group of detectors.
    energy
        Sum of the energies.
    row
        Event with the largest energy; the first one of several.
    multiplicity
        Number of events in the sum.
    """

    group: NDArray[np.int64]
    energy: NDArray[np.float64]
    row: NDArray[np.int64]
    multiplicity: NDArray[np.int64]


def sum_groups(
    times_ps: NDArray[np.int64],
    energies: NDArray[np.float64],
    groups: NDArray[np.int64],
    late: NDArray[np.bool_],
    *,
    window_ps: int,
    count: int,
) -> Sums:
    """Sum the energies of the events of each group within a window.

    Parameters
    ----------
    times_ps
        Times in ps, shape (n,), in order but for late events.
    energies
        Shape (n,).
    groups
        Group of each event from 1 on, 0 for none, shape (n,).
    late
        Late events, shape (n,): each stands alone.
    window_ps
        An event is added if it is at most so long after the first one of the sum.
    count
        Number of groups.
    """
    size = int(np.count_nonzero(groups))
    sums = Sums(
        np.empty(size, np.int64),
        np.empty(size, np.float64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
    )
    found = _sum_groups(
        read_only(times_ps),
        read_only(energies),
        read_only(groups),
        read_only(late),
        np.uint64(window_ps),
        np.full(count, -1, np.int64),
        np.zeros(count, np.uint64),
        *sums,
    )
    return Sums(*(column[:found] for column in sums))


@jit
def _sum_groups(
    times_ps: NDArray[np.int64],
    energies: NDArray[np.float64],
    groups: NDArray[np.int64],
    late: NDArray[np.bool_],
    window: np.uint64,
    open_sum: NDArray[np.int64],
    since: NDArray[np.uint64],
    group: NDArray[np.int64],
    energy: NDArray[np.float64],
    row: NDArray[np.int64],
    multiplicity: NDArray[np.int64],
) -> int:
    found = 0
    for i in range(times_ps.size):
        g = groups[i] - 1
        if g < 0:
            continue
        time = np.uint64(times_ps[i])
        k = open_sum[g]
        if not late[i] and k >= 0 and time - since[g] <= window:
            if energies[i] > energies[row[k]]:
                row[k] = i
            energy[k] += energies[i]
            multiplicity[k] += 1
            continue
        if not late[i]:
            open_sum[g] = found
            since[g] = time
        group[found] = g
        energy[found] = energies[i]
        row[found] = i
        multiplicity[found] = 1
        found += 1
    return found
