"""Names of channels: ``c0-s02-ch03`` is channel 3 in slot 2 of crate 0.

``0/2/3`` is the same, shorter to write.
"""

from __future__ import annotations

from pixie_pipe._channel_names import channel_name, read_place
from pixie_pipe.spectra.errors import SpectraError

__all__ = ["channel_name", "full_name", "parse_channel", "parse_channels"]


def full_name(name: str) -> str:
    """Return ``c0-s02-ch03`` for ``0/2/3``, and ``c0-s02`` for ``0/2``.

    Raises
    ------
    SpectraError
        If it is neither a channel nor a module.
    """
    crate, slot, *channel = parse_channels(name)
    return channel_name(crate, slot, channel[0]) if channel else f"c{crate}-s{slot:02d}"


def parse_channel(name: str) -> tuple[int, int, int]:
    """Return crate, slot and channel of a name.

    Raises
    ------
    SpectraError
        If it is not the name of a channel.
    """
    numbers = parse_channels(name)
    if len(numbers) != 3:
        raise SpectraError(
            f"{name!r} names a module, expected a channel, as in {name}-ch00"
        )
    return numbers


def parse_channels(name: str) -> tuple[int, int, int] | tuple[int, int]:
    """Return crate, slot and channel, or crate and slot of the name of a module.

    Raises
    ------
    SpectraError
        If it is neither, or a number is beyond 255.
    """
    numbers = read_place(name)
    if numbers is None or len(numbers) > 3:
        raise SpectraError(
            f"{name!r} is no channel, expected a name such as c0-s02-ch03 (crate 0, "
            f"slot 2, channel 3), or c0-s02 for all channels of a module"
        )
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    return numbers[0], numbers[1], numbers[2]
