"""A channel from pulses to events: its signal, its registers, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.kernels.cfd import FIXED_DELAY, LONGEST_TICKS
from pixie_pipe.simulation import _channel_state as states
from pixie_pipe.simulation._processing_kernels import process
from pixie_pipe.simulation._signal_kernels import in_memory
from pixie_pipe.simulation.channel import CsrA
from pixie_pipe.simulation.signal import ChannelSignal

if TYPE_CHECKING:
    from pixie_pipe.simulation.channel import ChannelRegisters
    from pixie_pipe.simulation.pulses import PulseShape

_MOST_ROWS: Final = 2048
_MOST_TRACE_SAMPLES: Final = 1 << 21
"""Rows are as many as fit: with long traces 4 MB."""

_FIRST_BASELINES: Final = 64
"""Values of the baseline that are averaged before a run."""

_RISES: Final = 8
"""Rise times after which a pulse has risen."""
_SPARE: Final = 16
"""Samples by which a stretch is longer than filters need, for roundings."""


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """What a channel has counted.

    Attributes
    ----------
    triggers
        Fast triggers: the input counts.
    above_ticks
        Ticks for which the fast filter was above threshold, and blind.
    """

    triggers: int
    above_ticks: int


class ChannelProcessor:
    """Does with the pulses of a channel what its FPGA does.

    Parameters
    ----------
    registers
        The settings.
    shape
        The signal.
    seed
        Start of the noise.
    """

    def __init__(
        self, registers: ChannelRegisters, shape: PulseShape, seed: int
    ) -> None:
        self.registers = registers
        self._per_tick = registers.kind.samples_per_tick
        self.signal = ChannelSignal(shape, registers.kind.sample_ps, seed)
        self._fpga = _fpga(registers, shape)
        self._fpga_numbers = in_memory(self._fpga)
        self._qdc = read_only(
            np.array(registers.qdc_samples if registers.has(CsrA.QDC) else (), np.int64)
        )
        self._pulses = _no_pulses()
        self._ids = np.zeros(0, np.int64)
        self._told = 0
        self._tails = np.zeros(2)
        self._positions = np.zeros(2, np.int64)
        self._state = np.zeros(states.STATES, np.int64)
        self._state[states.ARMED] = 1
        # Before time zero there is no signal that filters could have seen.
        start = self._fpga.before + self._fpga.behind
        self._state[states.NEXT] = start // self._per_tick
        self._state[states.SCAN_END] = self._state[states.NEXT]
        self._average = np.array([self.baselines(_FIRST_BASELINES).mean()])
        most = _MOST_TRACE_SAMPLES // max(self._fpga.trace_length, 1)
        self._room = _make_room(
            max(16, min(_MOST_ROWS, most)), self._fpga.trace_length, self._qdc.size
        )

    @property
    def reach_ps(self) -> int:
        """Time of the signal behind a tick that must be known to look at it."""
        return (self._fpga.behind + self._per_tick) * self.registers.kind.sample_ps

    @property
    def counts(self) -> ChannelCounts:
        """What was counted until now."""
        return ChannelCounts(
            int(self._state[states.TRIGGERS]), int(self._state[states.ABOVE_TICKS])
        )

    def add(
        self,
        pulse_ps: NDArray[np.int64],
        kev: NDArray[np.float64],
        ids: NDArray[np.int64],
    ) -> None:
        """Add pulses: when they begin, how high they are, and numbers of their own.

        None may begin before a time that was looked at.
        """
        if not ids.size:
            return
        sample, phase = self.signal.place(pulse_ps)
        old = self._pulses
        sample = np.concatenate([old.sample, sample])
        order = np.argsort(sample, kind="stable")
        phase = np.concatenate([old.phase, phase])
        kev = np.concatenate([old.kev, kev])
        fate = np.concatenate([old.fate, np.zeros(ids.size, np.int8)])
        self._pulses = states.Pulses(
            sample[order], phase[order], kev[order], fate[order]
        )
        self._ids = np.concatenate([self._ids, ids])[order]

    def process(self, until_ps: int) -> tuple[list[states.Rows], Fates]:
        """Look at the signal until a time; all pulses before it must have been added.

        Returns
        -------
        rows
            The events that are complete; their pulses are numbers given to `add`.
        fates
            What became of pulses that are over.
        """
        found = []
        kind = self.registers.kind
        tick = (until_ps - self.reach_ps) // kind.layout.tick_ps
        while True:
            is_done = process(
                self._pulses,
                tick,
                self._tails,
                self._positions,
                self._state,
                self._average,
                self._fpga_numbers,
                self.signal.numbers,
                self._qdc,
                self._room,
            )
            found.append(self._take_rows())
            if is_done:
                break
        return found, self._forget(tick)

    def _take_rows(self) -> states.Rows:
        """Return the complete rows, and keep one that is not."""
        state = self._state
        count = int(state[states.ROWS] - state[states.OPEN])
        taken = _taken(self._room, count)
        own = taken.pulse >= 0
        taken.pulse[own] = self._ids[taken.pulse[own]]
        if state[states.OPEN]:
            for column in self._room:
                column[0] = column[count]
        state[states.ROWS] = state[states.OPEN]
        return taken

    def _forget(self, tick: int) -> Fates:
        """Drop pulses that nothing will look at again; tell what became of the last."""
        state, positions, first = self._state, self._positions, self._room.fields[0]
        over = (tick - self._fpga.settle) * self._per_tick
        marked = int(np.searchsorted(self._pulses.sample, over))
        marked = max(int(state[states.MARKED]), marked)
        news = slice(self._told, marked)
        fates = Fates(self._ids[news].copy(), self._pulses.fate[news].copy())
        # Tails have yet to be added, and an event that is not complete has its pulse.
        count = min(marked, int(positions[1]))
        if state[states.OPEN] and first["pulse"] >= 0:
            count = min(count, int(first["pulse"]))
            first["pulse"] -= count
        self._pulses = states.Pulses._make(
            column[count:].copy() for column in self._pulses
        )
        self._ids = self._ids[count:].copy()
        state[states.MARKED] = self._told = marked - count
        positions[1] -= count
        return fates

    def baselines(self, count: int) -> NDArray[np.float64]:
        """Return values of the baseline as the FPGA measures them between pulses.

        They are the answer of the energy filter, in units of the energy; shape
        (count,). The noise is that of times before the run.
        """
        length, gap = self._fpga.slow_length, self._fpga.slow_gap
        reach = 2 * length + gap
        samples = self.signal.quiet(-(count + 1) * reach, count * reach)
        windows = samples.reshape(count, reach).astype(np.int64)
        coefficients = self.registers.coefficients
        answers: NDArray[np.float64] = (
            coefficients.trailing * windows[:, :length].sum(axis=1)
            + coefficients.gap * windows[:, length : length + gap].sum(axis=1)
            + coefficients.leading * windows[:, length + gap :].sum(axis=1)
        )
        return answers


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of pulses: their numbers, and BELOW, RECORDED, ... for each."""

    ids: NDArray[np.int64]
    fate: NDArray[np.int8]


