"""The entries of XIA's settings files, as they are: an object for each module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixie_pipe.settings.errors import SettingsError, SettingsFileError
from pixie_pipe.settings.matching import FoundModule, match_modules


def read_entries(path: Path) -> list[Any]:
    """Return the list that a settings file of XIA's library holds.

    Raises
    ------
    SettingsFileError
        If the file cannot be read, or is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsFileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsFileError(
            f"{path}: cannot be read: it is no text; older binary files are converted "
            f"by pixie-pipe settings convert"
        ) from error
    try:
        content = json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise SettingsFileError(f"{path}: is no JSON: {error}") from error
    if content is None:
        raise SettingsFileError(
            f"{path}: holds no settings (null); XIA's library writes this when no "
            f"module was booted"
        )
    if not isinstance(content, list):
        raise SettingsFileError(
            f"{path}: expected a list of modules, found {kind_name(content)}"
        )
    return content


def entries_for(
    path: Path,
    found: Sequence[FoundModule],
    channels: Sequence[int],
    *,
    check_serials: bool = True,
) -> list[Any]:
    """Return the entries of a settings file for modules, in their order, unchanged.

    XIA's library takes the entries of a file by their order, gives modules without one
    its defaults, and fills short lists with their first value, all without a word.

    Parameters
    ----------
    path
        The file.
    found
        The modules. Entries are found by slot alone: the file may be of another crate.
    channels
        How many channels each of them has.
    check_serials
        As for `match_modules`.

    Raises
    ------
    SettingsFileError
        If the file cannot be read, is none, or does not fit the modules.
    """
    entries = read_entries(path)
    there = []
    for number, entry in enumerate(entries):
        try:
            there.append(_module_of(entry))
        except SettingsError as error:
            raise SettingsFileError(f"{path}: [{number}]: {error}") from error
    here = [FoundModule(one.slot, one.serial) for one in found]
    try:
        chosen = match_modules(here, there, check_serials=check_serials)
        for number, count in zip(chosen, channels, strict=True):
            _refuse_short_lists(entries[number], count, there[number].where)
    except SettingsError as error:
        raise SettingsFileError(f"{path}: {error}") from error
    return [entries[number] for number in chosen]


def _module_of(entry: object) -> FoundModule:
    if not isinstance(entry, dict):
        raise SettingsFileError(f"expected an object, found {kind_name(entry)}")
    metadata = section(entry, "metadata")
    for part in ("module", "channel"):
        section(entry, part, "input")
    serial = whole(metadata, "serial-num") if "serial-num" in metadata else None
    return FoundModule(whole(metadata, "slot"), serial)


def _refuse_short_lists(entry: Mapping[str, Any], channels: int, where: str) -> None:
    for name, values in section(entry, "channel", "input").items():
        if isinstance(values, list) and len(values) < channels:
            raise SettingsFileError(
                f"{where}: channel.input.{name} has {len(values)} values, expected "
                f"{channels}"
            )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} is there twice in one object")
        found[name] = value
    return found


def kind_name(value: object) -> str:
    """Return what a value of JSON is, for texts."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), repr(value))


def section(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return an object in the object of a module.

    Raises
    ------
    SettingsFileError
        If it is not there.
    """
    place = ""
    value: Any = entry
    for name in names:
        place = f"{place}.{name}".lstrip(".")
        if not isinstance(value, dict) or name not in value:
            raise SettingsFileError(f"{place} is missing")
        value = value[name]
    if not isinstance(value, dict):
        raise SettingsFileError(
            f"{place}: expected an object, found {kind_name(value)}"
        )
    return value


def whole(metadata: Mapping[str, Any], name: str) -> int:
    """Return a whole number of the metadata.

    Raises
    ------
    SettingsFileError
        If it is missing, or something else.
    """
    value = metadata.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        found = "is missing" if name not in metadata else f"is {value!r}"
        raise SettingsFileError(f"metadata.{name} {found}: expected a whole number")
    return value
