"""The parameters of the filters and of the trace, whose registers depend on each other.

As in `pixie_pipe.settings.channel_parameters`: exactly as PixieSDK 5.3.0 does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pixie_pipe._firmware import LONGEST_FILTER, PEAK_BEFORE
from pixie_pipe.settings.channel_words import (
    ChannelWords,
    Reader,
    Writer,
    ratio,
    rounded,
    to_word,
)
from pixie_pipe.settings.variables import WORD_LIMIT

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import ModuleSettings

_FAST_LENGTH_MIN: Final = 2
_SLOW_LENGTH_MIN: Final = 2
_SLOW_GAP_MIN: Final = 3
_FAST_THRESHOLD_MAX: Final = 65535
_TRACE_DELAY_MAX: Final = 1023  # clocks
_REV_H_TRACE_MAX: Final = 4000  # samples
_REV_H_TRACE_MULTIPLE: Final = 32


# --- the trigger filter ---------------------------------------------------------------


def _read_fast(variable: str) -> Reader:
    return lambda ch: ch[variable] * ch.fast_step / ch.kind.fpga_mhz


def _write_trigger_rise(ch: ChannelWords, value: float) -> None:
    gap = ch["FastGap"]
    length = to_word(rounded(value * ch.kind.fpga_mhz / ch.fast_step))
    if (length + gap) % WORD_LIMIT > LONGEST_FILTER:
        length = (LONGEST_FILTER - gap) % WORD_LIMIT
    if length < _FAST_LENGTH_MIN:
        length = _FAST_LENGTH_MIN
        gap = min(gap, LONGEST_FILTER - length)
    ch["FastLength"], ch["FastGap"] = length, gap


def _write_trigger_flat(ch: ChannelWords, value: float) -> None:
    length = ch["FastLength"]
    gap = to_word(rounded(value * ch.kind.fpga_mhz / ch.fast_step))
    if (length + gap) % WORD_LIMIT > LONGEST_FILTER:
        gap = (LONGEST_FILTER - length) % WORD_LIMIT
    ch["FastGap"] = gap


def _read_threshold(ch: ChannelWords) -> float:
    return ratio(ch["FastThresh"], ch["FastLength"] * ch.kind.samples_per_tick)


def _write_threshold(ch: ChannelWords, value: float) -> None:
    threshold = to_word(value * ch["FastLength"] * ch.kind.samples_per_tick)
    if threshold >= _FAST_THRESHOLD_MAX:
        scale = _FAST_THRESHOLD_MAX / (threshold - 0.5)
        threshold = to_word(scale * threshold)
    ch["FastThresh"] = threshold


# --- the energy filter and the trace --------------------------------------------------


def _read_slow(variable: str) -> Reader:
    return lambda ch: ch[variable] * ch.slow_step / ch.kind.fpga_mhz


def _slow_steps(ch: ChannelWords, value: float) -> int:
    return to_word(rounded(value * ch.kind.fpga_mhz / ch.slow_step))


def _write_energy_rise(ch: ChannelWords, value: float) -> None:
    length, gap = _slow_steps(ch, value), ch["SlowGap"]
    if (length + gap) % WORD_LIMIT > LONGEST_FILTER:
        length = (LONGEST_FILTER - gap) % WORD_LIMIT
    if length < _SLOW_LENGTH_MIN:
        length = _SLOW_LENGTH_MIN
        gap = min(gap, LONGEST_FILTER - length)
    _set_energy_filter(ch, length, gap)


def _write_energy_flat(ch: ChannelWords, value: float) -> None:
    length, gap = ch["SlowLength"], _slow_steps(ch, value)
    if (length + gap) % WORD_LIMIT > LONGEST_FILTER:
        gap = (LONGEST_FILTER - length) % WORD_LIMIT
    if gap < _SLOW_GAP_MIN:
        gap = _SLOW_GAP_MIN
        length = min(length, LONGEST_FILTER - gap)
    _set_energy_filter(ch, length, gap)


def _set_energy_filter(ch: ChannelWords, length: int, gap: int) -> None:
    delay = (ch["PAFlength"] - ch["TriggerDelay"] // ch.fast_step) % WORD_LIMIT
    peak_sep = (length + gap) % WORD_LIMIT
    ch["SlowLength"], ch["SlowGap"] = length, gap
    ch["PeakSample"] = peak_sep - PEAK_BEFORE.get(ch.slow_range, 2)
    ch["PeakSep"] = peak_sep
    _set_trace_delay(ch, delay)


def _set_trace_delay(ch: ChannelWords, delay: int) -> None:
    """Set TriggerDelay and PAFlength, so that a trace begins before the trigger."""
    trigger_delay = (ch["PeakSep"] - 1) * ch.slow_step % WORD_LIMIT
    paf_length = (trigger_delay // ch.fast_step + delay) % WORD_LIMIT
    if paf_length > ch.fifo_length:
        paf_length = (ch.fifo_length - 1) % WORD_LIMIT
        trigger_delay = (paf_length - delay) * ch.fast_step
    ch["TriggerDelay"], ch["PAFlength"] = trigger_delay, paf_length


def _read_trace_length(ch: ChannelWords) -> float:
    return ch["TraceLength"] / (float(ch.kind.frequency_msps) * ch.fast_step)


def _write_trace_length(ch: ChannelWords, value: float) -> None:
    samples = to_word(value * ch.kind.frequency_msps / ch.fast_step)
    if ch.kind.revision == "H":
        multiple = _REV_H_TRACE_MULTIPLE
        samples = min(-(-samples // multiple) * multiple, _REV_H_TRACE_MAX)
    else:
        multiple = 10 if ch.kind.frequency_msps == 500 else 2
        samples = samples // multiple * multiple
    ch["TraceLength"] = min(samples, ch.fifo_length)


def _read_trace_delay(ch: ChannelWords) -> float:
    before = float(ch["PAFlength"]) - ch["TriggerDelay"] / ch.fast_step
    return before / ch.kind.fpga_mhz * ch.fast_step


def _write_trace_delay(ch: ChannelWords, value: float) -> None:
    delay = to_word(value * ch.kind.fpga_mhz / ch.fast_step)
    length = ch["TraceLength"]
    if delay > length:
        delay = length // 2
    _set_trace_delay(ch, min(delay, _TRACE_DELAY_MAX))


def restore_trace_delay(settings: ModuleSettings, channel: int) -> None:
    """Put the trace where it was, after SLOW_FILTER_RANGE was changed."""
    ch = ChannelWords(settings, channel)
    _set_trace_delay(ch, ch["PAFlength"] - ch["TriggerDelay"] // ch.fast_step)


FILTER_PARAMETERS: Final[Mapping[str, tuple[Reader, Writer]]] = {
    "TRIGGER_RISETIME": (_read_fast("FastLength"), _write_trigger_rise),
    "TRIGGER_FLATTOP": (_read_fast("FastGap"), _write_trigger_flat),
    "TRIGGER_THRESHOLD": (_read_threshold, _write_threshold),
    "ENERGY_RISETIME": (_read_slow("SlowLength"), _write_energy_rise),
    "ENERGY_FLATTOP": (_read_slow("SlowGap"), _write_energy_flat),
    "TRACE_LENGTH": (_read_trace_length, _write_trace_length),
    "TRACE_DELAY": (_read_trace_delay, _write_trace_delay),
}
"""How each of them is read and written, by XIA's names."""
