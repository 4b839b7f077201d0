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
from typing import TYPE_CHECKING, Final, TypeAlias

from pixie_pipe.settings.codes import ReturnCode
from pixie_pipe.settings.errors import ParameterRefusedError
from pixie_pipe.settings.parameter_table import CHANNEL_PARAMETERS, Access
from pixie_pipe.settings.variables import WORD_LIMIT, float_to_word, word_to_float

if TYPE_CHECKING:
    from pixie_pipe.settings.kinds import ModuleKind
    from pixie_pipe.settings.modules import ModuleSettings

_FILTER_LENGTH: Final = 127  # steps of both filters: rise time and gap together
_FAST_LENGTH_MIN: Final = 2
_SLOW_LENGTH_MIN: Final = 2
_SLOW_GAP_MIN: Final = 3
_FAST_THRESHOLD_MAX: Final = 65535
_TRACE_DELAY_MAX: Final = 1023  # clocks
_REV_H_TRACE_MAX: Final = 4000  # samples
_REV_H_TRACE_MULTIPLE: Final = 32
_DAC_VOLTS: Final = 3
_DAC_MAX: Final = 65535
_DSP_MHZ: Final = 100  # XDT counts this clock, whatever the module
_PEAK_SAMPLE_BEFORE: Final = {1: 3, 2: 2, 3: 2, 4: 1, 5: 0, 6: 1}
"""How many steps before PeakSep the energy is read, by SLOW_FILTER_RANGE."""


class _Channel:
    """One channel of the settings of a module: its words, and its clocks."""

    def __init__(self, settings: ModuleSettings, number: int) -> None:
        self._settings = settings
        self._number = number
        self.kind: ModuleKind = settings.kind_of(number)
        self.where = f"{settings.where}, channel {number}"

    def __getitem__(self, variable: str) -> int:
        return int(self._settings.channel[variable][self._number])

    def __setitem__(self, variable: str, value: int) -> None:
        self._settings.channel[variable][self._number] = value % WORD_LIMIT

    @property
    def slow_range(self) -> int:
        return int(self._settings.module["SlowFilterRange"][0])

    @property
    def slow_step(self) -> int:
        return 1 << self.slow_range

    @property
    def fast_step(self) -> int:
        return 1 << int(self._settings.module["FastFilterRange"][0])

    @property
    def fifo_length(self) -> int:
        return int(self._settings.module["FIFOLength"][0])


_Reader: TypeAlias = Callable[[_Channel], float]
_Writer: TypeAlias = Callable[[_Channel, float], None]


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
    return _PARAMETERS[name][0](_Channel(settings, channel))


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
    _PARAMETERS[name][1](_Channel(settings, channel), float(value))


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


def _word(value: float) -> int:
    """Cast to an unsigned word as x86-64 does: through a signed one of 64 bits."""
    if not math.isfinite(value) or abs(value) >= 2.0**63:
        return 0
    return math.trunc(value) % WORD_LIMIT


def _rounded(value: float) -> float:
    """Round halves away from zero, as C does; Python rounds them to even numbers."""
    if not math.isfinite(value):
        return value
    whole = float(math.trunc(value))
    if abs(value - whole) >= 0.5:
        whole += math.copysign(1.0, value)
    return whole


def _ratio(value: float, divisor: float) -> float:
    """Divide as C does: by zero, too."""
    if divisor != 0:
        return value / divisor
    return math.nan if value == 0 else math.copysign(math.inf, value)


# --- the trigger filter ---------------------------------------------------------------


def _read_fast(variable: str) -> _Reader:
    return lambda ch: ch[variable] * ch.fast_step / ch.kind.fpga_mhz


def _write_trigger_rise(ch: _Channel, value: float) -> None:
    gap = ch["FastGap"]
    length = _word(_rounded(value * ch.kind.fpga_mhz / ch.fast_step))
    if (length + gap) % WORD_LIMIT > _FILTER_LENGTH:
        length = (_FILTER_LENGTH - gap) % WORD_LIMIT
    if length < _FAST_LENGTH_MIN:
        length = _FAST_LENGTH_MIN
        gap = min(gap, _FILTER_LENGTH - length)
    ch["FastLength"], ch["FastGap"] = length, gap


