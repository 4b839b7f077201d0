"""Every value of settings in a list: parameters in their units, or the raw words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pixie_pipe.settings.bits import (
    FIELDS,
    REGISTERS,
    FieldValue,
    fields_of,
    unnamed_bits,
    unnamed_text,
)
from pixie_pipe.settings.channel_parameters import read_channel
from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.module_parameters import read_module
from pixie_pipe.settings.parameter_table import (
    CHANNEL_PARAMETERS,
    MODULE_PARAMETERS,
    Access,
    Parameter,
)
from pixie_pipe.settings.rows import Rows
from pixie_pipe.settings.suggestions import suggestion
from pixie_pipe.settings.text_tables import number_ranges, text_table, value_text
from pixie_pipe.settings.variables import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    word_to_float,
)

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import CrateSettings, ModuleKey, ModuleSettings

_PARAMETERS: Final = {**MODULE_PARAMETERS, **CHANNEL_PARAMETERS}
_SHOWN: Final = {
    name: parameter
    for name, parameter in _PARAMETERS.items()
    if parameter.access is not Access.DISABLED
}


@dataclasses.dataclass(frozen=True)
class ListedValue:
    """One value of settings.

    Attributes
    ----------
    crate, slot, channel
        Where; channel is None for what is of the module.
    name
        A parameter of XIA's, named bits, or a variable of the DSP.
    value
        What it is, in `unit`; a whole number if it is a register or a raw word.
    unit
        Its unit; "raw" for the words of a variable.
    parameter
        XIA's name of the parameter: that of the register for named bits. Empty for a
        variable that has none.
    variable
        The variable of the DSP that holds it.
    index
        Place in a variable of a module that has several words, else None.
    word
        The word of the variable.
    """

    crate: int
    slot: int
    channel: int | None
    name: str
    value: FieldValue
    unit: str
    parameter: str
    variable: str
    index: int | None
    word: int

    @property
    def text(self) -> str:
        """The value as people write it; registers in hexadecimal."""
        known = _PARAMETERS.get(self.parameter)
        bits = known is not None and known.is_register and self.name not in FIELDS
        if bits and self.unit != "raw" and isinstance(self.value, int):
            return f"{self.value:#x}"
        return value_text(self.value)


class ListingLine(NamedTuple):
    """A value that some channels of a module share, as texts.

    Attributes
    ----------
    crate, slot
        The module.
    name, value, unit, parameter
        As in `ListedValue`.
    channels
        Such as ``0-3, 7``; empty for what is of the module.
    """

    crate: int
    slot: int
    name: str
    value: str
    unit: str
    channels: str
    parameter: str


class Listing(Rows[ListedValue]):
    """Values of settings. Its text is a table; so is its display in IPython."""

    def table(self) -> list[dict[str, Any]]:
        """Return the values as rows, such as pandas takes them."""
        return [dataclasses.asdict(value) for value in self]

    def lines(self) -> list[ListingLine]:
        """Return the lines of the table.

        Channels that have the same value share a line; so do the words of a variable.

        Returns
        -------
        list of ListingLine
            In the order of the values.
        """
        shared: dict[ListingLine, list[ListedValue]] = {}
        for item in self:
            line = ListingLine(
                item.crate,
                item.slot,
                item.name,
                item.text,
                item.unit,
                "",
                item.parameter,
            )
            shared.setdefault(line, []).append(item)
        return [_shared_line(line, items) for line, items in shared.items()]

    def __str__(self) -> str:
        """Return a table."""
        rows = [[str(item) for item in line[:-1]] for line in self.lines()]
        return text_table(ListingLine._fields[:-1], rows) if rows else "nothing"


def _shared_line(line: ListingLine, items: Sequence[ListedValue]) -> ListingLine:
    channels = number_ranges(v.channel for v in items if v.channel is not None)
    indices = number_ranges(v.index for v in items if v.index is not None)
    name = f"{line.name}[{indices}]" if indices and line.unit == "raw" else line.name
    return line._replace(name=name, channels=channels)


def list_values(
    settings: CrateSettings,
    *,
    modules: Iterable[ModuleKey] | None = None,
    channels: Iterable[int] | None = None,
    names: Iterable[str] | None = None,
    raw: bool = False,
) -> Listing:
    """Return values of settings in the units people think in, or the words of the DSP.

    Parameters
    ----------
    settings
        Of modules.
    modules
        Only these.
    channels
        Only these. Values of the modules are listed in any case.
    names
        Only these parameters and named bits, whatever the case of their letters. The
        name of a register stands for all of its bits; ``*`` and ``?`` for any letters
        and for one.
    raw
        List the words of all variables of the DSP, also of those that have no
        parameter. Names may be those of variables, too.

    Returns
    -------
    Listing
        By module, those of the module before those of its channels, then in XIA's
        order of names.

    Raises
    ------
    SettingsError
        If there is no such module, channel or name.

    Examples
    --------
    >>> from pixie_pipe.settings import CrateSettings, ModuleKind, ModuleSettings
    >>> module = ModuleSettings(slot=2, kind=ModuleKind(250, 14, "F"))
    >>> print(list_values(CrateSettings([module]), names=["TAU", "Polarity"]))
    crate  slot  name      value     unit  channels
    0      2     TAU       50        µs    0-15
    0      2     Polarity  negative        0-15
    """
    keys = settings.places if modules is None else modules
    chosen = list({id(settings[key]): settings[key] for key in keys}.values())
    wanted = None if channels is None else sorted(set(channels))
    _check_channels(chosen, wanted)
    patterns = None if names is None else list(names)
    known = _raw_names() if raw else _physical_names()
    _check_patterns(patterns, known, raw=raw)
    found: list[ListedValue] = []
    for module in chosen:
        every = range(module.kind.channels)
        numbers = [n for n in every if wanted is None or n in wanted]
        values = _raw_values(module, numbers) if raw else _values(module, numbers)
        found += [v for v in values if _is_wanted(known[_key(v)], patterns)]
    return Listing(found)


def _check_channels(
    modules: Sequence[ModuleSettings], channels: Sequence[int] | None
) -> None:
    most = max((module.kind.channels for module in modules), default=0)
    wrong = [number for number in channels or () if not 0 <= number < most]
    if modules and wrong:
        raise SettingsError(
            f"there is no channel {wrong[0]}: the modules have the channels 0 to "
            f"{most - 1}"
        )


def _key(value: ListedValue) -> str:
    """Return what `_physical_names` and `_raw_names` know a value by."""
    return (
        value.name if value.name in FIELDS or value.unit == "raw" else value.parameter
    )


def _physical_names() -> dict[str, set[str]]:
    """Return by what names each parameter and field can be asked for."""
    fields = {name: {name, field.register} for name, field in FIELDS.items()}
    return {**{name: {name} for name in _SHOWN}, **fields}


def _raw_names() -> dict[str, set[str]]:
    """Return by what names each variable can be asked for."""
    known = {name: {name} for name in (*MODULE_VARIABLES, *CHANNEL_VARIABLES)}
    for name, parameter in _PARAMETERS.items():
        known[parameter.variable].add(name)
    for name, field in FIELDS.items():
        known[_PARAMETERS[field.register].variable].add(name)
    return known


def _is_wanted(names: Iterable[str], patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(
        fnmatchcase(name.lower(), pattern.lower())
        for name in names
        for pattern in patterns
    )


def _check_patterns(
    patterns: Sequence[str] | None, known: dict[str, set[str]], *, raw: bool
) -> None:
    every = set().union(*known.values())
    for pattern in patterns or ():
        if _is_wanted(every, [pattern]):
            continue
        raw_only = set().union(*_raw_names().values()) - every
        named = [name for name in sorted(raw_only) if _is_wanted([name], [pattern])]
        if named:
            raise SettingsError(
                f"{named[0]} is no parameter in use, but a raw word of the DSP: it is "
                f"listed with --raw (raw=True)"
            )
        kind = "parameter, named bits or variable" if raw else "parameter or named bits"
        hint = suggestion(pattern, sorted(every))
        raise SettingsError(f"there is no {kind} {pattern!r}{hint}")


def _values(module: ModuleSettings, channels: Sequence[int]) -> Iterator[ListedValue]:
    for name, parameter in MODULE_PARAMETERS.items():
        if name in _SHOWN:
            word = read_module(module, name)
            float_bits = name == "HOST_RT_PRESET"
            value = word_to_float(word) if float_bits else word
            yield from _of_parameter(module, parameter, [(None, word, value)])
    for name, parameter in CHANNEL_PARAMETERS.items():
        if name in _SHOWN:
            words = module.channel[parameter.variable]
            read = [
                (number, int(words[number]), read_channel(module, name, number))
                for number in channels
            ]
            yield from _of_parameter(module, parameter, read)


def _of_parameter(
    module: ModuleSettings,
    parameter: Parameter,
    read: Sequence[tuple[int | None, int, float]],
) -> Iterator[ListedValue]:
    """List a parameter of which channel, word and value were read, or its bits."""
    name, variable, index = parameter.name, parameter.variable, None
    if variable == "TrigConfig":
        index = int(name[-1])

    def listed(
        channel: int | None, shown: str, value: FieldValue, unit: str, word: int
    ) -> ListedValue:
        place = module.crate, module.slot, channel
        return ListedValue(*place, shown, value, unit, name, variable, index, word)

    if name not in REGISTERS:
        for channel, word, value in read:
            shown = int(value) if parameter.is_register else value
            yield listed(channel, name, shown, parameter.unit, word)
        return
    for field in fields_of(name):
        for channel, word, _ in read:
            yield listed(channel, field.name, field.get(word), "", word)
    for channel, word, _ in read:
        rest = unnamed_bits(name, word)
        if rest:
            yield listed(channel, f"{name} {unnamed_text(name)}", rest, "", word)


def _raw_values(
    module: ModuleSettings, channels: Sequence[int]
) -> Iterator[ListedValue]:
    place = module.crate, module.slot
    for name, width in MODULE_VARIABLES.items():
        for number, word in enumerate(module.module[name].tolist()):
            index = None if width == 1 else number
            known = _parameter_of(name, index)
            yield ListedValue(*place, None, name, word, "raw", known, name, index, word)
    for name in CHANNEL_VARIABLES:
        known = _parameter_of(name, None)
        for number in channels:
            word = int(module.channel[name][number])
            yield ListedValue(
                *place, number, name, word, "raw", known, name, None, word
            )


def _parameter_of(variable: str, index: int | None) -> str:
    """Return XIA's name of the parameter that a variable holds, or an empty text."""
    if variable == "TrigConfig":
        return f"TrigConfig{index}"
    found = (p.name for p in _PARAMETERS.values() if p.variable == variable)
    return next(found, "")
