"""XIA's library: found, checked, loaded; its calls, with errors for return codes."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, Final

from pixie_pipe.drivers._shared_library import UnloadableError, refuse_unloadable
from pixie_pipe.drivers._xia_errors import XiaError
from pixie_pipe.drivers._xia_functions import SIZES, VERSION, declare
from pixie_pipe.drivers.digitizer import DriverError

ENVIRONMENT: Final = "PIXIE_PIPE_XIA_LIBRARY"
"""Variable with the path of the library, used if no path is given."""

NAME: Final = "libPixie16Api.so"
"""What the library is called where the system looks for libraries."""

_TEXT_BYTES: Final = 512
"""Room for the text of a return code; the longest one has some fifty characters."""


class LibraryError(DriverError):
    """XIA's library cannot be found, loaded or used."""


class XiaLibrary:
    """The library of a path, loaded into this process.

    Two of them with one path are the same library, with the same modules.

    Parameters
    ----------
    path
        The file. Without it, that of the environment, or what the system finds.

    Raises
    ------
    LibraryError
        If there is none, it cannot be loaded, or functions are missing in it.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._library, self.path = _load(path)
        self.log = ""
        missing = declare(self._library)
        if missing:
            raise LibraryError(
                f"{self.path}: lacks {', '.join(missing)}; the driver was made for "
                f"PixieSDK {VERSION}: use that version or a later one"
            )

    @property
    def handle(self) -> int:
        """Number that the system gives this library in this process."""
        return self._library._handle  # noqa: SLF001 - ctypes has no other way

    def raw(self, function: str, *arguments: Any) -> Any:  # noqa: ANN401 - int or float
        """Call a function and return what it returns, whatever that means."""
        return getattr(self._library, function)(*arguments)

    def call(
        self, function: str, *arguments: Any, slot: int | None = None, detail: str = ""
    ) -> int:
        """Call a function that returns a code; return the code, 0 or positive.

        Raises
        ------
        XiaError
            If the code is negative; it names `slot` and `detail`.
        """
        code: int = self.raw(function, *arguments)
        if code < 0:
            raise self._error(function, code, slot, detail)
        return code

    def compute(self, function: str, *arguments: Any, slot: int | None = None) -> float:
        """Call a function that returns a number, negative for an error.

        Raises
        ------
        XiaError
            If the number is negative.
        """
        value: float = self.raw(function, *arguments)
        if value < 0:
            raise self._error(function, int(value), slot, "")
        return value

    def text_of(self, code: int) -> str:
        """Return what the library calls a return code."""
        # The library writes no NUL behind the text: the buffer must be zeroed, and it
        # is a new one each time.
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        if self.raw("PixieGetReturnCodeText", code, text, _TEXT_BYTES - 1) < 0:
            return "?"
        return text.value.decode("utf-8", "replace")

    def _error(
        self, function: str, code: int, slot: int | None, detail: str
    ) -> XiaError:
        text = self.text_of(code)
        return XiaError(function, -code, text, slot=slot, detail=detail, log=self.log)


def _load(path: str | os.PathLike[str] | None) -> tuple[ctypes.CDLL, str]:
    """Return the loaded library and its path."""
    for structure, size in SIZES.items():
        if ctypes.sizeof(structure) != size:
            raise LibraryError(
                f"{structure.__name__} has {ctypes.sizeof(structure)} bytes on this "
                f"machine, expected {size}: only Linux on 64 bits is supported"
            )
    given = path or os.environ.get(ENVIRONMENT)
    if given:
        return _load_file(Path(given).expanduser().absolute())
    try:
        return ctypes.CDLL(NAME), NAME
    except OSError as error:
        raise LibraryError(
            f"XIA's library was not found ({error}); give its path as the option "
            f"`library` or in {ENVIRONMENT}. It is part of XIA's PixieSDK"
        ) from error


def _load_file(path: Path) -> tuple[ctypes.CDLL, str]:
    try:
        refuse_unloadable(path)
    except UnloadableError as error:
        raise LibraryError(
            f"{path}: {error}; expected XIA's library, {NAME}: give its path as the "
            f"option `library` or in {ENVIRONMENT}"
        ) from error
    try:
        return ctypes.CDLL(str(path)), str(path)
    except OSError as error:
        raise LibraryError(
            f"{path}: cannot be loaded: {error}; `ldd {path}` tells which other "
            f"libraries it needs"
        ) from error
