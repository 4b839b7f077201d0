"""How parameters are read and written, in settings and in modules alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pixie_pipe.settings import channel_parameters, module_parameters
from pixie_pipe.settings.codes import ReturnCode
from pixie_pipe.settings.errors import ParameterRefusedError

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import CrateSettings, ModuleSettings


@runtime_checkable
class ParameterAccess(Protocol):
    """Something that has XIA's parameters: settings, or the modules of a crate.

    Names and values are those of XIA's library. Parameters of channels are numbers in
    the units of `CHANNEL_PARAMETERS`; those of modules are words of 32 bits, so
    HOST_RT_PRESET is the bits of a float. What is refused raises a
    `pixie_pipe.errors.PixiePipeError`.

    `module` is what the target calls its modules: the slot in `SettingsAccess`, the
    number in XIA's library.
    """

    def read_channel(self, name: str, module: int, channel: int) -> float:
        """Return a parameter of a channel."""
        ...

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        """Write a parameter of a channel. What it became is to be read back."""
        ...

    def read_module(self, name: str, module: int) -> int:
        """Return a parameter of a module, a word."""
        ...

    def write_module(self, name: str, value: int, module: int) -> None:
        """Write a parameter of a module, a word."""
        ...


class SettingsAccess:
    """Access to settings as if they were in the modules of a crate.

    Parameters
    ----------
    settings
        They are changed in place.
    crate
        Number of the crate; modules are called by their slots in it.

    Examples
    --------
    >>> from pixie_pipe.settings import CrateSettings, ModuleKind, ModuleSettings
    >>> module = ModuleSettings(slot=2, kind=ModuleKind(250, 14, "F"))
    >>> target = SettingsAccess(CrateSettings([module]))
    >>> target.write_channel("TRIGGER_RISETIME", 0.1, module=2, channel=0)
    >>> target.read_channel("TRIGGER_RISETIME", module=2, channel=0)
    0.104
    """

    def __init__(self, settings: CrateSettings, crate: int = 0) -> None:
        self._settings = settings
        self._crate = crate

    def read_channel(self, name: str, module: int, channel: int) -> float:
        """Return a parameter of a channel, in the unit of `CHANNEL_PARAMETERS`.

        Raises
        ------
        ParameterRefusedError
            If there is no such module, channel or parameter, or it is disabled.
        """
        return channel_parameters.read_channel(self._find(module), name, channel)

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        """Write a parameter of a channel as XIA's library does.

        Raises
        ------
        ParameterRefusedError
            As `read_channel`, and where the library refuses a value.
        """
        channel_parameters.write_channel(self._find(module), name, value, channel)

    def read_module(self, name: str, module: int) -> int:
        """Return a parameter of a module, a word.

        Raises
        ------
        ParameterRefusedError
            If there is no such module or parameter, or it is disabled.
        """
        return module_parameters.read_module(self._find(module), name)

    def write_module(self, name: str, value: int, module: int) -> None:
        """Write a parameter of a module as XIA's library does.

        SYNCH_WAIT, IN_SYNCH and HOST_RT_PRESET go to every module of the crate.

        Raises
        ------
        ParameterRefusedError
            As `read_module`, and where the library refuses a value.
        """
        found = self._find(module)
        others = [
            other
            for other in self._settings
            if other.crate == self._crate and other is not found
        ]
        module_parameters.write_module(found, name, value, others)

    def _find(self, slot: int) -> ModuleSettings:
        place = (self._crate, slot)
        if place not in self._settings:
            slots = [slot for crate, slot in self._settings.places if crate == place[0]]
            raise ParameterRefusedError(
                ReturnCode.MODULE_NUMBER_INVALID,
                f"crate {self._crate} has no module in slot {slot}; slots with "
                f"settings: {', '.join(map(str, slots)) or 'none'}",
            )
        return self._settings[place]
