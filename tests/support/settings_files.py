"""The old binary form of settings, and tables that were printed, for tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pixie_pipe.settings.addresses import SIXTEEN_CHANNELS

if TYPE_CHECKING:
    from pixie_pipe.settings import ModuleSettings


def words_of(module: ModuleSettings) -> bytes:
    """Return the memory of the DSP, as the old files have it."""
    words = bytearray(5120)
    for name, place in SIXTEEN_CHANNELS.items():
        values = (module.module | module.channel)[name].astype("<u4").tobytes()
        words[4 * place : 4 * place + len(values)] = values
    return bytes(words)


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of each line; two blanks or more are between them."""
    return [re.split(r"  +", line.rstrip()) for line in text.splitlines()]
