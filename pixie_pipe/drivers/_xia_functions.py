"""The functions and structures of XIA's library, as PixieSDK 5.3.0 declares them.

Only what the driver uses is here: the header is ``pixie16.h``. Sizes of the structures
are those of Linux on 64 bits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

VERSION: Final = "5.3.0"
"""Release of the PixieSDK that the functions are taken from."""

MOST_MODULES: Final = 13
"""Slots of a crate that may hold modules: 2 to 14."""

LIST_MODE_RUN: Final = 0x100
"""The only type of list-mode run that the library has."""

RESUME_RUN: Final = 0
NEW_RUN: Final = 1

BOOT_PROBE: Final = 0
"""Boot only if a module is offline; settings are ignored."""

BOOT_RESET: Final = 1
"""Boot in any case, then load the settings that are given."""

BOOT_SETTINGS: Final = 2
"""Load settings into modules that are all booted."""

_STRING: Final = 256
_DEVICES: Final = 6
_DEVICE_NAME: Final = 16


class ModuleConfig(ctypes.Structure):
    """``module_config``: what a module is."""

    _fields_ = (
        ("adc_bit_resolution", ctypes.c_uint16),
        ("adc_sampling_frequency", ctypes.c_uint16),
        ("fw_revision", ctypes.c_char * _STRING),
        ("fw_tag", ctypes.c_char * _STRING),
        ("fw_type", ctypes.c_char * _STRING),
        ("fw_device", (ctypes.c_char * _DEVICE_NAME) * _DEVICES),
        ("fw_device_file", (ctypes.c_char * _STRING) * _DEVICES),
        ("number", ctypes.c_uint16),
        ("number_of_channels", ctypes.c_uint16),
        ("revision", ctypes.c_uint16),
        ("serial_number", ctypes.c_uint32),
        ("slot", ctypes.c_uint16),
    )


class FifoConfig(ctypes.Structure):
    """``module_fifo_config``: how words get from a module to the computer."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "bandwidth_mb_per_sec",
            "buffers",
            "dma_trigger_level_bytes",
            "hold_usecs",
            "idle_wait_usecs",
            "run_wait_usecs",
        )
    )


