"""The energy (slow) filter of the firmware, from sums and from traces.

For a pulse that decays as ``exp(-t / tau)``, sums over three windows give its height
whenever it begins in the middle one (``Pixie16ComputeSlowFiltersOffline`` in XIA's
pixie16app.c, kept in github.com/wuhongyi/PKUXIADAQ)::

    E = c0 trailing + c1 gap + c2 leading - baseline
    b = exp(-dt / tau);  c0 = -S (1 - b) b^L / (1 - b^L);  c1 = S (1 - b)
    c2 = S (1 - b) / (1 - b^L);  S = 2^(16 - bits)

*trailing* are the earliest L samples of the window, then come G samples *gap*, and L
samples *leading*, the latest.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._traces import (
    TraceError,
    check_number,
    checked_rows,
    checked_traces,
)
from pixie_pipe.kernels.fast_filter import LONGEST, add_up


class EnergyCoefficients(NamedTuple):
    """What the sums are multiplied with: c0, c1 and c2 in XIA's code."""

    trailing: float
    gap: float
    leading: float

    def level(self, length: int, gap: int) -> float:
        """Return the filter's answer to a constant signal of one ADC unit."""
        return length * (self.trailing + self.leading) + gap * self.gap


def energy_coefficients(
    length: int, tau_ns: float, sample_ns: float, bits: int
) -> EnergyCoefficients:
    """Return the coefficients of the energy filter.

    Parameters
    ----------
    length
        Rise time in samples: SlowLength times 2^SlowFilterRange times the samples of
        a tick.
    tau_ns
        Decay time of the pulses in ns.
    sample_ns
        Length of a sample in ns: 10, 4 or 2.
    bits
        Bits of the ADC: 12, 14 or 16. One of 12 bits is scaled by 16.

    Raises
    ------
    TraceError
        If a value is out of range.
    """
    check_number("length", length, 1, LONGEST)
    check_number("bits", bits, 8, 16)
    for name, value in (("tau_ns", tau_ns), ("sample_ns", sample_ns)):
        if not (math.isfinite(value) and value > 0):
            raise TraceError(f"{name} is {value!r}, expected a positive number of ns")
    # 1 - exp(-x) without loss of digits for a tau of many samples.
    fall = -math.expm1(-sample_ns / tau_ns)
    over = -math.expm1(-length * sample_ns / tau_ns)
    scale = float(1 << (16 - bits)) * fall
    return EnergyCoefficients(-scale * (1 - over) / over, scale, scale / over)


@jit
def energy_of_sums(
    trailing: float,
    gap: float,
    leading: float,
    baseline: float,
    c0: float,
    c1: float,
    c2: float,
) -> float:
    """Return the energy of one event, in ADC units, not rounded."""
    return c0 * trailing + c1 * gap + c2 * leading - baseline


@jit
def _energies(
    trailing: NDArray[np.float64],
    gap: NDArray[np.float64],
    leading: NDArray[np.float64],
    baseline: NDArray[np.float64],
    coefficients: EnergyCoefficients,
    out: NDArray[np.float64],
) -> None:
    c0, c1, c2 = coefficients.trailing, coefficients.gap, coefficients.leading
    for i in range(out.size):
        out[i] = energy_of_sums(
            trailing[i], gap[i], leading[i], baseline[i], c0, c1, c2
        )


def energies_from_sums(
    trailing: NDArray[Any],
    gap: NDArray[Any],
    leading: NDArray[Any],
    baseline: NDArray[Any],
    coefficients: EnergyCoefficients,
) -> NDArray[np.float64]:
    """Return energies from the sums and the baseline of headers.

    Parameters
    ----------
    trailing, gap, leading, baseline
        The columns esum_trailing, esum_gap, esum_leading and baseline of `Events`,
        shape (n,).
    coefficients
        Those of the channel, from `energy_coefficients`.

    Returns
    -------
    ndarray of float64
        Energies in ADC units, not rounded nor clipped, shape (n,).

    Raises
    ------
    TraceError
        If the columns are not equally long rows.
    """
    columns = [
        np.ascontiguousarray(column, np.float64)
        for column in (trailing, gap, leading, baseline)
    ]
    if any(column.ndim != 1 or column.size != columns[0].size for column in columns):
        raise TraceError(
            f"sums and baseline have shapes {[column.shape for column in columns]}, "
            f"expected four rows of one length"
        )
    out = np.empty(columns[0].size)
    _energies(columns[0], columns[1], columns[2], columns[3], coefficients, out)
    return out


@jit
def _sums(
    samples: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    end: NDArray[np.int64],
    length: int,
    gap: int,
    out: NDArray[np.uint32],
) -> None:
    edges = (0, length, length + gap, 2 * length + gap)
    for i in range(offsets.size - 1):
        first = offsets[i] + end[i] - edges[3]
        for j in range(3):
            total = np.uint64(0)
            for k in range(first + edges[j], first + edges[j + 1]):
                total += np.uint64(samples[k])
            out[j, i] = np.uint32(total & np.uint64(0xFFFFFFFF))


