"""What is asked for, checked as a whole before anything is written."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from pixie_pipe.settings.bits import FIELDS, BitField
from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.parameter_table import (
    CHANNEL_PARAMETERS,
    MODULE_PARAMETERS,
    Access,
    Parameter,
)
from pixie_pipe.settings.suggestions import suggestion

Place: TypeAlias = tuple[int, int | None]
"""A module, and a channel of it; None stands for the module itself."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One name of those asked for, with its value in every place.

    Attributes
    ----------
    name
        As it was given.
    parameter
        The parameter of XIA's that is written.
    field
        The named bits of it, if the name is one of those.
    values
        What it is to become.
    """

    name: str
    parameter: Parameter
    field: BitField | None
    values: Mapping[Place, object]

    @property
    def unit(self) -> str:
        """Unit of the values; empty for bits."""
        return "" if self.field else self.parameter.unit


_NAMES: Final = (*CHANNEL_PARAMETERS, *MODULE_PARAMETERS, *FIELDS)


def check_wanted(
    values: Mapping[str, object],
    channels: Iterable[tuple[int, int]],
    modules: Iterable[int] | None,
) -> list[Wanted]:
    """Check names and values, and spread them over channels and modules.

    Parameters
    ----------
    values
        A value, or one for each channel (each module), by the names.
    channels
        Pairs of module and channel.
    modules
        For the parameters of modules; None stands for the modules of the channels.

    Raises
    ------
    SettingsError
        If anything is wrong; the text tells all of it.
    """
    places, problems = _check_places(channels)
    listed = [module for module, _ in places] if modules is None else list(modules)
    module_places: list[Place] = [(module, None) for module in dict.fromkeys(listed)]
    wanted = []
    for name, value in values.items():
        try:
            parameter, field = _find(name)
            for_channel = parameter.name in CHANNEL_PARAMETERS
            where = list(places) if for_channel else module_places
            if not where:
                raise SettingsError(
                    f"{name} is of a {'channel' if for_channel else 'module'}: say of "
                    f"which ({'channels' if for_channel else 'modules'}=...)"
                )
            spread = _spread(name, value, where, field)
            wanted.append(Wanted(name, parameter, field, spread))
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("nothing was written:\n  " + "\n  ".join(problems))
    return wanted


def check_value(name: str, value: object) -> object:
    """Check one value of a parameter, or of named bits, wherever it is to be written.

    Returns
    -------
    object
        The value as it is written: a float, or what the bits mean.

    Raises
    ------
    SettingsError
        If there is no such name, or it cannot have this value.
    """
    return _check_value(name, value, *_find(name))


def _check_places(
    channels: Iterable[tuple[int, int]],
) -> tuple[list[Place], list[str]]:
    places: list[Place] = []
    problems: list[str] = []
    for pair in channels:
        try:
            module, channel = (int(number) for number in pair)
        except (TypeError, ValueError):
            problems.append(f"channels has {pair!r}: expected (module, channel)")
            continue
        if (module, channel) in places:
            problems.append(f"channels has ({module}, {channel}) twice")
        places.append((module, channel))
    return places, problems


def _find(name: str) -> tuple[Parameter, BitField | None]:
    field = FIELDS.get(name)
    known = field.register if field else name
    parameter = CHANNEL_PARAMETERS.get(known) or MODULE_PARAMETERS.get(known)
    if parameter is None:
        hint = suggestion(str(name), _NAMES)
        raise SettingsError(f"there is no parameter {name!r}{hint}")
    if parameter.access is not Access.READ_WRITE:
        raise SettingsError(f"{name} cannot be written: {parameter.access.value}")
    return parameter, field


def _spread(
    name: str, value: object, places: Sequence[Place], field: BitField | None
) -> dict[Place, object]:
    """Return the value in each place, checked."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    listed = _one_for_each(value, field)
    if listed is None:
        listed = [value] * len(places)
    elif len(listed) != len(places):
        raise SettingsError(
            f"{name} has {len(listed)} values for {len(places)} places: expected one "
            f"value, or one for each of {_places_text(places)}"
        )
    parameter = _find(name)[0]
    if parameter.whole_crate and any(item != listed[0] for item in listed):
        raise SettingsError(
            f"{name} is {listed!r}: the library sets it in the whole crate; give one "
            f"value"
        )
    checked = (_check_value(name, item, parameter, field) for item in listed)
    return dict(zip(places, checked, strict=True))


def _one_for_each(value: object, field: BitField | None) -> list[object] | None:
    """Return the values if there is one for each place, and None if there is one."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return None
    items = list(value)
    if field is not None and field.channels:
        nested = [isinstance(item, Iterable) for item in items]
        return items if any(nested) else None
    return items


def _check_value(
    name: str, value: object, parameter: Parameter, field: BitField | None
) -> object:
    if field is not None:
        return field.get(field.put(0, value))
    if isinstance(value, np.generic):
        value = value.item()
    unit = f" {parameter.unit}" if parameter.unit else ""
    expected = f"expected {parameter.limits or 'a number'}{unit}"
    if isinstance(value, bool) and parameter.high == 1:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingsError(f"{name} is {value!r}: {expected}")
    number = float(value)
    if math.isnan(number) or not parameter.low <= number <= parameter.high:
        most = f" to {parameter.high:.10g}" if math.isfinite(parameter.high) else ""
        expected = f"expected {parameter.low:g}{most}" if most else "expected 0 or more"
        raise SettingsError(f"{name} is {value!r}: {expected}{unit}")
    if not math.isfinite(number):
        raise SettingsError(f"{name} is {value!r}: {expected}")
    if parameter.whole and not number.is_integer():
        raise SettingsError(f"{name} is {value!r}: expected a whole number")
    return number


def _places_text(places: Sequence[Place]) -> str:
    shown = [str(m) if c is None else f"({m}, {c})" for m, c in places[:3]]
    return ", ".join(shown) + (", ..." if len(places) > len(shown) else "")
