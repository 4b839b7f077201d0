"""Ranges of rows: which rows of a file a table has, in the order of the file.

Ranges are an array of shape (n, 2): the first row of each, and the one behind its last.
They ascend, do not overlap and are never empty.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Ranges = NDArray[np.int64]


def whole(count: int) -> Ranges:
    """Return the ranges that hold all of `count` rows."""
    return np.array([[0, count]] if count else [], np.int64).reshape(-1, 2)


def of_mask(mask: NDArray[np.bool_], first_row: int) -> Ranges:
    """Return the ranges of rows that a mask means, whose first value is `first_row`."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges.reshape(-1, 2).astype(np.int64) + first_row


def joined(parts: list[Ranges]) -> Ranges:
    """Join ranges that ascend from part to part; those that touch become one."""
    ranges = np.concatenate([np.empty((0, 2), np.int64), *parts])
    if len(ranges) == 0:
        return ranges
    gaps = ranges[1:, 0] > ranges[:-1, 1]
    firsts = ranges[np.concatenate([[True], gaps]), 0]
    behinds = ranges[np.concatenate([gaps, [True]]), 1]
    return np.stack([firsts, behinds], axis=1)


def count(ranges: Ranges) -> int:
    """Return the number of rows."""
    return int((ranges[:, 1] - ranges[:, 0]).sum())


def common(ranges: Ranges, others: Ranges) -> Ranges:
    """Return the rows that are in both."""
    # Each range meets a stretch of the others that touch it.
    begins = np.searchsorted(others[:, 1], ranges[:, 0], side="right")
    ends = np.searchsorted(others[:, 0], ranges[:, 1], side="left")
    parts = []
    for (first, behind), begin, end in zip(ranges, begins, ends, strict=True):
        if end > begin:
            parts.append(np.clip(others[begin:end], first, behind))
    return joined(parts)


def rows(ranges: Ranges, first: int, behind: int) -> Ranges:
    """Return where rows of the table are in the file.

    Parameters
    ----------
    ranges
        The rows of the table.
    first, behind
        Which of them, counted in the table.
    """
    ends = np.cumsum(ranges[:, 1] - ranges[:, 0])
    starts = ends - (ranges[:, 1] - ranges[:, 0])
    used = slice(
        int(np.searchsorted(ends, first, side="right")),
        int(np.searchsorted(starts, behind, side="left")),
    )
    shift = ranges[used, 0] - starts[used]
    inside = np.stack(
        [
            np.maximum(starts[used], first) + shift,
            np.minimum(ends[used], behind) + shift,
        ],
        axis=1,
    )
    return inside[inside[:, 0] < inside[:, 1]]


def grouped(ranges: Ranges, widest_gap: int) -> Iterator[Ranges]:
    """Return ranges in groups that lie so near that they are best read at once."""
    gaps = ranges[1:, 0] - ranges[:-1, 1]
    yield from np.split(ranges, np.flatnonzero(gaps > widest_gap) + 1)
