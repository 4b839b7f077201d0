"""Numbers of coincidences for rows of a table, and where a table can be cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.kernels._tables import POOL

if TYPE_CHECKING:
    from pixie_pipe.kernels._groups import Groups

Numbers = NDArray[np.int64]

# Places for one group from which on a loop over each group takes less time than a sum
# over all places (measured with groups of two).
_SPARSE: Final = 8

_AS_THEY_ARE: Final = read_only(np.zeros(0, np.int64))


class Numbered(NamedTuple):
    """What the rows of a table have to do with coincidences.

    Attributes
    ----------
    numbers
        Number of the coincidence of each row, 0 for none.
    references
        Whether the row is the reference of its coincidence.
    """

    numbers: Numbers
    references: NDArray[np.bool_]

    def rows(self, start: int, stop: int) -> Numbered:
        """Return some rows, in memory of their own."""
        return Numbered(
            self.numbers[start:stop].copy(), self.references[start:stop].copy()
        )


def no_numbers() -> Numbered:
    """Return what there is of no rows."""
    return Numbered(np.zeros(0, np.int64), np.zeros(0, np.bool_))


def number_rows(
    groups: Groups,
    before: int,
    count: int,
    *,
    rows: NDArray[np.int64] | None = None,
    known: Numbered | None = None,
) -> Numbered:
    """Give the rows of groups their numbers.

    Parameters
    ----------
    groups
        Coincidences of a sequence.
    before
        How many coincidences there were before: the first one has the next number.
    count
        Number of rows.
    rows
        The row of each place of the sequence; None if they are the same.
    known
        What is known of the first rows; it stays. Not used without `rows`.

    Returns
    -------
    Numbered
        Of `count` rows.
    """
    numbers = POOL.take_array(count, np.int64)
    references = POOL.take_array(count, np.bool_)
    found = (groups.first, groups.count, groups.reference)
    numbers[:], references[:] = 0, False
    if rows is None:
        if groups.first.size * _SPARSE < count:
            _number_rows(_AS_THEY_ARE, *found, before, numbers, references)
        else:
            _number_places(*found, before, numbers, references)
        return Numbered(numbers, references)
    if known is not None:
        numbers[: known.numbers.size] = known.numbers
        references[: known.numbers.size] = known.references
    _number_rows(read_only(rows), *found, before, numbers, references)
    return Numbered(numbers, references)


def whole_rows(numbers: Numbers, decided: int, least: int) -> tuple[int, int]:
    """Return where a table can be cut so that no coincidence is.

    Parameters
    ----------
    numbers
        Number of the coincidence of each row, 0 for none.
    decided
        Number of rows of which it is known; behind them there can be others.
    least
        Where a cut is wanted.

    Returns
    -------
    tuple
        The first cut at or behind `least`, and the last of all; both are the last one
        if there is none behind `least`.
    """
    lowest, highest = _span(numbers)
    last_rows = POOL.take_array(int(highest) - int(lowest) + 1, np.int64)
    border, last = _find_cuts(numbers, decided, least, lowest, last_rows)
    return int(border), int(last)


@jit
def _number_places(
    first: Numbers,
    count: Numbers,
    reference: Numbers,
    before: int,
    numbers: Numbers,
    references: NDArray[np.bool_],
) -> None:
    """Give places, which have 0, their numbers: first the changes, then their sums.

    Groups are short, and loops over each are hard to predict.
    """
    for k in range(first.size):
        number = before + k + 1
        numbers[first[k]] += number
        behind = first[k] + count[k]
        if behind < numbers.size:
            numbers[behind] = -number
        references[reference[k]] = True
    number = np.int64(0)
    for i in range(numbers.size):
        number += numbers[i]
        numbers[i] = number


@jit
def _number_rows(
    rows: NDArray[np.int64],
    first: Numbers,
    count: Numbers,
    reference: Numbers,
    before: int,
    numbers: Numbers,
    references: NDArray[np.bool_],
) -> None:
    """Give rows, or places if there are no rows, their numbers, group after group."""
    is_moved = rows.size > 0
    for k in range(first.size):
        for i in range(first[k], first[k] + count[k]):
            numbers[rows[i] if is_moved else i] = before + k + 1
        place = reference[k]
        references[rows[place] if is_moved else place] = True


@jit
def _span(numbers: Numbers) -> tuple[np.int64, np.int64]:
    """Return the lowest and the highest number of a coincidence, 1 and 0 for none."""
    lowest, highest = np.int64(1), np.int64(0)
    for i in range(numbers.size):
        number = numbers[i]
        if number > 0:
            if highest == 0 or number < lowest:
                lowest = number
            highest = max(highest, number)
    return lowest, highest


@jit
def _find_cuts(
    numbers: Numbers, decided: int, least: int, lowest: np.int64, last_rows: Numbers
) -> tuple[int, int]:
    for i in range(numbers.size):
        if numbers[i] > 0:
            last_rows[numbers[i] - lowest] = i
    border = -1
    last = 0
    reach = np.int64(-1)
    for i in range(decided):
        if numbers[i] > 0:
            reach = max(reach, last_rows[numbers[i] - lowest])
        if reach <= i:
            last = i + 1
            if border < 0 and last >= least:
                border = last
    return (border if border >= 0 else last), last
