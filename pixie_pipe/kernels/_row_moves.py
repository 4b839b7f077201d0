"""Moving rows of tables to their places in one table: each value is copied once."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._stretches import (
    Rows,
    Stretches,
    count_stretches,
    expanded,
    stretches_of,
)

if TYPE_CHECKING:
    from pixie_pipe.events import Events

_TRACES: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)
_NO_ROWS: Final = np.zeros(0, np.intp)

# Stretches are moved as such, unless they are shorter than this on average: then moving
# each row for itself is faster.
_SHORTEST_STRETCH: Final = 4

# From this length on, a loop over views, which compiles to vector code, is worth
# making the views.
_LONG_STRETCH: Final = 32


class Move:
    """Rows of one table, and where they go in another.

    Parameters
    ----------
    events
        The table.
    rows
        Rows of it that are moved: a slice with a step of 1, or numbers, shape (n,), or
        stretches of them, shape (m, 3), with the places from 0 on.
    first_place
        Where the first one goes, if all go one behind the other.
    places
        Where each goes, shape (n,); None: one behind the other.
    """

    def __init__(
        self,
        events: Events,
        rows: Rows | Stretches | slice,
        *,
        first_place: int = 0,
        places: Rows | None = None,
    ) -> None:
        self._events = events
        first = 0
        if isinstance(rows, slice):
            first, stop, _ = rows.indices(len(events))
            count = stop - first
            rows = _NO_ROWS
            if places is None:
                rows = np.array([[first, 0, count]], np.intp)
        if rows.ndim > 1 and places is None:
            self._stretches = rows + np.array([0, first_place, 0], np.intp)
            self._stretch_count = len(rows)
            self._is_in_stretches = True
            return
        if rows.ndim > 1:
            rows = expanded(rows)
        places = _NO_ROWS if places is None else places
        count = max(rows.size, places.size)
        self._where = (rows, first, places, first_place, count)
        self._stretch_count = count_stretches(*self._where)
        self._is_in_stretches = self._stretch_count * _SHORTEST_STRETCH <= count

    @functools.cached_property
    def _stretches(self) -> Stretches:
        """What stays together, with its places in the other table."""
        return stretches_of(*self._where, found=self._stretch_count)

    def columns(self, targets: dict[str, NDArray[Any]]) -> None:
        """Copy what is no trace to the columns of the other table."""
        for name, target in targets.items():
            if name not in _TRACES:
                self._column(self._events[name], target)

    def lengths(self, lengths: NDArray[np.int64]) -> None:
        """Copy how many samples each trace has."""
        self._column(np.diff(self._events.trace_offsets), lengths)

    def samples(self, offsets: NDArray[np.int64], samples: NDArray[np.uint16]) -> None:
        """Copy the traces to where the offsets of the other table say."""
        source = read_only(self._events.trace_samples)
        starts = read_only(self._events.trace_offsets)
        _move_samples(source, starts, self._stretches, offsets, samples)

    def _column(self, source: NDArray[Any], target: NDArray[Any]) -> None:
        if self._stretch_count == 1:
            row, place, count = self._stretches[0].tolist()
            target[place : place + count] = source[row : row + count]
        elif source.ndim > 1:
            # Rows that lie one behind the other are longer stretches of values.
            stretches = self._stretches * source.shape[1]
            move_stretches(source.reshape(-1), target.reshape(-1), stretches)
        elif self._is_in_stretches:
            move_stretches(source, target, self._stretches)
        else:
            _move_values(
                read_only(_as_numbers(source)), _as_numbers(target), *self._where
            )


def move_stretches(
    source: NDArray[Any], target: NDArray[Any], stretches: Stretches
) -> None:
    """Copy stretches of one array to their places in another of the same type."""
    _move_stretches(read_only(_as_numbers(source)), _as_numbers(target), stretches)


def _as_numbers(column: NDArray[Any]) -> NDArray[Any]:
    """Return a view as unsigned numbers: few types, so few compiled kernels."""
    return column.view(f"u{column.itemsize}")


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
def _move_values(
    source: NDArray[Any],
    target: NDArray[Any],
    rows: Rows,
    first: int,
    places: Rows,
    first_place: int,
    count: int,
) -> None:
    for i in range(count):
        row = rows[i] if rows.size else np.intp(first + i)
        place = places[i] if places.size else np.intp(first_place + i)
        target[place] = source[row]


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
