"""Settings files for XIA's library: with the modules in the order that it takes them.

The library goes by position alone: the first entry is for the first module, whatever
slot and serial number it tells. `pixie_pipe.settings` finds entries by slot and serial
number; the library is given a file with those in its own order, otherwise unchanged.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.settings import FoundModule, SettingsFileError
from pixie_pipe.settings.entries import entries_for

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
    chosen = _chosen(path, modules, ignore_serials=ignore_serials)
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
    _chosen(path, modules, ignore_serials=False)


def _chosen(
    path: Path, modules: Sequence[ModuleIdentity], *, ignore_serials: bool
) -> list[Any]:
    found = [FoundModule(module.slot, module.serial_number) for module in modules]
    channels = [module.channels for module in modules]
    try:
        return entries_for(path, found, channels, check_serials=not ignore_serials)
    except SettingsFileError as error:
        raise SettingsError(str(error)) from error
