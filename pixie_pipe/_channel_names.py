"""Names of channels: ``0/2/5`` or ``c0-s02-ch05`` is channel 5 in slot 2 of crate 0."""

from __future__ import annotations

import re
from typing import Final

_SHORT: Final = re.compile(r"(\d{1,3})/(\d{1,3})(?:/(\d{1,3})(?:-(\d{1,3}))?)?")
_LONG: Final = re.compile(r"c(\d{1,3})-s(\d{1,3})(?:-ch(\d{1,3})(?:-(\d{1,3}))?)?")
_LARGEST: Final = 255


def channel_name(crate: int, slot: int, channel: int) -> str:
    """Return the name of a channel, as tables and plots have it: ``c0-s02-ch05``."""
    return f"c{crate}-s{slot:02d}-ch{channel:02d}"


def read_place(text: str) -> tuple[int, ...] | None:
    """Return the numbers in a name: two of a module, three of a channel.

    Four are crate, slot, first and last channel, as in ``0/2/0-3``. None: the text is
    no name, or has a number above 255.
    """
    text = text.strip()
    match = _SHORT.fullmatch(text) or _LONG.fullmatch(text)
    if match is None:
        return None
    numbers = tuple(int(part) for part in match.groups() if part)
    return numbers if max(numbers) <= _LARGEST else None
