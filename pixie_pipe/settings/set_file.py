"""The old binary settings files (``.set``): the memory of the DSP, module by module.

1280 words of 32 bits, least significant byte first, for each module, in the order of
the modules in the crate. The files do not tell what the modules are; the slot is that
of the last time a module was booted. Often they have room for 24 modules, most of which
are not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.settings.addresses import SIXTEEN_CHANNELS
from pixie_pipe.settings.errors import SettingsFileError
from pixie_pipe.settings.modules import CrateSettings, ModuleSettings
from pixie_pipe.settings.variables import CHANNEL_VARIABLES, MODULE_VARIABLES, Words

if TYPE_CHECKING:
    from pixie_pipe.settings.kinds import ModuleKind

_MODULE_WORDS: Final = 1280
_CHANNELS: Final = 16  # no files of this form exist for modules with 32 channels


def read_set(
    path: str | Path,
    kinds: Sequence[ModuleKind],
    *,
    slots: Sequence[int] | None = None,
    addresses: Mapping[str, int] = SIXTEEN_CHANNELS,
) -> CrateSettings:
    """Read the first modules of an old settings file.

    Parameters
    ----------
    path
        The file.
    kinds
        What the modules are, in the order of the file; the file does not tell.
    slots
        Their slots, in the same order. They must agree with the file, as far as it
        tells. If not given, those of the file are taken.
    addresses
        Places of the variables, as `read_var` gives them from the firmware's ``.var``
        file. If not given, those of all known firmware for 16 channels.

    Raises
    ------
    SettingsFileError
        If the file cannot be read, has another size or fewer modules, or does not fit.
    """
    path = Path(path)
    blocks = _read_blocks(path)
    if slots is not None and len(slots) != len(kinds):
        raise SettingsFileError(
            f"{path}: {len(kinds)} kinds and {len(slots)} slots of modules were given; "
            f"expected as many"
        )
    if len(kinds) > len(blocks):
        raise SettingsFileError(
            f"{path}: holds {len(blocks)} modules, {len(kinds)} were asked for"
        )
    settings = CrateSettings()
    for index, kind in enumerate(kinds):
        if kind.channels != _CHANNELS:
            raise SettingsFileError(
                f"{path}: module {index}: {kind}; files of this form exist for "
                f"{_CHANNELS} channels only"
            )
        slot = None if slots is None else slots[index]
        try:
            settings.add(_read_module(blocks[index], kind, slot, addresses))
        except ValueError as error:
            raise SettingsFileError(f"{path}: module {index}: {error}") from error
    return settings


def stored_slots(
    path: str | Path, *, addresses: Mapping[str, int] = SIXTEEN_CHANNELS
) -> list[int]:
    """Return the slots that an old settings file tells, in its order.

    Parameters
    ----------
    path
        The file.
    addresses
        As for `read_set`.

    Returns
    -------
    list of int
        One for each place for a module. 0 where none was ever booted.

    Raises
    ------
    SettingsFileError
        If the file cannot be read or has another size, or the address does not fit.
    """
    path = Path(path)
    place = addresses["SlotID"]
    if place >= _MODULE_WORDS:
        raise SettingsFileError(f"{path}: {_behind('SlotID')}")
    return [int(slot) for slot in _read_blocks(path)[:, place]]


def _behind(name: str) -> str:
    return f"the address of {name} is behind the {_MODULE_WORDS} words of a module"


def _read_blocks(path: Path) -> Words:
    """Return the words, ``(modules, 1280)``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsFileError(f"{path}: cannot be read: {error}") from error
    size = 4 * _MODULE_WORDS
    if not data or len(data) % size:
        raise SettingsFileError(
            f"{path}: has {len(data)} bytes, expected a multiple of {size} (1280 words "
            f"for each module)"
        )
    return np.frombuffer(data, "<u4").reshape(-1, _MODULE_WORDS).astype(np.uint32)


def _read_module(
    block: Words, kind: ModuleKind, slot: int | None, addresses: Mapping[str, int]
) -> ModuleSettings:
    widths = {**MODULE_VARIABLES, **dict.fromkeys(CHANNEL_VARIABLES, kind.channels)}
    found: dict[str, Words] = {}
    for name, width in widths.items():
        words = block[addresses[name] : addresses[name] + width]
        if words.size != width:
            raise SettingsFileError(_behind(name))
        found[name] = words.copy()
    stored = int(found["SlotID"][0])
    if slot is not None and stored not in (0, slot):
        raise SettingsFileError(
            f"the settings are of slot {stored}, the module is in slot {slot}"
        )
    if slot is None and stored == 0:
        raise SettingsFileError(
            "the file does not tell the slot; give --slots (slots=)"
        )
    return ModuleSettings(
        slot=stored if slot is None else slot,
        kind=kind,
        crate=int(found["CrateID"][0]),
        module={name: found[name] for name in MODULE_VARIABLES},
        channel={name: found[name] for name in CHANNEL_VARIABLES},
    )
