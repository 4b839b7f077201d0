"""Coincidences in HDF5 files of events, read as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.coincidences import Coincidences
from pixie_pipe.storage.hdf5_reader import (
    Hdf5Error,
    read_hdf5,
    read_hdf5_metadata,
)

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike

_PIECE_ROWS: Final = 1 << 20
_COLUMNS: Final = ("coincidence", "coincidence_reference", "time_ps")

_INDEX: Final = np.dtype(
    [("number", "i8"), ("first_row", "i8"), ("last_row", "i8"), ("multiplicity", "i8")]
)


class CoincidenceFile:
    """The coincidences of an HDF5 file of events.

    On opening, the column ``coincidence`` is read, piece by piece, and of each
    coincidence is kept where its events are. Nothing else is read before it is asked
    for: ``file[1000:2000]`` reads the rows of these coincidences.

    Parameters
    ----------
    path
        A file that `Hdf5Writer` or the task `WriteEvents` made.
    columns
        Columns of events to read, beside those that coincidences need; by default all.
    delays_ns
        The delays with which coincidences were built, by channel in ns; see
        `Coincidences.from_events`.

    Attributes
    ----------
    index
        One row for each coincidence: ``number`` in the run, ``first_row`` and
        ``last_row`` in the file, between which there can be events of others, and
        ``multiplicity``.

    Raises
    ------
    Hdf5Error
        If the file is none of events, or has no such column, or no coincidences.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        columns: Iterable[str] | None = None,
        delays_ns: Mapping[str, float] | None = None,
    ) -> None:
        self._path = Path(path)
        metadata = read_hdf5_metadata(path)
        if "coincidence" not in metadata.columns:
            raise Hdf5Error(
                f"{path}: has no coincidences; the task BuildCoincidences in front of "
                f"WriteEvents makes them, or build_coincidences(read_hdf5(...), ...)"
            )
        self._columns = _needed(columns, metadata.columns, delays=bool(delays_ns))
        self._delays = dict(delays_ns or {})
        self.index = _index(self._path, metadata.events)

    def __len__(self) -> int:
        return int(self.index.size)

    def __getitem__(self, which: slice) -> Coincidences:
        """Return some coincidences, one behind the other, with the events around them.

        Parameters
        ----------
        which
            Which coincidences, from 0 on; its step must be 1.

        Raises
        ------
        TypeError
            If it is no slice.
        Hdf5Error
            If the step is not 1.
        """
        if not isinstance(which, slice):
            raise TypeError(
                f"coincidences of a file are read by slices such as file[0:1000], not "
                f"by {which!r}"
            )
        first, behind, step = which.indices(len(self))
        if step != 1:
            raise Hdf5Error(f"{self._path}: coincidences with a step of {step}, not 1")
        wanted = self.index[first:behind]
        rows = slice(0, 0)
        if wanted.size:
            rows = slice(
                int(wanted["first_row"].min()), int(wanted["last_row"].max()) + 1
            )
        events = read_hdf5(self._path, rows, columns=self._columns)
        found = Coincidences.from_events(events, delays_ns=self._delays)
        return found[np.isin(found.numbers, wanted["number"])]

    def parts(self, size: int = 100_000) -> Iterator[Coincidences]:
        """Yield all coincidences, `size` at a time."""
        for first in range(0, len(self), size):
            yield self[first : first + size]

    def __repr__(self) -> str:
        return f"<CoincidenceFile {str(self._path)!r}: {len(self)} coincidences>"


def _needed(
    columns: Iterable[str] | None, there: Iterable[str], *, delays: bool
) -> list[str] | None:
    if columns is None:
        return None
    own = [name for name in _COLUMNS if name in there]
    channel = ["crate", "slot", "channel"] if delays else []
    return list(dict.fromkeys([*columns, *own, *channel]))


def _index(path: Path, count: int) -> NDArray[np.void]:
    pieces = [np.zeros(0, _INDEX)]
    for start in range(0, count, _PIECE_ROWS):
        rows = slice(start, start + _PIECE_ROWS)
        numbers = read_hdf5(path, rows, columns=["coincidence"]).coincidence
        pieces.append(_index_of(numbers, start))
    return _merged(np.concatenate(pieces))


def _index_of(numbers: NDArray[np.int64], start: int) -> NDArray[np.void]:
    """Return the index of rows of a file, from `start` on."""
    rows = np.flatnonzero(numbers > 0)
    order = np.argsort(numbers[rows], kind="stable")
    rows = rows[order]
    begins = np.flatnonzero(np.diff(numbers[rows], prepend=0))
    index = np.zeros(begins.size, _INDEX)
    index["number"] = numbers[rows[begins]]
    index["multiplicity"] = np.diff(np.append(begins, rows.size))
    index["first_row"] = start + rows[begins]
    index["last_row"] = start + rows[begins + index["multiplicity"] - 1]
    return index


def _merged(index: NDArray[np.void]) -> NDArray[np.void]:
    """Return an index in which each coincidence is once, in the order of numbers."""
    index = index[np.argsort(index["number"], kind="stable")]
    begins = np.flatnonzero(np.diff(index["number"], prepend=0))
    if begins.size == index.size:
        return index
    merged = index[begins]
    merged["last_row"] = np.maximum.reduceat(index["last_row"], begins)
    merged["multiplicity"] = np.add.reduceat(index["multiplicity"], begins)
    return merged
