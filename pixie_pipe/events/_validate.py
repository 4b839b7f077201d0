"""Checks of columns that come from outside: names, types, shapes, offsets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events.schema import (
    COLUMN,
    TRACE_OFFSETS,
    TRACE_SAMPLES,
    Column,
)

RAGGED = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)


class EventsError(PixiePipeError, ValueError):
    """Columns that do not make a table of events, or a request they cannot meet."""


def check_columns(
    columns: Mapping[str, ArrayLike],
) -> tuple[dict[str, NDArray[Any]], int]:
    """Check columns against the schema and convert them where nothing is lost.

    Parameters
    ----------
    columns
        Arrays or sequences by column name. C-contiguous arrays of the right
        type are kept, not copied.

    Returns
    -------
    tuple
        The columns by name, in the order of the schema, and the number of events.

    Raises
    ------
    EventsError
        If a name is unknown, a type or shape does not fit, lengths differ, or
        the offsets do not describe the samples.
    """
    for name in columns:
        check_name(name, COLUMN)
    arrays = {
        name: _as_column(column, columns[name])
        for name, column in COLUMN.items()
        if name in columns
    }
    if any(name in arrays for name in RAGGED):
        lengths = check_traces(arrays)
        if "trace_length" not in arrays:
            arrays["trace_length"] = _stated_lengths(lengths)
    count = _count(arrays)
    return {name: arrays[name] for name in COLUMN if name in arrays}, count


def check_name(name: str, known: Iterable[str]) -> None:
    """Raise an error that names the near matches if `name` is not known.

    Parameters
    ----------
    name
        What the caller asked for.
    known
        What there is.

    Raises
    ------
    EventsError
        If `name` is not among `known`.
    """
    names = list(dict.fromkeys(known))
    if name not in names:
        raise EventsError(
            f"unknown column {name!r}{suggestion(name, names)}; "
            f"known are: {', '.join(names)}"
        )


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'energy'?)"`` for the near matches, or nothing.

    Parameters
    ----------
    name
        What the caller wrote.
    known
        What could have been meant.

    Returns
    -------
    str
        Text to append to an error message; empty if nothing is near.
    """
    near = difflib.get_close_matches(str(name), list(known))
    if not near:
        return ""
    return f" (did you mean {' or '.join(repr(str(match)) for match in near)}?)"


def _as_column(column: Column, values: ArrayLike) -> NDArray[Any]:
    is_array = hasattr(values, "dtype") or hasattr(values, "__array__")
    if is_array:
        array = _from_array(column, np.asarray(values))
    else:
        array = _from_sequence(column, values)
    shape = ("n",) if column.width == 1 else ("n", column.width)
    if array.ndim != len(shape) or array.shape[1:] != shape[1:]:
        raise EventsError(
            f"column {column.name!r} has shape {array.shape}, expected "
            f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        )
    return np.ascontiguousarray(array)


def _from_array(column: Column, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == column.dtype:
        return array
    # NumPy calls bool -> number safe, but a flag is not a number here.
    both_flags = (array.dtype.kind == "b") == (column.dtype.kind == "b")
    if not both_flags or not np.can_cast(array.dtype, column.dtype, casting="safe"):
        raise EventsError(
            f"column {column.name!r} has dtype {array.dtype}, expected "
            f"{column.dtype} or one that converts to it without loss; if the values "
            f"fit, convert them with .astype({column.dtype.name!r})"
        )
    return array.astype(column.dtype)


def _from_sequence(column: Column, values: ArrayLike) -> NDArray[Any]:
    # An object array keeps Python's integers exact; without it NumPy makes
    # float64 of a list that holds both small integers and ones beyond int64.
    try:
        objects = np.asarray(values, dtype=object)
    except ValueError as error:
        raise EventsError(
            f"column {column.name!r} has rows of different lengths ({error}); "
            f"traces are given as trace_offsets and trace_samples"
        ) from error
    kinds: tuple[type, ...] = {
        "b": (bool, np.bool_),
        "f": (float, int, np.floating, np.integer),
    }.get(column.dtype.kind, (int, np.integer))
    for value in objects.flat:
        is_flag = isinstance(value, (bool, np.bool_))
        if not isinstance(value, kinds) or is_flag != (column.dtype.kind == "b"):
            raise EventsError(
                f"column {column.name!r} holds {value!r} "
                f"({type(value).__name__}), expected {column.dtype}"
            )
    try:
        with np.errstate(over="ignore"):
            array = objects.astype(column.dtype)
    except OverflowError as error:
        raise EventsError(
            f"column {column.name!r} holds a value outside the range of "
            f"{column.dtype}: {error}"
        ) from error
    if column.dtype.kind == "f":
        # NaN is the only value unequal to itself, and it is a legal baseline.
        changed = (array != objects) & (objects == objects)  # noqa: PLR0124
        if changed.any():
            raise EventsError(
                f"column {column.name!r} holds {objects[changed][0]!r}, which is not "
                f"exact in {column.dtype}; round with "
                f"np.asarray(values, dtype={column.dtype.name!r})"
            )
    return array


def _count(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Return the number of events, the same in every column."""
    lengths = {name: len(array) for name, array in arrays.items() if name not in RAGGED}
    if TRACE_OFFSETS.name in arrays:
        # One offset more than events.
        lengths[TRACE_OFFSETS.name] = len(arrays[TRACE_OFFSETS.name]) - 1
    if not lengths:
        return 0
    first, count = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != count:
            raise EventsError(
                f"columns have different lengths: {name!r} is for {length} events, "
                f"{first!r} is for {count}"
            )
    return count


def check_traces(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Check the offsets and return the number of samples of each trace.

    Parameters
    ----------
    arrays
        Columns by name, with ``trace_offsets`` or ``trace_samples``.

    Returns
    -------
    ndarray of int64
        Number of samples, shape (events,).

    Raises
    ------
    EventsError
        If one of the two is missing, or the offsets do not describe the samples.
    """
    for present, absent in (RAGGED, RAGGED[::-1]):
        if absent not in arrays:
            raise EventsError(f"column {present!r} needs column {absent!r} beside it")
    offsets, samples = (arrays[name] for name in RAGGED)
    if len(offsets) == 0 or offsets[0] != 0:
        start = "are empty" if len(offsets) == 0 else f"start at {offsets[0]}"
        raise EventsError(f"trace_offsets {start}, expected to start at 0")
    falling = np.flatnonzero(offsets[1:] < offsets[:-1])
    if falling.size:
        event = int(falling[0])
        raise EventsError(
            f"trace_offsets fall from {offsets[event]} to {offsets[event + 1]} at "
            f"event {event}, expected offsets that never decrease"
        )
    if offsets[-1] != len(samples):
        raise EventsError(
            f"trace_offsets end at {offsets[-1]}, expected the number of samples in "
            f"trace_samples, {len(samples)}"
        )
    lengths: NDArray[np.int64] = np.diff(offsets)
    return lengths


def _stated_lengths(lengths: NDArray[np.int64]) -> NDArray[Any]:
    longest = np.iinfo(np.uint16).max
    if lengths.size and lengths.max() > longest:
        event = int(lengths.argmax())
        raise EventsError(
            f"the trace of event {event} has {lengths[event]} samples by "
            f"trace_offsets, expected at most {longest}"
        )
    return lengths.astype(np.uint16)
