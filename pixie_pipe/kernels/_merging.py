"""Merging parts of tables, each in time order, into one table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from pixie_pipe.events import Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._interleaving import Interleaving
from pixie_pipe.kernels._row_moves import Move
from pixie_pipe.kernels._tables import is_pooled, new_columns
from pixie_pipe.kernels.time_order import reordering

if TYPE_CHECKING:
    from pixie_pipe.kernels._parts import Part

AnyMove = Move | Interleaving


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
    return moved(parts)


def moved(parts: Sequence[Part]) -> Events:
    """Return a table with the rows of all parts in one order."""
    count = sum(map(len, parts))
    columns = new_columns(parts[0].events, count, sum(part.samples() for part in parts))
    moves = find_moves(parts)
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


def find_moves(parts: Sequence[Part]) -> list[AnyMove]:
    """Return where the rows of each part go."""
    by_time = sorted(range(len(parts)), key=lambda i: (int(parts[i].times[0]), i))
    if all(_follows(parts, *pair) for pair in pairwise(by_time)):
        firsts = accumulate((len(parts[i]) for i in by_time), initial=0)
        return [
            Move(parts[i].events, parts[i].rows, first_place=first)
            for i, first in zip(by_time, firsts, strict=False)
        ]
    number, tail = _find_tail(parts)
    heads = [*parts]
    if tail is not None:
        heads[number] = parts[number].cut(0, len(parts[number]) - len(tail))
    heads = [head for head in heads if len(head)]
    moves: list[AnyMove] = [Interleaving(heads)]
    if tail is not None:
        first_place = sum(map(len, heads))
        moves.append(Move(tail.events, tail.rows, first_place=first_place))
    return moves


def _find_tail(parts: Sequence[Part]) -> tuple[int, Part | None]:
    """Return the number of the part that goes on longest, and what of it is alone.

    The batches of one module hardly overlap: nearly all of the last one is there.
    """
    *_, other, longest = sorted(
        range(len(parts)), key=lambda i: int(parts[i].times[-1])
    )
    part = parts[longest]
    last = parts[other].times[-1]
    behind = int(np.searchsorted(part.times, last, side="right"))
    if behind == len(part):
        return longest, None
    return longest, part.cut(behind, len(part))


def _follows(parts: Sequence[Part], one: int, other: int) -> bool:
    """Tell whether all of one part is before all of the other, in any sort."""
    last, first = int(parts[one].times[-1]), int(parts[other].times[0])
    return last < first or (last == first and one < other)
