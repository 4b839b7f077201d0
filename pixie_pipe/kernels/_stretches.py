"""Orders of rows as stretches that stay together.

A stretch is a row, the place that it goes to, and the number of rows from there on that
go to the places behind it. The events of a module are nearly in order, so there are few
stretches, and moving them costs no more than a copy.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.kernels._tables import POOL

Rows = NDArray[np.intp]

Stretches = NDArray[np.intp]
"""First row, first place and number of rows of each, shape (n, 3), by place."""

_NONE: Final = np.zeros((0, 3), np.intp)

# Beyond, sorting all rows is as fast.
_LARGEST_WINDOW: Final = 64
_LEAST_ROWS_OF_A_STRETCH: Final = 16


def nearly_ordered(time_ps: NDArray[np.int64]) -> Stretches | None:
    """Return the order of times that are nearly in order.

    Parameters
    ----------
    time_ps
        Times in ps, shape (n,).

    Returns
    -------
    ndarray of intp or None
        Stretches that sort the times, equal ones in their order: one if they are in
        order. None if there would be many, or an event is far from its place.
    """
    time_ps = read_only(np.ascontiguousarray(time_ps))
    room = time_ps.size // _LEAST_ROWS_OF_A_STRETCH + 1
    stretches = POOL.take_array(3 * room, np.intp).reshape(room, 3)
    count = _find_order(time_ps, stretches)
    return None if count < 0 else stretches[:count]


def count_stretches(
    rows: Rows, first: int, places: Rows, first_place: int, count: int
) -> int:
    """Return how many stretches there are.

    Parameters
    ----------
    rows, places
        Which row goes where, shape (count,); those that are empty are numbers one
        behind the other.
    first, first_place
        The first of these.
    count
        Number of rows.
    """
    return int(_find_stretches(rows, first, places, first_place, count, _NONE))


def stretches_of(
    rows: Rows, first: int, places: Rows, first_place: int, count: int, *, found: int
) -> Stretches:
    """Return the stretches; `found` is what `count_stretches` says."""
    stretches = POOL.take_array(3 * found, np.intp).reshape(found, 3)
    _find_stretches(rows, first, places, first_place, count, stretches)
    return stretches


def cut(stretches: Stretches, start: int, stop: int) -> Stretches:
    """Return the stretches of the places from `start` up to `stop`, as from 0."""
    places = stretches[:, 1]
    first = int(np.searchsorted(places, start, side="right")) - 1
    behind = int(np.searchsorted(places, stop, side="left"))
    part = stretches[first:behind].copy()
    if len(part):
        before = start - part[0, 1]
        part[0, 0] += before
        part[0, 2] -= before
        part[0, 1] = start
        part[-1, 2] = min(part[-1, 2], stop - part[-1, 1])
        part[:, 1] -= start
    return part


def numbers(rows: Rows | Stretches | slice) -> Rows | slice:
    """Return stretches as the numbers of their rows, and others as they are."""
    if isinstance(rows, slice) or rows.ndim == 1:
        return rows
    return expanded(rows)


def expanded(stretches: Stretches) -> Rows:
    """Return the row for each place."""
    count = int(stretches[-1, 1] + stretches[-1, 2]) if len(stretches) else 0
    rows = POOL.take_array(count, np.intp)
    _expand(stretches, rows)
    return rows


@jit
def _find_stretches(
    rows: Rows,
    first: int,
    places: Rows,
    first_place: int,
    count: int,
    stretches: Stretches,
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
def _expand(stretches: Stretches, rows: Rows) -> None:
    for i in range(stretches.shape[0]):
        row, place = stretches[i, 0], stretches[i, 1]
        for k in range(stretches[i, 2]):
            rows[place + k] = row + k


@jit
def _find_order(time_ps: NDArray[np.int64], stretches: Stretches) -> int:
    """Note the stretches that sort the times; return how many, or -1 if too many.

    What is out of order is in *windows*: all times before a window are not above, all
    behind it not below those in it. Each is sorted for itself.
    """
    # Begin, end and largest time of each window. They never overlap.
    begins = np.empty(stretches.shape[0], np.int64)
    ends = np.empty(stretches.shape[0], np.int64)
    largest = np.empty(stretches.shape[0], np.int64)
    windows = 0
    latest = time_ps[0] if time_ps.size else np.int64(0)
    for i in range(1, time_ps.size):
        time = time_ps[i]
        if time >= latest:
            latest = time
            continue
        begin = i
        while begin > 0:
            if windows > 0 and ends[windows - 1] == begin:
                if largest[windows - 1] <= time:
                    break
                windows -= 1
                begin = begins[windows]
            elif time_ps[begin - 1] > time:
                begin -= 1
            else:
                break
        if i - begin > _LARGEST_WINDOW or windows == begins.size:
            return -1
        begins[windows] = begin
        ends[windows] = i + 1
        largest[windows] = latest
        windows += 1
    return _note_windows(time_ps, begins[:windows], ends[:windows], stretches)


@jit
def _note_windows(
    time_ps: NDArray[np.int64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    stretches: Stretches,
) -> int:
    rows = np.empty(_LARGEST_WINDOW + 2, np.int64)
    count = 0
    done = 0
    for w in range(begins.size):
        begin, size = begins[w], ends[w] - begins[w]
        for i in range(size):
            row = begin + i
            k = i
            while k > 0 and time_ps[rows[k - 1]] > time_ps[row]:
                rows[k] = rows[k - 1]
                k -= 1
            rows[k] = row
        if count + 1 + size > stretches.shape[0]:
            return -1
        if begin > done:
            _put(stretches, count, done, done, begin - done)
            count += 1
        for i in range(size):
            _put(stretches, count, rows[i], begin + i, 1)
            count += 1
        done = begin + size
    if done < time_ps.size or count == 0:
        if count == stretches.shape[0]:
            return -1
        _put(stretches, count, done, done, time_ps.size - done)
        count += 1
    return count


@jit
def _put(stretches: Stretches, i: int, row: int, place: int, count: int) -> None:
    stretches[i, 0] = row
    stretches[i, 1] = place
    stretches[i, 2] = count
