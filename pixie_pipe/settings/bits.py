"""Names for the bits of XIA's registers: switches, choices, channels and numbers.

A named field is a part of one register. The names are those that pypixie16 made
common; the meaning of the bits is that of XIA's manual and PixieSDK 5.3.0.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np

from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.text_tables import number_ranges, value_text
from pixie_pipe.settings.variables import WORD_LIMIT

FieldValue: TypeAlias = bool | str | float | int | tuple[int, ...]
"""What a field can be: on or off, a choice, a number, or channel numbers."""

_COINCIDENCE_CHANNELS: Final = 16


@dataclasses.dataclass(frozen=True)
class BitField:
    """Some bits of a register, and what they mean.

    Attributes
    ----------
    name
        Its name.
    register
        XIA's name of the register.
    bits
        The bits, lowest first.
    meaning
        What it does, in a sentence.
    choices
        What may be chosen, with the number that stands for each; empty if it is a
        number or a list of channels.
    channels
        Whether each bit stands for a channel.
    """

    name: str
    register: str
    bits: tuple[int, ...]
    meaning: str
    choices: Mapping[FieldValue, int] = dataclasses.field(default_factory=dict)
    channels: bool = False

    @property
    def mask(self) -> int:
        """The bits of the field in the register."""
        return sum(1 << bit for bit in self.bits)

    @property
    def expected(self) -> str:
        """What values it takes, in words."""
        if self.choices:
            return " or ".join(repr(choice) for choice in self.choices)
        if self.channels:
            return f"a list of channels from 0 to {len(self.bits) - 1}"
        return f"a whole number from 0 to {(1 << len(self.bits)) - 1}"

    def get(self, register: int) -> FieldValue:
        """Return the value of the field in a register.

        Examples
        --------
        >>> FIELDS["Polarity"].get(0x24)
        'positive'
        """
        return self.value_of(
            sum((register >> bit & 1) << n for n, bit in enumerate(self.bits))
        )

    def value_of(self, number: int) -> FieldValue:
        """Return what a number in the bits of the field means.

        Examples
        --------
        >>> FIELDS["RejectPileup"].value_of(1)
        'single'
        """
        if self.choices:
            return next(c for c, code in self.choices.items() if code == number)
        if self.channels:
            return tuple(n for n in range(len(self.bits)) if number >> n & 1)
        return number

    def put(self, register: int, value: object) -> int:
        """Return the register with the field set to a value.

        Raises
        ------
        SettingsError
            If the field cannot have the value; the text tells what it can have.

        Examples
        --------
        >>> hex(FIELDS["RejectPileup"].put(0x4, "single"))
        '0x8004'
        """
        number = self.number_of(value)
        for place, bit in enumerate(self.bits):
            register = register & ~(1 << bit) | (number >> place & 1) << bit
        return register

    def number_of(self, value: object) -> int:
        """Return the number that stands for a value in the bits of the field.

        Raises
        ------
        SettingsError
            If the field cannot have the value; the text tells what it can have.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if self.choices:
            # What cannot be hashed is no choice either.
            if isinstance(value, (bool, str, int, float)) and value in self.choices:
                return self.choices[value]
        elif self.channels:
            numbers = _whole_numbers(value)
            if numbers is not None and all(0 <= n < len(self.bits) for n in numbers):
                return sum(1 << number for number in set(numbers))
        elif not isinstance(value, bool):
            numbers = _whole_numbers([value])
            if numbers is not None and 0 <= numbers[0] < 1 << len(self.bits):
                return numbers[0]
        raise SettingsError(f"{self.name} is {value!r}: expected {self.expected}")

    def word(self, value: FieldValue) -> str:
        """Return a value in a word, as `parse` takes it.

        Examples
        --------
        >>> FIELDS["EnableCFD"].word(True)
        'on'
        """
        if self.choices is _ON_OFF:
            return "on" if value else "off"
        return value_text(value)

    def parse(self, text: str) -> FieldValue:
        """Return the value that a word stands for: a choice, a number, on or off.

        Raises
        ------
        SettingsError
            If there is no such value, or the field is a list of channels.

        Examples
        --------
        >>> FIELDS["EnableCFD"].parse("1"), FIELDS["Gain"].parse("2.5")
        (True, 2.5)
        """
        word = text.strip().lower()
        if self.channels:
            raise SettingsError(
                f"{self.name} is {self.expected}, which a word cannot be"
            )
        if not self.choices:
            return self.value_of(
                self.number_of(int(word) if word.isdecimal() else text)
            )
        for value in self.choices:
            if word in {self.word(value), *_WORDS.get(value, ())}:
                return value
        known = " or ".join(self.word(value) for value in self.choices)
        raise SettingsError(f"{self.name} is {text!r}: expected {known}")


