"""Which channels of which modules are meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pixie_pipe.drivers.digitizer import (
    DriverError,
    Parameters,
    SettingsFiles,
    Signals,
    Spectra,
)
from pixie_pipe.scanning.errors import ChoiceError

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer, ModuleInfo

ModuleChoice: TypeAlias = "int | str | Iterable[int | str] | None"
"""Modules by number or by name (``c0-s02``): one, several, or None for all."""

ChannelChoice: TypeAlias = "int | Iterable[int] | None"
"""Channels of these modules: one, several, or None for all."""


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One channel of one module.

    Attributes
    ----------
    module
        Number of the module.
    channel
        Number of the channel in it.
    module_name
        Short name of the module: ``c0-s02``.
    """

    module: int
    channel: int
    module_name: str

    @property
    def name(self) -> str:
        """Short name, for tables and legends: ``c0-s02 ch 03``."""
        return f"{self.module_name} ch {self.channel:02d}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "module": self.module,
            "name": self.module_name,
            "channel": self.channel,
        }


def signals_of(digitizer: Digitizer, needed_for: str) -> Signals:
    """Return what shows the signals at the inputs of the modules.

    Parameters
    ----------
    digitizer
        The digitizer.
    needed_for
        What is to be done with it, for the error.

    Raises
    ------
    DriverError
        If the driver has not got it.
    """
    if isinstance(digitizer, Signals):
        return digitizer
    raise _lacking(digitizer, "Signals", needed_for)


def spectra_of(digitizer: Digitizer, needed_for: str) -> Spectra:
    """Return what makes spectra in the modules; see `signals_of`."""
    if isinstance(digitizer, Spectra):
        return digitizer
    raise _lacking(digitizer, "Spectra", needed_for)


def parameters_of(digitizer: Digitizer, needed_for: str) -> Parameters:
    """Return what reads and writes parameters; see `signals_of`."""
    if isinstance(digitizer, Parameters):
        return digitizer
    raise _lacking(digitizer, "Parameters", needed_for)


def settings_files_of(digitizer: Digitizer, needed_for: str) -> SettingsFiles:
    """Return what keeps the settings of modules in files; see `signals_of`."""
    if isinstance(digitizer, SettingsFiles):
        return digitizer
    raise _lacking(digitizer, "SettingsFiles", needed_for)


def _lacking(digitizer: object, part: str, needed_for: str) -> DriverError:
    return DriverError(
        f"{type(digitizer).__name__} cannot {needed_for}: this driver lacks the part "
        f"{part} of the protocol (see pixie_pipe.drivers.digitizer)"
    )


def choose_targets(
    digitizer: Digitizer,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
) -> tuple[Target, ...]:
    """Return the channels that are meant, each once, in the order asked for.

    Parameters
    ----------
    digitizer
        An open digitizer.
    modules
        Modules by number or by name; None means all.
    channels
        Channels of each of them; None means all.

    Raises
    ------
    ChoiceError
        If there is no such module or channel, or none is left.
    """
    infos = digitizer.modules
    targets = [
        Target(number, channel, infos[number].name)
        for number in _module_numbers(infos, modules)
        for channel in _channels(infos[number], channels)
    ]
    if not targets:
        raise ChoiceError("no channel was chosen, expected at least one")
    return tuple(dict.fromkeys(targets))


def _module_numbers(infos: Sequence[ModuleInfo], chosen: ModuleChoice) -> list[int]:
    if chosen is None:
        return list(range(len(infos)))
    several = [chosen] if isinstance(chosen, (int, str)) else list(chosen)
    return [_module_number(infos, one) for one in several]


def _module_number(infos: Sequence[ModuleInfo], chosen: int | str) -> int:
    names = [info.name for info in infos]
    if isinstance(chosen, str) and chosen in names:
        return names.index(chosen)
    if isinstance(chosen, str) and chosen.isdecimal():
        chosen = int(chosen)
    if isinstance(chosen, int) and 0 <= chosen < len(infos):
        return chosen
    known = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
    raise ChoiceError(f"there is no module {chosen}; known: {known or 'none'}")


def _channels(info: ModuleInfo, chosen: ChannelChoice) -> list[int]:
    if chosen is None:
        return list(range(info.channels))
    several = [chosen] if isinstance(chosen, int) else list(chosen)
    for channel in several:
        if not 0 <= channel < info.channels:
            raise ChoiceError(
                f"there is no channel {channel} in module {info.name}, expected 0 to "
                f"{info.channels - 1}"
            )
    return several
