"""Events to and from the tables of other packages: pandas, Arrow, Awkward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.events._validate import RAGGED, EventsError
from pixie_pipe.events.schema import COLUMN, TRACE_OFFSETS, TRACE_SAMPLES, Column
from pixie_pipe.events.table import Events

if TYPE_CHECKING:
    import awkward as ak
    import pandas as pd
    import pyarrow as pa

TRACE = "trace"
"""Name of the ragged column that stands for the offsets and samples."""

_TRACE_DESCRIPTION = "Samples of the trace"


def to_pandas(events: Events) -> pd.DataFrame:
    """Return the events as a DataFrame.

    Parameters
    ----------
    events
        The events.

    Returns
    -------
    pandas.DataFrame
        One column per column; the QDC sums as ``qdc_0`` to ``qdc_7``; traces as
        a column ``trace`` of objects, each a uint16 array that views
        ``events.trace_samples``. That column makes one Python object per event:
        for many traces, Awkward arrays are faster and smaller.

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    """
    pandas = optional_import("pandas", "pandas")
    series: dict[str, NDArray[Any]] = {}
    for column in _row_columns(events):
        array = events[column.name]
        if column.width == 1:
            series[column.name] = array
        else:
            series |= {f"{column.name}_{k}": array[:, k] for k in range(column.width)}
    if TRACE_OFFSETS.name in events.columns:
        traces = np.empty(len(events), dtype=np.object_)
        for i in range(len(events)):
            traces[i] = events.trace(i)
        series[TRACE] = traces
    return pandas.DataFrame(series, index=pandas.RangeIndex(len(events)))


def to_arrow(events: Events) -> pa.Table:
    """Return the events as an Arrow table.

    Parameters
    ----------
    events
        The events.

    Returns
    -------
    pyarrow.Table
        One column per column, without nulls and, but for flags, without copies;
        ``qdc`` as lists of eight; traces as a column ``trace`` of large lists of
        uint16. Fields carry ``unit`` and ``description`` as metadata.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    pyarrow = optional_import("pyarrow", "parquet")
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []

    def append(name: str, array: pa.Array, unit: str, description: str) -> None:
        metadata = {"unit": unit, "description": description}
        arrays.append(array)
        fields.append(
            pyarrow.field(name, array.type, nullable=False, metadata=metadata)
        )

    for column in _row_columns(events):
        array = pyarrow.array(events[column.name].reshape(-1))
        if column.width > 1:
            array = pyarrow.FixedSizeListArray.from_arrays(array, column.width)
        append(column.name, array, column.unit, column.description)
    if TRACE_OFFSETS.name in events.columns:
        array = pyarrow.LargeListArray.from_arrays(
            pyarrow.array(events.trace_offsets), pyarrow.array(events.trace_samples)
        )
        append(TRACE, array, TRACE_SAMPLES.unit, _TRACE_DESCRIPTION)
    return pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields))


def from_arrow(table: pa.Table) -> Events:
    """Return the events of an Arrow table, the inverse of `to_arrow`.

    Parameters
    ----------
    table : pyarrow.Table
        Columns as `to_arrow` names them, in any order and in any chunks.

    Returns
    -------
    Events
        The events. Columns may be read-only views of the table's memory.

    Raises
    ------
    EventsError
        If a column is unknown, has nulls, or has another type.
    """
    columns: dict[str, NDArray[Any]] = {}
    for name in table.column_names:
        chunked = table.column(name)
        # Combining copies even a single chunk.
        single = chunked.num_chunks == 1
        array = chunked.chunk(0) if single else chunked.combine_chunks()
        if name == TRACE:
            offsets, values = _offsets_and_values(array)
            columns[TRACE_OFFSETS.name] = offsets
            columns[TRACE_SAMPLES.name] = _to_numpy(name, values)
        elif name in COLUMN and COLUMN[name].width > 1:
            width = COLUMN[name].width
            values = _values_of_width(array, name, width)
            columns[name] = _to_numpy(name, values).reshape(-1, width)
        else:
            columns[name] = _to_numpy(name, array)
    return Events(columns)


def to_awkward(events: Events) -> ak.Array:
    """Return the events as an Awkward array.

    Parameters
    ----------
    events
        The events.

    Returns
    -------
    awkward.Array
        Records with one field per column, without copies; ``qdc`` as a regular
        array of eight; traces as a ragged field ``trace``.

    Raises
    ------
    MissingExtraError
        If Awkward Array is not installed.
    """
    awkward = optional_import("awkward", "awkward")
    contents: dict[str, ak.contents.Content] = {}
    for column in _row_columns(events):
        content = awkward.contents.NumpyArray(events[column.name].reshape(-1))
        if column.width > 1:
            content = awkward.contents.RegularArray(
                content, column.width, zeros_length=len(events)
            )
        contents[column.name] = content
    if TRACE_OFFSETS.name in events.columns:
        contents[TRACE] = awkward.contents.ListOffsetArray(
            awkward.index.Index64(events.trace_offsets),
            awkward.contents.NumpyArray(events.trace_samples),
        )
    return awkward.Array(
        awkward.contents.RecordArray(
            list(contents.values()), list(contents), length=len(events)
        )
    )


def _row_columns(events: Events) -> list[Column]:
    return [COLUMN[name] for name in events.columns if name not in RAGGED]


def _to_numpy(name: str, array: pa.Array) -> NDArray[Any]:
    if array.null_count:
        raise EventsError(
            f"column {name!r} of the Arrow table has {array.null_count} nulls, "
            f"expected none"
        )
    # Arrow packs flags into bits, which NumPy cannot view.
    converted: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return converted


def _offsets_and_values(array: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    if not hasattr(array, "offsets") or array.null_count:
        raise EventsError(
            f"column {TRACE!r} of the Arrow table has type {array.type} and "
            f"{array.null_count} nulls, expected large_list<uint16> without nulls"
        )
    if len(array) == 0:  # Arrow allows an empty buffer of offsets here
        return np.zeros(1, dtype=TRACE_OFFSETS.dtype), array.values[:0]
    # A slice of a table keeps the values of the whole table.
    offsets = array.offsets.to_numpy().astype(TRACE_OFFSETS.dtype, copy=False)
    first, last = int(offsets[0]), int(offsets[-1])
    values = array.values[first:last]
    return (offsets - first if first else offsets), values


def _values_of_width(array: pa.Array, name: str, width: int) -> pa.Array:
    if getattr(array.type, "list_size", None) != width or array.null_count:
        raise EventsError(
            f"column {name!r} of the Arrow table has type {array.type} and "
            f"{array.null_count} nulls, expected lists of {width} without nulls"
        )
    return array.flatten()