def filter_sums(
    samples: NDArray[np.uint16],
    offsets: NDArray[Any],
    end: NDArray[Any] | int,
    *,
    length: int,
    gap: int,
) -> NDArray[np.uint32]:
    """Return the sums of the energy filter in traces.

    Parameters
    ----------
    samples, offsets
        The traces: i is ``samples[offsets[i]:offsets[i + 1]]``.
    end
        End of the leading window (the first sample behind it), counted from the
        start of each trace: one for all or one for each.
    length, gap
        Rise time and flat top in samples.

    Returns
    -------
    ndarray of uint32
        Trailing, gap and leading sum in ADC units, shape (3, traces).

    Raises
    ------
    TraceError
        If the traces are no traces, or a window leaves its trace.
    """
    samples, offsets = checked_traces(samples, offsets)
    rows = checked_rows("end", end, offsets)
    check_number("length", length, 1, LONGEST)
    check_number("gap", gap, 0, LONGEST)
    outside = (rows < 2 * length + gap) | (rows > np.diff(offsets))
    if outside.any():
        row = int(outside.argmax())
        raise TraceError(
            f"trace {row}: the windows end at sample {rows[row]}, expected "
            f"{2 * length + gap} (the length of all three) to "
            f"{offsets[row + 1] - offsets[row]} (that of the trace)"
        )
    out = np.zeros((3, offsets.size - 1), np.uint32)
    _sums(samples, offsets, rows, length, gap, out)
    return out


def energies_from_traces(
    samples: NDArray[np.uint16],
    offsets: NDArray[Any],
    end: NDArray[Any] | int,
    coefficients: EnergyCoefficients,
    *,
    length: int,
    gap: int,
    baseline: NDArray[Any] | None = None,
) -> NDArray[np.float64]:
    """Return energies from traces.

    Parameters
    ----------
    samples, offsets, end, length, gap
        As for `filter_sums`.
    coefficients
        Those of the channel, from `energy_coefficients`.
    baseline
        The filter's answer to the baseline, shape (traces,), such as the column
        baseline of `Events`; without it, the answer to the first samples of each
        trace, as XIA's function has it.

    Returns
    -------
    ndarray of float64
        Energies in ADC units, not rounded nor clipped, shape (traces,).

    Raises
    ------
    TraceError
        As for `filter_sums`.
    """
    sums = filter_sums(samples, offsets, end, length=length, gap=gap)
    if baseline is None:
        reach = 2 * length + gap
        quiet = filter_sums(samples, offsets, reach, length=length, gap=gap)
        none = np.zeros(quiet.shape[1])
        baseline = energies_from_sums(quiet[0], quiet[1], quiet[2], none, coefficients)
    return energies_from_sums(sums[0], sums[1], sums[2], baseline, coefficients)


@jit
def _energy_filter(
    samples: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    length: int,
    gap: int,
    coefficients: EnergyCoefficients,
    out: NDArray[np.float64],
) -> None:
    c0, c1, c2 = coefficients.trailing, coefficients.gap, coefficients.leading
    reach = 2 * length + gap
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    sums = np.empty(longest + 1, np.int64)
    for i in range(offsets.size - 1):
        first, end = offsets[i], offsets[i + 1]
        if end - first < reach:
            out[first:end] = np.nan
            continue
        add_up(samples[first:end], sums)
        baseline = 0.0
        for k in range(reach, end - first + 1):
            value = energy_of_sums(
                sums[k - length - gap] - sums[k - reach],
                sums[k - length] - sums[k - length - gap],
                sums[k] - sums[k - length],
                baseline,
                c0,
                c1,
                c2,
            )
            if k == reach:
                baseline = value
                value = 0.0
            out[first + k - 1] = value
        out[first : first + reach - 1] = 0.0


def energy_filter(
    samples: NDArray[np.uint16],
    offsets: NDArray[Any],
    coefficients: EnergyCoefficients,
    *,
    length: int,
    gap: int,
) -> NDArray[np.float64]:
    """Return the energy filter at every sample of traces.

    Parameters
    ----------
    samples, offsets, coefficients, length, gap
        As for `energies_from_traces`.

    Returns
    -------
    ndarray of float64
        Shape (n,), in ADC units: the energy that windows ending with a sample give,
        with the first ``2 * length + gap`` samples of the trace as baseline (there
        the filter is 0). NaN for shorter traces.

    Raises
    ------
    TraceError
        If the traces are no traces, or a length is out of range.
    """
    samples, offsets = checked_traces(samples, offsets)
    check_number("length", length, 1, LONGEST)
    check_number("gap", gap, 0, LONGEST)
    out = np.full(samples.size, np.nan)
    _energy_filter(samples, offsets, length, gap, coefficients, out)
    return out
