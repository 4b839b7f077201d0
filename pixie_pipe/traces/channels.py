"""The settings of all channels, and which of them an event has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.kernels.trace_numbers import NUMBERS
from pixie_pipe.traces.settings import TraceSettings, TraceSettingsError

if TYPE_CHECKING:
    from pixie_pipe.events import Events

Channel = tuple[int, int, int]
"""(crate, slot, channel)."""

_VALUES = 256
"""Crates, slots and channels are numbers of 8 bits."""


@dataclass(frozen=True)
class ChannelSettings:
    """Settings by channel, with one for those that have none of their own.

    Attributes
    ----------
    default
        Settings of channels that are not in `channels`; None: they have none.
    channels
        Settings by (crate, slot, channel).

    Raises
    ------
    TraceSettingsError
        If a channel is no such triple.

    Examples
    --------
    >>> slow = TraceSettings(frequency_msps=100, energy_rise_us=6.0, tau_us=46.0)
    >>> settings = ChannelSettings(channels={(0, 2, 5): slow})
    >>> settings.of(0, 2, 5) is slow
    True
    >>> settings.of(0, 2, 6) is None
    True
    """

    default: TraceSettings | None = None
    channels: Mapping[Channel, TraceSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.channels:
            numbers = list(key)
            if len(numbers) != 3 or not {*numbers} <= {*range(_VALUES)}:
                raise TraceSettingsError(
                    f"there is no channel {key!r}: expected (crate, slot, channel)"
                )

    def of(self, crate: int, slot: int, channel: int) -> TraceSettings | None:
        """Return the settings of a channel, or None if it has none."""
        return self.channels.get((crate, slot, channel), self.default)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.default, dict(self.channels))

    @cached_property
    def rows(self) -> NDArray[np.void]:
        """The settings in samples, rows of `NUMBERS`."""
        found = [*self._distinct]
        rows = np.zeros(len(found), NUMBERS)
        for number, settings in enumerate(found):
            rows[number] = settings.numbers()
        return read_only(rows)

    @cached_property
    def _distinct(self) -> dict[TraceSettings, int]:
        """Settings that differ, and the row of each."""
        found = [*self.channels.values()]
        if self.default is not None:
            found.append(self.default)
        return {settings: i for i, settings in enumerate(dict.fromkeys(found))}

    @cached_property
    def _places(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Row of a module among those with settings, and rows of their channels."""
        modules = sorted({key[:2] for key in self.channels})
        default = -1 if self.default is None else self._distinct[self.default]
        by_channel = np.full((len(modules) + 1, _VALUES), default, np.int32)
        by_module = np.full(_VALUES * _VALUES, len(modules), np.int32)
        for number, (crate, slot) in enumerate(modules):
            by_module[crate * _VALUES + slot] = number
        for (crate, slot, channel), settings in self.channels.items():
            number = by_module[crate * _VALUES + slot]
            by_channel[number, channel] = self._distinct[settings]
        return by_module, by_channel

    def which(self, events: Events) -> NDArray[np.int32]:
        """Return the row of `rows` that each event has, -1 for none; shape (events,).

        Raises
        ------
        AttributeError
            If the events have no crate, slot or channel.
        """
        by_module, by_channel = self._places
        place = events.crate.astype(np.uint16) << 8 | events.slot
        return read_only(by_channel[by_module[place], events.channel])


def channel_settings(settings: TraceSettings | ChannelSettings) -> ChannelSettings:
    """Return settings by channel, if they are the same for all."""
    if isinstance(settings, TraceSettings):
        return ChannelSettings(settings)
    return settings
