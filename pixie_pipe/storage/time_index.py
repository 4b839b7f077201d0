"""When the events of a file are: earliest and latest time of stretches of its rows.

Rows need not be in the order of time: late events are not, nor are those of several
modules one behind the other. With the limits of each stretch, a range of time is found
without reading the others, whatever the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import h5py

STRETCH = np.dtype(
    [("first_row", "i8"), ("rows", "i8"), ("min_ps", "i8"), ("max_ps", "i8")]
)
"""A row of an index: a stretch of rows, never empty, and its earliest and latest time
(both are inside)."""

STRETCH_ROWS = 1 << 17
"""Rows of a stretch: those of a chunk of ``time_ps``, which is read as a whole."""

TIME_INDEX = "time_index"
"""Name of the dataset in HDF5 files."""

TimeUnit = Literal["s", "ms", "us", "ns", "ps"]

UNITS: Final = {"s": 10**12, "ms": 10**9, "us": 10**6, "ns": 1000, "ps": 1}
"""Picoseconds of each unit."""


class TimeIndexBuilder:
    """Makes the index of events that come batch after batch.

    Parameters
    ----------
    stretch_rows
        Rows of a stretch; the last one may have fewer.
    """

    def __init__(self, stretch_rows: int = STRETCH_ROWS) -> None:
        self._stretch_rows = stretch_rows
        self._stretches: list[tuple[int, int, int, int]] = []

    def add(self, time_ps: NDArray[np.int64]) -> None:
        """Append the times of the next rows, shape (n,), in ps."""
        used = 0
        while used < len(time_ps):
            if not self._stretches or self._stretches[-1][1] == self._stretch_rows:
                first = sum(self._stretches[-1][:2]) if self._stretches else 0
                limits = np.iinfo(np.int64)
                self._stretches.append((first, 0, limits.max, limits.min))
            first, rows, earliest, latest = self._stretches[-1]
            part = time_ps[used : used + self._stretch_rows - rows]
            self._stretches[-1] = (
                first,
                rows + len(part),
                min(earliest, int(part.min())),
                max(latest, int(part.max())),
            )
            used += len(part)

    def finish(self) -> NDArray[np.void]:
        """Return the index, of type `STRETCH`."""
        return np.array(self._stretches, STRETCH)


def write_time_index(file: h5py.File, index: NDArray[np.void]) -> None:
    """Write the table ``/time_index``."""
    table = file.create_dataset(TIME_INDEX, data=index)
    table.attrs["description"] = (
        "Stretches of rows of /events, with the earliest and the latest time_ps in each"
    )


def read_time_index(file: h5py.File) -> NDArray[np.void] | None:
    """Return the index of a file; None if the file has none."""
    if TIME_INDEX not in file:
        return None
    index: NDArray[np.void] = file[TIME_INDEX][:]
    return index.astype(STRETCH)


def picoseconds(time: float, unit: TimeUnit) -> int:
    """Return a time in ps; exact for integers."""
    if isinstance(time, (int, np.integer)):
        return int(time) * UNITS[unit]
    return round(float(time) * UNITS[unit])
