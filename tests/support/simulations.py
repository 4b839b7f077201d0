"""Channels for the tests of the simulation, and what an FPGA does in plain Python."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from pixie_pipe.listmode import Layout
from pixie_pipe.simulation.channel import ChannelRegisters, CsrA, Electronics
from pixie_pipe.simulation.detectors import Detector, find_detector
from pixie_pipe.simulation.processing import ChannelProcessor
from pixie_pipe.simulation.pulses import PulseShape
from pixie_pipe.simulation.settings import Variables, default_variables

ALL_BLOCKS = sum(
    1 << bit
    for bit in (
        CsrA.GOOD,
        CsrA.TRACE,
        CsrA.QDC,
        CsrA.CFD,
        CsrA.ENERGY_SUMS,
        CsrA.RELAY,
        CsrA.EXTERNAL_TIME,
    )
)


def kind_of(frequency: int = 500, revision: int = 34688, **changed: Any) -> Electronics:
    """Return a kind of module."""
    return Electronics.of(Layout.find(frequency, revision), **changed)


def settings_of(
    kind: Electronics, detector: str = "LaBr3", **changed: int
) -> tuple[Variables, ChannelRegisters, Detector]:
    """Return variables, with some changed in all channels, and the registers."""
    found = find_detector(detector)
    variables = default_variables(kind, found, 1)
    for name, value in changed.items():
        variables.setdefault(name, np.zeros(kind.channels, np.uint32))
        variables[name][:] = value & 0xFFFFFFFF
    return variables, ChannelRegisters.from_variables(variables, 0, kind), found


def processor_of(
    registers: ChannelRegisters,
    detector: Detector,
    seed: int = 1,
    **changed: Any,
) -> tuple[ChannelProcessor, PulseShape]:
    """Return a channel, with some numbers of its signal changed."""
    shape = dataclasses.replace(PulseShape.of(detector, registers), **changed)
    return ChannelProcessor(registers, shape, seed), shape


@dataclasses.dataclass
class Event:
    """An event as the plain FPGA has it."""

    tick: int
    end: int
    trace: int
    cfd: tuple[int, float]
    ready: int = 0
    pileup: bool = False


def plain_fpga(
    x: list[int], first: int, until: int, registers: ChannelRegisters
) -> tuple[list[Event], int, int]:
    """Return the complete events of a signal, triggers, and ticks above threshold.

    `x` is the signal from the sample 0 on; ticks from `first` to before `until` are
    looked at, every one of them.
    """
    per_tick = registers.kind.samples_per_tick
    length, gap = registers.fast_samples
    sums = [0]
    for sample in x:
        sums.append(sums[-1] + sample)

    def fast(k: int) -> int:
        start = k + 1 - 2 * length - gap
        return sums[k + 1] - sums[k + 1 - length] - sums[start + length] + sums[start]

    def cfd(k: int) -> float:
        if registers.kind.layout.frequency == 500:
            s = [x[k - 5 * n] + x[k - 5 * n + 1] for n in range(3)]
            return s[0] - 2 * s[1] + s[2]
        delay = registers.cfd_delay * per_tick
        return (1 - registers.cfd_scale / 8) * fast(k) - fast(k - delay)

    def crossing(tick: int) -> tuple[int, float]:
        armed = False
        if not registers.has(CsrA.CFD):
            return -1, 0.0
        for k in range(tick * per_tick, (tick + 32) * per_tick):
            now, then = cfd(k), cfd(k + 1)
            armed = armed or now >= registers.cfd_threshold
            if armed and now > 0 >= then:
                part = now / (now - then)
                return (k, part) if part < 1 else (k + 1, 0.0)
        return -1, 0.0

    events: list[Event] = []
    above = triggers = 0
    is_armed, last, busy = True, -(10**9), -(10**9)
    step = 1 << registers.slow_range
    for tick in range(first, until):
        if fast((tick + 1) * per_tick - 1) < registers.fast_threshold:
            is_armed = True
            continue
        above += 1
        if is_armed:
            triggers += 1
            if events and tick - last <= registers.pileup_ticks:
                events[-1].pileup = True
                last = tick
                busy = max(busy, tick + registers.pileup_ticks)
                events[-1].ready = busy
            elif tick >= busy:
                end = math.ceil((tick + registers.peak_ticks) / step) * step
                trace = tick - registers.trace_delay
                samples = registers.trace_length if registers.has(CsrA.TRACE) else 0
                last = tick
                busy = max(
                    tick + registers.pileup_ticks,
                    trace + math.ceil(samples / per_tick),
                )
                events.append(
                    Event(tick, end * per_tick, trace * per_tick, crossing(tick), busy)
                )
        is_armed = False
    if events and until - last <= registers.pileup_ticks:
        events.pop()
    return events, triggers, above


def window(x: list[int], end: int, registers: ChannelRegisters) -> list[int]:
    """Return trailing, gap and leading sum of windows that end before `end`."""
    length, gap = registers.slow_samples
    edges = np.cumsum([end - 2 * length - gap, length, gap, length])
    return [sum(x[edges[i] : edges[i + 1]]) for i in range(3)]
