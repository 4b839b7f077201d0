"""The stand-in for XIA's library: compiled, loaded, and told what shall happen."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCES = Path(__file__).parent / "xia_library"

_SIZE = ctypes.c_size_t
_U32 = ctypes.c_uint32
_WORDS = np.ctypeslib.ndpointer(np.uint32, ndim=1, flags="C_CONTIGUOUS")
_TEXT = ctypes.c_char_p

_CONTROLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "test_violations": (_TEXT, ()),
    "test_calls": (ctypes.c_int, (_TEXT,)),
    "test_remove_driver": (None, (ctypes.c_int,)),
    "test_refuse_boot": (None, (_U32, ctypes.c_int)),
    "test_online": (ctypes.c_int, (_U32,)),
    "test_stick_bits": (None, (_U32,)),
    "test_set_module_parameter": (None, (_U32, _TEXT, _U32)),
    "test_module_parameter": (_U32, (_U32, _TEXT)),
    "test_set_channel_parameter": (None, (_U32, _TEXT, _U32, ctypes.c_double)),
    "test_set_statistics_bytes": (None, (_U32,)),
    "test_damage_statistics": (None, (ctypes.c_int,)),
    "test_set_source": (None, (_U32, _WORDS, _SIZE, _SIZE)),
    "test_inject": (None, (_U32, _WORDS, _SIZE)),
    "test_overflow_hardware": (None, (_U32, _SIZE)),
    "test_queued": (_SIZE, (_U32,)),
    "test_discarded": (_SIZE, (_U32,)),
    "test_ended_while_running": (_U32, (_U32,)),
    "test_running": (ctypes.c_int, (_U32,)),
    "test_start_by_itself": (None, (_U32,)),
    "test_delay_start": (None, (_U32, ctypes.c_int)),
    "test_end_at_once": (None, (ctypes.c_int,)),
    "test_steal": (None, (ctypes.c_int,)),
    "test_fail_start": (None, (ctypes.c_int,)),
    "test_fail_end": (None, (ctypes.c_int,)),
    "test_fifo_buffers": (_SIZE, (_U32,)),
}


def compiler() -> str | None:
    """Return the C compiler of this machine, if there is one."""
    return shutil.which("cc") or shutil.which("gcc")


def build(path: Path, *defines: str) -> None:
    """Compile the library."""
    found = compiler()
    assert found is not None
    subprocess.run(
        [
            *(found, "-std=c11", "-O1", "-Wall", "-Wextra"),
            *("-D_DEFAULT_SOURCE", "-fPIC", "-shared", "-pthread", *defines),
            *("-o", str(path), *map(str, sorted(SOURCES.glob("*.c"))), "-lm"),
        ],
        check=True,
    )


class XiaCrate:
    """One loaded library; modules are numbered by their slots, from 2 on.

    `call.test_...` are the functions for tests, `call.Pixie16...` those of XIA.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.call: Any = ctypes.CDLL(str(path))
        for name, (returned, arguments) in _CONTROLS.items():
            function = getattr(self.call, name)
            function.restype, function.argtypes = returned, arguments

    @property
    def violations(self) -> str:
        """What would have lost data or crashed."""
        text: bytes = self.call.test_violations()
        return text.decode()

    def calls(self, function: str) -> int:
        """Return how often a function was called."""
        count: int = self.call.test_calls(function.encode())
        return count

    def source(self, module: int, words: NDArray[np.uint32], step: int = 0) -> None:
        """Set what a module measures: all at the start, or step by step."""
        self.call.test_set_source(module, words, words.size, step)

    def inject(self, module: int, words: NDArray[np.uint32]) -> None:
        """Put words into the queue of a module."""
        self.call.test_inject(module, words, words.size)

    def parameter(self, module: int, name: str) -> int:
        """Return a module's parameter as the module has it."""
        value: int = self.call.test_module_parameter(module, name.encode())
        return value

    def set_parameter(self, module: int, name: str, value: int) -> None:
        """Set a module's parameter behind the driver's back."""
        self.call.test_set_module_parameter(module, name.encode(), value)
