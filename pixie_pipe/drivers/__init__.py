"""Drivers: how words are got out of modules, or of what stands for them.

A file ``my_crate.py`` in a directory of the search path is imported as
``pixie_pipe.drivers.my_crate`` and holds the class ``MyCrateDigitizer``.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    import os

    from pixie_pipe.drivers.digitizer import Digitizer

__all__ = [
    "DriverNotFoundError",
    "add_search_path",
    "class_name",
    "find_driver",
    "known_drivers",
]

_NO_DRIVERS = frozenset({"digitizer"})
"""Modules of this package that hold no driver."""

_METHODS = ("open", "close", "start_run", "stop_run", "read", "statistics")


class DriverNotFoundError(PixiePipeError, ValueError):
    """A driver that does not exist, cannot be imported, or exists twice."""


def class_name(name: str) -> str:
    """Return the name of a driver's class: ``my_crate`` has ``MyCrateDigitizer``."""
    return "".join(part.capitalize() for part in name.split("_")) + "Digitizer"


def add_search_path(directories: Iterable[str | os.PathLike[str]]) -> None:
    """Look for drivers in these directories, too.

    Raises
    ------
    DriverNotFoundError
        If one is no directory, or a file in it has the name of a known driver.
    """
    for directory in directories:
        path = Path(directory).resolve()
        if str(path) in __path__:
            continue
        if not path.is_dir():
            raise DriverNotFoundError(
                f"{directory}: is no directory, expected one with files of drivers"
            )
        twice = sorted(set(_names_in([str(path)])) & set(_names_in(__path__)))
        if twice:
            raise DriverNotFoundError(
                f"the driver {twice[0]} exists twice, once in {path}; rename one"
            )
        __path__.append(str(path))
        importlib.invalidate_caches()


def known_drivers() -> list[str]:
    """Return the names of all drivers that can be asked for."""
    return sorted(set(_names_in(__path__)) - _NO_DRIVERS)


def _names_in(path: Iterable[str]) -> list[str]:
    return [
        found.name
        for found in pkgutil.iter_modules(path)
        if not found.name.startswith("_")
    ]


def find_driver(name: str) -> type[Digitizer]:
    """Return the class of a driver, and import it if need be.

    Parameters
    ----------
    name
        Its name, such as ``recorded``.

    Raises
    ------
    DriverNotFoundError
        If there is none of this name, or its file cannot be imported or has no such
        class.
    """
    known = known_drivers()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DriverNotFoundError(
            f"there is no driver {name!r}{hint} (known: {', '.join(known)})"
        )
    wanted = class_name(name)
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except Exception as error:  # whatever the file of a user raises
        raise DriverNotFoundError(
            f"the driver {name} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    kind = getattr(module, wanted, None)
    if not isinstance(kind, type):
        raise DriverNotFoundError(
            f"{module.__file__}: has no class {wanted}, expected one for the driver "
            f"{name}"
        )
    missing = [name for name in _METHODS if not hasattr(kind, name)]
    if missing:
        raise DriverNotFoundError(
            f"{module.__file__}: {wanted} has no {', '.join(missing)}; see "
            f"pixie_pipe.drivers.digitizer for what a driver must do"
        )
    return cast("type[Digitizer]", kind)