def _whole_numbers(values: object) -> list[int] | None:
    """Return values as whole numbers, or None if they are something else."""
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        return None
    try:
        return [operator.index(value) for value in values]
    except TypeError:
        return None


_ON_OFF: Final[Mapping[FieldValue, int]] = MappingProxyType({True: 1, False: 0})

_WORDS: Final[Mapping[FieldValue, tuple[str, ...]]] = MappingProxyType(
    {True: ("1", "true", "yes"), False: ("0", "false", "no")}
)
"""Other words for on and off."""


def _switch(name: str, bit: int, meaning: str, register: str) -> BitField:
    return BitField(name, register, (bit,), meaning, _ON_OFF)


def _csra(name: str, bit: int, meaning: str) -> BitField:
    return _switch(name, bit, meaning, "CHANNEL_CSRA")


def _csra_choice(
    name: str, bit: int, meaning: str, one: FieldValue, zero: FieldValue
) -> BitField:
    choices = MappingProxyType({one: 1, zero: 0})
    return BitField(name, "CHANNEL_CSRA", (bit,), meaning, choices)


def _csrb(name: str, bit: int, meaning: str) -> BitField:
    return _switch(name, bit, meaning, "MODULE_CSRB")


def _channels(name: str, register: str, first: int, meaning: str) -> BitField:
    bits = tuple(range(first, first + _COINCIDENCE_CHANNELS))
    return BitField(name, register, bits, meaning, channels=True)


def _count(name: str, first: int, last: int, meaning: str) -> BitField:
    bits = tuple(range(first, last + 1))
    return BitField(name, "MultiplicityMaskH", bits, meaning)


_ALL: Final = (
    _csra_choice(
        "FastTrigSelect", 0, "Fast trigger of the channel.", "external", "group"
    ),
    _csra_choice(
        "ModValSignal", 1, "What validates the module's events.", "modgate", "global"
    ),
    _csra("GoodChannel", 2, "The channel records data."),
    _csra_choice(
        "ChanValSignal",
        3,
        "What validates the channel's events.",
        "channelgate",
        "channelvalidation",
    ),
    _csra("RejectIfFull", 4, "No events while the buffers are full."),
    _csra_choice("Polarity", 5, "Direction of the pulses.", "positive", "negative"),
    _csra("EnableVeto", 6, "A veto rejects events."),
    _csra("CaptureHistogram", 7, "Energies enter the MCA of the module."),
    _csra("CaptureTrace", 8, "Events have a trace."),
    _csra("EnableQDC", 9, "Events have QDC sums."),
    _csra("EnableCFD", 10, "The CFD refines the time."),
    _csra("EnableModVal", 11, "Events need a validation of the module."),
    _csra("CaptureSums", 12, "Events have the sums of the energy filter."),
    _csra("EnableChannelVal", 13, "Events need a validation of the channel."),
    _csra_choice("Gain", 14, "Gain of the input: the relay.", 2.5, 0.625),
    BitField(
        "RejectPileup",
        "CHANNEL_CSRA",
        (15, 16),
        "all: every event, without energy if piled up; single: no pile-up; pileup: "
        "every event, without trace if not piled up; pileup-only: nothing but pile-up.",
        MappingProxyType({"all": 0, "single": 1, "pileup": 2, "pileup-only": 3}),
    ),
    _csra("SkipLargePulses", 17, "No traces of pulses that leave the ADC's range."),
    _csra_choice("GroupTrigSignal", 18, "The group trigger.", "external", "local"),
    _csra_choice(
        "ChannelVetoSignal", 19, "The veto of the channel.", "channel", "front"
    ),
    _csra_choice("ModVetoSignal", 20, "The veto of the module.", "module", "front"),
    _csra("ExtTimestamps", 21, "Events have external time stamps."),
    _csrb("BackplanePullup", 0, "Pulls up the trigger lines; one module of a crate."),
    _csrb("Director", 4, "Director of triggers; one module of a crate."),
    _csrb("ChassisMaster", 6, "Leads synchronous runs; one module of a crate."),
    _csrb("GlobalFastTrigger", 7, "Source of the global fast trigger."),
    _csrb("ExternalTrigger", 8, "Source of the external trigger."),
    _csrb("ExternalInhibit", 10, "The inhibit signal stops and starts runs."),
    _csrb("DistributeClocks", 11, "Several crates have one clock."),
    _csrb("SortEvents", 12, "The module sorts its events by time."),
    _csrb("ConnectFastTriggerBP", 13, "Fast triggers go to the backplane."),
    _channels("MultiplicitySelf", "MultiplicityMaskL", 0, "Channels of this module."),
    _channels("MultiplicityLeft", "MultiplicityMaskL", 16, "Of the left module."),
    _channels("MultiplicityRight", "MultiplicityMaskH", 0, "Of the right module."),
    BitField(
        "ChannelValidationSource",
        "MultiplicityMaskH",
        (16, 31),
        "What validates the channel's events. Both bits at once have no name of XIA's.",
        MappingProxyType(
            {
                "coincidence": 0,
                "multiplicity": 1,
                "group/external": 2,
                "multiplicity and group/external": 3,
            }
        ),
    ),
    _count("NrOfMultiplicities", 17, 21, "Channels that must fire together."),
    _count("NrOfCoincidencesSelf", 22, 24, "Of this module, for a coincidence."),
    _count("NrOfCoincidencesRight", 25, 27, "Of the right module, for a coincidence."),
    _count("NrOfCoincidencesLeft", 28, 30, "Of the left module, for a coincidence."),
)

