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
    descents = _count_descents(time_ps)
    if descents == 0:
        return np.array([[0, 0, time_ps.size]], np.intp)
    # Each event that is earlier than the one before is a stretch of its own.
    if descents > room:
        return None
    stretches = POOL.take_array(3 * room, np.intp).reshape(room, 3)
    count = _find_order(time_ps, stretches)
    return None if count < 0 else stretches[:count]


def count_stretches(rows: Rows) -> int:
    """Return how many stretches rows make that go one behind the other."""
    return int(_count_breaks(rows)) + 1 if rows.size else 0


def stretches_of(rows: Rows, found: int) -> Stretches:
    """Return the stretches of rows that go one behind the other.

    Parameters
    ----------
    rows
        The row for each place, shape (n,).
    found
        What `count_stretches` says.
    """
    stretches = POOL.take_array(3 * found, np.intp).reshape(found, 3)
    _find_stretches(rows, stretches)
    return stretches


def stretches_between(rows: Rows, places: Rows) -> Stretches:
    """Return stretches of rows that stay together.

    Parameters
    ----------
    rows, places
        Which row goes where, shape (n,).

    Returns
    -------
    ndarray of intp
        As `Stretches`, in the order of the rows that were given.
    """
    breaks = (np.diff(rows) != 1) | (np.diff(places) != 1)
    first = np.flatnonzero(np.concatenate([np.ones(min(rows.size, 1), bool), breaks]))
    count = np.diff(first, append=rows.size)
    return np.stack([rows[first], places[first], count], axis=1).astype(np.intp)


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
def _count_descents(time_ps: NDArray[np.int64]) -> int:
    descents = 0
    for i in range(1, time_ps.size):
        descents += np.int64(time_ps[i] < time_ps[i - 1])
    return descents


@jit
def _count_breaks(rows: Rows) -> int:
    breaks = 0
    for i in range(1, rows.size):
        breaks += np.int64(rows[i] != rows[i - 1] + 1)
    return breaks


@jit
def _find_stretches(rows: Rows, stretches: Stretches) -> None:
    found = -1
    for place in range(rows.size):
        if place == 0 or rows[place] != rows[place - 1] + 1:
            found += 1
            _put(stretches, found, rows[place], place, 0)
        stretches[found, 2] += 1


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
