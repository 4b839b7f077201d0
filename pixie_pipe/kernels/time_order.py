"""The order of events in time: a stable sort made for what modules send.

Streams of modules are nearly in order, or are a few ordered runs one behind the
other. Time and row are packed into one word, so that sorting moves one array and
never has ties. What then sorts the words depends on the disorder that is found:

- nothing, if the times are in order;
- merging, if they are a few ordered runs (one for each module);
- insertion, if few events are earlier than the one before;
- otherwise distribution over as many buckets as there are events, by time, and
  insertion. Where the events crowd in few buckets, radix sort takes over.

Times that are too far apart to be packed are left to numpy.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.buffers import BufferPool

MOST_RUNS: Final = 8
"""Merging takes one pass for each doubling; from four on, buckets are as fast."""

_CACHED_BUCKETS_BITS: Final = 18
"""Twice as many buckets as events, as long as their counts fit the cache."""

_DIGIT_BITS: Final = 11

u64 = np.uint64


def time_order(time_ps: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the rows in the order of their times.

    Parameters
    ----------
    time_ps
        Times in ps, any 64-bit integers, shape (n,).

    Returns
    -------
    ndarray of intp
        Permutation that sorts the times, shape (n,); equal times keep their
        order: the same as ``np.argsort(time_ps, kind="stable")``.
    """
    rows = reordering(time_ps)
    return np.arange(time_ps.size, dtype=np.intp) if rows is None else rows


