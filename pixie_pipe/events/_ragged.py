"""Kernel that copies chosen traces out of a ragged column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit


def gather_traces(
    offsets: NDArray[np.int64],
    samples: NDArray[np.uint16],
    rows: NDArray[np.signedinteger[Any]],
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Copy the traces of `rows`, in that order.

    Parameters
    ----------
    offsets
        Where the traces begin and end, shape (events + 1,), in samples.
    samples
        Samples of all traces, in ADC units.
    rows
        Events wanted, shape (n,), each from 0 to events - 1; may repeat.

    Returns
    -------
    tuple of ndarray
        Offsets of the copied traces, shape (n + 1,), from 0; and their samples.
    """
    gathered_offsets = np.zeros(rows.size + 1, dtype=np.int64)
    np.cumsum(offsets[rows + 1] - offsets[rows], out=gathered_offsets[1:])
    gathered = np.empty(gathered_offsets[-1], dtype=np.uint16)
    # One memory layout of rows means one compiled kernel.
    rows = np.ascontiguousarray(rows)
    _copy_traces(offsets, samples, rows, gathered_offsets, gathered)
    return gathered_offsets, gathered


@jit
def _copy_traces(
    offsets: NDArray[np.int64],
    samples: NDArray[np.uint16],
    rows: NDArray[np.signedinteger[Any]],
    gathered_offsets: NDArray[np.int64],
    gathered: NDArray[np.uint16],
) -> None:
    for i in range(rows.size):
        # An inner loop over views compiles to vector code; indexing the whole
        # arrays, or assigning the view, is several times slower.
        source = samples[offsets[rows[i]] : offsets[rows[i] + 1]]
        target = gathered[gathered_offsets[i] : gathered_offsets[i + 1]]
        for k in range(target.size):
            target[k] = source[k]
