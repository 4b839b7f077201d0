"""What a coincidence is: windows, multiplicity, and channels that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.kernels.channel_table import ChannelRange, check_range

MOST_EVENTS: Final = 1 << 14
"""Most events of a coincidence, unless it is said otherwise: eight crates of 13 modules
with 16 channels have 1664 channels."""

MOST_REQUIRED: Final = 32
"""Most groups of channels that can be required; each takes a bit of a word."""

MOST_PS: Final = 10**15
"""Longest window or delay, 1000 s: sums of some of them stay far below 2**63."""

Channels = tuple[ChannelRange, ...]


class CoincidenceError(PixiePipeError, ValueError):
    """Coincidences that cannot be built: a definition, or events out of order."""


class Mode(StrEnum):
    """Which events belong together."""

    GAP = "gap"
    """An event joins if it is within the window of the one before it."""
    FIRST = "first"
    """An event joins if it is within the window of the first one."""
    TRIGGER = "trigger"
    """Events within a window around an event of a trigger channel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CoincidenceDefinition:
    """What a coincidence is.

    Attributes
    ----------
    mode
        Which events belong together.
    window_ps
        Two events at most this far apart are within the window. With triggers, it is
        how long after a trigger the window ends.
    before_ps
        How long before a trigger its window begins.
    trigger
        Channels whose events are triggers.
    min_multiplicity, max_multiplicity
        Fewest and most events of a coincidence; None sets no limit. Others are none.
    count_channels
        Count the channels that have events, instead of the events.
    required
        Groups of channels; an event of any of its channels stands for a group.
    require_all
        Whether all of these groups must have an event, or one of them at least.
    veto
        Channels; together with an event of one of them nothing is a coincidence.
    reference
        Channels of which the first event is the one from which times count. Without
        such an event it is the first of all; with triggers, it is the trigger.
    delays_ps
        What is added to the times of channels, for building only.
    max_events
        Events at which a coincidence is closed, whatever its window.

    Raises
    ------
    CoincidenceError, ChannelError
        If something is out of range, or does not go together.
    """

    mode: Mode = Mode.GAP
    window_ps: int = 500_000
    before_ps: int = 0
    trigger: Channels = ()
    min_multiplicity: int = 2
    max_multiplicity: int | None = None
    count_channels: bool = False
    required: tuple[Channels, ...] = ()
    require_all: bool = True
    veto: Channels = ()
    reference: Channels = ()
    delays_ps: tuple[tuple[ChannelRange, int], ...] = ()
    max_events: int = MOST_EVENTS

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_mode()
        if len(self.required) > MOST_REQUIRED:
            raise CoincidenceError(
                f"{len(self.required)} groups of channels are required, expected at "
                f"most {MOST_REQUIRED}"
            )
        groups = (self.trigger, self.veto, self.reference, *self.required)
        delayed = [channels for channels, _ in self.delays_ps]
        for channels in (*(one for group in groups for one in group), *delayed):
            check_range(channels)

    def _check_numbers(self) -> None:
        most = self.max_events
        limits: list[tuple[str, int, int, int]] = [
            ("window_ps", self.window_ps, 0, MOST_PS),
            ("before_ps", self.before_ps, 0, MOST_PS),
            ("max_events", most, 2, 1 << 20),
            ("min_multiplicity", self.min_multiplicity, 1, most),
        ]
        if self.max_multiplicity is not None:
            least = self.min_multiplicity
            limits.append(("max_multiplicity", self.max_multiplicity, least, most))
        limits += [
            (f"the delay of {channels} in ps", delay, -MOST_PS, MOST_PS)
            for channels, delay in self.delays_ps
        ]
        for name, value, least, highest in limits:
            if not least <= value <= highest:
                raise CoincidenceError(
                    f"{name} is {value}, expected a whole number from {least} to "
                    f"{highest}"
                )

    def _check_mode(self) -> None:
        if self.mode is Mode.TRIGGER:
            if not self.trigger:
                raise CoincidenceError(
                    "coincidences around triggers need trigger channels; name some, or "
                    "take another mode"
                )
            if self.reference:
                raise CoincidenceError(
                    "coincidences around triggers have their trigger as reference; "
                    "leave the reference channels out"
                )
            return
        for name, value in (("trigger", self.trigger), ("before_ps", self.before_ps)):
            if value:
                raise CoincidenceError(
                    f"{name} goes with the mode {Mode.TRIGGER.value!r}, the mode is "
                    f"{self.mode.value!r}; leave it out, or change the mode"
                )

    @property
    def needs_channels(self) -> bool:
        """Whether it matters of which channel an event is."""
        return bool(
            self.trigger
            or self.required
            or self.veto
            or self.reference
            or self.count_channels
        )
