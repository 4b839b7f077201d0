"""Datasets of HDF5 that grow by whole chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pixie_pipe.storage._bitshuffle import Compress


class ChunkedDataset:
    """Appends rows to a dataset; each chunk is compressed and written once.

    Rows that do not fill a chunk wait in memory. The dataset is made when the
    first chunk is full, or at the end with a chunk no larger than its rows.

    Parameters
    ----------
    group
        Where the dataset will be.
    name, dtype, width
        Its name, type, and values per row (1 makes it one-dimensional).
    chunk_rows
        Rows of a chunk.
    filters
        Arguments of ``create_dataset`` that choose the compression.
    attributes
        Attributes of the dataset.
    fill
        Value of rows that are not stored.
    first_row
        Rows of that value that it begins with.
    compress
        Does what the filters do with a whole chunk. By default the library does.
    """

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        dtype: np.dtype[Any],
        *,
        chunk_rows: int,
        filters: Mapping[str, Any],
        attributes: Mapping[str, Any],
        width: int = 1,
        fill: float = 0,
        first_row: int = 0,
        compress: Compress | None = None,
    ) -> None:
        self._group = group
        self._name = name
        self._dtype = dtype
        self._row_shape = () if width == 1 else (width,)
        self._filters = filters
        self._attributes = attributes
        self._compress = compress
        self._fill = fill
        self._made: h5py.Dataset | None = None
        self._waiting_rows = first_row % chunk_rows
        self._written = first_row - self._waiting_rows
        self._waiting = np.full((chunk_rows, *self._row_shape), fill, dtype)

    def append(self, values: NDArray[Any]) -> None:
        """Append rows of the dataset's type, shape (n,) or (n, width)."""
        chunk_rows = len(self._waiting)
        used = 0
        if self._waiting_rows:
            used = min(chunk_rows - self._waiting_rows, len(values))
            self._keep(values[:used])
            if self._waiting_rows < chunk_rows:
                return
            self._write_chunks(self._waiting)
            self._waiting_rows = 0
        # Whole chunks go to the file without a copy.
        whole = used + (len(values) - used) // chunk_rows * chunk_rows
        if whole > used:
            self._write_chunks(values[used:whole])
        self._keep(values[whole:])

    def append_constant(self, value: float, rows: int) -> None:
        """Append rows of one value."""
        if rows and np.array_equal(value, self._fill, equal_nan=True):
            # Chunks that were never written read as the fill.
            chunk_rows = len(self._waiting)
            skipped = 0 if self._waiting_rows else rows // chunk_rows * chunk_rows
            self._written += skipped
            rows -= skipped
        step = len(self._waiting)
        constant = np.full((min(rows, step), *self._row_shape), value, self._dtype)
        for start in range(0, rows, step):
            self.append(constant[: rows - start])

    def finish(self) -> None:
        """Write the rows that wait. Nothing can be appended afterwards."""
        if self._made is None and self._written == 0:
            # A small file need not have a large chunk.
            self._create(max(self._waiting_rows, 1))
        self._write(self._waiting[: self._waiting_rows])

    def _keep(self, values: NDArray[Any]) -> None:
        end = self._waiting_rows + len(values)
        self._waiting[self._waiting_rows : end] = values
        self._waiting_rows = end

    @property
    def _dataset(self) -> h5py.Dataset:
        # Asking whether a dataset is true asks the library whether it is open.
        return self._create(len(self._waiting)) if self._made is None else self._made

    def _create(self, chunk_rows: int) -> h5py.Dataset:
        self._made = self._group.create_dataset(
            self._name,
            shape=(self._written, *self._row_shape),
            maxshape=(None, *self._row_shape),
            chunks=(chunk_rows, *self._row_shape),
            dtype=self._dtype,
            # HDF5 fills with zeros by itself.
            fillvalue=self._fill or None,
            **self._filters,
        )
        self._made.attrs.update(self._attributes)
        return self._made

    def _write_chunks(self, rows: NDArray[Any]) -> None:
        if self._compress is None:
            self._write(rows)
            return
        rows = np.ascontiguousarray(rows, self._dtype)
        dataset = self._dataset.id
        dataset.set_extent((self._written + len(rows), *self._row_shape))
        step = len(self._waiting)
        for start in range(0, len(rows), step):
            dataset.write_direct_chunk(
                (self._written, *(0 for _ in self._row_shape)),
                self._compress(rows[start : start + step]),
            )
            self._written += step

    def _write(self, rows: NDArray[Any]) -> None:
        # Indexing a dataset costs more than this for each call.
        dataset = self._dataset.id
        end = self._written + len(rows)
        dataset.set_extent((end, *self._row_shape))
        if len(rows):
            target = dataset.get_space()
            target.select_hyperslab(
                (self._written, *(0 for _ in self._row_shape)), rows.shape
            )
            dataset.write(h5py.h5s.create_simple(rows.shape), target, rows)
        self._written = end
