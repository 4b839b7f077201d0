"""Moving rows of tables to another table: each value is copied once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._stretches import (
    Rows,
    Stretches,
    count_stretches,
    stretches_of,
)

if TYPE_CHECKING:
    from pixie_pipe.events import Events

TRACES: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)

# Stretches are moved as such, unless they are shorter than this on average: then moving
# each row for itself is faster.
_SHORTEST_STRETCH: Final = 4

# From this length on, a loop over views, which compiles to vector code, is worth
# making the views.
_LONG_STRETCH: Final = 32

# Enough to see that a column of small numbers is not the same number throughout.
_A_LOOK: Final = 64


class Move:
    """Rows of one table that go to another, one behind the other.

    Parameters
    ----------
    events
        The table.
    rows
        Rows of it that are moved: a slice with a step of 1, or numbers, shape (n,), or
        stretches of them, shape (m, 3), with the places from 0 on.
    first_place
        Where the first one goes.
    """

    def __init__(
        self, events: Events, rows: Rows | Stretches | slice, *, first_place: int = 0
    ) -> None:
        self._events = events
        self._first_place = first_place
        self._rows: Rows | None = None
        if isinstance(rows, slice):
            first, stop, _ = rows.indices(len(events))
            rows = np.array([[first, 0, stop - first]], np.intp)
        if rows.ndim > 1:
            self._stretches = rows + np.array([0, first_place, 0], np.intp)
            return
        count = count_stretches(rows)
        self._rows = rows
        if (
            count * _SHORTEST_STRETCH <= rows.size
            or TRACE_OFFSETS.name in events.columns
        ):
            self._stretches = stretches_of(rows, count)
            self._stretches[:, 1] += first_place
        if count * _SHORTEST_STRETCH <= rows.size:
            self._rows = None

    def columns(self, targets: dict[str, NDArray[Any]]) -> None:
        """Copy what is no trace to the columns of the other table."""
        for name, target in targets.items():
            if name not in TRACES:
                self.column(name, target)

    def column(self, name: str, target: NDArray[Any]) -> None:
        """Copy one column."""
        self._copy(self._events[name], target)

    def lengths(self, lengths: NDArray[np.int64]) -> None:
        """Copy how many samples each trace has."""
        self._copy(np.diff(self._events.trace_offsets), lengths)

    def samples(self, offsets: NDArray[np.int64], samples: NDArray[np.uint16]) -> None:
        """Copy the traces to where the offsets of the other table say."""
        move_samples(self._events, self._stretches, offsets, samples)

    def _copy(self, source: NDArray[Any], target: NDArray[Any]) -> None:
        if self._rows is not None:
            behind = self._first_place + self._rows.size
            gather(source, self._rows, target[self._first_place : behind])
        elif len(self._stretches) == 1:
            row, place, count = self._stretches[0].tolist()
            target[place : place + count] = source[row : row + count]
        elif source.ndim > 1:
            # Rows that lie one behind the other are longer stretches of values.
            stretches = self._stretches * source.shape[1]
            move_stretches(source.reshape(-1), target.reshape(-1), stretches)
        else:
            move_stretches(source, target, self._stretches)


def gather(source: NDArray[Any], rows: Rows, target: NDArray[Any]) -> None:
    """Copy rows of one array to another of the same type, one behind the other.

    Parameters
    ----------
    source
        Shape (m,) or (m, width).
    rows
        The rows, shape (n,).
    target
        Shape (n,) or (n, width).
    """
    if source.ndim > 1:
        # Each row is a copy of some length; "clip" leaves out a copy of the whole.
        np.take(source, rows, axis=0, out=target, mode="clip")
    elif source.itemsize == 1 and _is_constant(source):
        target[:] = source[0]
    else:
        _gather(read_only(_as_numbers(source)), rows, _as_numbers(target))


def _is_constant(column: NDArray[Any]) -> bool:
    """Tell whether all values are the same, as crate and slot mostly are."""
    if not column.size:
        return False
    first = column[0]
    return bool((column[:_A_LOOK] == first).all() and (column == first).all())


def move_stretches(
    source: NDArray[Any], target: NDArray[Any], stretches: Stretches
) -> None:
    """Copy stretches of one array to their places in another of the same type."""
    _move_stretches(read_only(_as_numbers(source)), _as_numbers(target), stretches)


def move_samples(
    events: Events,
    stretches: Stretches,
    offsets: NDArray[np.int64],
    samples: NDArray[np.uint16],
) -> None:
    """Copy traces to another table.

    Parameters
    ----------
    events
        The table that has them.
    stretches
        Which go where.
    offsets, samples
        Those of the other table; the offsets are right already.
    """
    source = read_only(events.trace_samples)
    starts = read_only(events.trace_offsets)
    _move_samples(source, starts, stretches, offsets, samples)


def _as_numbers(column: NDArray[Any]) -> NDArray[Any]:
    """Return a view as unsigned numbers: few types, so few compiled kernels."""
    return column.view(f"u{column.itemsize}")


@jit
def _gather(source: NDArray[Any], rows: Rows, target: NDArray[Any]) -> None:
    for i in range(rows.size):
        target[i] = source[rows[i]]


@jit
def _move_stretches(
    source: NDArray[Any], target: NDArray[Any], stretches: Stretches
) -> None:
    for i in range(stretches.shape[0]):
        row, place, count = stretches[i, 0], stretches[i, 1], stretches[i, 2]
        if count < _LONG_STRETCH:
            for k in range(count):
                target[place + k] = source[row + k]
        else:
            taken, put = source[row : row + count], target[place : place + count]
            for k in range(put.size):
                put[k] = taken[k]


@jit
def _move_samples(
    source: NDArray[np.uint16],
    starts: NDArray[np.int64],
    stretches: Stretches,
    offsets: NDArray[np.int64],
    samples: NDArray[np.uint16],
) -> None:
    for i in range(stretches.shape[0]):
        row, place, count = stretches[i, 0], stretches[i, 1], stretches[i, 2]
        taken = source[starts[row] : starts[row + count]]
        put = samples[offsets[place] : offsets[place + count]]
        for k in range(put.size):
            put[k] = taken[k]
