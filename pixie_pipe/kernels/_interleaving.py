"""Rows of several tables that go to one table in turn, by time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.events.schema import COLUMN
from pixie_pipe.kernels._row_moves import TRACES, Move, gather, move_samples
from pixie_pipe.kernels._run_order import run_order
from pixie_pipe.kernels._stretches import Rows, numbers, stretches_between
from pixie_pipe.kernels._tables import POOL

if TYPE_CHECKING:
    from pixie_pipe.kernels._parts import Part


class Interleaving:
    """Rows of parts that go to the first places of another table, in order of time.

    The values of a column are brought together first, and then taken in their order:
    one call for all parts.

    Parameters
    ----------
    parts
        Parts of tables with the same columns, each in order of time. Equal times are
        in the order of the parts.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)]).tolist()
        self._moves = [
            Move(part.events, part.rows, first_place=start)
            for part, start in zip(parts, self._starts, strict=False)
        ]
        # One call for all parts, if they are in order as they came.
        slices = [(p.events, p.rows) for p in parts if isinstance(p.rows, slice)]
        self._slices = slices if len(slices) == len(parts) else []
        self._order = run_order([part.times for part in parts])

    def columns(self, targets: dict[str, NDArray[Any]]) -> None:
        """Copy what is no trace to the columns of the other table."""
        names = [name for name in targets if name not in TRACES]
        widest = max(COLUMN[name].width * COLUMN[name].dtype.itemsize for name in names)
        count = len(self._order)
        memory = POOL.take(widest * count)
        for name in names:
            shape = COLUMN[name].shape(count)
            joined = np.ndarray(shape, COLUMN[name].dtype, buffer=memory)
            self._join(name, joined)
            gather(joined, self._order, targets[name][:count])

    def _join(self, name: str, joined: NDArray[Any]) -> None:
        """Bring the values of a column together, those of one part after the other."""
        if self._slices:
            np.concatenate(
                [table[name][rows] for table, rows in self._slices], out=joined
            )
            return
        for move in self._moves:
            move.column(name, joined)

    def lengths(self, lengths: NDArray[np.int64]) -> None:
        """Copy how many samples each trace has."""
        joined = POOL.take_array(len(self._order), np.int64)
        for move in self._moves:
            move.lengths(joined)
        gather(joined, self._order, lengths[: len(joined)])

    def samples(self, offsets: NDArray[np.int64], samples: NDArray[np.uint16]) -> None:
        """Copy the traces to where the offsets of the other table say."""
        places = POOL.take_array(len(self._order), np.intp)
        _invert(self._order, places)
        for part, (start, behind) in zip(
            self._parts, pairwise(self._starts), strict=True
        ):
            rows = numbers(part.rows)
            if isinstance(rows, slice):
                rows = np.arange(rows.start, rows.stop)
            stretches = stretches_between(rows, places[start:behind])
            move_samples(part.events, stretches, offsets, samples)


@jit
def _invert(order: Rows, places: Rows) -> None:
    """Note the place of each row in an order."""
    for place in range(order.size):
        places[order[place]] = place
