"""QDC sums: eight windows, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.kernels._traces import TraceError, checked_rows, checked_traces

WINDOWS = 8


@jit
def _charges(
    samples: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    first: NDArray[np.int64],
    lengths: NDArray[np.int64],
    out: NDArray[np.uint32],
) -> None:
    for i in range(offsets.size - 1):
        begin = offsets[i] + first[i]
        for j in range(lengths.size):
            total = np.uint64(0)
            for k in range(begin, min(begin + lengths[j], offsets[i + 1])):
                total += np.uint64(samples[k])
            out[i, j] = np.uint32(total & np.uint64(0xFFFFFFFF))
            begin += lengths[j]


def charge_windows(
    samples: NDArray[np.uint16],
    offsets: NDArray[Any],
    first: NDArray[Any] | int,
    lengths: Sequence[int] | NDArray[Any],
) -> NDArray[np.uint32]:
    """Return the sums over eight windows, one behind the other.

    Parameters
    ----------
    samples, offsets
        The traces: i is ``samples[offsets[i]:offsets[i + 1]]``.
    first
        Sample at which the first window begins, counted from the start of each
        trace: one for all or one for each, not negative.
    lengths
        Lengths of the eight windows in samples; those of the registers QDCLen0 to
        QDCLen7, at 500 MSPS times five.

    Returns
    -------
    ndarray of uint32
        Shape (traces, 8), in ADC units. A window ends with its trace.

    Raises
    ------
    TraceError
        If the traces are no traces, or windows are not eight or negative.
    """
    samples, offsets = checked_traces(samples, offsets)
    rows = checked_rows("first", first, offsets)
    windows = np.asarray(lengths)
    if windows.shape != (WINDOWS,) or windows.dtype.kind not in "iu":
        raise TraceError(
            f"lengths are {windows.dtype} of shape {windows.shape}, expected eight "
            f"whole numbers"
        )
    if windows.min() < 0 or (rows.size and rows.min() < 0):
        raise TraceError(
            f"first is {rows.min(initial=0)} and the shortest window {windows.min()}, "
            f"expected neither to be negative"
        )
    out = np.zeros((offsets.size - 1, WINDOWS), np.uint32)
    _charges(samples, offsets, rows, read_only(windows.astype(np.int64)), out)
    return out
