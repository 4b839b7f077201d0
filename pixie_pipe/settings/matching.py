"""Which settings are for which module: by place and serial number, never by order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from pixie_pipe.settings.errors import SettingsError

_REPLACED: Final = "; if it has replaced that one, let serial numbers be ignored"


@dataclasses.dataclass(frozen=True)
class FoundModule:
    """A module that is present in a crate, or that settings are of.

    Attributes
    ----------
    slot, crate
        Where it is.
    serial
        Its serial number; None if it is not known.
    """

    slot: int
    serial: int | None = None
    crate: int = 0

    @property
    def where(self) -> str:
        """The module in words, for texts: ``crate 0, slot 2``."""
        return f"crate {self.crate}, slot {self.slot}"


def match_modules(
    found: Sequence[FoundModule],
    there: Sequence[FoundModule],
    *,
    check_serials: bool = True,
) -> list[int]:
    """Return the number of the settings for each module that is present.

    Parameters
    ----------
    found
        The modules of the crate.
    there
        The modules that there are settings of.
    check_serials
        Whether the serial numbers must agree, where both are known. Without, the
        settings of a module that was replaced go to the one in its place.

    Raises
    ------
    SettingsError
        If a module has no settings, or those in its place are of another module. The
        text names all such modules, and where their settings are.
    """
    numbers = {(one.crate, one.slot): number for number, one in enumerate(there)}
    if len(numbers) < len(there):
        places = [(one.crate, one.slot) for one in there]
        twice = next(one for one in there if places.count((one.crate, one.slot)) > 1)
        raise SettingsError(f"{twice.where}: there are two modules in this place")
    problems = [_mismatch(one, there, serials=check_serials) for one in found]
    texts = [text for text in problems if text]
    if texts:
        raise SettingsError(
            "the settings do not fit the modules of the crate:\n  " + "\n  ".join(texts)
        )
    return [numbers[one.crate, one.slot] for one in found]


def _mismatch(
    found: FoundModule, there: Sequence[FoundModule], *, serials: bool
) -> str:
    """Return why there are no settings for a module; nothing if there are."""
    in_place = [
        one for one in there if (one.crate, one.slot) == (found.crate, found.slot)
    ]
    known = found.serial is not None
    elsewhere = [one.where for one in there if known and one.serial == found.serial]
    hint = ""
    if elsewhere:
        hint = f"; settings of this serial number are at {elsewhere[0]}"
    if not in_place:
        serial = f" (serial number {found.serial})" if known else ""
        return f"{found.where}: no settings for the module there{serial}{hint}"
    (settings,) = in_place
    wrong = known and settings.serial not in (None, found.serial)
    if serials and wrong:
        return (
            f"{found.where}: the settings are of serial number {settings.serial}, the "
            f"module has {found.serial}{hint or _REPLACED}"
        )
    return ""
