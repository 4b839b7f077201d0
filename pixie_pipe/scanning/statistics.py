"""What modules count, and the rates that follow from it.

The names that are understood in `Diagnostics.statistics` are those of `ModuleCounts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers.digitizer import DriverError

PER_CHANNEL: Final = ("input_counts", "output_counts", "live_time_s", "real_time_s")
"""Names of the statistics with a value for each channel."""

PER_MODULE: Final = ("words_read", "words_dropped")
"""Names of the statistics with a value for the module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCounts:
    """What one module has counted since the start of its run.

    What its driver does not tell is nan.

    Attributes
    ----------
    input_counts
        Pulses that the fast filter has seen, shape (channels,).
    output_counts
        Events that were accepted, shape (channels,).
    live_time_s
        Time in which the fast filter could see pulses, in s, shape (channels,).
    real_time_s
        Time since the start of the run, in s, shape (channels,).
    words_read, words_dropped
        Words that were read, and that were lost because nobody had read them.
    """

    input_counts: NDArray[np.float64]
    output_counts: NDArray[np.float64]
    live_time_s: NDArray[np.float64]
    real_time_s: NDArray[np.float64]
    words_read: float = np.nan
    words_dropped: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRates:
    """Rates of one module in some time; nan where they are not known.

    Attributes
    ----------
    seconds
        The time, in s.
    input_hz
        Input counts per live time, shape (channels,).
    output_hz
        Output counts per real time, shape (channels,).
    dead_percent
        Part of the pulses that gave no event, in percent: from the two rates, shape
        (channels,).
    input_counts, output_counts
        The counts in this time, shape (channels,).
    words_hz
        Words read per second.
    words_dropped
        Words lost in this time.
    """

    seconds: float
    input_hz: NDArray[np.float64]
    output_hz: NDArray[np.float64]
    dead_percent: NDArray[np.float64]
    input_counts: NDArray[np.float64]
    output_counts: NDArray[np.float64]
    words_hz: float
    words_dropped: float


def module_counts(statistics: Mapping[str, Any], channels: int) -> ModuleCounts:
    """Return the counts among the statistics of a module.

    Parameters
    ----------
    statistics
        What `Diagnostics.statistics` has told. ``real_time_s`` may be one number for
        all channels; sums of counts over channels would be taken for those of each.
    channels
        Number of channels of the module.

    Raises
    ------
    DriverError
        If one is no number, or a list has not got one for each channel.
    """

    def lists(name: str) -> NDArray[np.float64]:
        return _checked(_numbers(statistics, name), name, (channels,))

    def number(name: str) -> float:
        return float(_checked(_numbers(statistics, name), name, ()))

    real_time_s = _numbers(statistics, "real_time_s")
    if real_time_s.ndim == 0:
        real_time_s = np.full(channels, float(real_time_s))
    return ModuleCounts(
        input_counts=lists("input_counts"),
        output_counts=lists("output_counts"),
        live_time_s=lists("live_time_s"),
        real_time_s=_checked(real_time_s, "real_time_s", (channels,)),
        words_read=number("words_read"),
        words_dropped=number("words_dropped"),
    )


def _numbers(statistics: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    value = statistics.get(name)
    try:
        return np.array(np.nan if value is None else value, np.float64)
    except (TypeError, ValueError) as error:
        raise DriverError(
            f"the statistics {name} of the driver are {value!r}, expected numbers"
        ) from error


def _checked(
    values: NDArray[np.float64], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    if values.shape == shape:
        return values
    if values.ndim == 0 and np.isnan(values):
        return np.full(shape, np.nan)
    expected = f"a list of {shape[0]}, one for each channel" if shape else "one number"
    raise DriverError(
        f"the statistics {name} of the driver have the shape {values.shape}, expected "
        f"{expected}"
    )


def rates_between(
    before: ModuleCounts | None, after: ModuleCounts, seconds: float = np.nan
) -> ModuleRates:
    """Return the rates of a module between two readings of its statistics.

    Counters that run backwards tell that a new run has begun: all counts are taken
    since its start then.

    Parameters
    ----------
    before
        The first reading; None if that is the start of the run.
    after
        The second reading.
    seconds
        Time between them by the clock of the computer, used where the module does not
        tell the real time.
    """
    if before is not None and _is_new_run(before, after):
        before = None
    inputs = _difference(before, after, "input_counts")
    outputs = _difference(before, after, "output_counts")
    real = _difference(before, after, "real_time_s")
    real = np.where(np.isnan(real), seconds, real)
    live = _difference(before, after, "live_time_s")
    live = np.where(np.isnan(live), real, live)
    with np.errstate(divide="ignore", invalid="ignore"):
        input_hz = np.where(live > 0, inputs / live, np.nan)
        output_hz = np.where(real > 0, outputs / real, np.nan)
        dead = np.where(input_hz > 0, 100 * (1 - output_hz / input_hz), np.nan)
    spent = float(np.max(real, initial=-np.inf, where=~np.isnan(real)))
    spent = spent if spent > 0 else np.nan
    words = after.words_read - (before.words_read if before else 0)
    dropped = after.words_dropped - (before.words_dropped if before else 0)
    return ModuleRates(
        seconds=spent,
        input_hz=input_hz,
        output_hz=output_hz,
        dead_percent=dead,
        input_counts=inputs,
        output_counts=outputs,
        words_hz=words / spent,
        words_dropped=dropped,
    )


def _is_new_run(before: ModuleCounts, after: ModuleCounts) -> bool:
    return any(
        bool(np.any(getattr(after, name) < getattr(before, name)))
        for name in (*PER_CHANNEL, *PER_MODULE)
    )


def _difference(
    before: ModuleCounts | None, after: ModuleCounts, name: str
) -> NDArray[np.float64]:
    now: NDArray[np.float64] = getattr(after, name)
    return now if before is None else now - getattr(before, name)