def _write_trigger_flat(ch: _Channel, value: float) -> None:
    length = ch["FastLength"]
    gap = _word(_rounded(value * ch.kind.fpga_mhz / ch.fast_step))
    if (length + gap) % WORD_LIMIT > _FILTER_LENGTH:
        gap = (_FILTER_LENGTH - length) % WORD_LIMIT
    ch["FastGap"] = gap


def _read_threshold(ch: _Channel) -> float:
    return _ratio(ch["FastThresh"], ch["FastLength"] * ch.kind.samples_per_tick)


def _write_threshold(ch: _Channel, value: float) -> None:
    threshold = _word(value * ch["FastLength"] * ch.kind.samples_per_tick)
    if threshold >= _FAST_THRESHOLD_MAX:
        scale = _FAST_THRESHOLD_MAX / (threshold - 0.5)
        threshold = _word(scale * threshold)
    ch["FastThresh"] = threshold


# --- the energy filter and the trace --------------------------------------------------


def _read_slow(variable: str) -> _Reader:
    return lambda ch: ch[variable] * ch.slow_step / ch.kind.fpga_mhz


def _slow_steps(ch: _Channel, value: float) -> int:
    return _word(_rounded(value * ch.kind.fpga_mhz / ch.slow_step))


def _write_energy_rise(ch: _Channel, value: float) -> None:
    length, gap = _slow_steps(ch, value), ch["SlowGap"]
    if (length + gap) % WORD_LIMIT > _FILTER_LENGTH:
        length = (_FILTER_LENGTH - gap) % WORD_LIMIT
    if length < _SLOW_LENGTH_MIN:
        length = _SLOW_LENGTH_MIN
        gap = min(gap, _FILTER_LENGTH - length)
    _set_energy_filter(ch, length, gap)


def _write_energy_flat(ch: _Channel, value: float) -> None:
    length, gap = ch["SlowLength"], _slow_steps(ch, value)
    if (length + gap) % WORD_LIMIT > _FILTER_LENGTH:
        gap = (_FILTER_LENGTH - length) % WORD_LIMIT
    if gap < _SLOW_GAP_MIN:
        gap = _SLOW_GAP_MIN
        length = min(length, _FILTER_LENGTH - gap)
    _set_energy_filter(ch, length, gap)


