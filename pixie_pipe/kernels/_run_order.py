"""The order in time of the rows of several runs.

A run is times in order: the events of one batch. The batches of a module are one behind
the other, so that they are a *chain*, which is a run again. Merging takes one pass for
each doubling of the number of chains, whatever the number of batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.kernels._tables import POOL
from pixie_pipe.kernels.time_order import (
    merge_pass,
    pack,
    time_order,
    unpack,
)

if TYPE_CHECKING:
    from pixie_pipe.kernels._stretches import Rows

# Chains so much smaller than the largest are merged among themselves first, and then
# into what the others have become.
_SMALL: Final = 64

# Beyond, distribution by time is as fast as merging.
_MOST_CHAINS: Final = 32

Runs = Sequence[NDArray[np.int64]]


def run_order(runs: Runs) -> Rows:
    """Return the rows of several runs in the order of their times.

    Parameters
    ----------
    runs
        Times in ps, each in order and not empty, shape (n,).

    Returns
    -------
    ndarray of intp
        The same as ``np.argsort(np.concatenate(runs), kind="stable")``, shape (n,).
    """
    first_rows = [0, *accumulate(run.size for run in runs)]
    count = first_rows[-1]
    lowest = min(int(run[0]) for run in runs)
    highest = max(int(run[-1]) for run in runs)
    row_bits = (count - 1).bit_length()
    small, large = _by_size(_chains(runs), [run.size for run in runs])
    if row_bits + (highest - lowest).bit_length() > 64 or len(large) > _MOST_CHAINS:
        times = POOL.take_array(count, np.int64)
        np.concatenate(list(runs), out=times)
        return time_order(times)
    form = (lowest, row_bits)
    few = _merged(runs, first_rows, small, form, room=0)
    # The words of the small chains find room in front of the others.
    packed = _merged(runs, first_rows, large, form, room=few.size)
    _merge_in_front(few, packed)
    rows = POOL.take_array(count, np.intp)
    unpack(packed, row_bits, rows)
    return rows


def _chains(runs: Runs) -> list[list[int]]:
    """Join runs that are one behind the other in time, as the batches of a module are.

    Returns the numbers of the runs of each chain.
    """
    chains: list[list[int]] = []
    for number in sorted(range(len(runs)), key=lambda i: int(runs[i][0])):
        first = runs[number][0]
        before = [known for known in chains if runs[known[-1]][-1] < first]
        if before:
            # The one that ends last: the others fit more of the runs to come.
            max(before, key=lambda known: int(runs[known[-1]][-1])).append(number)
        else:
            chains.append([number])
    return chains


def _by_size(
    chains: Sequence[list[int]], sizes: Sequence[int]
) -> tuple[list[list[int]], list[list[int]]]:
    """Part chains into those that are much smaller than the largest, and the others."""
    totals = [sum(sizes[number] for number in numbers) for numbers in chains]
    least = max(totals) / _SMALL
    by_total = list(zip(totals, chains, strict=True))
    small = [numbers for total, numbers in by_total if total < least]
    return small, [numbers for total, numbers in by_total if total >= least]


def _merged(
    runs: Runs,
    first_rows: Sequence[int],
    chains: Sequence[Sequence[int]],
    form: tuple[int, int],
    *,
    room: int,
) -> NDArray[np.uint64]:
    """Return times and rows of chains, packed, in one order, behind some room.

    `form` is the lowest time and the bits of the rows.
    """
    lowest, row_bits = form
    sizes = [sum(runs[number].size for number in numbers) for numbers in chains]
    starts = [room, *accumulate(sizes, initial=room)][1:]
    packed = POOL.take_array(starts[-1], np.uint64)
    at = room
    for number in chain.from_iterable(chains):
        run = runs[number]
        words = packed[at : at + run.size]
        pack(read_only(run), lowest, first_rows[number], row_bits, words)
        at += run.size
    other = POOL.take_array(starts[-1], np.uint64) if len(chains) > 1 else packed
    while len(starts) > 2:
        merge_pass(packed, other, np.array(starts))
        starts = [*starts[:-1:2], starts[-1]]
        packed, other = other, packed
    return packed


@jit
def _merge_in_front(few: NDArray[np.uint64], packed: NDArray[np.uint64]) -> None:
    """Merge `few` words into those behind the first ``few.size`` places.

    What is behind the last of the few is where it belongs already.
    """
    taken, place = few.size, 0
    for k in range(few.size):
        while taken < packed.size and packed[taken] < few[k]:
            packed[place] = packed[taken]
            taken += 1
            place += 1
        packed[place] = few[k]
        place += 1
