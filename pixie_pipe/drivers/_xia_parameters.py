"""Parameters of modules and channels: written, then read back.

The library takes values that it rounds, clips or, for offsets, wraps, and says that it
succeeded. What cannot be meant is refused before, and what became of a value is read.
"""

from __future__ import annotations

import ctypes
import difflib
import logging
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from pixie_pipe.drivers._xia_errors import XiaError
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.settings import CHANNEL_PARAMETERS, MODULE_PARAMETERS, float_to_word

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import Crate

_log = logging.getLogger(__name__)

RUN_LEADER: Final = 1 << 6
"""Bit of ``MODULE_CSRB``: the module that starts and stops synchronous runs."""

_BROADCAST: Final = frozenset({"SYNCH_WAIT", "IN_SYNCH", "HOST_RT_PRESET"})
"""Written to one module, these are written to all."""

_BIT_MASKS: Final = frozenset(
    {"CHANNEL_CSRA", "MultiplicityMaskL", "MultiplicityMaskH"}
)
"""Parameters of a channel that have no other value than the one written."""

_U32: Final = 2**32 - 1
_MOST_VOLTS: Final = 1.5
"""Range of ``VOFFSET``: below its negative the library wraps to the other end."""

# What single precision and the digital steps of a parameter cannot tell apart.
_SAME: Final = 1e-6


class Parameters:
    """Reads and writes parameters; the numbers of modules and channels are right."""

    def __init__(self, crate: Crate) -> None:
        self._crate = crate

    def read_channel(self, name: str, module: int, channel: int) -> float:
        """Return a parameter of a channel, in the library's units."""
        value = ctypes.c_double()
        self._crate.library.call(
            "Pixie16ReadSglChanPar",
            name.encode(),
            ctypes.byref(value),
            module,
            channel,
            slot=self._crate.slots[module],
            detail=_detail(f"{name} of channel {channel}", name, CHANNEL_PARAMETERS),
        )
        return value.value

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        """Set a parameter of a channel."""
        slot = self._crate.slots[module]
        where = f"slot {slot} channel {channel}: {name}"
        if not math.isfinite(value):
            raise DriverError(f"{where}: {value} is no number")
        if name == "VOFFSET" and abs(value) > _MOST_VOLTS:
            raise DriverError(
                f"{where}: {value} is not in -{_MOST_VOLTS} to {_MOST_VOLTS} V; the "
                f"library would wrap or clip it"
            )
        if name in _BIT_MASKS:
            value = _whole(value, where)
        what = f"{name} = {value:g} for channel {channel}"
        try:
            self._crate.library.call(
                "Pixie16WriteSglChanPar",
                name.encode(),
                float(value),
                module,
                channel,
                slot=slot,
                detail=_detail(what, name, CHANNEL_PARAMETERS),
            )
        except XiaError as error:
            self._note_value_left(error, name, module, channel)
            raise
        found = self.read_channel(name, module, channel)
        if name in _BIT_MASKS and found != value:
            raise DriverError(f"{where}: {value} was written, but it is {found:g}")
        if not math.isclose(found, value, rel_tol=_SAME, abs_tol=_SAME):
            _log.info("%s: %g was written, and became %g", where, value, found)

    def read_module(self, name: str, module: int) -> int:
        """Return a parameter of a module, a word of 32 bits."""
        value = ctypes.c_uint32()
        self._crate.library.call(
            "Pixie16ReadSglModPar",
            name.encode(),
            ctypes.byref(value),
            module,
            slot=self._crate.slots[module],
            detail=_detail(name, name, MODULE_PARAMETERS),
        )
        return value.value

    def write_module(self, name: str, value: float, module: int) -> None:
        """Set a parameter of a module, or of all if the library sets it in all."""
        slot = self._crate.slots[module]
        where = f"slot {slot}: {name}"
        if name == "SlotID":
            raise DriverError(
                f"{where}: it is the slot in which the module is; a wrong one spoils "
                f"all events until the next boot"
            )
        raw = _whole(value, where)
        self._crate.library.call(
            "Pixie16WriteSglModPar",
            name.encode(),
            raw,
            module,
            slot=slot,
            detail=_detail(f"{name} = {value:g}", name, MODULE_PARAMETERS),
        )
        written = range(self._crate.count) if name in _BROADCAST else (module,)
        for number in written:
            found = self.read_module(name, number)
            if found != raw:
                raise DriverError(
                    f"slot {self._crate.slots[number]}: {name}: {value:g} was "
                    f"written, but it is {found:g}"
                )

    def _note_value_left(
        self, error: XiaError, name: str, module: int, channel: int
    ) -> None:
        """Tell what is there now: some values that are refused change it."""
        try:
            found = self.read_channel(name, module, channel)
        except XiaError:
            return
        error.add(f"{name} is {found:g} now")


def _whole(value: float, where: str) -> int:
    # ctypes takes any number and keeps its lowest 32 bits.
    if value != int(value) or not 0 <= value <= _U32:
        raise DriverError(f"{where}: {value} is no whole number from 0 to {_U32}")
    return int(value)


def bits_of_seconds(seconds: float) -> int:
    """Return the word that stands for a time: the bits of a 32-bit float.

    Raises
    ------
    DriverError
        If it is no time.
    """
    try:
        if math.isfinite(seconds) and seconds >= 0:
            return float_to_word(seconds)
    except OverflowError:
        pass
    raise DriverError(f"{seconds} is no time in seconds")


def _detail(what: str, name: str, known: Collection[str]) -> str:
    """Return what was asked for, with a better name if there is no such one."""
    if name in known:
        return what
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5) or [
        other for other in known if other.lower() == name.lower()
    ]
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{what}; there is no {name} in PixieSDK 5.3.0, {hint}"
