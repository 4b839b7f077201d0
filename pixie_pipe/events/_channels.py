"""Channels of events: which there are, how many events each, rows that match."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events._validate import EventsError

CHANNEL_DTYPE = np.dtype(
    [("crate", "u1"), ("slot", "u1"), ("channel", "u1"), ("count", "i8")]
)

# Histograms of up to this many bins stay in the cache; identifiers that need
# more (damaged data, in practice) are counted by sorting instead.
_MOST_BINS = 1 << 20
_CHUNK_ROWS = 1 << 20

_IDENTIFIER_VALUES = 256


def count_channels(
    crate: NDArray[np.uint8], slot: NDArray[np.uint8], channel: NDArray[np.uint8]
) -> NDArray[np.void]:
    """Count the events of each channel.

    Parameters
    ----------
    crate, slot, channel
        Identifiers of each event, shape (n,).

    Returns
    -------
    ndarray
        One row per channel with the fields ``crate``, ``slot``, ``channel`` (u1)
        and ``count`` (i8), sorted by the three identifiers.
    """
    if crate.size == 0:
        return np.empty(0, dtype=CHANNEL_DTYPE)
    slots = int(slot.max()) + 1
    channels = int(channel.max()) + 1
    bins = (int(crate.max()) + 1) * slots * channels

    def keys_of(rows: slice) -> NDArray[np.uint32]:
        keys = crate[rows].astype(np.uint32)
        keys *= np.uint32(slots)
        keys += slot[rows]
        keys *= np.uint32(channels)
        keys += channel[rows]
        return keys

    if bins > _MOST_BINS:
        keys, counts = np.unique(keys_of(slice(None)), return_counts=True)
    else:
        histogram = np.zeros(bins, dtype=np.int64)
        # bincount converts its input to int64: chunks keep that copy small.
        for start in range(0, crate.size, _CHUNK_ROWS):
            chunk = keys_of(slice(start, start + _CHUNK_ROWS))
            histogram += np.bincount(chunk, minlength=bins)
        keys = np.flatnonzero(histogram).astype(np.uint32)
        counts = histogram[keys]

    table = np.empty(keys.size, dtype=CHANNEL_DTYPE)
    modules, table["channel"] = np.divmod(keys, channels)
    table["crate"], table["slot"] = np.divmod(modules, slots)
    table["count"] = counts
    return table


def matches(
    name: str, column: NDArray[np.uint8], wanted: SupportsIndex | Iterable[Any]
) -> NDArray[np.bool_]:
    """Tell for each event whether its identifier is one of those wanted.

    Parameters
    ----------
    name
        Name of the column, for error messages.
    column
        Identifiers, shape (n,).
    wanted
        One identifier or several.

    Returns
    -------
    ndarray of bool
        Shape (n,).

    Raises
    ------
    EventsError
        If a wanted identifier is not a whole number from 0 to 255.
    """
    values = wanted if isinstance(wanted, Iterable) else (wanted,)
    is_wanted = np.zeros(_IDENTIFIER_VALUES, dtype=np.bool_)
    for value in values:
        is_wanted[_identifier(name, value)] = True
    return is_wanted[column]


def _identifier(name: str, value: object) -> int:
    if isinstance(value, SupportsIndex) and not isinstance(value, (bool, np.bool_)):
        try:
            number = operator.index(value)
        except TypeError:
            number = -1
        if 0 <= number < _IDENTIFIER_VALUES:
            return number
    raise EventsError(
        f"there is no {name} {value!r}: expected a whole number from 0 to "
        f"{_IDENTIFIER_VALUES - 1}, or several"
    )