FIELDS: Final[Mapping[str, BitField]] = MappingProxyType({f.name: f for f in _ALL})
"""Every named field, by its name."""

REGISTERS: Final = (
    "CHANNEL_CSRA",
    "MODULE_CSRB",
    "MultiplicityMaskL",
    "MultiplicityMaskH",
)
"""XIA's names of the registers that have named fields."""


def fields_of(register: str) -> list[BitField]:
    """Return the fields of a register, lowest bit first.

    Raises
    ------
    SettingsError
        If the register has no named fields.
    """
    if register not in REGISTERS:
        raise SettingsError(
            f"{register!r} has no named bits; those that have: {', '.join(REGISTERS)}"
        )
    return [field for field in _ALL if field.register == register]


def names_of(register: str, word: int) -> dict[str, FieldValue]:
    """Return what the named bits of a register are.

    Bits without a name are left out: `unnamed_bits` has them.

    Examples
    --------
    >>> names_of("MultiplicityMaskL", 0x30001)
    {'MultiplicitySelf': (0,), 'MultiplicityLeft': (0, 1)}
    """
    return {field.name: field.get(word) for field in fields_of(register)}


def unnamed_bits(register: str, word: int) -> int:
    """Return a register with only those bits that have no name."""
    named = sum(field.mask for field in fields_of(register))
    return word & ~named


def unnamed_text(register: str) -> str:
    """Return the numbers of the bits of a register that have no name.

    Examples
    --------
    >>> unnamed_text("CHANNEL_CSRA")
    'bits 22-31'
    """
    rest = unnamed_bits(register, WORD_LIMIT - 1)
    return f"bits {number_ranges(bit for bit in range(32) if rest >> bit & 1)}"


def word_of(register: str, names: Mapping[str, object], base: int = 0) -> int:
    """Return a register with some named bits set.

    Parameters
    ----------
    register
        XIA's name of it.
    names
        Values by the names of fields.
    base
        What the other bits are.

    Raises
    ------
    SettingsError
        If a name is no field of this register, or a value does not fit.

    Examples
    --------
    >>> word_of("MultiplicityMaskL", {"MultiplicitySelf": [0], "MultiplicityLeft": [1]})
    131073
    """
    known = {field.name: field for field in fields_of(register)}
    word = base % WORD_LIMIT
    for name, value in names.items():
        if name not in known:
            raise SettingsError(
                f"{register} has no bits {name!r}; it has {', '.join(known)}"
            )
        word = known[name].put(word, value)
    return word
