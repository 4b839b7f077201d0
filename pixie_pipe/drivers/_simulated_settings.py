"""The settings of simulated modules: XIA's parameters, and XIA's settings files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.settings import (
    CrateSettings,
    FoundModule,
    ModuleKind,
    ModuleSettings,
    SettingsAccess,
    SettingsError,
    read_json,
    write_json,
)

if TYPE_CHECKING:
    import os

    from pixie_pipe.drivers.digitizer import ModuleInfo

    Variables = dict[str, NDArray[np.uint32]]
    Value = TypeVar("Value")

_LETTERS = {32: "H"}
"""Hardware revision by number of channels; F with 16."""

FIRST_SERIAL = 9000
"""Serial numbers of simulated modules are this and their slot: no real one has them."""


def module_settings(info: ModuleInfo, variables: Variables) -> ModuleSettings:
    """Return the settings of a simulated module.

    Parameters
    ----------
    info
        The module.
    variables
        Its DSP variables by name; those of channels have one word for each channel.
        The others are as in the defaults of XIA's library.
    """
    kind = ModuleKind(
        info.frequency,
        info.bits,
        info.hardware or _LETTERS.get(info.channels, "F"),
        info.channels,
    )
    settings = ModuleSettings(info.slot, kind, info.crate, info.serial)
    for name, words in variables.items():
        known = settings.channel if name in settings.channel else settings.module
        known[name] = words.astype(np.uint32)
    settings.module["CrateID"][:] = info.crate
    settings.module["SlotID"][:] = info.slot
    return settings


def variables_of(settings: ModuleSettings) -> Variables:
    """Return all variables by name; they stay those of the settings."""
    return {**settings.module, **settings.channel}


class SimulatedSettings:
    """The part of a simulated crate that can be set up."""

    _settings: CrateSettings
    _modules: Sequence[ModuleInfo]
    variables: list[Variables]

    if TYPE_CHECKING:

        def _refuse_unless_idle(self, module: int) -> None: ...

    def read_channel(self, name: str, module: int, channel: int) -> float:
        """Return a parameter of a channel in XIA's unit; see `Parameters`."""
        return self._with(module, lambda it, at: it.read_channel(name, at, channel))

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        """Give a value to a parameter of a channel, from the next run on."""
        self._with(module, lambda it, at: it.write_channel(name, value, at, channel))

    def read_module(self, name: str, module: int) -> int:
        """Return a parameter of a module; see `Parameters`."""
        return self._with(module, lambda it, at: it.read_module(name, at))

    def write_module(self, name: str, value: int, module: int) -> None:
        """Give a value to a parameter of a module, from the next run on."""
        self._with(module, lambda it, at: it.write_module(name, value, at))

    def _with(
        self, module: int, action: Callable[[SettingsAccess, int], Value]
    ) -> Value:
        self._refuse_unless_idle(module)
        info = self._modules[module]
        try:
            return action(SettingsAccess(self._settings, info.crate), info.slot)
        except SettingsError as error:
            raise DriverError(f"module {info.name}: {error}") from error

    def save_settings(
        self, path: str | os.PathLike[str], *, force: bool = False
    ) -> None:
        """Write the settings of all modules to a file, in XIA's form (JSON).

        Raises
        ------
        DriverError
            If the session is not open, or a run goes on.
        OutputExistsError, OutputPathError
            If there is such a file, or none can be written there.
        """
        self._refuse_unless_idle(0)
        write_json(Path(path), self._settings, force=force)

    def load_settings(
        self, path: str | os.PathLike[str], *, ignore_serials: bool = False
    ) -> None:
        """Set the modules to what a file has, by slot and serial number.

        Raises
        ------
        DriverError
            If the session is not open, a run goes on, or the file lacks a module or
            is none.
        """
        self._refuse_unless_idle(0)
        found = [
            FoundModule(info.slot, info.serial, info.crate) for info in self._modules
        ]
        try:
            loaded = read_json(Path(path)).match(
                found, check_serials=not ignore_serials
            )
            for info, new in zip(self._modules, loaded, strict=True):
                _take(self._settings[info.crate, info.slot], new)
        except SettingsError as error:
            raise DriverError(str(error)) from error


def _take(settings: ModuleSettings, new: ModuleSettings) -> None:
    """Take over all words, in place: others look at them."""
    if new.kind.channels != settings.kind.channels:
        raise SettingsError(
            f"{settings.where}: the settings are of {new.kind.channels} channels, the "
            f"module has {settings.kind.channels}"
        )
    pairs: list[
        tuple[Mapping[str, NDArray[np.uint32]], Mapping[str, NDArray[np.uint32]]]
    ]
    pairs = [(settings.module, new.module), (settings.channel, new.channel)]
    for old, given in pairs:
        for name, words in old.items():
            words[:] = given[name]
