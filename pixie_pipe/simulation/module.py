"""A module: its channels, and the events that they write, as words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.listmode.encoder import encode
from pixie_pipe.simulation import _channel_state
from pixie_pipe.simulation.channel import ChannelRegisters, CsrA
from pixie_pipe.simulation.chunks import EXTERNAL_TICK_PS, Chunk
from pixie_pipe.simulation.truth import Fate

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout
    from pixie_pipe.simulation.decays import Deposits
    from pixie_pipe.simulation.processing import ChannelProcessor
    from pixie_pipe.simulation.truth import TruthLog

HISTOGRAM_BINS: Final = 32768
"""Bins of the histogram of a channel (PixieSDK)."""

_STAMP_MASK: Final = (1 << 48) - 1
_WINDOWS: Final = 8


@dataclass(slots=True)
class ModuleCounts:
    """What the channels of a module have counted, each of shape (channels,).

    Attributes
    ----------
    input
        Fast triggers.
    output
        Events that were written.
    above_ps
        Time for which the fast filter was above threshold.
    """

    input: NDArray[np.int64]
    output: NDArray[np.int64]
    above_ps: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Pending:
    """Events that are not written yet, with the number of their deposit."""

    events: Events
    ready_ps: NDArray[np.int64]
    deposit: NDArray[np.int64]


class ModuleSimulator:
    """The channels of a module at work.

    Parameters
    ----------
    crate, slot
        The module.
    channels
        Those that are switched on and have a detector, by number.
    layout
        The layout of its data.
    count
        Number of channels that it has.
    truth
        Where to tell what became of deposits, if anybody asks.
    """

    def __init__(
        self,
        crate: int,
        slot: int,
        channels: Mapping[int, ChannelProcessor],
        layout: Layout,
        *,
        count: int,
        truth: TruthLog | None = None,
    ) -> None:
        self._ids = crate, slot
        self._channels = dict(channels)
        self._layout = layout
        self._truth = truth
        self._pending: list[_Pending] = []
        self._events = 0
        self._count = count
        self._output = np.zeros(count, np.int64)
        self._log2_bin = np.zeros(count, np.int64)
        for number, channel in channels.items():
            self._log2_bin[number] = channel.registers.log2_bin
        self.histograms: NDArray[np.int64] = np.zeros((count, HISTOGRAM_BINS), np.int64)

    @property
    def counts(self) -> ModuleCounts:
        """What was counted until now."""
        found = ModuleCounts(
            np.zeros(self._count, np.int64),
            self._output.copy(),
            np.zeros(self._count, np.int64),
        )
        for number, channel in self._channels.items():
            counted = channel.counts
            found.input[number] = counted.triggers
            found.above_ps[number] = counted.above_ticks * self._layout.tick_ps
        return found

    def add(
        self, channel: NDArray[np.int64], deposits: Deposits, numbers: NDArray[np.int64]
    ) -> None:
        """Hand deposits to the channels of their detectors."""
        for number in np.unique(channel).tolist():
            rows = np.flatnonzero(channel == number)
            if number in self._channels:
                self._channels[number].add(
                    deposits.pulse_ps[rows], deposits.seen_kev[rows], numbers[rows]
                )
            elif self._truth is not None:
                self._truth.set_fates(numbers[rows], Fate.CHANNEL_OFF)

    def process(self, until_ps: int) -> int:
        """Look at the signals until a time; return the time until which all is known.

        Events that are ready by that time can be released.
        """
        known = until_ps
        for number, channel in self._channels.items():
            found, fates = channel.process(until_ps)
            if self._truth is not None:
                self._truth.set_fates(fates.ids, fates.fate)
            for rows in found:
                self._add_rows(number, channel.registers, rows)
            known = min(known, until_ps - channel.reach_ps - self._layout.tick_ps)
        return known

    def _add_rows(
        self, number: int, registers: ChannelRegisters, rows: _channel_state.Rows
    ) -> None:
        normal = registers.has(CsrA.PILEUP_REJECT)
        inverse = registers.has(CsrA.PILEUP_INVERSE)
        unwanted = np.zeros(rows.tick.size, np.bool_)
        if normal:
            unwanted = ~rows.pileup if inverse else rows.pileup
        if self._truth is not None:
            rejected = rows.pulse[unwanted]
            self._truth.set_fates(rejected[rejected >= 0], Fate.REJECTED)
        if unwanted.any():
            rows = _channel_state.Rows._make(column[~unwanted] for column in rows)
        if not rows.tick.size:
            return
        events = events_of(rows, registers, self._ids, number)
        self._pending.append(
            _Pending(events, rows.ready * self._layout.tick_ps, rows.pulse)
        )

    def release(self, until_ps: int) -> Chunk | None:
        """Return the events that are ready before a time, in that order."""
        if not self._pending:
            return None
        events = Events.concatenate([part.events for part in self._pending])
        ready = np.concatenate([part.ready_ps for part in self._pending])
        deposit = np.concatenate([part.deposit for part in self._pending])
        due = ready < until_ps
        rows = np.flatnonzero(due)
        rest = np.flatnonzero(~due)
        self._pending = []
        if rest.size:
            self._pending = [_Pending(events[rest], ready[rest], deposit[rest])]
        if not rows.size:
            return None
        rows = rows[np.lexsort((events.channel[rows], ready[rows]))]
        if self._truth is not None:
            self._truth.set_events(deposit[rows], self._events)
        self._events += rows.size
        chunk = _chunk(events[rows], ready[rows], self._layout, self._log2_bin)
        self._output += np.bincount(chunk.channel, minlength=self._output.size)
        add_to_histograms(self.histograms, chunk)
        return chunk


def add_to_histograms(histograms: NDArray[np.int64], chunk: Chunk) -> None:
    """Count the events of a chunk in histograms of shape (channels, bins)."""
    counted = np.flatnonzero(chunk.bins >= 0)
    np.add.at(histograms, (chunk.channel[counted], chunk.bins[counted]), 1)


def _chunk(
    events: Events,
    ready_ps: NDArray[np.int64],
    layout: Layout,
    log2_bin: NDArray[np.int64],
) -> Chunk:
    words = encode(events, layout)
    header = 4 + 4 * events.esum_valid + 8 * events.qdc_valid
    external = events.external_timestamp_valid
    ends = np.cumsum(header + 2 * external + events.trace_length // 2)
    starts = np.concatenate([[0], ends[:-1]])
    bins = events.energy.astype(np.int64) >> log2_bin[events.channel]
    is_counted = ~events.pileup & (bins < HISTOGRAM_BINS)
    return Chunk(
        words=words,
        ends=ends,
        ready_ps=ready_ps,
        channel=events.channel.astype(np.int64),
        external=np.where(external, starts + header, -1),
        bins=np.where(is_counted, bins, -1),
    )


def events_of(
    rows: _channel_state.Rows,
    registers: ChannelRegisters,
    module: tuple[int, int],
    channel: int,
) -> Events:
    """Return what a channel writes for its rows; no ``time_ps``, which is not written.

    A piled-up event has no energy (manual of the Pixie-16, ChanCSRa bits 15 and 16).
    """
    count = rows.tick.size
    layout = registers.kind.layout
    energy = np.clip(np.rint(rows.energy), 0, layout.energy.mask)
    energy[rows.pileup] = 0
    columns: dict[str, NDArray[np.generic]] = {
        "crate": np.full(count, module[0], np.uint8),
        "slot": np.full(count, module[1], np.uint8),
        "channel": np.full(count, channel, np.uint8),
        "energy": energy.astype(np.uint16),
        "pileup": rows.pileup,
        "out_of_range": rows.out_of_range,
        "esum_valid": np.full(count, registers.has(CsrA.ENERGY_SUMS)),
        "esum_trailing": rows.sums[:, 0].astype(np.uint32),
        "esum_gap": rows.sums[:, 1].astype(np.uint32),
        "esum_leading": rows.sums[:, 2].astype(np.uint32),
        "baseline": rows.baseline,
        "qdc_valid": np.full(count, registers.has(CsrA.QDC)),
        "qdc": rows.qdc if rows.qdc.shape[1] else np.zeros((count, _WINDOWS), "u4"),
        "external_timestamp_valid": np.full(count, registers.has(CsrA.EXTERNAL_TIME)),
    }
    columns |= _times(rows, registers)
    columns |= _traces(rows, registers, energy)
    return Events(columns)


def _times(
    rows: _channel_state.Rows, registers: ChannelRegisters
) -> dict[str, NDArray[np.generic]]:
    """Return timestamp and CFD columns.

    With a valid CFD, timestamp, source and fraction name the sample of the crossing;
    else the timestamp is that of the fast trigger.
    """
    layout = registers.kind.layout
    per_tick = registers.kind.samples_per_tick
    valid = rows.cfd_sample >= 0
    tick, source = _tick_and_source(rows.cfd_sample, per_tick, layout)
    fraction = np.floor(rows.cfd_fraction * (1 << layout.cfd_fraction.width))
    stamp = np.where(valid, tick, rows.tick)
    forced = ~valid & registers.has(CsrA.CFD)
    source = np.where(valid, source, 0)
    if layout.cfd_failed_source is not None:
        source[forced] = layout.cfd_failed_source
    elif not layout.cfd_forced.width:
        forced[:] = False
    external = rows.tick * layout.tick_ps // EXTERNAL_TICK_PS
    has_external = registers.has(CsrA.EXTERNAL_TIME)
    return {
        "timestamp": (stamp & _STAMP_MASK).astype(np.uint64),
        "cfd_fraction": np.where(valid, fraction, 0).astype(np.uint16),
        "cfd_source": source.astype(np.uint8),
        "cfd_forced": forced,
        "external_timestamp": (external * has_external).astype(np.uint64)
        & np.uint64(_STAMP_MASK),
    }


def _tick_and_source(
    sample: NDArray[np.int64], per_tick: int, layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Solve ``sample = per_tick tick + step source + offset`` for a legal source.

    The layouts of 250 MSPS without a source bit cannot tell the samples of a tick
    apart: their source is 0.
    """
    if not layout.cfd_source.width:
        return sample // per_tick, np.zeros_like(sample)
    behind = sample - layout.cfd_source_offset
    if layout.cfd_source_step > 0:
        tick, source = np.divmod(behind, per_tick)
        return tick, source
    tick = -(-behind // per_tick)
    return tick, tick * per_tick - behind


def _traces(
    rows: _channel_state.Rows, registers: ChannelRegisters, energy: NDArray[np.float64]
) -> dict[str, NDArray[np.generic]]:
    count, length = rows.trace.shape
    wanted = np.full(count, length > 0)
    inverse = registers.has(CsrA.PILEUP_INVERSE)
    if inverse and not registers.has(CsrA.PILEUP_REJECT):
        wanted &= rows.pileup
    if registers.has(CsrA.ENERGY_CUT):
        wanted &= energy <= registers.energy_low
    lengths = np.where(wanted, length, 0)
    return {
        "trace_length": lengths.astype(np.uint16),
        "trace_offsets": np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        "trace_samples": rows.trace[wanted].reshape(-1),
    }
