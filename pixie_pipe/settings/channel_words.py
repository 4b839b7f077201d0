"""The words of a channel, and how XIA's library calculates with them: as C does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pixie_pipe.settings.variables import WORD_LIMIT

if TYPE_CHECKING:
    from pixie_pipe.settings.kinds import ModuleKind
    from pixie_pipe.settings.modules import ModuleSettings


class ChannelWords:
    """One channel of the settings of a module: its words, and its clocks."""

    def __init__(self, settings: ModuleSettings, number: int) -> None:
        self._settings = settings
        self._number = number
        self.kind: ModuleKind = settings.kind_of(number)
        self.where = f"{settings.where}, channel {number}"

    def __getitem__(self, variable: str) -> int:
        return int(self._settings.channel[variable][self._number])

    def __setitem__(self, variable: str, value: int) -> None:
        self._settings.channel[variable][self._number] = value % WORD_LIMIT

    @property
    def slow_range(self) -> int:
        """SlowFilterRange of the module."""
        return int(self._settings.module["SlowFilterRange"][0])

    @property
    def slow_step(self) -> int:
        """Clocks in a step of the energy filter."""
        return 1 << self.slow_range

    @property
    def fast_step(self) -> int:
        """Clocks in a step of the trigger filter."""
        return 1 << int(self._settings.module["FastFilterRange"][0])

    @property
    def fifo_length(self) -> int:
        """FIFOLength of the module: the longest trace, in samples."""
        return int(self._settings.module["FIFOLength"][0])


Reader: TypeAlias = Callable[[ChannelWords], float]
Writer: TypeAlias = Callable[[ChannelWords, float], None]


def to_word(value: float) -> int:
    """Cast to an unsigned word as x86-64 does: through a signed one of 64 bits."""
    if not math.isfinite(value) or abs(value) >= 2.0**63:
        return 0
    return math.trunc(value) % WORD_LIMIT


def rounded(value: float) -> float:
    """Round halves away from zero, as C does; Python rounds them to even numbers."""
    if not math.isfinite(value):
        return value
    whole = float(math.trunc(value))
    if abs(value - whole) >= 0.5:
        whole += math.copysign(1.0, value)
    return whole


def ratio(value: float, divisor: float) -> float:
    """Divide as C does: by zero, too."""
    if divisor != 0:
        return value / divisor
    return math.nan if value == 0 else math.copysign(math.inf, value)