def _set_energy_filter(ch: _Channel, length: int, gap: int) -> None:
    delay = (ch["PAFlength"] - ch["TriggerDelay"] // ch.fast_step) % WORD_LIMIT
    peak_sep = (length + gap) % WORD_LIMIT
    ch["SlowLength"], ch["SlowGap"] = length, gap
    ch["PeakSample"] = peak_sep - _PEAK_SAMPLE_BEFORE.get(ch.slow_range, 2)
    ch["PeakSep"] = peak_sep
    _set_trace_delay(ch, delay)


def _set_trace_delay(ch: _Channel, delay: int) -> None:
    """Set TriggerDelay and PAFlength, so that a trace begins before the trigger."""
    trigger_delay = (ch["PeakSep"] - 1) * ch.slow_step % WORD_LIMIT
    paf_length = (trigger_delay // ch.fast_step + delay) % WORD_LIMIT
    if paf_length > ch.fifo_length:
        paf_length = (ch.fifo_length - 1) % WORD_LIMIT
        trigger_delay = (paf_length - delay) * ch.fast_step
    ch["TriggerDelay"], ch["PAFlength"] = trigger_delay, paf_length


def _read_trace_length(ch: _Channel) -> float:
    return ch["TraceLength"] / (float(ch.kind.frequency_msps) * ch.fast_step)


def _write_trace_length(ch: _Channel, value: float) -> None:
    samples = _word(value * ch.kind.frequency_msps / ch.fast_step)
    if ch.kind.revision == "H":
        multiple = _REV_H_TRACE_MULTIPLE
        samples = min(-(-samples // multiple) * multiple, _REV_H_TRACE_MAX)
    else:
        multiple = 10 if ch.kind.frequency_msps == 500 else 2
        samples = samples // multiple * multiple
    ch["TraceLength"] = min(samples, ch.fifo_length)


def _read_trace_delay(ch: _Channel) -> float:
    before = float(ch["PAFlength"]) - ch["TriggerDelay"] / ch.fast_step
    return before / ch.kind.fpga_mhz * ch.fast_step


def _write_trace_delay(ch: _Channel, value: float) -> None:
    delay = _word(value * ch.kind.fpga_mhz / ch.fast_step)
    length = ch["TraceLength"]
    if delay > length:
        delay = length // 2
    _set_trace_delay(ch, min(delay, _TRACE_DELAY_MAX))


def restore_trace_delay(settings: ModuleSettings, channel: int) -> None:
    """Put the trace where it was, after SLOW_FILTER_RANGE was changed."""
    ch = _Channel(settings, channel)
    _set_trace_delay(ch, ch["PAFlength"] - ch["TriggerDelay"] // ch.fast_step)


# --- the analog input and the baseline ------------------------------------------------


def _read_offset(ch: _Channel) -> float:
    return _DAC_VOLTS * (ch["OffsetDAC"] / 65536.0 - 0.5)


def _write_offset(ch: _Channel, value: float) -> None:
    ch["OffsetDAC"] = min(_word(65536 * (value / _DAC_VOLTS + 0.5)), _DAC_MAX)


def _write_tau(ch: _Channel, value: float) -> None:
    try:
        ch["PreampTau"] = float_to_word(value)
    except OverflowError:
        ch["PreampTau"] = float_to_word(math.copysign(math.inf, value))


def _write_xdt(ch: _Channel, value: float) -> None:
    multiple = 8 if ch.kind.frequency_msps == 250 else 6
    wait = max(_word(_rounded(value * _DSP_MHZ)), multiple)
    if wait > ch["Xwait"]:
        wait = -(-wait // multiple) * multiple
    else:
        wait = wait // multiple * multiple
    ch["Xwait"] = wait


def _write_bin_factor(ch: _Channel, value: float) -> None:
    ch["Log2Ebin"] = -min(max(_word(value), 1), 6)


def _read_baseline_average(ch: _Channel) -> float:
    word = ch["Log2Bweight"]
    return float(WORD_LIMIT - word) if word else 0.0


def _write_baseline_average(ch: _Channel, value: float) -> None:
    ch["Log2Bweight"] = -min(_word(value), 16)


def _write_integrator(ch: _Channel, value: float) -> None:
    ch["Integrator"] = _word(min(max(value, 0.0), 7.0))


def _write_cfd_threshold(ch: _Channel, value: float) -> None:
    threshold = _word(value)
    if not 1 <= threshold <= 65535:
        raise ParameterRefusedError(
            ReturnCode.CHANNEL_PARAMETER_INVALID,
            f"{ch.where}: CFDThresh is {value}, expected 1 to 65535",
        )
    ch["CFDThresh"] = threshold


# --- the same for many parameters -----------------------------------------------------


def _plain(
    variable: str, low: int = 0, high: int = WORD_LIMIT - 1
) -> tuple[_Reader, _Writer]:
    """Return reader and writer of a number that is kept as it is."""

    def write(ch: _Channel, value: float) -> None:
        ch[variable] = min(max(_word(value), low), high)

    return (lambda ch: float(ch[variable])), write


def _ticks(
    variable: str,
    low: Callable[[ModuleKind], int] | int,
    high: Callable[[ModuleKind], int] | int,
    mhz: Callable[[ModuleKind], int] = lambda kind: kind.fpga_mhz,
) -> tuple[_Reader, _Writer]:
    """Return reader and writer of a time that is kept in ticks of a clock."""

    def write(ch: _Channel, value: float) -> None:
        least = low if isinstance(low, int) else low(ch.kind)
        most = high if isinstance(high, int) else high(ch.kind)
        ticks = _word(_rounded(value * mhz(ch.kind)))
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

_PARAMETERS: Final[Mapping[str, tuple[_Reader, _Writer]]] = {
    "TRIGGER_RISETIME": (_read_fast("FastLength"), _write_trigger_rise),
    "TRIGGER_FLATTOP": (_read_fast("FastGap"), _write_trigger_flat),
    "TRIGGER_THRESHOLD": (_read_threshold, _write_threshold),
    "ENERGY_RISETIME": (_read_slow("SlowLength"), _write_energy_rise),
    "ENERGY_FLATTOP": (_read_slow("SlowGap"), _write_energy_flat),
    "TAU": (lambda ch: word_to_float(ch["PreampTau"]), _write_tau),
    "TRACE_LENGTH": (_read_trace_length, _write_trace_length),
    "TRACE_DELAY": (_read_trace_delay, _write_trace_delay),
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
