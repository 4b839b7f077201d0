"""Which bins of histograms events add to, and adding them.

A histogram is an array of whole numbers with bins for what is below and above its
range, laid out as boost-histogram lays out its storage. One kernel finds the places of
the bins, another one adds: the places are all that is needed to take it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit

Channel: TypeAlias = tuple[int, int, int]
"""Crate, slot and channel."""

MOST_COUNTS = 1 << 32
"""Places have 32 bits: they are most of what is written for each event."""

_MODULES = 1 << 16
_CHANNELS = 256
_UNWANTED = -1
_NO_BIN = -(1 << 30)

MOST_QUICK_PLACES = 1 << 30
"""Bins, and limits of the range, up to which `place_all` can be used."""


class ChannelRows:
    """Numbers channels in the order in which their first events come.

    Parameters
    ----------
    wanted
        Tells whether a channel gets a number; by default all do.

    Attributes
    ----------
    channels
        The channels that have a row, by its number.
    """

    def __init__(self, wanted: Iterable[tuple[int, ...]] | None = None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self.channels: list[Channel] = []
        # Row of each module in `rows`, by ``crate << 8 | slot``; 0 if it has sent
        # nothing. In `rows`, the row of each channel plus one; 0 if it is not known.
        self.module_rows = np.zeros(_MODULES, np.int32)
        self.rows = np.zeros((1, _CHANNELS), np.int32)

    def add(self, channel: Channel) -> bool:
        """Take up a channel; tell whether it has a row."""
        module = channel[0] << 8 | channel[1]
        if not self.module_rows[module]:
            self.module_rows[module] = len(self.rows)
            self.rows = np.concatenate([self.rows, np.zeros((1, _CHANNELS), np.int32)])
        rows = self.rows[self.module_rows[module]]
        if not rows[channel[2]]:
            if self._is_wanted(channel):
                self.channels.append(channel)
                rows[channel[2]] = len(self.channels)
            else:
                rows[channel[2]] = _UNWANTED
        return int(rows[channel[2]]) > 0

    def _is_wanted(self, channel: Channel) -> bool:
        wanted = self._wanted
        # A crate and a slot stand for all channels of a module.
        return wanted is None or channel in wanted or channel[:2] in wanted


@jit
def place_in_rows(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    values: NDArray[Any],
    gate: NDArray[np.bool_],
    start: int,
    module_rows: NDArray[np.int32],
    rows: NDArray[np.int32],
    low: float,
    span: float,
    bins: int,
    shift: int,
    places: NDArray[np.uint32],
    filled: int,
) -> tuple[int, int]:
    """Find the bin of each event in the row of its channel, from an event on.

    Parameters
    ----------
    crate, slot, channel, values
        Columns, shape (events,). `values` are u2, or f8.
    gate
        Which events are meant, shape (events,); empty: all.
    start
        The first event.
    module_rows, rows
        Of a `ChannelRows`.
    low, span, bins
        The axis: `bins` bins from `low` to `low` + `span`.
    shift
        Bins are ``2**shift`` wide: whole numbers are shifted. -1: they are not.
    places, filled
        Where the places are put, and how many are there already. A row has `bins` + 2
        of them, first that for values below the range, last that for values above it
        and for NaN.

    Returns
    -------
    tuple
        The first event that was not looked at, of a channel that is new, or the number
        of events; and how many places there are now.
    """
    width = bins + 2
    first = np.int64(low)
    for i in range(start, crate.size):
        if gate.size and not gate[i]:
            continue
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        row = np.int64(rows[module_rows[module], channel[i]])
        if row <= 0:
            if row == 0:
                return i, filled
            continue
        if shift >= 0:
            k = (np.int64(values[i]) - first) >> shift
            k = min(max(k, np.int64(-1)), np.int64(bins))
        else:
            k = _bin(np.float64(values[i]), low, span, bins)
        places[filled] = (row - 1) * width + k + 1
        filled += 1
    return crate.size, filled


def first_bins(rows: NDArray[np.int32], bins: int) -> NDArray[np.int32]:
    """Return the place of the first bin of each channel, for `place_all`.

    Parameters
    ----------
    rows
        Of a `ChannelRows`, which has at most ``2**30 / (bins + 2)`` channels.
    bins
        Bins of a channel, without those below and above the range.

    Returns
    -------
    ndarray
        Of the shape of `rows`; negative for channels without a row.
    """
    width = np.int32(bins + 2)
    return np.where(rows > 0, (rows - 1) * width + 1, _NO_BIN).astype(np.int32)


@jit
def place_all(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    values: NDArray[np.uint16],
    module_rows: NDArray[np.int32],
    first_of: NDArray[np.int32],
    low: np.int32,
    bins: np.int32,
    shift: np.int32,
    places: NDArray[np.uint32],
) -> bool:
    """Find the bin of each event where all channels have rows.

    Without a branch for each event this takes half the time of `place_in_rows`, and a
    quarter if all events are of one module.

    Parameters
    ----------
    crate, slot, channel, values, module_rows, low, bins, shift, places
        As for `place_in_rows`; values are whole numbers, and shifted.
    first_of
        As `first_bins` returned it.

    Returns
    -------
    bool
        Whether all have. If not, `places` are of no use.
    """
    if crate.size == 0:
        return True
    # Negative as soon as one of them is.
    signs = np.int32(0)
    others = np.uint8(0)
    for i in range(crate.size):
        others |= (crate[i] ^ crate[0]) | (slot[i] ^ slot[0])
    if others == 0:
        module = np.int64(crate[0]) << 8 | np.int64(slot[0])
        of_channel = first_of[module_rows[module]]
        for i in range(crate.size):
            # Without a sign: numba would look whether it is counted from the end.
            first = of_channel[np.uintp(channel[i])]
            signs |= first
            k = (np.int32(values[i]) - low) >> shift
            places[i] = np.uint32(first + min(max(k, np.int32(-1)), bins))
        return bool(signs >= 0)
    for i in range(crate.size):
        number = np.uintp(crate[i]) << np.uintp(8) | np.uintp(slot[i])
        first = first_of[np.uintp(module_rows[number]), np.uintp(channel[i])]
        signs |= first
        k = (np.int32(values[i]) - low) >> shift
        places[i] = np.uint32(first + min(max(k, np.int32(-1)), bins))
    return bool(signs >= 0)


@jit
def _bin(value: float, low: float, span: float, bins: int) -> int:
    """Return the bin of a value as boost-histogram does, to the last digit."""
    z = (value - low) / span
    if z < 1.0:
        if z >= 0.0:
            return int(z * bins)
        return -1
    return bins


@jit
def bins_of(
    values: NDArray[np.float64],
    low: float,
    span: float,
    bins: int,
    found: NDArray[np.uint32],
) -> None:
    """Find bins on one axis: 0 is below the range, ``bins + 1`` above it, or NaN."""
    for i in range(values.size):
        found[i] = _bin(values[i], low, span, bins) + 1


@jit
def add_counts(counts: NDArray[np.int64], places: NDArray[np.uint32]) -> None:
    """Add one to each of these places, shape (n,), of a flat array, in their order."""
    for i in range(places.size):
        counts[places[i]] += 1


@jit
def remove_counts(counts: NDArray[np.int64], places: NDArray[np.uint32]) -> None:
    """Take back what `add_counts` added at these places, the last one first."""
    for i in range(places.size - 1, -1, -1):
        counts[places[i]] -= 1


@jit
def times_of_channels(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    time_ps: NDArray[np.int64],
    gate: NDArray[np.bool_],
    wanted: NDArray[np.uint8],
    state: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> tuple[int, int]:
    """Find the times of the events of two channels.

    Parameters
    ----------
    crate, slot, channel, time_ps, gate
        Columns, and which events are meant, as for `place_in_rows`.
    wanted
        Crate, slot and channel of both, shape (2, 3).
    state
        The latest time of any event so far, and how many events were left out because
        they came behind a later one; shape (2,).
    first, second
        Where their times are put, each shape (events,).

    Returns
    -------
    tuple
        How many times there are of each.
    """
    in_first = in_second = 0
    latest = state[0]
    for i in range(channel.size):
        is_late = time_ps[i] < latest
        if not is_late:
            latest = time_ps[i]
        if gate.size and not gate[i]:
            continue
        for k in range(2):
            if (
                channel[i] == wanted[k, 2]
                and slot[i] == wanted[k, 1]
                and crate[i] == wanted[k, 0]
            ):
                if is_late:
                    state[1] += 1
                elif k == 0:
                    first[in_first] = time_ps[i]
                    in_first += 1
                else:
                    second[in_second] = time_ps[i]
                    in_second += 1
    state[0] = latest
    return in_first, in_second


@jit
def place_pairs(
    numbers: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    height: int,
    members: NDArray[np.int64],
    state: NDArray[np.int64],
    start: int,
    places: NDArray[np.uint32],
    filled: int,
) -> tuple[int, int]:
    """Find the bins of all pairs of different events of the same coincidence.

    The events come coincidence after coincidence; of one that is not complete, what is
    needed stays in `members` and `state` for the next call.

    Parameters
    ----------
    numbers
        Number of the coincidence of each event, shape (events,); 0: of none.
    x, y
        Bin of each event on the two axes; -1: it is not on this axis.
    height
        Number of bins on the axis `y`: the place of a pair is ``x * height + y``.
    members
        Bins of the events of the last coincidence, shape (most, 2).
    state
        Its number, how many `members` it has, and how many events were left out: of
        earlier coincidences, or beyond the most; shape (3,).
    start
        The first event.
    places, filled
        Where the places are put, and how many are there already. There must be room
        for two of each member.

    Returns
    -------
    tuple
        The first event that there was no room for, or their number; and how many
        places there are now.
    """
    for i in range(start, numbers.size):
        number = numbers[i]
        if number <= 0 or (x[i] < 0 and y[i] < 0):
            continue
        if number < state[0]:
            state[2] += 1
            continue
        if number > state[0]:
            state[0] = number
            state[1] = 0
        count = state[1]
        if count == members.shape[0]:
            state[2] += 1
            continue
        if filled + 2 * count > places.size:
            return i, filled
        for k in range(count):
            if members[k, 0] >= 0 and y[i] >= 0:
                places[filled] = members[k, 0] * height + y[i]
                filled += 1
            if x[i] >= 0 and members[k, 1] >= 0:
                places[filled] = x[i] * height + members[k, 1]
                filled += 1
        members[count, 0] = x[i]
        members[count, 1] = y[i]
        state[1] = count + 1
    return numbers.size, filled
