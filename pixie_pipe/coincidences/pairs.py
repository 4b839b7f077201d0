"""Pairs of events in coincidence: time differences, and energies against energies.

A pair is an event of channels a and another event of channels b in the same
coincidence. Where a channel is among both, each pair counts twice, once in each order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixie_pipe.coincidences.channels import ChannelChoice, choose_channels
from pixie_pipe.kernels.channel_table import ChannelTable
from pixie_pipe.kernels.coincidence_definition import CoincidenceError
from pixie_pipe.kernels.pairs import (
    SIDE_A,
    SIDE_B,
    count_differences,
    count_pairs,
    pair_differences,
)

if TYPE_CHECKING:
    from pixie_pipe.coincidences.container import Coincidences
    from pixie_pipe.events import Events

_MOST_BINS = 1 << 26


@dataclass(frozen=True, slots=True)
class TimeHistogram:
    """How many pairs have which time difference.

    Attributes
    ----------
    counts
        Pairs in each bin, shape (bins,).
    edges_ps
        Edges of the bins in ps, shape (bins + 1,); the upper one is not inside.
    below, above
        Pairs beyond the first and the last edge.
    """

    counts: NDArray[np.int64]
    edges_ps: NDArray[np.int64]
    below: int
    above: int


@dataclass(frozen=True, slots=True)
class EnergyMatrix:
    """How many pairs have which two energies.

    Attributes
    ----------
    counts
        Pairs in each bin, shape (bins of a, bins of b).
    edges_a, edges_b
        Edges of the bins, in the unit of the column; the upper one is not inside.
    outside
        Pairs of which an energy is beyond the edges, or no number.
    """

    counts: NDArray[np.int64]
    edges_a: NDArray[np.float64]
    edges_b: NDArray[np.float64]
    outside: int


def time_differences(
    coincidences: Coincidences, a: ChannelChoice, b: ChannelChoice
) -> NDArray[np.int64]:
    """Return the time of b less that of a for all pairs.

    Parameters
    ----------
    coincidences
        The coincidences.
    a, b
        One channel or several, such as ``"0/2/5"``.

    Returns
    -------
    ndarray of int64
        In ps, with the delays of building, shape (pairs,), in the order of the
        coincidences.

    Raises
    ------
    ChannelError
        If it is no channel.
    EventsError
        If a column is missing.
    """
    times = coincidences.times_ps[coincidences.rows]
    return pair_differences(coincidences.offsets, _sides(coincidences, a, b), times)


def time_difference_histogram(
    coincidences: Coincidences,
    a: ChannelChoice,
    b: ChannelChoice,
    *,
    low_ps: int,
    high_ps: int,
    bin_ps: int,
) -> TimeHistogram:
    """Count the time differences of all pairs, as `time_differences` has them.

    Parameters
    ----------
    coincidences, a, b
        As for `time_differences`.
    low_ps, high_ps, bin_ps
        Edges of the histogram, and width of its bins, in ps. If the width does not
        divide the range, the last bin ends above `high_ps`.

    Returns
    -------
    TimeHistogram
        The counts.

    Raises
    ------
    CoincidenceError
        If the edges make no histogram.
    ChannelError, EventsError
        As for `time_differences`.
    """
    if bin_ps < 1 or high_ps <= low_ps or (high_ps - low_ps) // bin_ps >= _MOST_BINS:
        raise CoincidenceError(
            f"a histogram from {low_ps} to {high_ps} ps in bins of {bin_ps} ps: "
            f"expected a width of 1 ps at least, and from 1 to {_MOST_BINS} bins"
        )
    bins = -(-(high_ps - low_ps) // bin_ps)
    counts = np.zeros(bins, np.int64)
    times = coincidences.times_ps[coincidences.rows]
    below, above = count_differences(
        coincidences.offsets,
        _sides(coincidences, a, b),
        times,
        low_ps,
        bin_ps,
        counts,
    )
    edges = low_ps + bin_ps * np.arange(bins + 1, dtype=np.int64)
    return TimeHistogram(counts, edges, below, above)


def energy_matrix(
    coincidences: Coincidences,
    a: ChannelChoice,
    b: ChannelChoice,
    edges_a: ArrayLike,
    edges_b: ArrayLike | None = None,
    *,
    column: str = "energy",
) -> EnergyMatrix:
    """Count pairs by their two energies.

    Parameters
    ----------
    coincidences
        The coincidences.
    a, b
        One channel or several, such as ``"0/2/5"``.
    edges_a, edges_b
        Edges of the bins, rising, in the unit of the column; those of b are those of
        a unless they are given.
    column
        The energy: ``"energy"`` in ADC units, or another column of the events, such as
        a calibrated one.

    Returns
    -------
    EnergyMatrix
        The counts.

    Raises
    ------
    CoincidenceError
        If the edges make no histogram.
    ChannelError
        If it is no channel.
    EventsError
        If a column is missing.
    """
    rows = _checked_edges("edges_a", edges_a)
    columns = rows if edges_b is None else _checked_edges("edges_b", edges_b)
    energies = coincidences.member_columns(column)[column]
    counts = np.zeros((rows.size - 1, columns.size - 1), np.int64)
    outside = count_pairs(
        coincidences.offsets,
        _sides(coincidences, a, b),
        _bins(rows, energies),
        _bins(columns, energies),
        counts,
    )
    return EnergyMatrix(counts, rows, columns, outside)


def _sides(
    coincidences: Coincidences, a: ChannelChoice, b: ChannelChoice
) -> NDArray[np.uint64]:
    table = ChannelTable(np.uint64)
    table.mark(choose_channels(a), SIDE_A)
    table.mark(choose_channels(b), SIDE_B)
    members: Events = coincidences.member_columns("crate", "slot", "channel")
    sides = np.zeros(len(members), np.uint64)
    table.look_up(members, sides)
    return sides


def _checked_edges(name: str, edges: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(edges, np.float64)
    if array.ndim != 1 or array.size < 2 or not bool((np.diff(array) > 0).all()):
        raise CoincidenceError(
            f"{name} have shape {array.shape}, expected two or more rising numbers"
        )
    return array


def _bins(
    edges: NDArray[np.float64], energies: NDArray[np.generic]
) -> NDArray[np.int64]:
    bins: NDArray[np.int64] = np.searchsorted(edges, energies, side="right") - 1
    bins[bins == edges.size - 1] = -1
    return bins
