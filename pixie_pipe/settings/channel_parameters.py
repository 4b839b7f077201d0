"""Parameters of a channel in physical units, exactly as XIA's library has them.

Rounding, clipping, wrapping and the registers that change together are those of
PixieSDK 5.3.0 (`channel.cpp`), traps included: values are cast to unsigned words of 32
bits, so a negative one becomes huge. `pixie_pipe.settings.changes` is the layer above
that refuses such values.

What depends on data is not done: the library looks for a new BLCUT when it writes TAU,
or CHANNEL_CSRA with another relay, to modules before Rev H.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from pixie_pipe.settings.channel_words import (
    ChannelWords,
    Reader,
    Writer,
    rounded,
    to_word,
)
from pixie_pipe.settings.codes import ReturnCode
from pixie_pipe.settings.errors import ParameterRefusedError
from pixie_pipe.settings.filter_parameters import FILTER_PARAMETERS
from pixie_pipe.settings.parameter_table import CHANNEL_PARAMETERS, Access
from pixie_pipe.settings.variables import WORD_LIMIT, float_to_word, word_to_float

if TYPE_CHECKING:
    from pixie_pipe.settings.kinds import ModuleKind
    from pixie_pipe.settings.modules import ModuleSettings

_DAC_VOLTS: Final = 3
_DAC_MAX: Final = 65535
_DSP_MHZ: Final = 100  # XDT counts this clock, whatever the module


def read_channel(settings: ModuleSettings, name: str, channel: int) -> float:
    """Return a parameter of a channel.

    Parameters
    ----------
    settings
        Of the module.
    name
        XIA's name of it.
    channel
        Its number.

    Returns
    -------
    float
        In the unit that `CHANNEL_PARAMETERS` tells.

    Raises
    ------
    ParameterRefusedError
        If there is no such parameter or channel, or it is disabled.
    """
    _check(settings, name, channel)
    return _PARAMETERS[name][0](ChannelWords(settings, channel))


def write_channel(
    settings: ModuleSettings, name: str, value: float, channel: int
) -> None:
    """Write a parameter of a channel, and the registers that depend on it.

    The value is rounded, clipped or wrapped as XIA's library does it, without a word:
    read it back.

    Raises
    ------
    ParameterRefusedError
        As `read_channel`, and where the library refuses a value.
    """
    _check(settings, name, channel)
    _PARAMETERS[name][1](ChannelWords(settings, channel), float(value))


def _check(settings: ModuleSettings, name: str, channel: int) -> None:
    where = f"{settings.where}, channel {channel}"
    if not 0 <= channel < settings.kind.channels:
        raise ParameterRefusedError(
            ReturnCode.CHANNEL_NUMBER_INVALID,
            f"{where}: expected 0 to {settings.kind.channels - 1}",
        )
    if name not in CHANNEL_PARAMETERS:
        raise ParameterRefusedError(
            ReturnCode.CHANNEL_PARAMETER_INVALID,
            f"{where}: no channel parameter {name!r}",
        )
    if CHANNEL_PARAMETERS[name].access is Access.DISABLED:
        raise ParameterRefusedError(
            ReturnCode.CHANNEL_PARAMETER_DISABLED, f"{where}: {name} is disabled"
        )


# --- the analog input and the baseline ------------------------------------------------


def _read_offset(ch: ChannelWords) -> float:
    return _DAC_VOLTS * (ch["OffsetDAC"] / 65536.0 - 0.5)


def _write_offset(ch: ChannelWords, value: float) -> None:
    ch["OffsetDAC"] = min(to_word(65536 * (value / _DAC_VOLTS + 0.5)), _DAC_MAX)


def _write_tau(ch: ChannelWords, value: float) -> None:
    try:
        ch["PreampTau"] = float_to_word(value)
    except OverflowError:
        ch["PreampTau"] = float_to_word(math.copysign(math.inf, value))


def _write_xdt(ch: ChannelWords, value: float) -> None:
    multiple = 8 if ch.kind.frequency_msps == 250 else 6
    wait = max(to_word(rounded(value * _DSP_MHZ)), multiple)
    if wait > ch["Xwait"]:
        wait = -(-wait // multiple) * multiple
    else:
        wait = wait // multiple * multiple
    ch["Xwait"] = wait


def _write_bin_factor(ch: ChannelWords, value: float) -> None:
    ch["Log2Ebin"] = -min(max(to_word(value), 1), 6)


def _read_baseline_average(ch: ChannelWords) -> float:
    word = ch["Log2Bweight"]
    return float(WORD_LIMIT - word) if word else 0.0


def _write_baseline_average(ch: ChannelWords, value: float) -> None:
    ch["Log2Bweight"] = -min(to_word(value), 16)


def _write_integrator(ch: ChannelWords, value: float) -> None:
    ch["Integrator"] = to_word(min(max(value, 0.0), 7.0))


def _write_cfd_threshold(ch: ChannelWords, value: float) -> None:
    threshold = to_word(value)
    if not 1 <= threshold <= 65535:
        raise ParameterRefusedError(
            ReturnCode.CHANNEL_PARAMETER_INVALID,
            f"{ch.where}: CFDThresh is {value}, expected 1 to 65535",
        )
    ch["CFDThresh"] = threshold


# --- the same for many parameters -----------------------------------------------------


def _plain(
    variable: str, low: int = 0, high: int = WORD_LIMIT - 1
) -> tuple[Reader, Writer]:
    """Return reader and writer of a number that is kept as it is."""

    def write(ch: ChannelWords, value: float) -> None:
        ch[variable] = min(max(to_word(value), low), high)

    return (lambda ch: float(ch[variable])), write


def _ticks(
    variable: str,
    low: Callable[[ModuleKind], int] | int,
    high: Callable[[ModuleKind], int] | int,
    mhz: Callable[[ModuleKind], int] = lambda kind: kind.fpga_mhz,
) -> tuple[Reader, Writer]:
    """Return reader and writer of a time that is kept in ticks of a clock."""

    def write(ch: ChannelWords, value: float) -> None:
        least = low if isinstance(low, int) else low(ch.kind)
        most = high if isinstance(high, int) else high(ch.kind)
        ticks = to_word(rounded(value * mhz(ch.kind)))
        ch[variable] = min(max(ticks, least), most)

    return (lambda ch: ch[variable] / mhz(ch.kind)), write


def _qdc_mhz(kind: ModuleKind) -> int:
    return 100 if kind.frequency_msps == 500 else kind.frequency_msps


def _backplane_min(kind: ModuleKind) -> int:
    return 2 if kind.frequency_msps == 250 else 1


def _delay_max(kind: ModuleKind) -> int:
    if kind.revision in "BCD":
        return 255
    if kind.revision in "FH":
        return 511
    raise ParameterRefusedError(
        ReturnCode.NOT_SUPPORTED, f"Rev {kind.revision} has no such delay"
    )


_STRETCH_MAX: Final = 4095

_PARAMETERS: Final[Mapping[str, tuple[Reader, Writer]]] = {
    **FILTER_PARAMETERS,
    "TAU": (lambda ch: word_to_float(ch["PreampTau"]), _write_tau),
    "VOFFSET": (_read_offset, _write_offset),
    "XDT": (lambda ch: ch["Xwait"] / _DSP_MHZ, _write_xdt),
    "BASELINE_PERCENT": _plain("BaselinePercent", 1, 99),
    "EMIN": _plain("EnergyLow"),
    "BINFACTOR": (lambda ch: float(WORD_LIMIT - ch["Log2Ebin"]), _write_bin_factor),
    "BASELINE_AVERAGE": (_read_baseline_average, _write_baseline_average),
    "CHANNEL_CSRA": _plain("ChanCSRa"),
    "BLCUT": _plain("BLcut"),
    "INTEGRATOR": (lambda ch: float(ch["Integrator"]), _write_integrator),
    "FASTTRIGBACKLEN": _ticks("FastTrigBackLen", _backplane_min, _STRETCH_MAX),
    "CFDDelay": _ticks("CFDDelay", 1, 63),
    "CFDScale": _plain("CFDScale", 0, 7),
    "CFDThresh": (lambda ch: float(ch["CFDThresh"]), _write_cfd_threshold),
    **{f"QDCLen{i}": _ticks(f"QDCLen{i}", 1, 32767, _qdc_mhz) for i in range(8)},
    "ExtTrigStretch": _ticks("ExtTrigStretch", 1, _STRETCH_MAX),
    "VetoStretch": _ticks("VetoStretch", 1, _STRETCH_MAX),
    "MultiplicityMaskL": _plain("MultiplicityMaskL"),
    "MultiplicityMaskH": _plain("MultiplicityMaskH"),
    "ExternDelayLen": _ticks("ExternDelayLen", 0, _delay_max),
    "FtrigoutDelay": _ticks("FtrigoutDelay", 0, _delay_max),
    "ChanTrigStretch": _ticks("ChanTrigStretch", 1, _STRETCH_MAX),
    "RESET_DELAY": _ticks("ResetDelay", 0, 255),
}
