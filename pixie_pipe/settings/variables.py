"""The variables of the DSP that hold the settings of a module: raw 32-bit words.

Names, widths and order in memory are those of XIA's published variable files; the
defaults are those that PixieSDK writes to a module that a settings file leaves out.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pixie_pipe.settings.kinds import ModuleKind

Words: TypeAlias = npt.NDArray[np.uint32]

WORD_LIMIT: Final = 1 << 32

MODULE_VARIABLES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "ModNum": 1,
        "ModCSRA": 1,
        "ModCSRB": 1,
        "ModFormat": 1,
        "RunTask": 1,
        "ControlTask": 1,
        "MaxEvents": 1,
        "CoincPattern": 1,
        "CoincWait": 1,
        "SynchWait": 1,
        "InSynch": 1,
        "Resume": 1,
        "SlowFilterRange": 1,
        "FastFilterRange": 1,
        "ChanNum": 1,
        "HostIO": 16,
        "UserIn": 16,
        "FastTrigBackplaneEna": 1,
        "CrateID": 1,
        "SlotID": 1,
        "ModID": 1,
        "TrigConfig": 4,
        "U00": 7,
        "HostRunTimePreset": 1,
        "FIFOLength": 1,
    }
)
"""Variables of a module, `module.input` in XIA's files, with their widths in words.

In the order of the DSP's memory, but for FIFOLength, which is far behind the others.
"""

CHANNEL_VARIABLES: Final[tuple[str, ...]] = (
    "ChanCSRa",
    "ChanCSRb",
    "GainDAC",
    "OffsetDAC",
    "DigGain",
    "SlowLength",
    "SlowGap",
    "FastLength",
    "FastGap",
    "PeakSample",
    "PeakSep",
    "CFDThresh",
    "FastThresh",
    "ThreshWidth",
    "PAFlength",
    "TriggerDelay",
    "ResetDelay",
    "ChanTrigStretch",
    "TraceLength",
    "Xwait",
    "TrigOutLen",
    "EnergyLow",
    "Log2Ebin",
    "MultiplicityMaskL",
    "PSAoffset",
    "PSAlength",
    "Integrator",
    "BLcut",
    "BaselinePercent",
    "FtrigoutDelay",
    "Log2Bweight",
    "PreampTau",
    "Xavg",
    "MultiplicityMaskH",
    "FastTrigBackLen",
    "CFDDelay",
    "CFDScale",
    "ExtTrigStretch",
    "VetoStretch",
    "ExternDelayLen",
    "QDCLen0",
    "QDCLen1",
    "QDCLen2",
    "QDCLen3",
    "QDCLen4",
    "QDCLen5",
    "QDCLen6",
    "QDCLen7",
)
"""Variables of a channel, `channel.input` in XIA's files, in the memory's order."""

_MODULE_DEFAULTS: Final = {
    "ControlTask": 4,
    "HostRunTimePreset": 0x41200000,  # 10.0 s
    "InSynch": 1,
    "ModCSRB": 1,
    "Resume": 1,
    "SlowFilterRange": 3,
    "SynchWait": 1,
}

_CHANNEL_DEFAULTS: Final = {
    "BLcut": 3,
    "BaselinePercent": 10,
    "CFDDelay": 8,
    "CFDThresh": 120,
    "ChanCSRa": 4,  # good channel
    "ExtTrigStretch": 150,
    "ExternDelayLen": 20,
    "FastGap": 10,
    "FastLength": 20,
    "FastThresh": 1000,
    "FastTrigBackLen": 10,
    "Log2Bweight": 2**32 - 2,
    "Log2Ebin": 2**32 - 1,
    "OffsetDAC": 34952,  # 0.1 V
    "PeakSample": 42,
    "PreampTau": 0x42480000,  # 50.0 us
    "QDCLen0": 30,
    "QDCLen1": 63,
    "QDCLen2": 88,
    "QDCLen3": 113,
    "QDCLen4": 138,
    "QDCLen5": 163,
    "QDCLen6": 188,
    "QDCLen7": 213,
    "SlowGap": 19,
    "SlowLength": 25,
    "TraceLength": 500,
    "TriggerDelay": 344,
    "VetoStretch": 30,
    "Xwait": 8,
    # The SDK forgets these two. PeakSep is the sum of SlowLength and SlowGap, with
    # which TriggerDelay agrees; PAFlength equal to TriggerDelay is no trace delay.
    "PeakSep": 44,
    "PAFlength": 344,
}

_FIFO_LENGTHS: Final = {
    (100, 12): 8188,
    (250, 14): 16380,
    (250, 16): 20470,
    (500, 14): 20470,
}
"""FIFOLength of real modules, which the SDK's defaults forget, too: from the settings
files in PixieSDK's tests, and for 500 MSPS from the one that pypixie16 ships."""

_SHORTEST_FIFO: Final = min(_FIFO_LENGTHS.values())


def default_module_variable(name: str, kind: ModuleKind) -> Words:
    """Return what a variable of a module is, before anybody sets it.

    A kind of module of which FIFOLength is not known gets the shortest known one.
    """
    value = _MODULE_DEFAULTS.get(name, 0)
    if name == "FIFOLength":
        place = (kind.frequency_msps, kind.adc_bits)
        value = _FIFO_LENGTHS.get(place, _SHORTEST_FIFO)
    return np.full(MODULE_VARIABLES[name], value, np.uint32)


def default_channel_variable(name: str, kind: ModuleKind) -> Words:
    """Return what a variable of the channels is, before anybody sets it."""
    return np.full(kind.channels, _CHANNEL_DEFAULTS.get(name, 0), np.uint32)


def float_to_word(value: float) -> int:
    """Return the bit pattern of a number as a 32-bit float.

    Raises
    ------
    OverflowError
        If it is too large for one.
    """
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def word_to_float(word: int) -> float:
    """Return the 32-bit float that a word is the bit pattern of."""
    return float(struct.unpack("<f", struct.pack("<I", word))[0])
