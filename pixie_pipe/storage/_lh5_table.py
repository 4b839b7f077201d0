"""The table of one channel in an LH5 file, written batch after batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._chunks import ChunkedDataset
from pixie_pipe.storage.hdf5 import compressor_of, filters_of
from pixie_pipe.storage.writer import filled, only

if TYPE_CHECKING:
    import h5py

CHUNK_ROWS: Final = 1 << 13
"""Rows of a chunk. Every channel has a chunk of each column in memory: less than in
files whose columns have all channels."""

CHUNK_BYTES: Final = 1 << 18
"""Most bytes of a chunk of samples."""

ROW: Final = "row"
TIMESTAMP: Final = "timestamp"
WAVEFORM: Final = "waveform"

_OTHER_NAMES: Final = {"timestamp": "timestamp_ticks", "energy": "daqenergy"}
_RAGGED: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)
_UNITS: Final = {"ADC units": "ADC"}
_SECONDS_PER_PS: Final = 1e-12
_VECTORS: Final = "array<1>{array<1>{real}}"
_EQUAL: Final = "array_of_equalsized_arrays<1,1>{real}"


def name_of(column: str) -> str:
    """Return what a column is called in LH5: LEGEND has words of its own for some."""
    return _OTHER_NAMES.get(column, column)


class Lh5Table:
    """The rows of one channel.

    Parameters
    ----------
    path
        The file, for error messages.
    group
        Its group.
    compression
        One of those of LH5 files.
    """

    def __init__(self, path: Path, group: h5py.Group, compression: str) -> None:
        self._path = path
        self._group = group
        self._compression = compression
        self._rows = 0
        self._columns: dict[str, ChunkedDataset] = {}
        self._row_numbers = self._dataset(
            group, ROW, np.dtype("i8"), "", "Row of the event among all of the file"
        )
        self._timestamp: ChunkedDataset | None = None
        self._waveform: _Waveforms | None = None

    def write(self, events: Events, rows: NDArray[np.int64]) -> None:
        """Append events of this channel, and where they are in the file."""
        for name in events.columns:
            if name not in self._columns and name not in _RAGGED:
                self._start(name, events)
        names = {*self._columns, *(set(_RAGGED) if self._waveform else ())}
        has_traces = TRACE_OFFSETS.name in events.columns
        if has_traces and self._waveform is None and len(events.trace_samples):
            self._waveform = _Waveforms(self._group, self._compression, self._rows)
        plain = only(events, set(events.columns) - set(_RAGGED))
        plain = filled(self._path, plain, names - set(_RAGGED))
        for name, dataset in self._columns.items():
            dataset.append(_stored(plain[name]))
        if "time_ps" in self._columns:
            self._timestamp_dataset.append(plain.time_ps * _SECONDS_PER_PS)
        self._row_numbers.append(rows)
        if self._waveform is not None:
            offsets = (
                events.trace_offsets
                if has_traces
                else np.zeros(len(events) + 1, TRACE_OFFSETS.dtype)
            )
            samples = events.trace_samples if has_traces else np.empty(0, np.uint16)
            self._waveform.write(offsets, samples)
        self._rows += len(events)

    def finish(self, sample_period_ns: float | None) -> None:
        """Complete the table.

        Parameters
        ----------
        sample_period_ns
            Time between two samples; None if it is not known.
        """
        for dataset in (*self._columns.values(), self._row_numbers):
            dataset.finish()
        names = [ROW, *map(name_of, self._columns)]
        if self._timestamp is not None:
            self._timestamp.finish()
            names.append(TIMESTAMP)
        if self._waveform is not None:
            self._waveform.finish(sample_period_ns)
            names.append(WAVEFORM)
        self._group.attrs["datatype"] = f"table{{{','.join(sorted(names))}}}"

    @property
    def _timestamp_dataset(self) -> ChunkedDataset:
        if self._timestamp is None:
            self._timestamp = self._dataset(
                self._group, TIMESTAMP, np.dtype("f8"), "s", "time_ps, rounded"
            )
        return self._timestamp

    def _start(self, name: str, events: Events) -> None:
        column = COLUMN[name]
        dataset = self._dataset(
            self._group,
            name_of(name),
            _stored(events[name][:0]).dtype,
            column.unit,
            column.description,
            width=column.width,
            is_flag=column.dtype.kind == "b",
        )
        self._columns[name] = dataset
        if self._rows:
            # What an event has that does not have the block.
            core = [key for key in Events.empty().columns if key in events.columns]
            bare = Events({key: events[key][:1] for key in core})
            absent = _stored(filled(self._path, bare, {name})[name])
            for first in range(0, self._rows, CHUNK_ROWS):
                count = min(CHUNK_ROWS, self._rows - first)
                dataset.append(np.repeat(absent, count, axis=0))

    def _dataset(  # noqa: PLR0917 - what a column is, in the order of the schema
        self,
        group: h5py.Group,
        name: str,
        dtype: np.dtype[Any],
        unit: str,
        description: str,
        width: int = 1,
        *,
        is_flag: bool = False,
    ) -> ChunkedDataset:
        content = "bool" if is_flag else "real"
        attributes = {
            "datatype": f"array<1>{{{content}}}" if width == 1 else _EQUAL,
            "description": description,
        }
        if unit:
            attributes["units"] = _UNITS.get(unit, unit)
        return ChunkedDataset(
            group,
            name,
            dtype,
            width=width,
            chunk_rows=CHUNK_ROWS,
            filters=filters_of(self._compression),
            attributes=attributes,
            compress=compressor_of(self._compression),
        )


class _Waveforms:
    """The traces of one channel: of one length as long as that holds, else ragged."""

    def __init__(self, table: h5py.Group, compression: str, rows: int) -> None:
        self._group = table.create_group(WAVEFORM)
        self._compression = compression
        self._rows = rows
        self._width = 0
        self._equal: ChunkedDataset | None = None
        self._samples: ChunkedDataset | None = None
        self._ends: ChunkedDataset | None = None
        self._end = 0

    def write(self, offsets: NDArray[np.int64], samples: NDArray[np.uint16]) -> None:
        """Append traces, as `Events` have them."""
        count = len(offsets) - 1
        lengths = np.diff(offsets)
        first = int(lengths[0]) if count else 0
        # An array of width 1 would look like one value for each event.
        is_equal = first > 1 and bool((lengths == first).all())
        if is_equal and self._ends is None and self._rows == 0:
            self._equal = self._dataset(self._group, "values", first, _EQUAL)
            self._width = first
        if self._equal is not None and is_equal and first == self._width:
            self._equal.append(samples.reshape(count, first))
        else:
            self._write_ragged(offsets, samples)
        self._rows += count

    def finish(self, sample_period_ns: float | None) -> None:
        """Complete the waveforms; the time between samples is the same for all."""
        if self._equal is not None:
            self._equal.finish()
        if self._samples is not None and self._ends is not None:
            self._samples.finish()
            self._ends.finish()
        period = 1.0 if sample_period_ns is None else sample_period_ns
        for name, value in (("t0", 0.0), ("dt", period)):
            # Chunks that are never written read as the fill value.
            dataset = self._group.create_dataset(
                name,
                (self._rows,),
                "f4",
                maxshape=(None,),
                chunks=(CHUNK_ROWS,),
                fillvalue=value,
            )
            dataset.attrs["datatype"] = "array<1>{real}"
            if sample_period_ns is not None:
                dataset.attrs["units"] = "ns"
        self._group.attrs["datatype"] = "table{dt,t0,values}"

    def _write_ragged(
        self, offsets: NDArray[np.int64], samples: NDArray[np.uint16]
    ) -> None:
        if self._ends is None or self._samples is None:
            self._become_ragged()
        assert self._ends is not None
        assert self._samples is not None
        self._ends.append(offsets[1:] + self._end)
        self._samples.append(samples)
        self._end += len(samples)

    def _become_ragged(self) -> None:
        equal, self._equal = self._equal, None
        if equal is not None:
            equal.finish()
            self._group.move("values", "equal")
        group = self._group.create_group("values")
        group.attrs["datatype"] = _VECTORS
        self._samples = self._dataset(group, "flattened_data", 1, "array<1>{real}")
        self._ends = ChunkedDataset(
            group,
            "cumulative_length",
            np.dtype("i8"),
            chunk_rows=CHUNK_ROWS,
            filters=filters_of(self._compression),
            attributes={"datatype": "array<1>{real}"},
            compress=compressor_of(self._compression),
        )
        if equal is None:
            for first in range(0, self._rows, CHUNK_ROWS):
                count = min(CHUNK_ROWS, self._rows - first)
                self._ends.append(np.zeros(count, np.int64))
            return
        old = self._group["equal"]
        for first in range(0, self._rows, CHUNK_ROWS):
            part = old[first : first + CHUNK_ROWS]
            ends = np.arange(1, len(part) + 1, dtype=np.int64) * self._width
            self._ends.append(ends + self._end)
            self._samples.append(part.reshape(-1))
            self._end += part.size
        del self._group["equal"]

    def _dataset(
        self, group: h5py.Group, name: str, width: int, datatype: str
    ) -> ChunkedDataset:
        return ChunkedDataset(
            group,
            name,
            TRACE_SAMPLES.dtype,
            width=width,
            chunk_rows=max(1, CHUNK_BYTES // (width * TRACE_SAMPLES.dtype.itemsize)),
            filters=filters_of(self._compression),
            # Without units: dspeed gives those of the samples to the table, and lh5
            # then finds that table and file differ.
            attributes={
                "datatype": datatype,
                "description": f"Samples in {TRACE_SAMPLES.unit}",
            },
            compress=compressor_of(self._compression),
        )


def _stored(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as LH5 keeps them: flags as bytes."""
    return values.view(np.uint8) if values.dtype.kind == "b" else values
