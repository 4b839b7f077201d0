"""Optional packages: imported when needed, with an error that tells the remedy."""

from __future__ import annotations

import importlib
from types import ModuleType

from pixie_pipe.errors import PixiePipeError


class MissingExtraError(PixiePipeError, ImportError):
    """A package that only an optional feature needs is not installed."""


def optional_import(module: str, extra: str) -> ModuleType:
    """Import a module that an optional feature needs.

    Parameters
    ----------
    module
        Name to import, such as ``"pandas"``.
    extra
        The extra of pixie_pipe that installs it, such as ``"parquet"``.

    Returns
    -------
    types.ModuleType
        The imported module.

    Raises
    ------
    MissingExtraError
        If the package is not installed. A package that is installed but fails
        to import raises its own error, because installing it again is no cure.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtraError(
            f"this needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'pixie-pipe[{extra}]'",
            name=module,
        ) from error
