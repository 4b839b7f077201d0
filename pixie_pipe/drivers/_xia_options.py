"""The options of the driver `xia`, checked before anything happens.

XIA's library accepts much that it then fails on, and a failed start costs the process:
what can be refused here is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pixie_pipe.drivers._xia_functions import MOST_MODULES
from pixie_pipe.drivers.digitizer import DriverError

Boot = Literal["probe", "reset", "settings"]

FIFO_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "bandwidth_mb_per_sec": (0, 100),
    "buffers": (10, 10_000_000),
    "dma_trigger_level_bytes": (512, 8192),
    "hold_usecs": (1000, 100_000),
    "idle_wait_usecs": (10_000, 1_000_000),
    # 0 would move words only when somebody reads, which XIA advises against.
    "run_wait_usecs": (500, 200_000),
}
"""Lowest and highest values that the library takes, of PixieSDK 5.3.0."""

_FIRST_SLOT: Final = 2
_LAST_SLOT: Final = _FIRST_SLOT + MOST_MODULES - 1
_LAST_CRATE: Final = 15

_REVISIONS: Final[Mapping[str, int]] = {
    letter: 10 + place for place, letter in enumerate("ABCDEFGH")
}
"""Numbers of the hardware revisions, as the library has them."""

_DEVICES: Final = ("sys", "fippi", "dsp", "var")


class OptionError(DriverError, ValueError):
    """An option of the driver cannot be."""


@dataclass(frozen=True, slots=True)
class FirmwareFile:
    """A file that one kind of module is booted with."""

    device: str
    path: str
    revision: int
    frequency: int
    bits: int
    version: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What cannot be changed once the library is initialised in a process."""

    slots: tuple[int, ...]
    is_offline: bool
    firmware_directory: str
    firmware_files: tuple[FirmwareFile, ...]
    fifo: tuple[tuple[str, int], ...]


def check_slots(slots: Sequence[int]) -> tuple[int, ...]:
    """Return the slots of the modules, in the order of their numbers.

    Raises
    ------
    OptionError
        If there are none, one is no slot, or one is there twice: the library takes
        duplicates, and has two numbers for one module then.
    """
    # What YAML gives may be anything.
    given: object = slots
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise OptionError(f"slots is {slots!r}, expected a list such as [2, 3]")
    found = [_whole(slot, "slots", _FIRST_SLOT, _LAST_SLOT) for slot in slots]
    if not found:
        raise OptionError("slots is empty, expected a list such as [2, 3]")
    for slot in found:
        if found.count(slot) > 1:
            raise OptionError(
                f"slots has {slot} twice ({', '.join(map(str, found))}), expected each "
                f"module once; take one of them out"
            )
    return tuple(found)


def check_crate(crate: int) -> int:
    """Return the number of the crate.

    Raises
    ------
    OptionError
        If it does not fit into the header of an event.
    """
    return _whole(crate, "crate", 0, _LAST_CRATE)


def check_fifo(fifo: Mapping[str, int] | None) -> tuple[tuple[str, int], ...]:
    """Return names and values of the FIFO configuration that are asked for.

    Raises
    ------
    OptionError
        If a name is unknown or a value out of range. The library would apply the
        values before the wrong one.
    """
    found = []
    for name, value in (fifo or {}).items():
        if name not in FIFO_RANGES:
            raise OptionError(f"fifo: {_unknown(name, FIFO_RANGES)}")
        found.append((name, _whole(value, f"fifo: {name}", *FIFO_RANGES[name])))
    return tuple(found)


def check_boot(boot: str, settings: object) -> Boot:
    """Return the mode of the boot.

    Raises
    ------
    OptionError
        If there is no such mode, or it needs settings and there are none.
    """
    for known in get_args(Boot):
        if boot == known:
            if known == "settings" and settings is None:
                raise OptionError("boot is 'settings': then `settings` must be given")
            mode: Boot = known
            return mode
    raise OptionError(f"boot: {_unknown(boot, get_args(Boot))}")


def check_firmware(
    firmware: str | Path | Sequence[Mapping[str, Any]] | None,
) -> tuple[str, tuple[FirmwareFile, ...]]:
    """Return the directory of the firmware, or the single files.

    Raises
    ------
    OptionError
        If a directory or file does not exist, or an entry lacks something.
    """
    if firmware is None:
        return "", ()
    if isinstance(firmware, str | Path):
        directory = Path(firmware).expanduser().absolute()
        if not directory.is_dir():
            raise OptionError(
                f"firmware: {directory} is no directory, expected that of the "
                f"firmware with its JSON files"
            )
        if next(directory.rglob("*.json"), None) is None:
            raise OptionError(
                f"firmware: {directory} has no JSON files, which list the files of a "
                f"firmware; name the directory into which XIA's firmware was unpacked"
            )
        return str(directory), ()
    return "", tuple(_firmware_file(entry) for entry in firmware)


def by_slot(values: object, name: str, slots: Sequence[int]) -> dict[int, Any]:
    """Return an option that may differ by slot: one value, or a mapping of slots.

    Raises
    ------
    OptionError
        If a key is none of the slots.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        return dict.fromkeys(slots, values)
    found = {}
    for key, value in values.items():
        # In YAML, or on the way through JSON, the numbers may have become texts.
        slot = int(key) if str(key).isdecimal() else -1
        if slot not in slots:
            known = ", ".join(map(str, slots))
            raise OptionError(f"{name}: {key!r} is none of the slots: {known}")
        found[slot] = value
    return found


def _firmware_file(entry: Mapping[str, Any]) -> FirmwareFile:
    needed = ("device", "path", "revision", "frequency", "bits")
    known = (*needed, "version")
    if not isinstance(entry, Mapping):
        raise OptionError(f"firmware: {entry!r} is no mapping with {', '.join(known)}")
    for name in entry:
        if name not in known:
            raise OptionError(f"firmware: {_unknown(name, known)}")
    missing = [name for name in needed if name not in entry]
    if missing:
        raise OptionError(f"firmware: an entry lacks {', '.join(missing)}")
    if entry["device"] not in _DEVICES:
        raise OptionError(f"firmware: device: {_unknown(entry['device'], _DEVICES)}")
    path = Path(entry["path"]).expanduser().absolute()
    if not path.is_file():
        raise OptionError(f"firmware: {path}: there is no such file")
    revision = entry["revision"]
    return FirmwareFile(
        device=entry["device"],
        path=str(path),
        revision=_REVISIONS.get(str(revision).upper())
        or _whole(revision, "firmware: revision", 10, 99),
        frequency=_whole(entry["frequency"], "firmware: frequency", 1, 1000),
        bits=_whole(entry["bits"], "firmware: bits", 1, 16),
        version=_whole(entry.get("version", 0), "firmware: version", 0, 2**32 - 1),
    )


def _whole(value: object, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise OptionError(f"{name}: {value!r} is no whole number")
    number: int = value.__index__()
    if not least <= number <= most:
        raise OptionError(f"{name}: {number} is not in {least} to {most}")
    return number


def _unknown(name: object, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {name!r}; {hint}Known: {', '.join(names)}"
