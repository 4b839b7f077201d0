"""What the kernels of a channel work on: its settings, its pulses, its events."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

# Places in the state of a channel.
NEXT, ARMED, OPEN, LAST_TRIGGER, BUSY_UNTIL, SCAN_END = 0, 1, 2, 3, 4, 5
MARKED, TRIGGERS, ABOVE_TICKS, ROWS = 6, 7, 8, 9
STATES = 10

# What became of a pulse.
BELOW, RECORDED, PILED_UP, DEAD, UNRESOLVED = 0, 1, 2, 3, 4

CFD_OFF, CFD_OF_FILTER, CFD_FIXED = 0, 1, 2


class Fpga(NamedTuple):
    """`ChannelRegisters` in samples (S) and ticks (T)."""

    samples_per_tick: int
    fast_length: int  # S
    fast_gap: int  # S
    threshold: int
    slow_length: int  # S
    slow_gap: int  # S
    step: int  # T, of the slow filter
    peak: int  # T
    pileup: int  # T
    c0: float
    c1: float
    c2: float
    cfd: int
    cfd_delay: int  # S
    cfd_weight: float
    cfd_threshold: float
    trace_length: int  # S
    trace_delay: int  # T
    weight: float
    baseline_cut: float
    before: int  # S, computed before the first tick of a stretch
    behind: int  # S, computed behind its last tick
    settle: int  # T, after which a pulse is over for the fast filter


class Pulses(NamedTuple):
    """Pulses of a channel in the order of time, and what became of each."""

    sample: NDArray[np.int64]
    phase: NDArray[np.float64]
    kev: NDArray[np.float64]
    fate: NDArray[np.int8]


class Rows(NamedTuple):
    """Columns of events, as `taken` gives them.

    `energy` is not rounded, `cfd_sample` is -1 where it was forced.
    """

    tick: NDArray[np.int64]
    ready: NDArray[np.int64]
    pulse: NDArray[np.int64]
    sums: NDArray[np.int64]
    baseline: NDArray[np.float32]
    energy: NDArray[np.float64]
    cfd_sample: NDArray[np.int64]
    cfd_fraction: NDArray[np.float64]
    qdc: NDArray[np.uint32]
    trace: NDArray[np.uint16]
    pileup: NDArray[np.bool_]
    out_of_range: NDArray[np.bool_]


class Row(Protocol):
    """One event in `ROW`."""

    tick: int
    ready: int
    pulse: int
    trailing: int
    gap: int
    leading: int
    baseline: np.float32
    energy: float
    cfd_sample: int
    cfd_fraction: float
    pileup: bool
    out_of_range: bool


ROW = np.dtype(
    [
        ("tick", "i8"),
        ("ready", "i8"),
        ("pulse", "i8"),
        ("trailing", "i8"),
        ("gap", "i8"),
        ("leading", "i8"),
        ("energy", "f8"),
        ("cfd_sample", "i8"),
        ("cfd_fraction", "f8"),
        ("baseline", "f4"),
        ("pileup", "?"),
        ("out_of_range", "?"),
    ],
    align=True,
)
"""An event, but for trace and QDC sums."""


class RowRoom(NamedTuple):
    """Where events are written; shapes (n,), (n, windows) and (n, samples).

    An argument costs time to compile at each call of another kernel, an array more than
    a number: an array for each field would make the first run wait longer.
    """

    fields: NDArray[np.void]
    qdc: NDArray[np.uint32]
    trace: NDArray[np.uint16]
