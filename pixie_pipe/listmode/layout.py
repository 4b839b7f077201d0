"""Layouts: where each field of an event sits, and what the clock counts.

A layout belongs to one generation of firmware at one sampling frequency. The
data do not tell it; it comes from the user's configuration as (frequency,
revision[, hardware revision]) and is kept with every file.

Source of the bit positions: the decoder of XIA's PixieSDK 5.3
(``sdk/src/pixie/data/list_mode.cpp``). What that source leaves open is named in
`Layout.unsettled` and can be changed with `Layout.override`.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from pixie_pipe.listmode.errors import LayoutError

EXTERNAL_TIMESTAMP_REVISION = 30980
"""First firmware that writes external timestamps (PixieSDK)."""

HARDWARE_LETTERS: Mapping[str, int] = {"B": 11, "C": 12, "D": 13, "F": 15, "H": 17}
"""Hardware revisions by letter, and the number that modules report for them."""


class BitField(NamedTuple):
    """A run of bits in one word of an event's header.

    Attributes
    ----------
    word
        Index of the word in the event, 0 to 3.
    shift
        Lowest bit.
    width
        Number of bits; 0 where the layout has no such field.
    """

    word: int
    shift: int
    width: int

    @property
    def mask(self) -> int:
        """Largest value of the field, before shifting."""
        return (1 << self.width) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Bit positions and clock of one firmware generation.

    Find one with `Layout.find` or `Layout.named`; change single fields with
    `override`.

    Attributes
    ----------
    name
        ``frequency-revision``, with ``-H`` for wide ids where the SDK has none.
    frequency
        Sampling frequency of the ADC in MSPS.
    revision
        Firmware revision (the number of the DSP code).
    hardware
        Hardware revision letter, empty where it does not matter.
    channel, slot, crate
        The ids in word 0.
    event_length
        Length of the event in words, header and trace together.
    out_of_range, energy, trace_length
        Fields of word 3 (early firmware keeps ``out_of_range`` in word 0).
        ``trace_length`` counts samples.
    cfd_fraction, cfd_source, cfd_forced
        Fields of word 2; a width of 0 means that the firmware has none.
    cfd_failed_source
        Value of ``cfd_source`` that means a forced or failed CFD, or None.
    tick_ps
        Length of one tick of the timestamp in picoseconds.
    cfd_unit_ps
        Picoseconds for a CFD fraction of one.
    cfd_source_step, cfd_source_offset
        The CFD correction is ``(fraction / 2**width + cfd_source_step * source +
        cfd_source_offset) * cfd_unit_ps``.
    external_timestamps
        Whether headers with an external timestamp are legal.
    slots
        Lowest and highest legal slot.
    unsettled
        Names of the fields that no source settles for this hardware.
    """

    name: str
    frequency: int
    revision: int
    hardware: str = ""
    channel: BitField
    slot: BitField
    crate: BitField
    event_length: BitField
    out_of_range: BitField
    energy: BitField
    trace_length: BitField
    cfd_fraction: BitField
    cfd_source: BitField
    cfd_forced: BitField
    cfd_failed_source: int | None = None
    tick_ps: int
    cfd_unit_ps: int
    cfd_source_step: int = 0
    cfd_source_offset: int = 0
    external_timestamps: bool = True
    slots: tuple[int, int] = (2, 14)
    unsettled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse fields that the decoder could not read.

        Raises
        ------
        LayoutError
            If a field leaves its word, is wider than its column, or the clock is
            out of range.
        """
        for name, (widest, word) in _FIELD_LIMITS.items():
            field: BitField = getattr(self, name)
            narrowest = 0 if name in _OPTIONAL_FIELDS else 1
            if not narrowest <= field.width <= widest:
                self._refuse(name, field, f"a width of {narrowest} to {widest} bits")
            lowest = 16 if name in _CFD_FIELDS and field.width else 0
            if field.shift < lowest or field.shift + max(field.width, 1) > 32:
                self._refuse(name, field, f"bits {lowest} to 31 of a word")
            if field.word not in word:
                self._refuse(name, field, f"a field of word {word}")
        failed, source = self.cfd_failed_source, self.cfd_source
        if failed is not None and not (source.width and 0 <= failed <= source.mask):
            self._refuse("cfd_failed_source", failed, "a value of cfd_source")
        for name, (least, most) in _NUMBER_LIMITS.items():
            value = getattr(self, name)
            if not (isinstance(value, int) and least <= value <= most):
                self._refuse(name, value, f"a whole number from {least} to {most}")
        slots: tuple[int, ...] = self.slots
        if len(slots) != 2 or not 0 <= slots[0] <= slots[1] <= 15:
            self._refuse("slots", slots, "the lowest and the highest, from 0 to 15")

    def _refuse(self, name: str, value: object, expected: str) -> None:
        raise LayoutError(
            f"layout {self.name}: {name} is {value!r}, expected {expected}"
        )

    @classmethod
    def find(
        cls, frequency: int, revision: int, hardware: str | int | None = None
    ) -> Layout:
        """Return the layout of a module.

        Parameters
        ----------
        frequency
            Sampling frequency in MSPS: 100, 125, 250 or 500.
        revision
            Firmware revision, the number of the DSP code
            (``Pixie16DSP_..._r34688.ldr`` has 34688). Releases for Rev H have
            no such number; use 46540 for them.
        hardware
            Hardware revision, a letter (``"F"``) or the number that the module
            reports (15). Without it, the firmware decides as in XIA's SDK; Rev H
            modules at 100 and 500 MSPS need it, and so do Rev F modules at 250
            MSPS with firmware from 46540 on.

        Raises
        ------
        LayoutError
            If no layout fits; the text lists the known ones.
        """
        # Imported here: the table is made of Layout objects.
        from pixie_pipe.listmode.layouts import KNOWN

        letter = _hardware_letter(hardware)
        for entry in KNOWN:
            if entry.fits(frequency, revision, letter):
                return dataclasses.replace(
                    entry.layout,
                    revision=revision,
                    hardware=letter or entry.layout.hardware,
                    external_timestamps=revision >= EXTERNAL_TIMESTAMP_REVISION,
                )
        board = f", hardware revision {letter}" if letter else ""
        raise LayoutError(
            f"no layout for {frequency} MSPS, firmware revision {revision}{board}; "
            f"known layouts:\n{_table(entry.describe() for entry in KNOWN)}"
        )

    @classmethod
    def named(cls, name: str) -> Layout:
        """Return the layout called `name`, for the first firmware that has it.

        Raises
        ------
        LayoutError
            If there is no such layout; the text names the nearest ones.
        """
        from pixie_pipe.listmode.layouts import KNOWN

        for entry in KNOWN:
            if entry.layout.name == name:
                return entry.layout
        names = list(dict.fromkeys(entry.layout.name for entry in KNOWN))
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise LayoutError(f"no layout {name!r}{hint}; known: {', '.join(names)}")

    @classmethod
    def known(cls) -> tuple[Layout, ...]:
        """Return all known layouts, each for the first firmware that has it."""
        from pixie_pipe.listmode.layouts import KNOWN

        return tuple({entry.layout.name: entry.layout for entry in KNOWN}.values())

    def override(self, **fields: Any) -> Self:
        """Return a copy with single fields changed.

        Examples
        --------
        The 12-bit 500 MSPS board of Rev H probably counts 8 ns:

        >>> Layout.find(500, 46540, "H").override(tick_ps=8000).tick_ps
        8000

        Raises
        ------
        LayoutError
            If there is no such field or its value cannot be.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name, value in fields.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise LayoutError(
                    f"a layout has no field {name!r}; {hint}Known: {', '.join(known)}"
                )
            if name in _FIELD_LIMITS:
                fields[name] = _bit_field(name, value)
            elif name == "slots":
                fields[name] = tuple(value)
        settled = tuple(name for name in self.unsettled if name not in fields)
        return dataclasses.replace(self, **{"unsettled": settled, **fields})

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as plain numbers, lists and texts, for files."""
        values = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Layout:
        """Make the layout that `to_dict` described.

        Raises
        ------
        LayoutError
            If a field is unknown, missing or out of range.
        """
        fields = dict(values)
        for name in _FIELD_LIMITS.keys() & fields.keys():
            fields[name] = _bit_field(name, fields[name])
        for name in ("slots", "unsettled"):
            if name in fields:
                fields[name] = tuple(fields[name])
        try:
            return cls(**fields)
        except TypeError as error:
            raise LayoutError(f"not the description of a layout: {error}") from error

    def __str__(self) -> str:
        """Return one line for people."""
        board = f" Rev {self.hardware}" if self.hardware else ""
        text = f"{self.frequency} MSPS{board}, firmware {self.revision} ({self.name})"
        if self.unsettled:
            text += f"; unsettled: {', '.join(self.unsettled)}"
        return text


# Widest value that the column or the kernel takes, and the words it may be in.
_FIELD_LIMITS: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "channel": (8, (0,)),
    "slot": (4, (0,)),
    "crate": (4, (0,)),
    "event_length": (14, (0,)),
    "out_of_range": (1, (0, 3)),
    "energy": (16, (3,)),
    "trace_length": (16, (3,)),
    "cfd_fraction": (16, (2,)),
    "cfd_source": (3, (2,)),
    "cfd_forced": (1, (2,)),
}


_CFD_FIELDS = ("cfd_fraction", "cfd_source", "cfd_forced")

# Fields that a firmware may lack: their width is then 0.
_OPTIONAL_FIELDS = ("crate", "cfd_source", "cfd_forced")

_NUMBER_LIMITS: Mapping[str, tuple[int, int]] = {
    # 2**48 ticks must fit into 63 bits of picoseconds.
    "tick_ps": (1, (1 << 15) - 1),
    "cfd_unit_ps": (1, (1 << 16) - 1),
    # So that a correction fits into 32 bits.
    "cfd_source_step": (-16, 16),
    "cfd_source_offset": (-16, 16),
}


def _bit_field(name: str, value: Iterable[int]) -> BitField:
    try:
        return BitField(*(int(number) for number in value))
    except (TypeError, ValueError) as error:
        raise LayoutError(
            f"layout field {name!r} is {value!r}, expected (word, shift, width)"
        ) from error


def _hardware_letter(hardware: str | int | None) -> str | None:
    if hardware is None:
        return None
    if isinstance(hardware, str) and hardware.isdecimal():
        hardware = int(hardware)
    if isinstance(hardware, int):
        reached = [
            letter for letter, number in HARDWARE_LETTERS.items() if number <= hardware
        ]
        if reached:
            return reached[-1]
    elif hardware.upper() in HARDWARE_LETTERS:
        return hardware.upper()
    known = ", ".join(f"{letter} ({n})" for letter, n in HARDWARE_LETTERS.items())
    raise LayoutError(f"unknown hardware revision {hardware!r}; known: {known}")


def _table(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
