"""Parameters of a module, exactly as XIA's library has them: words of 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pixie_pipe.settings.codes import ReturnCode
from pixie_pipe.settings.errors import ParameterRefusedError
from pixie_pipe.settings.filter_parameters import restore_trace_delay
from pixie_pipe.settings.parameter_table import MODULE_PARAMETERS, Access
from pixie_pipe.settings.variables import WORD_LIMIT

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import ModuleSettings

_ROLES: Final = {0: "pull-up of the trigger lines", 4: "director", 6: "run leader"}
"""Bits of MODULE_CSRB that only one module of a crate may have."""

_SLOW_FILTER_RANGES: Final = range(1, 7)


def read_module(settings: ModuleSettings, name: str) -> int:
    """Return a parameter of a module: the word of it.

    Raises
    ------
    ParameterRefusedError
        If there is no such parameter, or it is disabled.
    """
    _check_known(settings, name)
    variable, index = _place(name)
    return int(settings.module[variable][index])


def write_module(
    settings: ModuleSettings,
    name: str,
    value: int,
    others: Sequence[ModuleSettings] = (),
) -> None:
    """Write a parameter of a module, and what depends on it.

    Parameters
    ----------
    settings
        Of the module.
    name
        XIA's name of the parameter.
    value
        The word; HOST_RT_PRESET takes the bits of a 32-bit float.
    others
        The other modules of the crate: some parameters are written to them, too, and
        some roles are for one module only.

    Raises
    ------
    ParameterRefusedError
        As `read_module`; if the parameter cannot be written; and where the library
        refuses a value.
    """
    _check_known(settings, name)
    access = MODULE_PARAMETERS[name].access
    if access is Access.READ_ONLY:
        raise ParameterRefusedError(
            ReturnCode.MODULE_PARAMETER_INVALID,
            f"{settings.where}: {name} cannot be written",
        )
    if access is Access.AT_BOOT:
        raise ParameterRefusedError(
            ReturnCode.MODULE_PARAMETER_READ_ONLY,
            f"{settings.where}: {name} is written when the module boots, and not later",
        )
    word = int(value)
    if not 0 <= word < WORD_LIMIT:
        raise ParameterRefusedError(
            ReturnCode.MODULE_PARAMETER_INVALID,
            f"{settings.where}: {name} is {value}, expected a word of 32 bits",
        )
    if name == "SLOW_FILTER_RANGE" and word not in _SLOW_FILTER_RANGES:
        raise ParameterRefusedError(
            ReturnCode.MODULE_PARAMETER_INVALID,
            f"{settings.where}: {name} is {word}, expected 1 to 6",
        )
    if name == "FAST_FILTER_RANGE":
        word = 0  # The library sets what it allows, whatever is asked for.
    if name == "MODULE_CSRB":
        _check_roles(settings, word, others)
    variable, index = _place(name)
    targets = [settings, *others] if MODULE_PARAMETERS[name].whole_crate else [settings]
    for target in targets:
        target.module[variable][index] = word
    if name in ("SLOW_FILTER_RANGE", "FAST_FILTER_RANGE"):
        for channel in range(settings.kind.channels):
            restore_trace_delay(settings, channel)


def _place(name: str) -> tuple[str, int]:
    variable = MODULE_PARAMETERS[name].variable
    return variable, int(name[-1]) if variable == "TrigConfig" else 0


def _check_known(settings: ModuleSettings, name: str) -> None:
    if name not in MODULE_PARAMETERS:
        raise ParameterRefusedError(
            ReturnCode.MODULE_PARAMETER_INVALID,
            f"{settings.where}: no module parameter {name!r}",
        )
    if MODULE_PARAMETERS[name].access is Access.DISABLED:
        raise ParameterRefusedError(
            ReturnCode.MODULE_PARAMETER_DISABLED,
            f"{settings.where}: {name} is disabled",
        )


def _check_roles(
    settings: ModuleSettings, word: int, others: Sequence[ModuleSettings]
) -> None:
    """Refuse a role that the module has not, and another one has."""
    new = word & ~int(settings.module["ModCSRB"][0])
    for bit, role in _ROLES.items():
        for other in others:
            if new >> bit & 1 and int(other.module["ModCSRB"][0]) >> bit & 1:
                raise ParameterRefusedError(
                    ReturnCode.MODULE_PARAMETER_INVALID,
                    f"{settings.where}: {other.where} is the {role} (bit {bit} of "
                    f"MODULE_CSRB) already; take it from that module first",
                )
