"""XIA's settings files: JSON, an object for each module.

An object has `metadata` (slot, serial number, kind, firmware), `module.input`
(variables of the module) and `channel.input` (variables of the channels, a list each).
All values are raw words, floats as their bits. XIA's library saves and loads such
files; it matches the objects to modules by their order and fills what is missing with
defaults. Here they are found by slot (`CrateSettings.match`), and what is missing is an
error.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pixie_pipe.settings.entries import kind_name, read_entries, section, whole
from pixie_pipe.settings.errors import SettingsError, SettingsFileError
from pixie_pipe.settings.kinds import REVISIONS, ModuleKind
from pixie_pipe.settings.modules import CrateSettings, ModuleSettings
from pixie_pipe.settings.variables import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    WORD_LIMIT,
    Words,
)
from pixie_pipe.storage.atomic import new_file

_USUAL_CHANNELS: Final = 16
_WORD_VALUES: Final = range(WORD_LIMIT)


def read_json(path: str | Path, *, complete: bool = True) -> CrateSettings:
    """Read a settings file of XIA's library.

    Channel lists that are too short are extended with their first element, as the
    library does. Variables and metadata that are not known here are kept.

    Parameters
    ----------
    path
        The file.
    complete
        Whether every variable must be there. Without, the defaults of the library
        stand for those that are missing.

    Raises
    ------
    SettingsFileError
        If the file cannot be read, or something in it is wrong or missing.
    """
    path = Path(path)
    content = read_entries(path)
    settings = CrateSettings()
    for index, entry in enumerate(content):
        try:
            settings.add(_read_module(entry, complete=complete))
        except SettingsError as error:
            raise SettingsFileError(f"{path}: [{index}]: {error}") from error
    return settings


def write_json(
    path: str | Path, settings: CrateSettings, *, force: bool = False
) -> None:
    """Write a settings file that XIA's library can load.

    The objects are in the order of `settings`. The library matches them to modules by
    their order: use `CrateSettings.match` to get the order of the modules.

    Parameters
    ----------
    path
        The file. It appears when it is complete.
    settings
        Of all modules.
    force
        Replace a file that exists.

    Raises
    ------
    pixie_pipe.storage.atomic.OutputExistsError, OutputPathError
        If the file exists, or cannot be written there.
    """
    content = [_module_object(number, m) for number, m in enumerate(settings)]
    text = json.dumps(content, indent=4, sort_keys=True) + "\n"
    with new_file(Path(path), force=force) as opened:
        opened.path.write_text(text, encoding="utf-8")


def _read_module(entry: object, *, complete: bool) -> ModuleSettings:
    if not isinstance(entry, dict):
        raise SettingsFileError(f"expected an object, found {kind_name(entry)}")
    metadata = section(entry, "metadata")
    kinds = _read_kinds(metadata)
    module_input = section(entry, "module", "input")
    channel_input = section(entry, "channel", "input")
    missing = [
        *(
            f"module.input.{name}"
            for name in MODULE_VARIABLES
            if name not in module_input
        ),
        *(
            f"channel.input.{name}"
            for name in CHANNEL_VARIABLES
            if name not in channel_input
        ),
    ]
    if complete and missing:
        raise SettingsFileError(
            f"{', '.join(missing)}: missing; to put the defaults of XIA's library in "
            f"their place, read with --defaults (complete=False)"
        )
    module = {
        name: _words(f"module.input.{name}", module_input[name], width)
        for name, width in MODULE_VARIABLES.items()
        if name in module_input
    }
    channel = {
        name: _channel_words(name, channel_input[name], len(kinds))
        for name in CHANNEL_VARIABLES
        if name in channel_input
    }
    serial = metadata.get("serial-num")
    return ModuleSettings(
        slot=whole(metadata, "slot"),
        kind=kinds[0],
        crate=int(module["CrateID"][0]) if "CrateID" in module else 0,
        serial=None if serial is None else whole(metadata, "serial-num"),
        module=module,
        channel=channel,
        boards={n: kind for n, kind in enumerate(kinds) if kind != kinds[0]},
        metadata=copy.deepcopy(metadata),
        extra=_extra(entry),
    )


def _extra(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of everything but the metadata and the known variables."""
    rest = copy.deepcopy({k: v for k, v in entry.items() if k != "metadata"})
    for part, known in (
        ("module", MODULE_VARIABLES),
        ("channel", CHANNEL_VARIABLES),
    ):
        for name in known:
            rest[part]["input"].pop(name, None)
        if not rest[part]["input"]:
            del rest[part]["input"]
        if not rest[part]:
            del rest[part]
    return rest


