"""Kernel of the survey: counts, spectra and the course of time, event by event.

Time is followed for each module by itself. An event earlier than the latest one
before it is *disorder*. If it is earlier by more than a limit, and the events
behind it are too, the counter was *reset* and a new segment begins. Up to
`RESET_EVENTS` - 1 events wait until that is decided.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit

ENERGY_SHIFT: Final = 2
"""A bin of a spectrum is 2**ENERGY_SHIFT ADC units: 16 channels fit the cache."""
SPECTRUM_BINS: Final = 1 << (16 - ENERGY_SHIFT)

RESET_EVENTS: Final = 4
"""Events in a row that must have fallen back before it counts as a reset."""

GAP_MIN_EVENTS: Final = 10
"""Events of a segment from which its mean interval is known well enough."""

LISTED: Final = 10
"""Gaps and resets that are kept with their position, for each module."""

# Columns of the state of a channel.
EVENTS: Final = 0
PILEUP: Final = 1
OUT_OF_RANGE: Final = 2
CFD_FORCED: Final = 3
CFD_OFF: Final = 4
CHANNEL_COLUMNS: Final = 5

# Columns of the state of a module; EVENTS is the first here, too.
FIRST_PS: Final = 1  # of the stream's first event
LAST_PS: Final = 2  # of the stream's last event
EARLIEST_PS: Final = 3  # of the segment
LATEST_PS: Final = 4  # of the segment
SEGMENT_EVENTS: Final = 5
SPAN_BEFORE_PS: Final = 6  # of the segments before
DISORDER: Final = 7
LARGEST_BACK_PS: Final = 8
LARGEST_BACK_EVENT: Final = 9
LARGEST_STEP_PS: Final = 10
LARGEST_STEP_EVENT: Final = 11
GAPS: Final = 12
RESETS: Final = 13
PENDING: Final = 14  # events that fell back far and wait for the next ones
FIRST_PENDING: Final = 15  # their times, RESET_EVENTS - 1 columns
FIRST_HEADER: Final = FIRST_PENDING + RESET_EVENTS - 1  # counts by blocks, 8 columns
MODULE_COLUMNS: Final = FIRST_HEADER + 8


class Columns(NamedTuple):
    """Columns of a batch; those of optional blocks are empty if it has none."""

    crate: NDArray[np.uint8]
    slot: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    energy: NDArray[np.uint16]
    time_ps: NDArray[np.int64]
    cfd_fraction: NDArray[np.uint16]
    cfd_source: NDArray[np.uint8]
    cfd_forced: NDArray[np.bool_]
    pileup: NDArray[np.bool_]
    out_of_range: NDArray[np.bool_]
    esum_valid: NDArray[np.bool_]
    qdc_valid: NDArray[np.bool_]
    external_timestamp_valid: NDArray[np.bool_]
    trace_length: NDArray[np.uint16]


class State(NamedTuple):
    """What is known so far. A row is one module or channel.

    Attributes
    ----------
    module_rows
        Row of each module plus one, 0 if not seen, shape (65536,); the index is
        ``crate << 8 | slot``.
    channel_rows
        Row of each channel plus one, shape (modules, 256).
    used
        Rows used: of modules, of channels.
    modules
        Shape (modules, MODULE_COLUMNS).
    channels
        Shape (channels, CHANNEL_COLUMNS).
    gaps, resets
        Number of the event, time before and time behind in ps, shape
        (modules, LISTED, 3).
    traces
        Events by trace length, shape (modules, 65536), or no columns while no
        trace has come. Batches without traces add nothing.
    spectra
        Events by energy, shape (rows, SPECTRUM_BINS). Channels beyond its rows
        are counted but have no spectrum.
    """

    module_rows: NDArray[np.int32]
    channel_rows: NDArray[np.int32]
    used: NDArray[np.int64]
    modules: NDArray[np.int64]
    channels: NDArray[np.int64]
    gaps: NDArray[np.int64]
    resets: NDArray[np.int64]
    traces: NDArray[np.int64]
    spectra: NDArray[np.int64]


class Limits(NamedTuple):
    """What counts as a reset and as a gap."""

    reset_ps: int
    gap_ps: int
    gap_factor: float


@jit
def survey_events(columns: Columns, start: int, state: State, limits: Limits) -> int:
    """Add the events from `start` on to the state.

    Returns
    -------
    int
        The first event that was not added: the number of events, or one whose
        module or channel has no row left. The caller makes room and calls again.
    """
    count = columns.crate.size
    has_sums = columns.esum_valid.size > 0
    has_qdc = columns.qdc_valid.size > 0
    has_external = columns.external_timestamp_valid.size > 0
    has_traces = columns.trace_length.size > 0
    spectra = state.spectra
    channels = state.channels
    modules = state.modules
    reset_ps = limits.reset_ps
    gap_ps = limits.gap_ps
    for i in range(start, count):
        time = columns.time_ps[i]
        module_id = np.int64(columns.crate[i]) << 8 | np.int64(columns.slot[i])
        module = np.int64(state.module_rows[module_id]) - 1
        if module < 0:
            module = _new_module(state, module_id, time)
            if module < 0:
                return i
        channel = np.int64(state.channel_rows[module, columns.channel[i]]) - 1
        if channel < 0:
            channel = _new_channel(state, module, columns.channel[i])
            if channel < 0:
                return i

        forced = columns.cfd_forced[i]
        off = not forced and columns.cfd_fraction[i] == 0 and columns.cfd_source[i] == 0
        channels[channel, EVENTS] += 1
        channels[channel, PILEUP] += np.int64(columns.pileup[i])
        channels[channel, OUT_OF_RANGE] += np.int64(columns.out_of_range[i])
        channels[channel, CFD_FORCED] += np.int64(forced)
        channels[channel, CFD_OFF] += np.int64(off)
        if channel < spectra.shape[0]:
            spectra[channel, columns.energy[i] >> ENERGY_SHIFT] += 1

        blocks = 0
        if has_sums:
            blocks |= np.int64(columns.esum_valid[i])
        if has_qdc:
            blocks |= np.int64(columns.qdc_valid[i]) << 1
        if has_external:
            blocks |= np.int64(columns.external_timestamp_valid[i]) << 2
        modules[module, FIRST_HEADER + blocks] += 1
        if has_traces:
            state.traces[module, columns.trace_length[i]] += 1

        # Nearly all events take the two short ways here. Calling a function costs
        # several times as much as the rest: it counts references to every array.
        number = modules[module, EVENTS]
        modules[module, EVENTS] = number + 1
        modules[module, LAST_PS] = time
        step = time - modules[module, LATEST_PS]
        if modules[module, PENDING] or step < -reset_ps:
            _follow_far(state, module, number, time, limits)
        elif step >= 0:
            if step > modules[module, LARGEST_STEP_PS] or step > gap_ps:
                _count_step(state, module, number, time, limits)
            modules[module, LATEST_PS] = time
            modules[module, SEGMENT_EVENTS] += 1
        else:
            modules[module, DISORDER] += 1
            modules[module, SEGMENT_EVENTS] += 1
            if -step > modules[module, LARGEST_BACK_PS]:
                modules[module, LARGEST_BACK_PS] = -step
                modules[module, LARGEST_BACK_EVENT] = number
            modules[module, EARLIEST_PS] = min(modules[module, EARLIEST_PS], time)
    return count


@jit
def _new_module(state: State, module_id: int, time: int) -> int:
    row = state.used[0]
    if row >= state.modules.shape[0]:
        return -1
    state.used[0] += 1
    state.module_rows[module_id] = row + 1
    for column in (FIRST_PS, EARLIEST_PS, LATEST_PS):
        state.modules[row, column] = time
    return row


@jit
def _new_channel(state: State, module: int, channel: int) -> int:
    row = state.used[1]
    if row >= state.channels.shape[0]:
        return -1
    state.used[1] += 1
    state.channel_rows[module, channel] = row + 1
    return row


@jit
def _follow_far(
    state: State, module: int, number: int, time: int, limits: Limits
) -> None:
    """Take an event that fell back far, or the first one behind such events."""
    modules = state.modules
    if modules[module, LATEST_PS] - time <= limits.reset_ps:
        if modules[module, PENDING]:
            _settle_as_disorder(state, module, number)
        _place(state, module, number, time, limits)
        return
    pending = modules[module, PENDING]
    if pending < RESET_EVENTS - 1:
        modules[module, FIRST_PENDING + pending] = time
        modules[module, PENDING] = pending + 1
    else:
        _begin_segment(state, module, number, time, limits)


@jit
def _place(state: State, module: int, number: int, time: int, limits: Limits) -> None:
    """Put an event that did not fall back far into the current segment."""
    modules = state.modules
    if time >= modules[module, LATEST_PS]:
        _count_step(state, module, number, time, limits)
        modules[module, LATEST_PS] = time
    else:
        _count_disorder(state, module, number, time)
        modules[module, EARLIEST_PS] = min(modules[module, EARLIEST_PS], time)
    modules[module, SEGMENT_EVENTS] += 1


@jit
def _count_step(
    state: State, module: int, number: int, time: int, limits: Limits
) -> None:
    modules = state.modules
    step = time - modules[module, LATEST_PS]
    if step > modules[module, LARGEST_STEP_PS]:
        modules[module, LARGEST_STEP_PS] = step
        modules[module, LARGEST_STEP_EVENT] = number
    if step > limits.gap_ps:
        _judge_gap(state, module, number, time, limits)


@jit
def _judge_gap(
    state: State, module: int, number: int, time: int, limits: Limits
) -> None:
    modules = state.modules
    events = modules[module, SEGMENT_EVENTS]
    if events < GAP_MIN_EVENTS:
        return
    latest = modules[module, LATEST_PS]
    span = float(latest - modules[module, EARLIEST_PS])
    if float(time - latest) * (events - 1) <= limits.gap_factor * span:
        return
    gaps = modules[module, GAPS]
    if gaps < LISTED:
        _list(state.gaps, module, gaps, number, latest, time)
    modules[module, GAPS] = gaps + 1


@jit
def _list(
    table: NDArray[np.int64], module: int, row: int, number: int, before: int, time: int
) -> None:
    table[module, row, 0] = number
    table[module, row, 1] = before
    table[module, row, 2] = time


@jit
def _count_disorder(state: State, module: int, number: int, time: int) -> None:
    modules = state.modules
    modules[module, DISORDER] += 1
    back = modules[module, LATEST_PS] - time
    if back > modules[module, LARGEST_BACK_PS]:
        modules[module, LARGEST_BACK_PS] = back
        modules[module, LARGEST_BACK_EVENT] = number


@jit
def _settle_as_disorder(state: State, module: int, number: int) -> None:
    """Count what waited as disorder: event `number` is back in the segment.

    Strays do not change the segment's earliest time: one wrong time would spoil
    the span and all rates.
    """
    modules = state.modules
    pending = modules[module, PENDING]
    for k in range(pending):
        time = modules[module, FIRST_PENDING + k]
        _count_disorder(state, module, number - pending + k, time)
    modules[module, PENDING] = 0


@jit
def _begin_segment(
    state: State, module: int, number: int, time: int, limits: Limits
) -> None:
    """Begin a segment with the events that waited and with this one."""
    modules = state.modules
    first = number - (RESET_EVENTS - 1)
    start = modules[module, FIRST_PENDING]
    resets = modules[module, RESETS]
    latest = modules[module, LATEST_PS]
    if resets < LISTED:
        _list(state.resets, module, resets, first, latest, start)
    modules[module, RESETS] = resets + 1
    modules[module, SPAN_BEFORE_PS] += latest - modules[module, EARLIEST_PS]
    modules[module, EARLIEST_PS] = start
    modules[module, LATEST_PS] = start
    modules[module, SEGMENT_EVENTS] = 0
    modules[module, PENDING] = 0
    waiting = (
        start,
        modules[module, FIRST_PENDING + 1],
        modules[module, FIRST_PENDING + 2],
        time,
    )
    for k in range(RESET_EVENTS):
        later = waiting[k]
        # Any of them may have fallen back far again, within the new segment; too
        # few are left to make another reset of it.
        if modules[module, LATEST_PS] - later > limits.reset_ps:
            pending = modules[module, PENDING]
            modules[module, FIRST_PENDING + pending] = later
            modules[module, PENDING] = pending + 1
        else:
            if modules[module, PENDING]:
                _settle_as_disorder(state, module, first + k)
            _place(state, module, first + k, later, limits)