def reordering(time_ps: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Return the rows in the order of their times, or None if they are in order.

    Parameters
    ----------
    time_ps
        As for `time_order`.

    Returns
    -------
    ndarray of intp or None
        As for `time_order`.
    """
    time_ps = np.ascontiguousarray(time_ps, np.int64)
    if time_ps.size < 2:
        return None
    descents, lowest, highest = _survey(time_ps)
    if descents == 0:
        return None
    row_bits = (time_ps.size - 1).bit_length()
    time_bits = (int(highest) - int(lowest)).bit_length()
    if row_bits + time_bits > 64:
        return np.argsort(time_ps, kind="stable")
    packed = _words(time_ps.size)
    if descents < MOST_RUNS:
        pack(time_ps, lowest, 0, row_bits, packed)
        packed = _merge_runs(packed, _words(time_ps.size))
        return _rows(packed, row_bits)
    if 4 * descents < time_ps.size:
        pack(time_ps, lowest, 0, row_bits, packed)
        if _insert(packed, time_ps.size):
            return _rows(packed, row_bits)
    bucket_bits = max(row_bits, min(row_bits + 1, _CACHED_BUCKETS_BITS))
    shift = max(0, time_bits - bucket_bits)
    places = _words(((int(highest) - int(lowest)) >> shift) + 1).view(np.int64)
    _distribute(time_ps, lowest, row_bits, shift, places, packed)
    if not _insert(packed, 4 * time_ps.size):
        packed = _radix_sort(packed, _words(time_ps.size), row_bits, time_bits)
    return _rows(packed, row_bits)


# Touching much fresh memory would cost more than sorting in it.
_POOL = BufferPool()


def _words(count: int) -> NDArray[np.uint64]:
    """Return memory for words, with any content."""
    return _POOL.take_array(count, np.uint64)


def _rows(packed: NDArray[np.uint64], row_bits: int) -> NDArray[np.intp]:
    rows = _words(packed.size).view(np.intp)
    unpack(packed, row_bits, rows)
    return rows


@jit
def _survey(time_ps: NDArray[np.int64]) -> tuple[int, int, int]:
    """Return how many times are earlier than the one before, and the extremes."""
    descents = 0
    lowest = highest = time_ps[0]
    for i in range(1, time_ps.size):
        descents += np.int64(time_ps[i] < time_ps[i - 1])
        lowest = min(lowest, time_ps[i])
        highest = max(highest, time_ps[i])
    return descents, lowest, highest


@jit
def pack(
    time_ps: NDArray[np.int64],
    lowest: int,
    first_row: int,
    row_bits: int,
    packed: NDArray[np.uint64],
) -> None:
    """Pack times after the lowest one, and rows from `first_row` on, into words."""
    for i in range(time_ps.size):
        offset = u64(time_ps[i]) - u64(lowest)
        packed[i] = u64(offset << u64(row_bits)) | u64(first_row + i)


@jit
def unpack(packed: NDArray[np.uint64], row_bits: int, rows: NDArray[np.intp]) -> None:
    """Note the rows that are packed in words, in their order."""
    mask = u64((np.int64(1) << row_bits) - 1)
    for i in range(packed.size):
        rows[i] = np.intp(packed[i] & mask)


@jit
def _insert(packed: NDArray[np.uint64], most_moves: int) -> bool:
    """Sort in place by insertion; give up and return False after `most_moves`."""
    moves = 0
    for i in range(1, packed.size):
        word = packed[i]
        if word < packed[i - 1]:
            k = i
            while k > 0 and word < packed[k - 1]:
                packed[k] = packed[k - 1]
                k -= 1
                moves += 1
                if moves > most_moves:
                    packed[k] = word
                    return False
            packed[k] = word
    return True


@jit
def _distribute(
    time_ps: NDArray[np.int64],
    lowest: int,
    row_bits: int,
    shift: int,
    places: NDArray[np.int64],
    packed: NDArray[np.uint64],
) -> None:
    """Pack the times into buckets of ``2**shift`` ps, one place for each bucket."""
    places[:] = 0
    for i in range(time_ps.size):
        offset = u64(time_ps[i]) - u64(lowest)
        places[np.int64(offset >> u64(shift))] += 1
    first = 0
    for k in range(places.size):
        count = places[k]
        places[k] = first
        first += count
    for i in range(time_ps.size):
        offset = u64(time_ps[i]) - u64(lowest)
        bucket = np.int64(offset >> u64(shift))
        packed[places[bucket]] = u64(offset << u64(row_bits)) | u64(i)
        places[bucket] += 1


@jit
def _radix_sort(
    packed: NDArray[np.uint64], other: NDArray[np.uint64], row_bits: int, time_bits: int
) -> NDArray[np.uint64]:
    """Sort by the time, digit by digit; equal times need be in order already."""
    mask = u64((1 << _DIGIT_BITS) - 1)
    places = np.empty(1 << _DIGIT_BITS, np.int64)
    for shift in range(row_bits, row_bits + time_bits, _DIGIT_BITS):
        places[:] = 0
        for i in range(packed.size):
            places[np.int64(u64(packed[i] >> u64(shift)) & mask)] += 1
        first = 0
        for k in range(places.size):
            count = places[k]
            places[k] = first
            first += count
        for i in range(packed.size):
            digit = np.int64(u64(packed[i] >> u64(shift)) & mask)
            other[places[digit]] = packed[i]
            places[digit] += 1
        packed, other = other, packed
    return packed


@jit
def _merge_runs(
    packed: NDArray[np.uint64], other: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Merge at most MOST_RUNS neighbouring runs until one is left."""
    starts = np.empty(MOST_RUNS + 1, np.int64)
    starts[0] = 0
    count = 1
    for i in range(1, packed.size):
        if packed[i] < packed[i - 1]:
            starts[count] = i
            count += 1
    starts[count] = packed.size
    while count > 1:
        merge_pass(packed, other, starts[: count + 1])
        merged = 0
        for run in range(0, count, 2):
            starts[merged] = starts[run]
            merged += 1
        starts[merged] = packed.size
        count = merged
        packed, other = other, packed
    return packed


@jit
def merge_pass(
    packed: NDArray[np.uint64], other: NDArray[np.uint64], starts: NDArray[np.int64]
) -> None:
    """Merge each two neighbouring runs, from one array to the other.

    Parameters
    ----------
    packed
        Runs of words in order, one behind the other, shape (n,).
    other
        Gets the merged runs, shape (n,).
    starts
        Where each begins, and n, shape (runs + 1,).
    """
    count = starts.size - 1
    for run in range(0, count, 2):
        first, behind = starts[run], starts[min(run + 2, count)]
        middle = starts[run + 1]
        _merge(packed[first:middle], packed[middle:behind], other[first:behind])


@jit
def _merge(
    left: NDArray[np.uint64], right: NDArray[np.uint64], merged: NDArray[np.uint64]
) -> None:
    """Merge two runs, from both ends at once: the processor does the two in turn."""
    i, k, low = 0, 0, 0
    last_i, last_k, high = left.size - 1, right.size - 1, merged.size - 1
    # So many steps cannot use up either run: they need no check of its end, and
    # the choice in each becomes an instruction without a branch.
    sure = min(left.size, right.size) // 2
    while sure > 0:
        for _ in range(sure):
            one, two = left[i], right[k]
            of_right = two < one
            merged[low] = two if of_right else one
            k += np.int64(of_right)
            i += np.int64(not of_right)
            low += 1
            one, two = left[last_i], right[last_k]
            of_right = two > one
            merged[high] = two if of_right else one
            last_k -= np.int64(of_right)
            last_i -= np.int64(not of_right)
            high -= 1
        sure = min(last_i - i + 1, last_k - k + 1) // 2
    while i <= last_i and k <= last_k:
        of_right = right[k] < left[i]
        merged[low] = right[k] if of_right else left[i]
        k += np.int64(of_right)
        i += np.int64(not of_right)
        low += 1
    while i <= last_i:
        merged[low] = left[i]
        i += 1
        low += 1
    while k <= last_k:
        merged[low] = right[k]
        k += 1
        low += 1
