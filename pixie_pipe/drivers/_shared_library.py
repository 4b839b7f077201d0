"""Whether a file is a shared library that this process can load.

The system does not tell: a library for another machine "does not exist" for it, and one
that is cut off ends the process with a bus error.

The header is that of the Executable and Linkable Format (ELF), ``man 5 elf``.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MACHINES: Final = {3: "x86", 40: "ARM", 62: "x86-64", 183: "ARM-64", 243: "RISC-V"}
_BITS: Final = {1: 32, 2: 64}
_ORDERS: Final = {1: "little", 2: "big"}
_HEADER_BYTES: Final = 64


class UnloadableError(Exception):
    """A file that would not be loaded; the text tells why."""


@dataclass(frozen=True, slots=True)
class _Architecture:
    machine: int
    bits: int
    order: str

    def __str__(self) -> str:
        name = _MACHINES.get(self.machine, f"machine {self.machine}")
        return f"{name} ({self.bits} bits, {self.order}-endian)"


def refuse_unloadable(path: Path) -> None:
    """Refuse a file that the system could not load into this process.

    Raises
    ------
    UnloadableError
        If there is none, it cannot be read, is no library, was built for another
        machine, or is cut off.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_HEADER_BYTES)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise UnloadableError("there is no such file") from error
    except OSError as error:
        raise UnloadableError(f"cannot be read: {error.strerror}") from error
    found = _architecture(data)
    if found is None:
        raise UnloadableError("is no shared library of Linux")
    with Path(sys.executable).open("rb") as file:
        own = _architecture(file.read(_HEADER_BYTES))
    if own is not None and found != own:
        raise UnloadableError(f"was built for {found}, but this Python for {own}")
    if size < _end_of_sections(data, found):
        raise UnloadableError("is cut off: it is not all there")


def _architecture(data: bytes) -> _Architecture | None:
    if len(data) < _HEADER_BYTES or not data.startswith(b"\x7fELF"):
        return None
    bits, order = _BITS.get(data[4]), _ORDERS.get(data[5])
    if bits is None or order is None:
        return None
    (machine,) = struct.unpack_from("<H" if order == "little" else ">H", data, 18)
    return _Architecture(machine, bits, order)


def _end_of_sections(data: bytes, found: _Architecture) -> int:
    """Return where the table of sections ends, which linkers write last."""
    if found.bits != 64:
        return 0
    prefix = "<" if found.order == "little" else ">"
    (offset,) = struct.unpack_from(f"{prefix}Q", data, 40)
    size, count = struct.unpack_from(f"{prefix}HH", data, 58)
    return int(offset + size * count)
