"""Values that belong to channels, looked up for each event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Events, EventsError

_MODULES = 1 << 16
_CHANNELS = 256

KEY_BITS = 24
"""Crate, slot and channel of an event, eight bits each, tell channels apart."""


class ChannelError(PixiePipeError, ValueError):
    """A channel that cannot be."""


class ChannelRange(NamedTuple):
    """Channels of one module, one behind the other.

    Attributes
    ----------
    crate, slot
        The module.
    first, last
        Its first and its last channel that are meant, both included.
    """

    crate: int
    slot: int
    first: int
    last: int

    def __str__(self) -> str:
        module = f"{self.crate}/{self.slot}"
        if (self.first, self.last) == (0, _CHANNELS - 1):
            return module
        if self.first == self.last:
            return f"{module}/{self.first}"
        return f"{module}/{self.first}-{self.last}"


def check_range(channels: ChannelRange) -> ChannelRange:
    """Return channels if there can be such.

    Raises
    ------
    ChannelError
        If a number is not from 0 to 255, or the last channel is before the first.
    """
    if not all(0 <= number < _CHANNELS for number in channels):
        raise ChannelError(
            f"channels {channels}: expected numbers from 0 to {_CHANNELS - 1}"
        )
    if channels.last < channels.first:
        raise ChannelError(f"channels {channels}: the last one is before the first one")
    return channels


class ChannelTable:
    """A number for each channel; 0 for those that none was given.

    Parameters
    ----------
    dtype
        ``np.uint64`` or ``np.int64``.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        # Row of each module in the values, 0 for all modules without any.
        self.module_rows = np.zeros(_MODULES, np.int32)
        self.values: NDArray[Any] = np.zeros((1, _CHANNELS), dtype)

    def row(self, crate: int, slot: int) -> NDArray[Any]:
        """Return the numbers of the channels of a module, to be changed."""
        module = crate << 8 | slot
        if not self.module_rows[module]:
            self.module_rows[module] = len(self.values)
            more = np.zeros((1, _CHANNELS), self.values.dtype)
            self.values = np.concatenate([self.values, more])
        row: NDArray[Any] = self.values[self.module_rows[module]]
        return row

    def mark(self, channels: Iterable[ChannelRange], bit: int) -> None:
        """Set a bit of the numbers of channels."""
        for crate, slot, first, last in channels:
            self.row(crate, slot)[first : last + 1] |= self.values.dtype.type(bit)

    def look_up(self, events: Events, out: NDArray[Any]) -> None:
        """Add to `out`, shape (events,), the number of each event's channel.

        Raises
        ------
        EventsError
            If the events have no column ``crate``, ``slot`` or ``channel``.
        """
        crate, slot, channel = _channels_of(events)
        _look_up(crate, slot, channel, self.module_rows, self.values, out)


def channel_keys(events: Events, out: NDArray[np.uint64]) -> None:
    """Write to `out`, shape (events,), crate, slot and channel as one number."""
    crate, slot, channel = _channels_of(events)
    _keys(crate, slot, channel, out)


def _channels_of(events: Events) -> list[NDArray[np.uint8]]:
    missing = [
        name for name in ("crate", "slot", "channel") if name not in events.columns
    ]
    if missing:
        raise EventsError(
            f"events without {', '.join(missing)} are of no channel; columns: "
            f"{', '.join(events.columns) or 'none'}"
        )
    return [read_only(one) for one in (events.crate, events.slot, events.channel)]


@jit
def _look_up(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    module_rows: NDArray[np.int32],
    values: NDArray[Any],
    out: NDArray[Any],
) -> None:
    for i in range(out.size):
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        out[i] += values[module_rows[module], channel[i]]


@jit
def _keys(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    out: NDArray[np.uint64],
) -> None:
    for i in range(out.size):
        out[i] = (
            np.uint64(crate[i]) << np.uint64(16)
            | np.uint64(slot[i]) << np.uint64(8)
            | np.uint64(channel[i])
        )
