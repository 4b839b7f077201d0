"""Where the DSP keeps its variables.

XIA delivers a text file ``*.var`` with each firmware: an address in hexadecimal and a
name in each line. All published ones of modules with 16 channels agree: those of
wuhongyi/PKUXIADAQ and of PixieSDK's tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pixie_pipe.settings.errors import SettingsFileError
from pixie_pipe.settings.variables import CHANNEL_VARIABLES, MODULE_VARIABLES

_CHANNELS: Final = 16
_BEFORE_FIFO_LENGTH: Final = 34
"""Words of the module's results between the inputs of the channels and FIFOLength."""


def _sixteen_channels() -> dict[str, int]:
    addresses: dict[str, int] = {}
    place = 0
    for name, width in MODULE_VARIABLES.items():
        if name != "FIFOLength":
            addresses[name] = place
            place += width
    place += 1  # PowerUpInitDone, a result between the inputs
    for name in CHANNEL_VARIABLES:
        addresses[name] = place
        place += _CHANNELS
    addresses["FIFOLength"] = place + _BEFORE_FIFO_LENGTH
    return addresses


SIXTEEN_CHANNELS: Final[Mapping[str, int]] = MappingProxyType(_sixteen_channels())
"""Place of each setting of a module with 16 channels, in words from the first one."""


def read_var(path: str | Path) -> dict[str, int]:
    """Read the addresses of variables from a ``.var`` file.

    Returns
    -------
    dict
        The place of each variable by its name, in words from the first one.

    Raises
    ------
    SettingsFileError
        If the file cannot be read, a line is something else, or a setting is missing.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsFileError(f"{path}: cannot be read: {error}") from error
    addresses: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            text, name = line.split()
            addresses[name] = int(text, 16)
        except ValueError as error:
            raise SettingsFileError(
                f"{path}:{number}: expected an address in hexadecimal and a name, "
                f"found {line!r}"
            ) from error
    missing = [
        name
        for name in (*MODULE_VARIABLES, *CHANNEL_VARIABLES)
        if name not in addresses
    ]
    if missing:
        raise SettingsFileError(f"{path}: no address of {', '.join(missing)}")
    first = min(addresses.values())
    return {name: address - first for name, address in addresses.items()}
