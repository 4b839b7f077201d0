"""Merging parts of tables, each in time order, into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.events import Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._row_moves import Move
from pixie_pipe.kernels._stretches import Rows, Stretches, numbers
from pixie_pipe.kernels._tables import POOL, is_pooled, new_columns
from pixie_pipe.kernels.time_order import reordering, time_order


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a table in the order of their times.

    Attributes
    ----------
    events
        The table.
    rows
        At least one row of it, as for `Move`.
    times
        Their times in ps, shape (n,).
    nbytes
        Their size.
    """

    events: Events
    rows: Rows | Stretches | slice
    times: NDArray[np.int64]
    nbytes: int

    def __len__(self) -> int:
        return len(self.times)

    def table(self) -> Events:
        """Return the rows as a table; of a slice, a view."""
        return self.events[numbers(self.rows)]

    def samples(self) -> int:
        """Return how many samples their traces have."""
        if TRACE_SAMPLES.name not in self.events.columns:
            return 0
        offsets, rows = self.events.trace_offsets, self.rows
        if isinstance(rows, slice):
            return int(offsets[rows.stop] - offsets[rows.start])
        if rows.ndim > 1:
            first, _, count = rows.T
            return int((offsets[first + count] - offsets[first]).sum())
        return int((offsets[rows + 1] - offsets[rows]).sum())


def merged(parts: Sequence[Part]) -> Events:
    """Merge parts that are each in time order; equal times keep their order.

    Parameters
    ----------
    parts
        At least one.

    Returns
    -------
    Events
        ``Events.concatenate([part.table() for part in parts]).sort()``.
    """
    columns = parts[0].events.columns
    is_plain = all(part.events.columns == columns for part in parts)
    if not is_plain or not is_pooled(sum(part.nbytes for part in parts)):
        joined = Events.concatenate([part.table() for part in parts])
        rows = reordering(joined.time_ps)
        return joined if rows is None else joined[rows]
    if len(parts) == 1 and isinstance(parts[0].rows, slice):
        return parts[0].table()
    return moved(parts, find_moves(parts))


def find_moves(parts: Sequence[Part]) -> list[Move]:
    """Return where the rows of each part go."""
    by_time = sorted(range(len(parts)), key=lambda i: (int(parts[i].times[0]), i))
    if all(_follows(parts, *pair) for pair in pairwise(by_time)):
        firsts = accumulate((len(parts[i]) for i in by_time), initial=0)
        return [
            Move(parts[i].events, parts[i].rows, first_place=first)
            for i, first in zip(by_time, firsts, strict=False)
        ]
    starts = [0, *accumulate(map(len, parts))]
    times = POOL.take_array(starts[-1], np.int64)
    np.concatenate([part.times for part in parts], out=times)
    places = POOL.take_array(starts[-1], np.intp)
    _invert(time_order(times), places)
    return [
        Move(part.events, part.rows, places=places[start:behind])
        for part, (start, behind) in zip(parts, pairwise(starts), strict=True)
    ]


def _follows(parts: Sequence[Part], one: int, other: int) -> bool:
    """Tell whether all of one part is before all of the other, in any sort."""
    last, first = int(parts[one].times[-1]), int(parts[other].times[0])
    return last < first or (last == first and one < other)


def moved(parts: Sequence[Part], moves: Sequence[Move]) -> Events:
    """Return a table with the rows of all parts at their places."""
    count = sum(map(len, parts))
    columns = new_columns(parts[0].events, count, sum(part.samples() for part in parts))
    for move in moves:
        move.columns(columns)
    if TRACE_OFFSETS.name in columns:
        offsets = columns[TRACE_OFFSETS.name]
        offsets[0] = 0
        for move in moves:
            move.lengths(offsets[1:])
        np.cumsum(offsets[1:], out=offsets[1:])
        for move in moves:
            move.samples(offsets, columns[TRACE_SAMPLES.name])
    return Events._trusted(columns, count)  # noqa: SLF001  # own package


@jit
def _invert(order: Rows, places: Rows) -> None:
    """Note the place of each row in an order."""
    for place in range(order.size):
        places[order[place]] = place
