"""What the channels of a module have counted in a run, for the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.scanning.statistics import module_counts, rates_between

_DIGITS: Final = 6
"""Of rates; times are kept to the µs, which is more than a run's begin is known to."""


def statistics_table(
    name: str, statistics: Mapping[str, Any], channels: int
) -> dict[str, Any]:
    """Return counts, times and rates of the channels that have counted something.

    Parameters
    ----------
    name
        Short name of the module: ``c0-s02``.
    statistics
        What `Diagnostics.statistics` has told.
    channels
        Number of channels of the module.

    Returns
    -------
    dict
        Plain values: ``module``; ``words_read`` and ``words_lost``; ``channels``, their
        numbers, and lists with a value for each of them: ``input_counts``,
        ``output_counts``, ``live_time_s``, ``real_time_s``, ``input_rate_hz`` (input
        counts by live time), ``output_rate_hz`` (output counts by real time) and
        ``dead_percent`` (pulses that gave no event, by the two rates). What the driver
        does not tell is left out, and None for single channels.

    Raises
    ------
    DriverError
        If the statistics make no sense; see `module_counts`.
    """
    counts = module_counts(statistics, channels)
    rates = rates_between(None, counts)
    counted = np.nan_to_num(counts.input_counts) + np.nan_to_num(counts.output_counts)
    rows = np.flatnonzero(counted > 0)
    table: dict[str, Any] = {"module": name}
    for key, value in (
        ("words_read", counts.words_read),
        ("words_lost", counts.words_dropped),
    ):
        if np.isfinite(value):
            table[key] = int(value)
    table["channels"] = rows.tolist()
    for key, values, kind in (
        ("input_counts", counts.input_counts, int),
        ("output_counts", counts.output_counts, int),
        ("live_time_s", counts.live_time_s, _time),
        ("real_time_s", counts.real_time_s, _time),
        ("input_rate_hz", rates.input_hz, _rate),
        ("output_rate_hz", rates.output_hz, _rate),
        ("dead_percent", rates.dead_percent, _rate),
    ):
        some: NDArray[np.float64] = values[rows]
        if np.isfinite(some).any():
            table[key] = [
                kind(one) if np.isfinite(one) else None for one in some.tolist()
            ]
    return table


def _time(seconds: float) -> float:
    return round(seconds, 6)


def _rate(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