def _fpga(registers: ChannelRegisters, shape: PulseShape) -> states.Fpga:
    per_tick = registers.kind.samples_per_tick
    fast_length, fast_gap = registers.fast_samples
    slow_length, slow_gap = registers.slow_samples
    coefficients = registers.coefficients
    trace_length = registers.trace_length if registers.has(CsrA.TRACE) else 0
    delay = registers.trace_delay
    cfd_delay = registers.cfd_delay * per_tick
    cfd = states.CFD_OFF
    if registers.has(CsrA.CFD):
        is_fixed = registers.kind.layout.frequency == 500
        cfd = states.CFD_FIXED if is_fixed else states.CFD_OF_FILTER
    fast_reach = 2 * fast_length + fast_gap + max(cfd_delay, 2 * FIXED_DELAY)
    charge = sum(registers.qdc_samples) if registers.has(CsrA.QDC) else 0
    step = 1 << registers.slow_range
    slow_end = (registers.peak_ticks + step) * per_tick
    behind = max(
        slow_end,
        max(trace_length, charge) - delay * per_tick,
        (LONGEST_TICKS + 1) * per_tick,
    )
    before = max(
        2 * slow_length + slow_gap - min(registers.peak_ticks, 0) * per_tick,
        delay * per_tick,
        fast_reach,
    )
    rise = int(_RISES * shape.rise)
    return states.Fpga(
        samples_per_tick=per_tick,
        fast_length=fast_length,
        fast_gap=fast_gap,
        threshold=registers.fast_threshold << registers.fast_range,
        slow_length=slow_length,
        slow_gap=slow_gap,
        step=step,
        peak=registers.peak_ticks,
        pileup=registers.pileup_ticks,
        c0=coefficients.trailing,
        c1=coefficients.gap,
        c2=coefficients.leading,
        cfd=cfd,
        cfd_delay=cfd_delay,
        cfd_weight=1 - registers.cfd_scale / 8,
        cfd_threshold=float(registers.cfd_threshold),
        trace_length=trace_length,
        trace_delay=delay,
        weight=2.0**-registers.log2_weight,
        baseline_cut=float(registers.baseline_cut),
        before=before + _SPARE,
        behind=behind + per_tick + _SPARE,
        settle=(2 * fast_length + fast_gap + rise) // per_tick + 2,
    )


def _no_pulses() -> states.Pulses:
    return states.Pulses(
        np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int8)
    )


def _make_room(count: int, trace_length: int, windows: int) -> states.RowRoom:
    return states.RowRoom(
        fields=np.zeros(count, states.ROW).view(np.recarray),
        qdc=np.zeros((count, windows), np.uint32),
        trace=np.zeros((count, trace_length), np.uint16),
    )


def _taken(room: states.RowRoom, count: int) -> states.Rows:
    """Return the first rows as columns, each in memory of its own."""
    fields = room.fields[:count]
    sums = [fields["trailing"], fields["gap"], fields["leading"]]
    rows = states.Rows(
        tick=fields["tick"],
        ready=fields["ready"],
        pulse=fields["pulse"],
        sums=np.stack(sums, axis=1),
        baseline=fields["baseline"],
        energy=fields["energy"],
        cfd_sample=fields["cfd_sample"],
        cfd_fraction=fields["cfd_fraction"],
        qdc=room.qdc[:count],
        trace=room.trace[:count],
        pileup=fields["pileup"],
        out_of_range=fields["out_of_range"],
    )
    return states.Rows._make(column.copy() for column in rows)
