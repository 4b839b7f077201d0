"""Writing parameters that depend on each other, in the right order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.settings.parameter_table import CHANNEL_PARAMETERS

if TYPE_CHECKING:
    from pixie_pipe.settings.access import ParameterAccess
    from pixie_pipe.settings.wanted import Place

_FIRST: Final = (
    "SLOW_FILTER_RANGE",  # the unit of the energy filter
    "FAST_FILTER_RANGE",
    "CHANNEL_CSRA",  # with another gain the library looks for BLCUT
    "VOFFSET",
    "TRIGGER_RISETIME",  # the unit of the threshold
    "TRIGGER_FLATTOP",
    "TRIGGER_THRESHOLD",
    "ENERGY_RISETIME",
    "ENERGY_FLATTOP",
    "TRACE_LENGTH",  # the limit of the delay
    "TRACE_DELAY",
)
_LAST: Final = (
    "TAU",  # the library looks for BLCUT
    "BLCUT",
)
_FILTERS: Final = (
    ("TRIGGER_RISETIME", "TRIGGER_FLATTOP"),
    ("ENERGY_RISETIME", "ENERGY_FLATTOP"),
)

_ROLE_BITS: Final = 1 << 0 | 1 << 4 | 1 << 6
"""Roles in MODULE_CSRB that one module must give up before another can have them."""

_NUDGE: Final = 1e-12
"""Added, relative and absolute, where the library cuts decimals.

0.29 µs are 29 clocks of 10 ns, but 0.29 * 100 is 28.999999999999996 and would become
28. It is far below the steps of any register, and far above the rounding of floats.
"""


def write_channels(
    target: ParameterAccess, values: Mapping[tuple[int, int], Mapping[str, float]]
) -> dict[tuple[Place, str], str]:
    """Write parameters of channels, in the order in which they depend on each other.

    Returns
    -------
    dict
        Why a parameter was refused, by its place and name.
    """
    refused: dict[tuple[Place, str], str] = {}
    for (module, channel), parameters in values.items():
        for name in _in_order(target, module, channel, parameters):
            value = parameters[name]
            if CHANNEL_PARAMETERS[name].truncated:
                value += _NUDGE * max(abs(value), 1.0)
            try:
                target.write_channel(name, value, module, channel)
            except PixiePipeError as error:
                refused[(module, channel), name] = str(error)
    return refused


def write_modules(
    target: ParameterAccess, values: Mapping[int, Mapping[str, int]]
) -> dict[tuple[Place, str], str]:
    """Write parameters of modules, words, in the order in which they depend.

    Returns
    -------
    dict
        Why a parameter was refused, by its place and name.
    """
    refused: dict[tuple[Place, str], str] = {}
    names = {name for parameters in values.values() for name in parameters}
    for name in sorted(names, key=_rank):
        words = {m: words[name] for m, words in values.items() if name in words}
        if name == "MODULE_CSRB":
            words = _givers_first(target, words)
        for module, word in words.items():
            try:
                target.write_module(name, word, module)
            except PixiePipeError as error:
                refused[(module, None), name] = str(error)
    return refused


def _rank(name: str) -> tuple[int, str]:
    if name in _FIRST:
        return _FIRST.index(name) - len(_FIRST), ""
    return (1 + _LAST.index(name) if name in _LAST else 0), name


def _in_order(
    target: ParameterAccess, module: int, channel: int, values: Mapping[str, float]
) -> list[str]:
    """Return the names in the order to write them.

    The sum of rise time and flat top is limited, and the one that is written first is
    clipped to what the other one leaves: a flat top that shrinks must make room first.
    """
    names = sorted(values, key=_rank)
    for rise, flat in _FILTERS:
        if rise in values and flat in values:
            try:
                now = target.read_channel(flat, module, channel)
            except PixiePipeError:
                continue  # The writes will tell why.
            if values[flat] < now:
                at = names.index(rise)
                names[at : at + 2] = [flat, rise]
    return names


def _givers_first(target: ParameterAccess, words: Mapping[int, int]) -> dict[int, int]:
    def takes(module: int) -> bool:
        try:
            now = target.read_module("MODULE_CSRB", module)
        except PixiePipeError:
            return True  # The write will tell why.
        return bool(words[module] & ~now & _ROLE_BITS)

    return {module: words[module] for module in sorted(words, key=takes)}
