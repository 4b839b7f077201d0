"""Moving rows of tables to their places in one table: each value is copied once."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.kernels._tables import POOL

if TYPE_CHECKING:
    from pixie_pipe.events import Events

Rows = NDArray[np.intp]

_TRACES: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)
_NO_ROWS: Final = np.zeros(0, np.intp)
_NO_STRETCHES: Final = np.zeros((0, 3), np.intp)

# Stretches of rows that stay together are moved as such, unless they are shorter than
# this on average: then moving each row for itself is faster.
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
        Rows of it that are moved, shape (n,), or a slice with a step of 1.
    first_place
        Where the first one goes, if all go one behind the other.
    places
        Where each goes, shape (n,); None: one behind the other.
    """

    def __init__(
        self,
        events: Events,
        rows: Rows | slice,
        *,
        first_place: int = 0,
        places: Rows | None = None,
    ) -> None:
        self._events = events
        first = 0
        if isinstance(rows, slice):
            first, stop, _ = rows.indices(len(events))
            self._count = stop - first
            rows = _NO_ROWS
        else:
            self._count = rows.size
        places = _NO_ROWS if places is None else places
        self._where = (rows, first, places, first_place, self._count)
        self._stretch_count = 1
        if rows.size or places.size:
            self._stretch_count = _find_stretches(*self._where, _NO_STRETCHES)

    @functools.cached_property
    def _stretches(self) -> NDArray[np.intp]:
        """What stays together: first row, first place, number of rows."""
        count = self._stretch_count
        stretches = POOL.take_array(3 * count, np.intp).reshape(count, 3)
        _find_stretches(*self._where, stretches)
        return stretches

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
        source = self._events.trace_samples.view()
        source.flags.writeable = False
        starts = self._events.trace_offsets.view()
        starts.flags.writeable = False
        _move_samples(source, starts, self._stretches, offsets, samples)

    def _column(self, source: NDArray[Any], target: NDArray[Any]) -> None:
        if self._stretch_count == 1:
            row, place, count = self._stretches[0].tolist()
            target[place : place + count] = source[row : row + count]
            return
        source, target = _as_numbers(source), _as_numbers(target)
        # The same compiled kernels, whether the source may be written to or not.
        source.flags.writeable = False
        if source.ndim > 1:
            _move_rows(source, target, *self._where)
        elif self._stretch_count * _SHORTEST_STRETCH > self._count:
            _move_values(source, target, *self._where)
        else:
            _move_stretches(source, target, self._stretches)


def _as_numbers(column: NDArray[Any]) -> NDArray[Any]:
    """Return a view as unsigned numbers: few types, so few compiled kernels."""
    if column.ndim == 1:
        return column.view(f"u{column.itemsize}")
    return column.view(np.uint32)


@jit
def _find_stretches(
    rows: Rows,
    first: int,
    places: Rows,
    first_place: int,
    count: int,
    stretches: NDArray[np.intp],
) -> int:
    """Return how many stretches there are, and note them if there is room.

    Rows or places that are empty stand for numbers one behind the other.
    """
    found = -1
    next_row = next_place = np.intp(-1)
    for i in range(count):
        row = rows[i] if rows.size else np.intp(first + i)
        place = places[i] if places.size else np.intp(first_place + i)
        if found < 0 or row != next_row or place != next_place:
            found += 1
            if stretches.size:
                stretches[found, 0] = row
                stretches[found, 1] = place
                stretches[found, 2] = 0
        if stretches.size:
            stretches[found, 2] += 1
        next_row = row + 1
        next_place = place + 1
    return found + 1


@jit
def _move_stretches(
    source: NDArray[Any], target: NDArray[Any], stretches: NDArray[np.intp]
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
def _move_rows(
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
        for k in range(source.shape[1]):
            target[place, k] = source[row, k]


@jit
def _move_samples(
    source: NDArray[np.uint16],
    starts: NDArray[np.int64],
    stretches: NDArray[np.intp],
    offsets: NDArray[np.int64],
    samples: NDArray[np.uint16],
) -> None:
    for i in range(stretches.shape[0]):
        row, place, count = stretches[i, 0], stretches[i, 1], stretches[i, 2]
        taken = source[starts[row] : starts[row + count]]
        put = samples[offsets[place] : offsets[place + count]]
        for k in range(put.size):
            put[k] = taken[k]
