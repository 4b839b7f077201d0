"""The known layouts, as data.

Twelve (frequency, revision) generations come from XIA's SDK. The Rev H ones beside
them follow third-party decoders (PKUXIADAQ uses the wide ids for every board of Rev
H, PAASS pull request 320 knows their second clock) and carry the list of what is
unsettled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixie_pipe.listmode.layout import (
    EXTERNAL_TIMESTAMP_REVISION,
    BitField,
    Layout,
)

_NONE = BitField(2, 0, 0)

_NARROW = {
    "channel": BitField(0, 0, 4),
    "slot": BitField(0, 4, 4),
    "crate": BitField(0, 8, 4),
}
_WIDE = {
    "channel": BitField(0, 0, 6),
    "slot": BitField(0, 6, 4),
    "crate": BitField(0, 10, 2),
}

# Generations of words 0 and 3, by the first firmware that has them.
_HEADER_17562 = {
    "event_length": BitField(0, 17, 13),
    "out_of_range": BitField(0, 30, 1),
    "energy": BitField(3, 0, 16),
    "trace_length": BitField(3, 16, 16),
}
_HEADER_29432 = {
    "event_length": BitField(0, 17, 14),
    "out_of_range": BitField(3, 15, 1),
    "energy": BitField(3, 0, 15),
    "trace_length": BitField(3, 16, 16),
}
_HEADER_34688 = {
    "event_length": BitField(0, 17, 14),
    "out_of_range": BitField(3, 31, 1),
    "energy": BitField(3, 0, 16),
    "trace_length": BitField(3, 16, 15),
}


def _cfd(fraction: int, source: int = 0, *, forced: bool = False) -> dict[str, Any]:
    """Pack word 2 from bit 16 up: fraction, source, forced."""
    shift = 16 + fraction
    return {
        "cfd_fraction": BitField(2, 16, fraction),
        "cfd_source": BitField(2, shift, source) if source else _NONE,
        "cfd_forced": BitField(2, shift + source, 1) if forced else _NONE,
    }


# Ticks and CFD units by frequency; the corrections are those of the SDK.
_CLOCK_100 = {"tick_ps": 10_000, "cfd_unit_ps": 10_000}
_CLOCK_125 = {"tick_ps": 8_000, "cfd_unit_ps": 8_000}
_CLOCK_250 = {"tick_ps": 8_000, "cfd_unit_ps": 4_000, "cfd_source_step": -1}
_CLOCK_500 = {
    "tick_ps": 10_000,
    "cfd_unit_ps": 2_000,
    "cfd_source_step": 1,
    "cfd_source_offset": -1,
    # The SDK does not know this value; DDASFormat and PKUXIADAQ do.
    "cfd_failed_source": 7,
}


@dataclass(frozen=True, slots=True)
class KnownLayout:
    """A layout and the firmware and hardware that have it."""

    layout: Layout
    end: int | None
    letters: tuple[str | None, ...]

    def fits(self, frequency: int, revision: int, letter: str | None) -> bool:
        """Tell whether a module of this kind uses the layout."""
        return (
            frequency == self.layout.frequency
            and self.layout.revision <= revision
            and (self.end is None or revision < self.end)
            and letter in self.letters
        )

    def describe(self) -> str:
        """Return a line of the list of known layouts."""
        end = "and later" if self.end is None else f"to {self.end - 1}"
        boards = [f"Rev {'/'.join(filter(None, self.letters))}"]
        if None in self.letters:
            boards.append("not given")
        board = " or ".join(boards if any(self.letters) else boards[1:])
        return (
            f"{self.layout.name:<12} {self.layout.frequency:>3} MSPS, "
            f"revision {self.layout.revision} {end}, hardware {board}"
        )


_EARLIER = ("B", "C", "D", "F")
_ANY_EARLIER = (None, *_EARLIER)


def _known(
    frequency: int,
    first: int,
    end: int | None,
    *parts: dict[str, Any],
    letters: tuple[str | None, ...] = _ANY_EARLIER,
    suffix: str = "",
    unsettled: tuple[str, ...] = (),
) -> KnownLayout:
    fields: dict[str, Any] = {}
    for part in parts:
        fields |= part
    layout = Layout(
        name=f"{frequency}-{first}{suffix}",
        frequency=frequency,
        revision=first,
        hardware="H" if "H" in letters else "",
        external_timestamps=first >= EXTERNAL_TIMESTAMP_REVISION,
        unsettled=unsettled,
        **fields,
    )
    return KnownLayout(layout, end, letters)


_IDS = ("channel", "slot", "crate")
_CFD = ("cfd_fraction", "cfd_source", "cfd_forced")
_H = ("H",)

_NEWEST_250 = (_HEADER_34688, _cfd(14, 1, forced=True), _CLOCK_250)

KNOWN: tuple[KnownLayout, ...] = (
    _known(100, 17562, 29432, _NARROW, _HEADER_17562, _cfd(16), _CLOCK_100),
    _known(100, 29432, 30474, _NARROW, _HEADER_29432, _cfd(16), _CLOCK_100),
    _known(
        100, 30474, 34688, _NARROW, _HEADER_29432, _cfd(15, forced=True), _CLOCK_100
    ),
    _known(100, 34688, None, _NARROW, _HEADER_34688, _cfd(15, forced=True), _CLOCK_100),
    _known(250, 20466, 27361, _NARROW, _HEADER_17562, _cfd(16), _CLOCK_250),
    _known(250, 27361, 29432, _NARROW, _HEADER_17562, _cfd(15, 1), _CLOCK_250),
    _known(250, 29432, 30474, _NARROW, _HEADER_29432, _cfd(15, 1), _CLOCK_250),
    _known(
        250, 30474, 34688, _NARROW, _HEADER_29432, _cfd(14, 1, forced=True), _CLOCK_250
    ),
    _known(250, 34688, 46540, _NARROW, *_NEWEST_250, letters=(None,)),
    _known(250, 34688, None, _NARROW, *_NEWEST_250, letters=_EARLIER),
    _known(250, 46540, None, _WIDE, *_NEWEST_250, letters=(None, "H")),
    _known(500, 29432, 34688, _NARROW, _HEADER_29432, _cfd(13, 3), _CLOCK_500),
    _known(500, 34688, None, _NARROW, _HEADER_34688, _cfd(13, 3), _CLOCK_500),
    # Beside the SDK: boards of Rev H that it reads wrongly or not at all.
    _known(
        100,
        34688,
        None,
        _WIDE,
        _HEADER_34688,
        _cfd(15, forced=True),
        _CLOCK_100,
        letters=_H,
        suffix="-H",
        unsettled=(*_IDS, "tick_ps"),
    ),
    _known(
        125,
        34688,
        None,
        _WIDE,
        _HEADER_34688,
        _cfd(15, forced=True),
        _CLOCK_125,
        letters=(None, "H"),
        suffix="-H",
        unsettled=(*_IDS, *_CFD, "tick_ps", "cfd_unit_ps"),
    ),
    _known(
        500,
        34688,
        None,
        _WIDE,
        _HEADER_34688,
        _cfd(13, 3),
        _CLOCK_500,
        letters=_H,
        suffix="-H",
        unsettled=(*_IDS, "tick_ps"),
    ),
)
