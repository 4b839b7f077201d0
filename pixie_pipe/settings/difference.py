"""What differs between two settings: everything, in the units people think in."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pixie_pipe.settings.bits import REGISTERS, fields_of, unnamed_bits, unnamed_text
from pixie_pipe.settings.channel_parameters import read_channel
from pixie_pipe.settings.parameter_table import (
    CHANNEL_PARAMETERS,
    MODULE_PARAMETERS,
    Access,
    Parameter,
)
from pixie_pipe.settings.rows import Rows
from pixie_pipe.settings.text_tables import number_ranges, text_table, value_text
from pixie_pipe.settings.variables import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    word_to_float,
)

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import CrateSettings, ModuleSettings

_DERIVED: Final = ("TRACE_DELAY",)
"""Parameters that are made of several registers, which are also compared by
themselves."""

_SHOWN_AS_PARAMETERS: Final = frozenset(
    parameter.variable
    for parameter in (*CHANNEL_PARAMETERS.values(), *MODULE_PARAMETERS.values())
    if parameter.access is Access.READ_WRITE and parameter.name not in _DERIVED
)

_SHOWN_AS_FACTS: Final = re.compile(
    r"metadata\.(slot|number|serial-num|num-channels|hardware_revision"
    r"|config\[\d+\]\.(adc_bits|adc_msps|fpga_clk_mhz|adc_clk_div))"
)
"""Metadata that tell again what the module is, and its place in the file."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes
    ----------
    crate, slot, channel
        Where; channel is None for what is of the module.
    name
        A parameter of XIA's, named bits, or a variable of the DSP that is neither.
    first, second
        What it is; None where it is not there.
    unit
        Their unit; "raw" for the words of a variable that has no parameter.
    raw
        The two words of the register, if they differ.
    """

    crate: int
    slot: int
    channel: int | None
    name: str
    first: object
    second: object
    unit: str = ""
    raw: tuple[int, int] | None = None


class DifferenceLine(NamedTuple):
    """What differs in some channels of a module alike, as texts.

    Attributes
    ----------
    crate, slot
        The module.
    channels
        Such as ``0-3, 7``; empty for what is of the module.
    name, first, second, unit, raw
        As in `Difference`.
    """

    crate: int
    slot: int
    channels: str
    name: str
    first: str
    second: str
    unit: str
    raw: str


class Differences(Rows[Difference]):
    """All differences. Its text is a table; so is its display in IPython."""

    def table(self) -> list[dict[str, Any]]:
        """Return the differences as rows, such as pandas takes them."""
        return [dataclasses.asdict(difference) for difference in self]

    def lines(self) -> list[DifferenceLine]:
        """Return the lines of the table. Channels for which all is the same share one.

        Returns
        -------
        list of DifferenceLine
            In the order of the differences.
        """
        shared: dict[DifferenceLine, list[int]] = {}
        for difference in self:
            channels = shared.setdefault(_line(difference), [])
            if difference.channel is not None:
                channels.append(difference.channel)
        return [
            line._replace(channels=number_ranges(channels))
            for line, channels in shared.items()
        ]

    def __str__(self) -> str:
        """Return a table. Channels for which all is the same share a line."""
        rows = [[str(item) for item in line] for line in self.lines()]
        return text_table(DifferenceLine._fields, rows) if rows else "no difference"


def _line(difference: Difference) -> DifferenceLine:
    raw = "" if difference.raw is None else f"{difference.raw[0]} {difference.raw[1]}"
    first, second = value_text(difference.first), value_text(difference.second)
    place = difference.crate, difference.slot
    return DifferenceLine(
        *place, "", difference.name, first, second, difference.unit, raw
    )


def compare(first: CrateSettings, second: CrateSettings) -> Differences:
    """Return everything that differs between two settings.

    Modules are matched by crate and slot. Values are in physical units; a register that
    differs is told in any case, also where its parameter does not.

    Parameters
    ----------
    first, second
        Settings of modules.

    Returns
    -------
    Differences
        Ordered by module, then by name, then by channel.
    """
    found: list[Difference] = []
    for place in dict.fromkeys([*first.places, *second.places]):
        if place in first and place in second:
            found += _compare_modules(first[place], second[place])
            continue
        one, two = (
            str(settings[place].kind) if place in settings else None
            for settings in (first, second)
        )
        found.append(Difference(*place, None, "module", one, two))
    return Differences(found)


def _compare_modules(one: ModuleSettings, two: ModuleSettings) -> list[Difference]:
    found = _facts(one, two)
    place = one.crate, one.slot
    for name, parameter in MODULE_PARAMETERS.items():
        if parameter.access is Access.READ_WRITE:
            index = int(name[-1]) if parameter.variable == "TrigConfig" else 0
            words = [int(m.module[parameter.variable][index]) for m in (one, two)]
            values: list[float] = list(words)
            if name == "HOST_RT_PRESET":
                values = [word_to_float(word) for word in words]
            found += _values(place, None, parameter, values, words)
    found += _raw_module(one, two)
    channels = range(min(one.kind.channels, two.kind.channels))
    for name, parameter in CHANNEL_PARAMETERS.items():
        if parameter.access is not Access.READ_WRITE:
            continue
        for channel in channels:
            values = [read_channel(m, name, channel) for m in (one, two)]
            words = [int(m.channel[parameter.variable][channel]) for m in (one, two)]
            if name in _DERIVED:
                words = [0, 0]
            found += _values(place, channel, parameter, values, words)
    for name in CHANNEL_VARIABLES:
        if name not in _SHOWN_AS_PARAMETERS:
            for channel in channels:
                a, b = (int(m.channel[name][channel]) for m in (one, two))
                if a != b:
                    found.append(Difference(*place, channel, name, a, b, "raw"))
    return found


def _raw_module(one: ModuleSettings, two: ModuleSettings) -> list[Difference]:
    """Return what differs in variables of the module that have no parameter."""
    found = []
    for name, width in MODULE_VARIABLES.items():
        if name in _SHOWN_AS_PARAMETERS:
            continue
        for index in range(width):
            a, b = (int(m.module[name][index]) for m in (one, two))
            if a != b:
                shown = name if width == 1 else f"{name}[{index}]"
                found.append(Difference(one.crate, one.slot, None, shown, a, b, "raw"))
    return found


def _values(
    place: tuple[int, int],
    channel: int | None,
    parameter: Parameter,
    values: Sequence[float],
    words: Sequence[int],
) -> list[Difference]:
    raw = None if words[0] == words[1] else (words[0], words[1])
    if parameter.name in REGISTERS:
        return _bits(place, channel, parameter.name, words) if raw else []
    first, second = values
    if raw is None and _equal(first, second):
        return []
    name, unit = parameter.name, parameter.unit
    return [Difference(*place, channel, name, first, second, unit, raw)]


def _equal(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


def _bits(
    place: tuple[int, int], channel: int | None, register: str, words: Sequence[int]
) -> list[Difference]:
    found = []
    for field in fields_of(register):
        first, second = (field.get(word) for word in words)
        if first != second:
            found.append(Difference(*place, channel, field.name, first, second))
    one, two = (unnamed_bits(register, word) for word in words)
    if one != two:
        name = f"{register} {unnamed_text(register)}"
        found.append(Difference(*place, channel, name, hex(one), hex(two), "raw"))
    return found


def _facts(one: ModuleSettings, two: ModuleSettings) -> list[Difference]:
    """Return what differs in what the modules are, and in what is kept of files."""
    pairs: list[tuple[str, object, object]] = [
        ("serial number", one.serial, two.serial),
        ("kind", str(one.kind), str(two.kind)),
        ("fpga_mhz", one.kind.fpga_mhz, two.kind.fpga_mhz),
        ("boards", _boards(one), _boards(two)),
    ]
    for title, first, second in (
        ("metadata", one.metadata, two.metadata),
        ("extra", one.extra, two.extra),
    ):
        leaves, others = dict(_leaves(first, title)), dict(_leaves(second, title))
        pairs += [
            (name, leaves.get(name), others.get(name))
            for name in dict.fromkeys([*leaves, *others])
        ]
    return [
        Difference(one.crate, one.slot, None, name, first, second)
        for name, first, second in pairs
        if first != second
    ]


def _boards(settings: ModuleSettings) -> str:
    return "; ".join(f"{n}: {kind}" for n, kind in sorted(settings.boards.items()))


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}[{index}]")
    elif not _SHOWN_AS_FACTS.fullmatch(name):
        yield name, value
