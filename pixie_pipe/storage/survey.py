"""What is in list-mode data: counts, times, rates and spectra, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Block, Events, EventsError
from pixie_pipe.kernels import survey as kernel

_Number = TypeVar("_Number", np.int32, np.int64)

PS_PER_SECOND = 10**12

HEADER_LENGTHS = tuple(
    4 + 4 * (blocks & 1) + 8 * (blocks >> 1 & 1) + 2 * (blocks >> 2)
    for blocks in range(8)
)
"""Header length in words for each combination of blocks that the kernel counts."""

# 1024 spectra take 128 MB. Thirteen modules of 32 channels in two crates have fewer
# channels; only damaged data have more.
_MOST_SPECTRA = 1024

_TRACE_LENGTHS = 1 << 16

_CORE = (
    "crate",
    "slot",
    "channel",
    "energy",
    "time_ps",
    "cfd_fraction",
    "cfd_source",
    "cfd_forced",
    "pileup",
    "out_of_range",
)
_OPTIONAL = {
    "esum_valid": "?",
    "qdc_valid": "?",
    "external_timestamp_valid": "?",
    "trace_length": "u2",
}


@dataclass(frozen=True, slots=True)
class TimeStep:
    """A place where the time of a module jumps.

    Attributes
    ----------
    event
        Number of the event behind the jump, among the events of its module,
        from 0.
    before_ps, after_ps
        Latest time before it, and the time of the event, in ps.
    """

    event: int
    before_ps: int
    after_ps: int


@dataclass(frozen=True, slots=True, eq=False)
class ChannelSurvey:
    """What came from one channel.

    Attributes
    ----------
    crate, slot, channel
        Which channel.
    events, pileup, out_of_range
        Number of events; of piled-up ones; of ones that left the ADC's range.
    cfd_valid, cfd_forced, cfd_off
        Events by the state of the CFD; they add up to `events`.
    rate_hz
        Mean rate over the span of the module, None if that is 0.
    spectrum
        Events by energy, shape (bins,), each bin `energy_per_bin` wide. None for
        channels beyond the first 1024.
    """

    crate: int
    slot: int
    channel: int
    events: int
    pileup: int
    out_of_range: int
    cfd_valid: int
    cfd_forced: int
    cfd_off: int
    rate_hz: float | None
    spectrum: NDArray[np.int64] | None

    energy_per_bin = 1 << kernel.ENERGY_SHIFT
    """Width of a bin of the spectrum in ADC units."""


@dataclass(frozen=True, slots=True)
class ModuleSurvey:
    """What came from one module, in the order of its stream.

    Attributes
    ----------
    crate, slot
        Which module.
    events
        Number of events.
    header_lengths
        Events by length of the header in words.
    trace_lengths
        Events by the length of the trace that the header states, in samples.
    first_ps, last_ps
        Times of the first and the last event in ps.
    span_ps
        Time covered in ps, from the earliest to the latest event; added up over
        the segments between resets.
    rate_hz
        Mean rate of the module over its span, None if that is 0.
    largest_step_ps, largest_step_event
        Largest step of time forward in ps, and the event behind it.
    gaps, gap_count
        Steps that are longer than the limits for a gap: the first ten, and their
        number.
    disorder, largest_back_ps, largest_back_event
        Number of events that are earlier than the latest before them; the
        largest such step in ps, and its event.
    resets, reset_count
        Places where the counter fell back and went on from there: the first ten,
        and their number.
    """

    crate: int
    slot: int
    events: int
    header_lengths: dict[int, int]
    trace_lengths: dict[int, int]
    first_ps: int
    last_ps: int
    span_ps: int
    rate_hz: float | None
    largest_step_ps: int
    largest_step_event: int
    gaps: tuple[TimeStep, ...]
    gap_count: int
    disorder: int
    largest_back_ps: int
    largest_back_event: int
    resets: tuple[TimeStep, ...]
    reset_count: int


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """Modules and channels, each sorted by their numbers."""

    modules: tuple[ModuleSurvey, ...]
    channels: tuple[ChannelSurvey, ...]

    @property
    def events(self) -> int:
        """Number of all events."""
        return sum(module.events for module in self.modules)


class Survey:
    """Adds up what is in batches of events, in the order of their stream.

    The memory needed grows with the number of modules and channels, not with
    the number of events. Several streams can be added one after the other if
    they have no module in common.

    Parameters
    ----------
    reset_s
        A time that falls back by more than this, and stays there for at least
        four events, is a reset of the module's counter and no disorder.
    gap_s, gap_factor
        A step forward is a gap if it is longer than `gap_s` and than
        `gap_factor` times the mean interval of the module's events before it.
        The first ten events after the start or a reset make no gap.

    Examples
    --------
    >>> survey = Survey()
    >>> survey.add(Events.empty())
    >>> survey.result().events
    0
    """

    def __init__(
        self, *, reset_s: float = 1.0, gap_s: float = 1.0, gap_factor: float = 20.0
    ) -> None:
        self._limits = kernel.Limits(
            int(reset_s * PS_PER_SECOND), int(gap_s * PS_PER_SECOND), float(gap_factor)
        )
        self._state = kernel.State(
            module_rows=np.zeros(1 << 16, np.int32),
            channel_rows=np.zeros((1, 256), np.int32),
            used=np.zeros(2, np.int64),
            modules=np.zeros((1, kernel.MODULE_COLUMNS), np.int64),
            channels=np.zeros((16, kernel.CHANNEL_COLUMNS), np.int64),
            gaps=np.zeros((1, kernel.LISTED, 3), np.int64),
            resets=np.zeros((1, kernel.LISTED, 3), np.int64),
            traces=np.zeros((1, 0), np.int64),
            spectra=np.zeros((16, kernel.SPECTRUM_BINS), np.int64),
        )

    def add(self, events: Events) -> None:
        """Add a batch.

        Parameters
        ----------
        events
            The next events of the stream, with all core columns.

        Raises
        ------
        EventsError
            If a core column is missing.
        """
        missing = [name for name in _CORE if name not in events.columns]
        if missing:
            raise EventsError(
                f"a survey needs the columns {', '.join(missing)}, which these events "
                f"do not have; keep all core columns"
            )
        columns = _kernel_columns(events)
        if columns.trace_length.size:
            self._make_room_for_traces()
        done = 0
        while True:
            done = kernel.survey_events(columns, done, self._state, self._limits)
            if done == len(events):
                return
            self._make_room()

    def _make_room_for_traces(self) -> None:
        traces = self._state.traces
        if traces.shape[1]:
            return
        wider = np.zeros((traces.shape[0], _TRACE_LENGTHS), np.int64)
        self._state = self._state._replace(traces=wider)

    def _make_room(self) -> None:
        state = self._state
        modules, channels = state.used
        if modules == state.modules.shape[0]:
            state = state._replace(
                channel_rows=_doubled(state.channel_rows),
                modules=_doubled(state.modules),
                gaps=_doubled(state.gaps),
                resets=_doubled(state.resets),
                traces=_doubled(state.traces),
            )
        if channels == state.channels.shape[0]:
            state = state._replace(channels=_doubled(state.channels))
            if state.spectra.shape[0] < _MOST_SPECTRA:
                state = state._replace(spectra=_doubled(state.spectra))
        self._state = state

    def result(self) -> SurveyResult:
        """Return what was found so far."""
        state = self._state
        module_ids = np.flatnonzero(state.module_rows)
        modules = []
        channels = []
        for module_id in module_ids.tolist():
            crate, slot = module_id >> 8, module_id & 255
            row = int(state.module_rows[module_id]) - 1
            module = self._module(crate, slot, row)
            modules.append(module)
            for channel in np.flatnonzero(state.channel_rows[row]).tolist():
                channel_row = int(state.channel_rows[row, channel]) - 1
                channels.append(self._channel(module, channel, channel_row))
        return SurveyResult(tuple(modules), tuple(channels))

    def _module(self, crate: int, slot: int, row: int) -> ModuleSurvey:
        values: list[int] = self._state.modules[row].tolist()
        span = values[kernel.LATEST_PS] - values[kernel.EARLIEST_PS]
        span += values[kernel.SPAN_BEFORE_PS]
        resets = values[kernel.RESETS]
        intervals = values[kernel.EVENTS] - 1 - resets
        headers = values[kernel.FIRST_HEADER :]
        disorder, back, back_event = _with_waiting(values)
        return ModuleSurvey(
            crate=crate,
            slot=slot,
            events=values[kernel.EVENTS],
            header_lengths={
                HEADER_LENGTHS[blocks]: headers[blocks]
                for blocks in sorted(range(8), key=HEADER_LENGTHS.__getitem__)
                if headers[blocks]
            },
            trace_lengths=_trace_lengths(
                self._state.traces[row], values[kernel.EVENTS]
            ),
            first_ps=values[kernel.FIRST_PS],
            last_ps=values[kernel.LAST_PS],
            span_ps=span,
            rate_hz=_rate(intervals, span),
            largest_step_ps=values[kernel.LARGEST_STEP_PS],
            largest_step_event=values[kernel.LARGEST_STEP_EVENT],
            gaps=_steps(self._state.gaps[row], values[kernel.GAPS]),
            gap_count=values[kernel.GAPS],
            disorder=disorder,
            largest_back_ps=back,
            largest_back_event=back_event,
            resets=_steps(self._state.resets[row], resets),
            reset_count=resets,
        )

    def _channel(self, module: ModuleSurvey, channel: int, row: int) -> ChannelSurvey:
        values: list[int] = self._state.channels[row].tolist()
        events = values[kernel.EVENTS]
        forced, off = values[kernel.CFD_FORCED], values[kernel.CFD_OFF]
        spectra = self._state.spectra
        return ChannelSurvey(
            crate=module.crate,
            slot=module.slot,
            channel=channel,
            events=events,
            pileup=values[kernel.PILEUP],
            out_of_range=values[kernel.OUT_OF_RANGE],
            cfd_valid=events - forced - off,
            cfd_forced=forced,
            cfd_off=off,
            # In the same way as that of the module: the shares add up.
            rate_hz=_share(module.rate_hz, events, module.events),
            spectrum=spectra[row].copy() if row < len(spectra) else None,
        )


def _kernel_columns(events: Events) -> kernel.Columns:
    present = set(events.columns)
    has_traces = Block.TRACE in events.blocks
    arrays = {name: events[name] for name in _CORE}
    for name, dtype in _OPTIONAL.items():
        arrays[name] = events[name] if name in present else np.zeros(0, dtype)
    if not has_traces:
        arrays["trace_length"] = np.zeros(0, np.uint16)
    for name, array in arrays.items():
        # Compiled for one type only, whether the memory can be written or not.
        arrays[name] = array.view()
        arrays[name].flags.writeable = False
    return kernel.Columns(**arrays)


def _doubled(rows: NDArray[_Number]) -> NDArray[_Number]:
    """Return the rows and as many empty ones."""
    return np.concatenate([rows, np.zeros_like(rows)])


def _with_waiting(values: list[int]) -> tuple[int, int, int]:
    """Return the figures of disorder with the events that wait, as disorder."""
    disorder = values[kernel.DISORDER]
    back = values[kernel.LARGEST_BACK_PS]
    back_event = values[kernel.LARGEST_BACK_EVENT]
    pending = values[kernel.PENDING]
    for k in range(pending):
        step = values[kernel.LATEST_PS] - values[kernel.FIRST_PENDING + k]
        if step > back:
            back, back_event = step, values[kernel.EVENTS] - pending + k
    return disorder + pending, back, back_event


def _trace_lengths(counts: NDArray[np.int64], events: int) -> dict[int, int]:
    """Return events by trace length; batches without traces were not counted."""
    with_trace = {
        length: int(counts[length])
        for length in np.flatnonzero(counts).tolist()
        if length
    }
    without = events - sum(with_trace.values())
    return {0: without, **with_trace} if without else with_trace


def _steps(table: NDArray[np.int64], count: int) -> tuple[TimeStep, ...]:
    return tuple(TimeStep(*row) for row in table[: min(count, len(table))].tolist())


def _share(rate_hz: float | None, events: int, of: int) -> float | None:
    return None if rate_hz is None else rate_hz * events / of


def _rate(count: int, span_ps: int) -> float | None:
    return count * PS_PER_SECOND / span_ps if span_ps > 0 else None