def _read_kinds(metadata: Mapping[str, Any]) -> list[ModuleKind]:
    """Return the kind of each channel: Rev H can mix boards."""
    revision = metadata.get("hardware_revision")
    if not isinstance(revision, str) or revision not in tuple(REVISIONS):
        raise SettingsFileError(
            f"metadata.hardware_revision is {revision!r}: expected one letter of "
            f"{REVISIONS}"
        )
    channels = _USUAL_CHANNELS
    if "num-channels" in metadata:
        channels = whole(metadata, "num-channels")
    boards = metadata.get("config")
    if not isinstance(boards, list) or len(boards) != channels:
        found = len(boards) if isinstance(boards, list) else kind_name(boards)
        raise SettingsFileError(
            f"metadata.config: expected a list of {channels} objects, one for each "
            f"channel, found {found}"
        )
    kinds = []
    for number, board in enumerate(boards):
        place = f"metadata.config[{number}]"
        if not isinstance(board, dict):
            raise SettingsFileError(f"{place}: expected an object")
        try:
            msps, bits = whole(board, "adc_msps"), whole(board, "adc_bits")
            mhz = whole(board, "fpga_clk_mhz")
            kinds.append(ModuleKind(msps, bits, revision, channels, mhz))
        except SettingsError as error:
            raise SettingsFileError(f"{place}: {error}") from error
    if not kinds:
        raise SettingsFileError("metadata.num-channels is 0")
    return kinds


def _words(place: str, value: object, width: int) -> Words:
    values = value if isinstance(value, list) else [value]
    if len(values) != width:
        raise SettingsFileError(f"{place} has {len(values)} values, expected {width}")
    for item in values:
        if not _is_word(item):
            raise SettingsFileError(
                f"{place} has {item!r}: expected whole numbers from 0 to "
                f"{WORD_LIMIT - 1} (floats as their bits)"
            )
    return np.array(values, np.uint32)


def _is_word(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value in _WORD_VALUES


def _channel_words(name: str, value: object, channels: int) -> Words:
    place = f"channel.input.{name}"
    if not isinstance(value, list) or not 1 <= len(value) <= channels:
        found = f"{len(value)} values" if isinstance(value, list) else repr(value)
        raise SettingsFileError(
            f"{place} has {found}, expected a list of 1 to {channels}"
        )
    filled = value + [value[0]] * (channels - len(value))
    return _words(place, filled, channels)


def _module_object(number: int, settings: ModuleSettings) -> dict[str, Any]:
    content = copy.deepcopy(settings.extra)
    module = content.setdefault("module", {}).setdefault("input", {})
    for name, width in MODULE_VARIABLES.items():
        words = settings.module[name].tolist()
        module[name] = words if width > 1 else words[0]
    channel = content.setdefault("channel", {}).setdefault("input", {})
    for name in CHANNEL_VARIABLES:
        channel[name] = settings.channel[name].tolist()
    content["metadata"] = _metadata(number, settings)
    return content


def _metadata(number: int, settings: ModuleSettings) -> dict[str, Any]:
    metadata = copy.deepcopy(settings.metadata)
    kind = settings.kind
    metadata.update(
        {
            "hardware_revision": kind.revision,
            "num-channels": kind.channels,
            "number": number,
            "slot": settings.slot,
        }
    )
    if settings.serial is not None:
        metadata["serial-num"] = settings.serial
    boards = metadata.get("config", [])
    if len(boards) != kind.channels:
        boards = [{} for _ in range(kind.channels)]
    for channel, board in enumerate(boards):
        own = settings.kind_of(channel)
        board.update(
            {
                "adc_bits": own.adc_bits,
                "adc_msps": own.frequency_msps,
                "fpga_clk_mhz": own.fpga_mhz,
            }
        )
        board.setdefault("adc_clk_div", own.samples_per_tick)
    metadata["config"] = boards
    return metadata
