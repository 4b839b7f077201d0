"""All values of traces in one go: each trace is looked at while it is in the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.kernels._trace_levels import (
    extremes,
    find_triggers,
    first_of,
    least_height,
    mean_of,
    noise_of,
    window_sum,
)
from pixie_pipe.kernels._trace_shapes import (
    charge_of,
    crossing_behind,
    decay_time,
    last_below,
)
from pixie_pipe.kernels._trace_times import (
    module_cfd,
    module_cfd_reach,
    sample_cfd,
)
from pixie_pipe.kernels.cfd import LONGEST_TICKS
from pixie_pipe.kernels.energy_filter import energy_of_sums
from pixie_pipe.kernels.trace_numbers import (
    BASELINE,
    CHARGE,
    ENERGY,
    FILTER,
    HEADER,
    HEIGHT,
    NO_PULSE,
    NO_SETTINGS,
    NO_SUMS,
    NO_TRACE,
    NOISE,
    NOT_FOUND,
    PSD,
    PULSES,
    RISE,
    SAMPLES,
    SATURATED,
    TAU,
    TIME,
    TOO_SHORT,
    Traces,
    Values,
)

_LARGEST_TICK = 5
_SHAPE = RISE | TAU | CHARGE | PSD


@jit
def measure_traces(
    traces: Traces,
    settings: NDArray[np.void],
    first: int,
    end: int,
    wanted: int,
    out: Values,
) -> None:
    """Write the wanted values (bits) of some traces, and the status of each.

    Parameters
    ----------
    traces
        The traces.
    settings
        Settings of channels, rows of `NUMBERS`.
    first, end
        Which traces.
    wanted
        Bits of `BITS`.
    out
        Columns for all traces.
    """
    longest = 0
    for i in range(first, end):
        longest = max(longest, traces.offsets[i + 1] - traces.offsets[i])
    sums = np.empty(longest + 1, np.int64)
    scratch = np.empty(LONGEST_TICKS * _LARGEST_TICK + 1)
    triggers = np.empty(1, np.int64)
    for i in range(first, end):
        _clear(out, i, wanted)
        samples = traces.samples[traces.offsets[i] : traces.offsets[i + 1]]
        status = 0
        if samples.size == 0:
            status |= NO_TRACE
        if traces.which[i] < 0:
            status |= NO_SETTINGS
        if status == 0:
            s = settings[traces.which[i]]
            status = _measure(
                traces, samples, i, s, wanted, sums, scratch, triggers, out
            )
        out.status[i] = status


@jit
def _clear(out: Values, i: int, wanted: int) -> None:
    """Write that no value of a trace is known."""
    if wanted & BASELINE:
        out.baseline[i] = np.nan
    if wanted & NOISE:
        out.noise[i] = np.nan
    if wanted & HEIGHT:
        out.height[i] = np.nan
    if wanted & TIME:
        out.time_ns[i] = np.nan
    if wanted & RISE:
        out.rise_ns[i] = np.nan
    if wanted & TAU:
        out.tau_ns[i] = np.nan
    if wanted & PULSES:
        out.pulses[i] = -1
    if wanted & ENERGY:
        out.energy[i] = np.nan
    if wanted & CHARGE:
        out.charge[i] = np.nan
    if wanted & PSD:
        out.psd[i] = np.nan


@jit
def _measure(
    traces: Traces,
    samples: NDArray[np.uint16],
    i: int,
    s: np.record,
    wanted: int,
    sums: NDArray[np.int64],
    scratch: NDArray[np.float64],
    triggers: NDArray[np.int64],
    out: Values,
) -> int:
    """Write the values of one trace; return its status."""
    status = 0
    low, high = extremes(samples)
    if low == 0 or high >= s.full_scale:
        status |= SATURATED
    if s.pulse_from > 0 or s.pulse_to < samples.size:
        high = -1
        if s.pulse_from < samples.size:
            _, high = extremes(samples[s.pulse_from : s.pulse_to])
    base = noise = height = np.nan
    if samples.size >= s.quiet and high >= 0:
        base = mean_of(samples, s.quiet)
        height = high - base
        if wanted & NOISE or s.threshold <= 0.0:
            noise = noise_of(samples, s.quiet)
    else:
        status |= TOO_SHORT
    if wanted & BASELINE:
        out.baseline[i] = base
    if wanted & NOISE:
        out.noise[i] = noise
    if wanted & HEIGHT:
        out.height[i] = height

    needs_trigger = wanted & PULSES
    if wanted & TIME and s.cfd > SAMPLES:
        needs_trigger |= TIME
    if wanted & ENERGY and s.slow_length > 0 and s.trace_delay < 0:
        needs_trigger |= ENERGY
    count = -1
    if needs_trigger and s.fast_length > 0:
        if samples.size < 2 * (2 * s.fast_length + s.fast_gap):
            status |= TOO_SHORT  # as XIA's function refuses it
        else:
            count = find_triggers(
                samples, s.fast_length, s.fast_gap, s.fast_level, triggers
            )
            if count == 0:
                status |= NO_PULSE
        if wanted & PULSES:
            out.pulses[i] = count
    trigger = triggers[0] if count > 0 else -1

    if status & SATURATED:
        return status
    if wanted & ENERGY and s.slow_length > 0:
        status |= _energy(traces, samples, i, s, base, trigger, out)
    if wanted & TIME and s.cfd > SAMPLES and trigger >= 0:
        status |= _module_time(samples, i, s, trigger, sums, scratch, out)
    by_height = wanted & _SHAPE
    if wanted & TIME and s.cfd == SAMPLES:
        by_height |= TIME
    if not by_height or np.isnan(base):
        return status
    if not (height > 0.0 and height >= least_height(s.threshold, noise)):
        return status | NO_PULSE
    top = first_of(samples, s.pulse_from, high)
    if by_height & TIME:
        status |= _sample_time(samples, i, s, top, base, out)
    if by_height & _SHAPE:
        status |= _shape(samples, i, s, wanted, top, base, out)
    return status


@jit
def _energy(
    traces: Traces,
    samples: NDArray[np.uint16],
    i: int,
    s: np.record,
    base: float,
    trigger: int,
    out: Values,
) -> int:
    """Write the energy by the energy filter; return the bits of what failed."""
    length, gap = s.slow_length, s.slow_gap
    reach = 2 * length + gap
    end = trigger + s.energy_delay
    if s.trace_delay >= 0:
        end = s.trace_delay + s.energy_delay
        if s.energy_grid > 1 and traces.at_trigger.size and traces.at_trigger[i]:
            # The filter has a value at every tick that is a multiple of the grid.
            tick = np.int64(traces.timestamp[i]) + (end - s.trace_delay) // s.tick
            end += -tick % s.energy_grid * s.tick
    elif trigger < 0:
        return 0  # why there is none is known
    start = end - reach
    if start < 0 or end > samples.size:
        return TOO_SHORT
    level = base * (length * (s.c0 + s.c2) + gap * s.c1)
    if s.energy_baseline == FILTER:
        level = energy_of_sums(
            np.float64(window_sum(samples, 0, length)),
            np.float64(window_sum(samples, length, length + gap)),
            np.float64(window_sum(samples, length + gap, reach)),
            0.0,
            s.c0,
            s.c1,
            s.c2,
        )
    elif s.energy_baseline == HEADER:
        if traces.esum_valid.size == 0 or not traces.esum_valid[i]:
            return NO_SUMS
        level = np.float64(traces.esum_baseline[i])
    out.energy[i] = energy_of_sums(
        np.float64(window_sum(samples, start, start + length)),
        np.float64(window_sum(samples, start + length, end - length)),
        np.float64(window_sum(samples, end - length, end)),
        level,
        s.c0,
        s.c1,
        s.c2,
    )
    return 0


@jit
def _module_time(
    samples: NDArray[np.uint16],
    i: int,
    s: np.record,
    trigger: int,
    sums: NDArray[np.int64],
    scratch: NDArray[np.float64],
    out: Values,
) -> int:
    """Write the time by the CFD of the modules; return the bits of what failed."""
    if samples.size < module_cfd_reach(s):
        return TOO_SHORT
    found = module_cfd(samples, trigger, s, sums, scratch)
    if found < 0.0:
        return NOT_FOUND
    out.time_ns[i] = found * s.sample_ns
    return 0


@jit
def _sample_time(
    samples: NDArray[np.uint16],
    i: int,
    s: np.record,
    top: int,
    base: float,
    out: Values,
) -> int:
    """Write the time by a CFD on the samples; return the bits of what failed."""
    if samples.size <= s.cfd_delay:
        return TOO_SHORT
    found = sample_cfd(samples, top, base, s)
    if found < 0.0:
        return NOT_FOUND
    out.time_ns[i] = found * s.sample_ns
    return 0


@jit
def _shape(
    samples: NDArray[np.uint16],
    i: int,
    s: np.record,
    wanted: int,
    top: int,
    base: float,
    out: Values,
) -> int:
    """Write rise, decay and charge; return the bits of what failed."""
    status = 0
    height = samples[top] - base
    if wanted & TAU:
        tau = decay_time(samples, top, base, height, s.tau_fit)
        if np.isnan(tau):
            status |= NOT_FOUND
        out.tau_ns[i] = tau * s.sample_ns
    if not wanted & (RISE | CHARGE | PSD):
        return status
    below = last_below(samples, top, base + 0.1 * height)
    if below < 0:
        return status | NOT_FOUND  # the pulse had begun before the trace
    if wanted & RISE:
        late = last_below(samples, top, base + 0.9 * height)
        rise = crossing_behind(samples, late, base + 0.9 * height) - crossing_behind(
            samples, below, base + 0.1 * height
        )
        out.rise_ns[i] = rise * s.sample_ns
    if wanted & (CHARGE | PSD) and s.charge_long > 0:
        first = below + 1 - s.charge_before
        if first < 0 or first + s.charge_long > samples.size:
            return status | TOO_SHORT
        charge = charge_of(samples, first, s.charge_long, base)
        if wanted & CHARGE:
            out.charge[i] = charge
        if wanted & PSD and s.charge_short > 0:
            if charge > 0.0:
                early = charge_of(samples, first, s.charge_short, base)
                out.psd[i] = (charge - early) / charge
            else:
                status |= NOT_FOUND
    return status
