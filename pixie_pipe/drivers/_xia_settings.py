"""Settings files of XIA's library: which entry belongs to which module.

The library itself goes by position alone: the first entry is for the first module,
whatever slot and serial number it tells, and modules without an entry get defaults that
are not even complete. Here entries are found by slot and serial number, and the library
is given a file with the modules in its own order.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import ModuleIdentity


class SettingsError(DriverError):
    """A settings file cannot be used for these modules."""


@contextlib.contextmanager
def settings_for(
    path: Path, modules: Sequence[ModuleIdentity], *, ignore_serials: bool = False
) -> Iterator[Path]:
    """Give a file with the settings of these modules, in this order.

    Parameters
    ----------
    path
        The settings file.
    modules
        The modules, by their numbers.
    ignore_serials
        Take the settings of a slot for whatever module is there.

    Yields
    ------
    Path
        A file that is deleted afterwards.

    Raises
    ------
    SettingsError
        If the file cannot be read, is none, or lacks a module.
    """
    entries = _entries(path)
    chosen = [
        _entry_of(module, entries, path, ignore_serials=ignore_serials)
        for module in modules
    ]
    with tempfile.TemporaryDirectory(prefix="pixie-pipe-") as directory:
        # The library reads this name; it is part of its messages.
        file = Path(directory) / path.name
        file.write_text(json.dumps(chosen))
        yield file


def check_saved(path: Path, modules: Sequence[ModuleIdentity]) -> None:
    """Make sure that a file that the library wrote has all modules.

    Raises
    ------
    SettingsError
        If it has not: the library says that it succeeded even if it wrote nothing.
    """
    entries = _entries(path)
    for module in modules:
        _entry_of(module, entries, path, ignore_serials=False)


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(
            f"{path}: is no JSON ({error}); settings files of before the PixieSDK must "
            f"be converted first"
        ) from error
    if content is None:
        raise SettingsError(
            f"{path}: has no settings at all (null): it was saved before the modules "
            f"were booted; use another file"
        )
    if not isinstance(content, list) or not content:
        raise SettingsError(f"{path}: expected a list with an entry for each module")
    for number, entry in enumerate(content):
        _check_entry(entry, f"{path}: entry {number}")
    return content


def _check_entry(entry: object, where: str) -> None:
    if not isinstance(entry, dict):
        raise SettingsError(
            f"{where}: is no mapping, expected the settings of a module"
        )
    for part in ("metadata", "module", "channel"):
        if not isinstance(entry.get(part), dict):
            raise SettingsError(f"{where}: lacks {part!r}")
    for part in ("module", "channel"):
        if not isinstance(entry[part].get("input"), dict):
            raise SettingsError(f"{where}: {part!r} lacks 'input'")
    for name in ("slot", "serial-num"):
        if not isinstance(entry["metadata"].get(name), int):
            raise SettingsError(f"{where}: metadata lacks {name!r}, a number")


def _entry_of(
    module: ModuleIdentity,
    entries: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    ignore_serials: bool,
) -> Mapping[str, Any]:
    in_slot = [entry for entry in entries if entry["metadata"]["slot"] == module.slot]
    if len(in_slot) > 1:
        raise SettingsError(f"{path}: has slot {module.slot} {len(in_slot)} times")
    if not in_slot:
        raise SettingsError(
            f"{path}: has no settings of slot {module.slot} (serial number "
            f"{module.serial_number}), but those of {_listed(entries)}; the library "
            f"would give the module defaults"
        )
    (entry,) = in_slot
    serial = entry["metadata"]["serial-num"]
    if serial != module.serial_number and not ignore_serials:
        raise SettingsError(
            f"{path}: slot {module.slot} has the settings of serial number {serial}, "
            f"but the module there is {module.serial_number}; if they shall be used "
            f"for it, say so with ignore_serials"
        )
    for name, values in entry["channel"]["input"].items():
        if isinstance(values, list) and len(values) < module.channels:
            raise SettingsError(
                f"{path}: slot {module.slot}: {name} has {len(values)} values, "
                f"expected {module.channels}; the library would give the other "
                f"channels the first one"
            )
    return entry


def _listed(entries: Sequence[Mapping[str, Any]]) -> str:
    found = [entry["metadata"] for entry in entries]
    return ", ".join(f"slot {one['slot']} ({one['serial-num']})" for one in found)
