"""Which rows an index means: masks and integer arrays, as NumPy reads them."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray


def row_number(index: SupportsIndex, count: int) -> int:
    """Return the row that an integer means; negative ones count from the end.

    Parameters
    ----------
    index
        Integer from -count to count - 1.
    count
        Number of events.

    Returns
    -------
    int
        Row from 0 to count - 1.

    Raises
    ------
    IndexError
        If there is no such row.
    """
    row = operator.index(index)
    if not -count <= row < count:
        raise IndexError(f"event {row} is out of range: there are {count} events")
    return row % count


def row_numbers(index: ArrayLike, count: int) -> NDArray[np.intp]:
    """Return the rows that a mask or an array of integers means.

    Parameters
    ----------
    index
        Mask of shape (count,), or integers from -count to count - 1.
    count
        Number of events.

    Returns
    -------
    ndarray of int
        Rows from 0 to count - 1, in the order asked for.

    Raises
    ------
    IndexError
        If the mask has another length, or there is no such row.
    TypeError
        If the index is not one-dimensional, or neither mask nor integers.
    """
    array = np.asarray(index)
    # NumPy makes float64 of an empty list.
    if array.size == 0 and not hasattr(index, "dtype"):
        array = array.astype(np.intp)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise TypeError(
            f"events cannot be indexed with {type(index).__name__} of shape "
            f"{array.shape} and dtype {array.dtype}; expected a column name, an "
            f"integer, a slice, a mask, or a one-dimensional array of integers"
        )
    if array.dtype.kind == "b":
        return _rows_of_mask(array, count)
    return _checked_rows(array, count)


def _rows_of_mask(mask: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    if mask.size != count:
        raise IndexError(
            f"the mask has {mask.size} values, expected one per event: {count}"
        )
    return np.flatnonzero(mask)


def _checked_rows(array: NDArray[Any], count: int) -> NDArray[np.intp]:
    if array.size == 0:
        return np.empty(0, dtype=np.intp)
    lowest, highest = int(array.min()), int(array.max())
    if lowest < -count or highest >= count:
        row = lowest if lowest < -count else highest
        raise IndexError(f"event {row} is out of range: there are {count} events")
    rows = array.astype(np.intp, copy=False)
    return rows if lowest >= 0 else np.where(rows < 0, rows + count, rows)
