"""Traces as kernels take them: all samples in a row, and where each trace ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.errors import PixiePipeError


class TraceError(PixiePipeError, ValueError):
    """Traces, or what is asked of them, do not fit a filter."""


def checked_traces(
    samples: NDArray[Any], offsets: NDArray[Any]
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Return samples and offsets as the kernels take them, without copying.

    Parameters
    ----------
    samples
        Samples of all traces, shape (n,), uint16.
    offsets
        Trace i is ``samples[offsets[i]:offsets[i + 1]]``; shape (traces + 1,).

    Raises
    ------
    TraceError
        If a type, a shape, or an offset is wrong.
    """
    if samples.dtype != np.uint16 or samples.ndim != 1:
        raise TraceError(
            f"samples are {samples.dtype} of {samples.ndim} dimensions, expected a row "
            f"of uint16, such as Events.trace_samples"
        )
    return read_only(np.ascontiguousarray(samples)), checked_offsets(
        offsets, samples.size
    )


def checked_values(
    values: NDArray[Any], offsets: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what a filter gave and its offsets, as `checked_traces` does for samples.

    Raises
    ------
    TraceError
        If a type, a shape, or an offset is wrong.
    """
    if values.dtype != np.float64 or values.ndim != 1:
        raise TraceError(
            f"values are {values.dtype} of {values.ndim} dimensions, expected the row "
            f"of float64 that a filter returns"
        )
    return read_only(np.ascontiguousarray(values)), checked_offsets(
        offsets, values.size
    )


def checked_offsets(offsets: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Return the offsets of traces that are `size` samples long together.

    Raises
    ------
    TraceError
        If they are no rising row of whole numbers between 0 and `size`.
    """
    rows = np.asarray(offsets)
    if rows.ndim != 1 or not rows.size or rows.dtype.kind not in "iu":
        raise TraceError(
            f"offsets are {rows.dtype} of shape {rows.shape}, expected a row of whole "
            f"numbers, one more than there are traces"
        )
    if rows[0] < 0 or rows[-1] > size or (np.diff(rows.astype(np.int64)) < 0).any():
        raise TraceError(
            f"offsets go from {rows[0]} to {rows[-1]}, expected rising ones from 0 to "
            f"at most {size}, the number of samples"
        )
    return read_only(np.ascontiguousarray(rows, np.int64))


def checked_rows(
    name: str, values: NDArray[Any] | int, offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return one whole number for each trace, from one for all or one for each.

    Raises
    ------
    TraceError
        If it is not one whole number, nor one for each trace.
    """
    rows = np.asarray(values)
    count = offsets.size - 1
    if rows.dtype.kind not in "iu" or rows.shape not in {(), (count,)}:
        raise TraceError(
            f"{name} is {rows.dtype} of shape {rows.shape}, expected a whole number, "
            f"or one for each of the {count} traces"
        )
    return read_only(np.ascontiguousarray(np.broadcast_to(rows, count), np.int64))


def check_number(name: str, value: float, least: float, most: float) -> None:
    """Refuse a parameter outside its limits.

    Raises
    ------
    TraceError
        If it is.
    """
    if not least <= value <= most:
        raise TraceError(f"{name} is {value!r}, expected {least:g} to {most:g}")
