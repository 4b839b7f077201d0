"""Channels as people write them: ``0/2/5``."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from pixie_pipe._channel_names import read_place
from pixie_pipe.kernels.channel_table import ChannelError, ChannelRange, check_range

ChannelChoice: TypeAlias = "str | tuple[int, ...] | Iterable[str | tuple[int, ...]]"
"""One channel or several: ``"0/2/5"`` or ``(0, 2, 5)``, ``"0/2/0-3"``, and ``"0/2"`` or
``(0, 2)`` for all channels of a module."""

_LAST_CHANNEL: Final = 255
_EXPECTED: Final = (
    "expected crate/slot/channel such as '0/2/5' (or 'c0-s02-ch05'), '0/2/0-3' for "
    "several channels, or '0/2' for all of a module, with numbers up to 255"
)


def choose_channels(choice: ChannelChoice) -> tuple[ChannelRange, ...]:
    """Return the channels that are meant.

    Parameters
    ----------
    choice
        One channel or several.

    Returns
    -------
    tuple of ChannelRange
        In the order in which they were given.

    Raises
    ------
    ChannelError
        If something is no channel.
    """
    if isinstance(choice, str):
        return (_channels(choice),)
    if not isinstance(choice, Iterable):
        raise ChannelError(f"channels {choice!r}: {_EXPECTED}")
    items: list[Any] = list(choice)
    # A tuple of numbers is one channel.
    if items and not any(isinstance(item, (str, tuple)) for item in items):
        items = [tuple(items)]
    return tuple(_channels(item) for item in items)


def _channels(choice: object) -> ChannelRange:
    if isinstance(choice, str):
        found = read_place(choice)
        if found is None:
            raise ChannelError(f"channel {choice!r}: {_EXPECTED}")
        numbers = list(found)
    else:
        numbers = _whole_numbers(choice)
    if len(numbers) == 2:
        numbers += [0, _LAST_CHANNEL]
    if len(numbers) == 3:
        numbers.append(numbers[-1])
    if len(numbers) != 4:
        raise ChannelError(f"channel {choice!r}: {_EXPECTED}")
    return check_range(ChannelRange(*numbers))


def _whole_numbers(choice: object) -> list[int]:
    if not isinstance(choice, tuple):
        return []
    try:
        return [operator.index(number) for number in choice]
    except TypeError:
        return []