class FifoStats(ctypes.Structure):
    """``module_fifo_stats``: bytes in and out, and words that were lost."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("in", "out", "dma_in", "overflows", "dropped", "hw_overflows")
    )


SIZES: Final[Mapping[type[ctypes.Structure], int]] = {
    ModuleConfig: 2420,
    FifoConfig: 48,
    FifoStats: 48,
}
"""Bytes of the structures in the library, measured on x86-64."""

_INT: Final = ctypes.c_int
_U16: Final = ctypes.c_uint16
_U32: Final = ctypes.c_uint32
_DOUBLE: Final = ctypes.c_double
_TEXT: Final = ctypes.c_char_p
_TO_U32: Final = ctypes.POINTER(ctypes.c_uint32)
_TO_DOUBLE: Final = ctypes.POINTER(ctypes.c_double)


def _array(kind: type[np.generic]) -> type[object]:
    """Return the type of an argument that takes an array of this kind alone."""
    return np.ctypeslib.ndpointer(kind, ndim=1, flags=("C_CONTIGUOUS", "WRITEABLE"))


_U16S: Final = _array(np.uint16)
_U32S: Final = _array(np.uint32)
_DOUBLES: Final = _array(np.float64)

Signature = tuple[Any, tuple[Any, ...]]

FUNCTIONS: Final[Mapping[str, Signature]] = {
    "Pixie16AcquireADCTrace": (_INT, (_U16,)),
    "Pixie16AcquireBaselines": (_INT, (_U16,)),
    "Pixie16AdjustOffsets": (_INT, (_U16,)),
    "Pixie16BLcutFinder": (_INT, (_U16, _U16, _TO_U32)),
    "Pixie16CheckExternalFIFOStatus": (_INT, (_TO_U32, _U16)),
    "Pixie16CheckRunStatus": (_INT, (_U16,)),
    "Pixie16ComputeInputCountRate": (_DOUBLE, (_U32S, _U16, _U16)),
    "Pixie16ComputeLiveTime": (_DOUBLE, (_U32S, _U16, _U16)),
    "Pixie16ComputeOutputCountRate": (_DOUBLE, (_U32S, _U16, _U16)),
    "Pixie16ComputeRawInputCount": (_DOUBLE, (_U32S, _U16, _U16)),
    "Pixie16ComputeRawOutputCount": (_DOUBLE, (_U32S, _U16, _U16)),
    "Pixie16ComputeRealTime": (_DOUBLE, (_U32S, _U16)),
    "Pixie16CopyDSPParameters": (_INT, (_U16, _U16, _U16, _U16S)),
    "Pixie16EndRun": (_INT, (_U16,)),
    "Pixie16ExitSystem": (_INT, (_U16,)),
    "Pixie16GetStatisticsSize": (_U32, ()),
    "Pixie16InitSystem": (_INT, (_U16, _U16S, _U16)),
    "Pixie16LoadDSPParametersFromFile": (_INT, (_TEXT,)),
    "Pixie16LoadModuleFirmware": (_INT, (_TEXT,)),
    "Pixie16ReadDataFromExternalFIFO": (_INT, (_U32S, _U32, _U16)),
    "Pixie16ReadHistogramFromModule": (_INT, (_U32S, _U32, _U16, _U16)),
    "Pixie16ReadSglChanADCTrace": (_INT, (_U16S, _U32, _U16, _U16)),
    "Pixie16ReadSglChanBaselines": (_INT, (_DOUBLES, _DOUBLES, _U16, _U16, _U16)),
    "Pixie16ReadSglChanPar": (_INT, (_TEXT, _TO_DOUBLE, _U16, _U16)),
    "Pixie16ReadSglModPar": (_INT, (_TEXT, _TO_U32, _U16)),
    "Pixie16ReadStatisticsFromModule": (_INT, (_U32S, _U16)),
    "Pixie16SaveDSPParametersToFile": (_INT, (_TEXT,)),
    "Pixie16SetDACs": (_INT, (_U16,)),
    "Pixie16StartHistogramRun": (_INT, (_U16, _U16)),
    "Pixie16StartListModeRun": (_INT, (_U16, _U16, _U16)),
    "Pixie16TauFinder": (_INT, (_U16, _DOUBLES)),
    "Pixie16WriteSglChanPar": (_INT, (_TEXT, _DOUBLE, _U16, _U16)),
    "Pixie16WriteSglModPar": (_INT, (_TEXT, _U32, _U16)),
    "PixieBootCrate": (_INT, (_TEXT, _INT)),
    "PixieGetFifoConfiguration": (_INT, (_U16, ctypes.POINTER(FifoConfig))),
    "PixieGetHistogramLength": (_INT, (_U16, _U16, _TO_U32)),
    "PixieGetMaxNumBaselines": (_INT, (_U16, _U16, _TO_U32)),
    "PixieGetModuleInfo": (_INT, (_U16, ctypes.POINTER(ModuleConfig))),
    "PixieGetReturnCodeText": (_INT, (_INT, _TEXT, _U32)),
    "PixieGetTraceLength": (_INT, (_U16, _U16, _TO_U32)),
    "PixieReadRunFifoStats": (_INT, (_U16, ctypes.POINTER(FifoStats))),
    "PixieRegisterCrateFirmware": (_INT, (_U32, _INT, _INT, _INT, _TEXT, _TEXT)),
    "PixieSetFifoConfiguration": (_INT, (_U16, ctypes.POINTER(FifoConfig))),
}
"""By name: the type of what is returned, and those of the arguments."""


def declare(library: ctypes.CDLL) -> list[str]:
    """Tell ctypes the types of all functions; return the names of those missing."""
    missing = []
    for name, (returned, arguments) in FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            missing.append(name)
            continue
        function.restype = returned
        function.argtypes = arguments
    return missing
