"""What the FPGA of a channel does with its signal, from triggers to sums.

The signal is computed only around pulses; between them nothing but noise is, which
is taken not to reach the threshold. A stretch that is computed begins so early that
all filters have filled when the first tick is looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, jit_part
from pixie_pipe.kernels.cfd import LONGEST_TICKS, fixed_cfd_at, zero_crossing
from pixie_pipe.kernels.energy_filter import energy_of_sums
from pixie_pipe.kernels.fast_filter import add_up, fast_difference
from pixie_pipe.simulation._channel_state import (
    ABOVE_TICKS,
    ARMED,
    BUSY_UNTIL,
    CFD_FIXED,
    CFD_OFF,
    DEAD,
    LAST_TRIGGER,
    MARKED,
    NEXT,
    OPEN,
    PILED_UP,
    RECORDED,
    ROWS,
    SCAN_END,
    TRIGGERS,
    UNRESOLVED,
    Fpga,
    Pulses,
    Row,
    RowRoom,
)
from pixie_pipe.simulation._signal_kernels import Signal, advance_tails, digitize

_PIECE_SAMPLES = 1 << 17
"""Most samples that are computed at once, beside what filters need: 1 MB of sums."""


@jit_part
def _cfd(
    samples: NDArray[np.uint16],
    sums: NDArray[np.int64],
    origin: int,
    tick: int,
    fpga: Fpga,
    scratch: NDArray[np.float64],
) -> tuple[int, float]:
    """Return the sample of the zero crossing and the fraction; -1 if forced."""
    first = tick * fpga.samples_per_tick - origin
    count = LONGEST_TICKS * fpga.samples_per_tick + 1
    for i in range(count):
        k = first + i
        if fpga.cfd == CFD_FIXED:
            scratch[i] = np.float64(fixed_cfd_at(samples, k))
        else:
            late = fast_difference(sums, k, fpga.fast_length, fpga.fast_gap)
            early = fast_difference(
                sums, k - fpga.cfd_delay, fpga.fast_length, fpga.fast_gap
            )
            scratch[i] = fpga.cfd_weight * late - early
    found, fraction = zero_crossing(scratch, 0, count, fpga.cfd_threshold)
    if found < 0:
        return -1, 0.0
    return origin + first + found, fraction


@jit_part
def _write_row(
    samples: NDArray[np.uint16],
    sums: NDArray[np.int64],
    origin: int,
    tick: int,
    average: float,
    fpga: Fpga,
    most: int,
    qdc_lengths: NDArray[np.int64],
    scratch: NDArray[np.float64],
    room: RowRoom,
    number: int,
) -> None:
    """Write what is known of an event at its trigger."""
    # The slow filter has a value in every `step` ticks.
    last_tick = (tick + fpga.peak + fpga.step - 1) // fpga.step * fpga.step
    end = last_tick * fpga.samples_per_tick - origin
    length, gap = fpga.slow_length, fpga.slow_gap
    start = end - 2 * length - gap
    trailing = sums[start + length] - sums[start]
    between = sums[end - length] - sums[start + length]
    leading = sums[end] - sums[end - length]
    baseline = np.float32(average)
    row: Row = room.fields[number]
    row.tick = tick
    row.trailing, row.gap, row.leading = trailing, between, leading
    row.baseline = baseline
    row.energy = energy_of_sums(
        np.float64(trailing),
        np.float64(between),
        np.float64(leading),
        np.float64(baseline),
        fpga.c0,
        fpga.c1,
        fpga.c2,
    )
    row.cfd_sample, row.cfd_fraction = -1, 0.0
    if fpga.cfd != CFD_OFF:
        at, part = _cfd(samples, sums, origin, tick, fpga, scratch)
        row.cfd_sample, row.cfd_fraction = at, part
    trace = (tick - fpga.trace_delay) * fpga.samples_per_tick - origin
    for i in range(fpga.trace_length):
        room.trace[number, i] = samples[trace + i]
    begin = trace
    for i in range(qdc_lengths.size):
        total = sums[begin + qdc_lengths[i]] - sums[begin]
        room.qdc[number, i] = np.uint32(total)
        begin += qdc_lengths[i]
    beyond = False
    for k in range(min(start, trace), max(end, trace + fpga.trace_length)):
        beyond = beyond or samples[k] == 0 or samples[k] == most
    row.out_of_range = beyond
    row.pileup = False
    row.ready = 0


@jit_part
def _own_pulse(pulses: Pulses, state: NDArray[np.int64], tick: int, fpga: Fpga) -> int:
    """Return the largest pulse that can have made this trigger, or -1; mark others."""
    end = (tick + 1) * fpga.samples_per_tick
    oldest = end - fpga.settle * fpga.samples_per_tick
    found = -1
    number = state[MARKED]
    while number < pulses.sample.size and pulses.sample[number] < end:
        if pulses.sample[number] >= oldest:
            if found < 0:
                found = number
            elif pulses.kev[number] > pulses.kev[found]:
                pulses.fate[found] = UNRESOLVED
                found = number
            else:
                pulses.fate[number] = UNRESOLVED
        number += 1
    state[MARKED] = number
    return found


@jit_part
def _mark_hidden(pulses: Pulses, state: NDArray[np.int64], before: int) -> None:
    """Mark pulses that came while the filter was above threshold."""
    number = state[MARKED]
    while number < pulses.sample.size and pulses.sample[number] < before:
        pulses.fate[number] = UNRESOLVED
        number += 1
    state[MARKED] = number


@jit_part
def _next_stretch(
    pulses: Pulses,
    number: int,
    until_tick: int,
    state: NDArray[np.int64],
    fpga: Fpga,
) -> bool:
    """Find the ticks to look at next; tell whether they follow a pause."""
    tick = fpga.samples_per_tick
    join = (fpga.before + fpga.behind) // tick
    is_fresh = False
    if state[NEXT] >= state[SCAN_END]:
        while number < pulses.sample.size and (
            pulses.sample[number] // tick + fpga.settle <= state[NEXT]
        ):
            number += 1
        if number == pulses.sample.size:
            return False
        begin = pulses.sample[number] // tick - 1
        if begin >= until_tick:
            # There may still be one before it that is not known yet.
            return False
        if begin > state[NEXT] + join:
            state[NEXT] = begin
            state[ARMED] = 1
            is_fresh = True
        state[SCAN_END] = begin
    # Pulses that are close are looked at with all that is between them.
    while number < pulses.sample.size and (
        pulses.sample[number] // tick <= state[SCAN_END] + join
    ):
        state[SCAN_END] = max(
            state[SCAN_END], pulses.sample[number] // tick + fpga.settle
        )
        number += 1
    return is_fresh


@jit_part
def _measure_baseline(
    sums: NDArray[np.int64], average: NDArray[np.float64], fpga: Fpga
) -> None:
    """Let the running mean of the baseline go on by the quiet start of a stretch."""
    length, gap = fpga.slow_length, fpga.slow_gap
    end = fpga.before
    start = end - 2 * length - gap
    value = energy_of_sums(
        np.float64(sums[start + length] - sums[start]),
        np.float64(sums[end - length] - sums[start + length]),
        np.float64(sums[end] - sums[end - length]),
        0.0,
        fpga.c0,
        fpga.c1,
        fpga.c2,
    )
    step = value - average[0]
    if fpga.baseline_cut == 0.0 or abs(step) <= fpga.baseline_cut:
        average[0] += step * fpga.weight


@jit_part
def _close(state: NDArray[np.int64], fields: NDArray[np.void]) -> None:
    """End the group of triggers of the last event."""
    fields[state[ROWS] - 1].ready = state[BUSY_UNTIL]
    state[OPEN] = 0


@jit_part
def _trigger(
    samples: NDArray[np.uint16],
    sums: NDArray[np.int64],
    origin: int,
    tick: int,
    average: float,
    pulses: Pulses,
    state: NDArray[np.int64],
    fpga: Fpga,
    most: int,
    qdc_lengths: NDArray[np.int64],
    scratch: NDArray[np.float64],
    room: RowRoom,
) -> None:
    """Count a fast trigger: begin an event, or pile up on one, or come too early."""
    state[TRIGGERS] += 1
    pulse = _own_pulse(pulses, state, tick, fpga)
    fate = RECORDED
    if state[OPEN]:
        fate = PILED_UP
        room.fields[state[ROWS] - 1].pileup = True
        state[LAST_TRIGGER] = tick
        state[BUSY_UNTIL] = max(state[BUSY_UNTIL], tick + fpga.pileup)
    elif tick < state[BUSY_UNTIL]:
        fate = DEAD
    else:
        row = state[ROWS]
        _write_row(
            samples,
            sums,
            origin,
            tick,
            average,
            fpga,
            most,
            qdc_lengths,
            scratch,
            room,
            row,
        )
        room.fields[row].pulse = pulse
        state[ROWS], state[OPEN] = row + 1, 1
        state[LAST_TRIGGER] = tick
        trace_ticks = -(-fpga.trace_length // fpga.samples_per_tick)
        trace_end = tick - fpga.trace_delay + trace_ticks
        state[BUSY_UNTIL] = max(tick + fpga.pileup, trace_end)
    if pulse >= 0:
        pulses.fate[pulse] = fate


@jit
def process(
    pulses: Pulses,
    until_tick: int,
    tails: NDArray[np.float64],
    positions: NDArray[np.int64],
    state: NDArray[np.int64],
    average: NDArray[np.float64],
    fpga: Fpga,
    signal: Signal,
    qdc_lengths: NDArray[np.int64],
    room: RowRoom,
) -> bool:
    """Look at all ticks before `until_tick`, and write an event for each trigger.

    All pulses must be known that begin before that tick and `Fpga.behind` samples.
    `state` goes on from one call to the next; its place ROWS is the number of rows, the
    last of which is not complete while OPEN is set. An event ends when no trigger came
    for the pile-up time; then its `ready` is the tick at which it can be written.

    Returns
    -------
    bool
        Whether everything was looked at: False if the rows are full. Take them away
        and call again.
    """
    per_tick = fpga.samples_per_tick
    scratch = np.empty(LONGEST_TICKS * per_tick + 1, np.float64)
    most = fpga.before + _PIECE_SAMPLES + fpga.behind + per_tick
    all_samples = np.empty(most, np.uint16)
    all_sums = np.empty(most + 1, np.int64)
    while True:
        is_fresh = _next_stretch(pulses, positions[1], until_tick, state, fpga)
        first = state[NEXT]
        end = min(state[SCAN_END], until_tick, first + _PIECE_SAMPLES // per_tick)
        if end <= first:
            break
        origin = first * per_tick - fpga.before
        advance_tails(
            tails,
            positions,
            pulses.sample,
            pulses.phase,
            pulses.kev,
            origin,
            signal.rise,
            signal.decay,
        )
        count = (end - first) * per_tick + fpga.before + fpga.behind
        samples, sums = all_samples[:count], all_sums[: count + 1]
        digitize(
            tails, positions, pulses.sample, pulses.phase, pulses.kev, signal, samples
        )
        add_up(samples, sums)
        if is_fresh:
            _measure_baseline(sums, average, fpga)
        for tick in range(first, end):
            k = (tick + 1) * per_tick - 1 - origin
            level = fast_difference(sums, k, fpga.fast_length, fpga.fast_gap)
            if level < fpga.threshold:
                if state[ARMED] == 0:
                    state[ARMED] = 1
                    _mark_hidden(pulses, state, k + origin - fpga.fast_length)
                continue
            if state[ARMED] == 1:
                if state[OPEN] and tick - state[LAST_TRIGGER] > fpga.pileup:
                    _close(state, room.fields)
                if state[ROWS] == room.fields.size:
                    state[NEXT] = tick
                    return False
                _trigger(
                    samples,
                    sums,
                    origin,
                    tick,
                    average[0],
                    pulses,
                    state,
                    fpga,
                    signal.most,
                    qdc_lengths,
                    scratch,
                    room,
                )
            state[ARMED] = 0
            state[ABOVE_TICKS] += 1
        state[NEXT] = end
    if state[OPEN] and until_tick - state[LAST_TRIGGER] > fpga.pileup:
        _close(state, room.fields)
    return True
