"""The FPGA of a channel: against one in plain Python that looks at every tick."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe.simulation._channel_state import Rows
from pixie_pipe.simulation._signal_kernels import noise_at
from pixie_pipe.simulation.truth import Fate
from tests.support.simulations import (
    ALL_BLOCKS,
    kind_of,
    plain_fpga,
    processor_of,
    settings_of,
    window,
)

if TYPE_CHECKING:
    from pixie_pipe.simulation.processing import ChannelProcessor

FIRST_PS, LAST_PS, END_PS = 25_000_000, 37_000_000, 60_000_000
"""Pulses come when all filters have filled; the signal is looked at until the end."""

pulses = st.lists(
    st.tuples(st.integers(FIRST_PS, LAST_PS), st.floats(1, 4000)),
    min_size=1,
    max_size=9,
)


def run(
    channel: ChannelProcessor,
    found: list[tuple[int, float]],
    steps: list[int],
) -> tuple[Rows, np.ndarray]:
    """Process pulses in steps of time; return all rows, and the fate of each pulse."""
    found = sorted(found)
    times = np.array([time for time, _ in found])
    kev = np.array([height for _, height in found])
    fates = np.full(len(found), Fate.PENDING, np.int8)
    rows: list[Rows] = []
    before = 0
    for until in [*sorted(steps), 2 * END_PS]:
        now = np.flatnonzero((times >= before) & (times < until))
        channel.add(times[now], kev[now], now)
        more, told = channel.process(until)
        rows += more
        fates[told.ids] = told.fate
        before = until
    return Rows(*(np.concatenate(column) for column in zip(*rows, strict=True))), fates


@settings(max_examples=40)
@given(
    pulses,
    st.lists(st.integers(1, LAST_PS), max_size=4),
    st.sampled_from([(100, 34688), (250, 34688), (500, 34688)]),
    st.integers(1, 6),
    st.integers(0, 7),
    st.integers(0, 120),
    st.integers(0, 300),
    st.integers(0, 2**63),
)
def test_it_does_what_an_fpga_does(
    found, steps, module, slow_range, scale, delay, trace_length, seed
):
    kind = kind_of(*module)
    slow_length, slow_gap = 2 + seed % 4, 3 + seed % 3
    _, registers, detector = settings_of(
        kind,
        ChanCSRa=ALL_BLOCKS,
        SlowFilterRange=slow_range,
        SlowLength=slow_length,
        SlowGap=slow_gap,
        PeakSep=slow_length + slow_gap,
        PeakSample=slow_length + slow_gap - seed % 4,
        CFDScale=scale,
        TraceDelay=delay,
        TraceLength=trace_length,
    )
    channel, shape = processor_of(registers, detector, seed)
    rows, _ = run(channel, found, steps)

    times = np.array(sorted(found))[:, 0].astype(np.int64)
    heights = np.array(sorted(found))[:, 1]
    count = END_PS // kind.sample_ps
    x = channel.signal.samples(0, count, times, heights).astype(int).tolist()
    first = 20_000_000 // kind.layout.tick_ps
    until = (END_PS - 10_000_000) // kind.layout.tick_ps
    events, triggers, above = plain_fpga(x, first, until, registers)
    assert rows.tick.tolist() == [event.tick for event in events]
    assert rows.pileup.tolist() == [event.pileup for event in events]
    assert rows.ready.tolist() == [event.ready for event in events]
    assert channel.counts.triggers == triggers
    assert channel.counts.above_ticks == above
    for i, event in enumerate(events):
        assert rows.sums[i].tolist() == window(x, event.end, registers)
        assert (int(rows.cfd_sample[i]), float(rows.cfd_fraction[i])) == event.cfd
        samples = x[event.trace : event.trace + registers.trace_length]
        assert rows.trace[i].tolist() == samples
        edges = np.cumsum([event.trace, *registers.qdc_samples])
        charges = [sum(x[edges[j] : edges[j + 1]]) for j in range(8)]
        assert rows.qdc[i].tolist() == charges
        begin = min(
            event.end - sum(registers.slow_samples) - registers.slow_samples[0],
            event.trace,
        )
        seen = x[begin : max(event.end, event.trace + registers.trace_length)]
        assert rows.out_of_range[i] == (max(seen) == shape.most or min(seen) == 0)
        c0, c1, c2 = registers.coefficients
        trailing, gap, leading = rows.sums[i].tolist()
        energy = c0 * trailing + c1 * gap + c2 * leading - float(rows.baseline[i])
        assert rows.energy[i] == energy


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**8), st.floats(0, 5000)), max_size=8),
    st.integers(-1000, 10_000),
)
def test_the_signal_is_the_sum_of_its_pulses(found, first):
    kind = kind_of(250)
    _, registers, detector = settings_of(kind)
    channel, shape = processor_of(registers, detector, 7)
    found = sorted(found)
    times = np.array([time for time, _ in found], np.int64)
    kev = np.array([height for _, height in found])
    samples = channel.signal.samples(first, 200, times, kev)
    for i in range(200):
        value = shape.level + shape.noise * noise_at(np.uint64(7), first + i)
        for time, height in found:
            passed = (first + i) - time / kind.sample_ps
            if passed > 0:
                value += (
                    shape.per_kev
                    * height
                    * (math.exp(-passed / shape.decay) - math.exp(-passed / shape.rise))
                )
        # Where the sum is a half, its rounding may go either way.
        assert abs(float(samples[i]) - min(max(value, 0), shape.most)) < 0.5 + 1e-6


def test_noise_is_normal_enough():
    values = np.array([noise_at(np.uint64(3), i) for i in range(-10_000, 10_000)])
    assert abs(values.mean()) < 4 / math.sqrt(values.size)
    assert values.std() == pytest.approx(1, abs=4 / math.sqrt(2 * values.size))
    neighbours = (values[1:] * values[:-1]).mean()
    assert abs(neighbours) < 4 / math.sqrt(values.size)
    assert (abs(values) > 2).mean() == pytest.approx(0.0455, abs=0.006)


def one(channel, found):
    return run(channel, found, [])


def test_pulses_meet_their_fates():
    kind = kind_of(500)
    _, registers, detector = settings_of(kind, ChanCSRa=ALL_BLOCKS, TraceLength=1000)
    channel, _ = processor_of(registers, detector)
    tick = kind.layout.tick_ps
    late = registers.pileup_ticks * tick + 200_000
    found = [
        (3_000_000, 1000.0),  # recorded
        (3_000_500, 300.0),  # together with it
        (3_150_000, 500.0),  # piled up on it
        (3_150_000 + late, 600.0),  # while its trace goes on
        (7_000_000, 3.0),  # too small
        (9_000_000, 800.0),  # recorded
    ]
    rows, fates = one(channel, found)
    assert [Fate(fate).name for fate in fates] == [
        "RECORDED",
        "UNRESOLVED",
        "PILED_UP",
        "DEAD_TIME",
        "BELOW_THRESHOLD",
        "RECORDED",
    ]
    assert rows.pulse.tolist() == [0, 5]
    assert rows.pileup.tolist() == [True, False]


@pytest.mark.parametrize("frequency", [100, 250, 500])
def test_energies_are_those_of_the_pulses(frequency):
    _, registers, detector = settings_of(kind_of(frequency))
    channel, shape = processor_of(registers, detector, noise=0.0)
    rng = np.random.default_rng(1)
    found = [(3_000_000 + 3_000_000 * i + int(rng.integers(20_000)), 1000.0)
             for i in range(150)]  # fmt: skip
    channel.add(np.array([t for t, _ in found]), np.full(150, 1000.0), np.arange(150))
    rows = channel.process(1_000_000_000)[0][0]
    expected = 1000 * shape.energy_per_kev(registers)
    assert rows.energy.size == 150
    assert rows.energy.mean() == pytest.approx(expected, rel=2e-3)
    assert rows.energy.std() < 0.02 * expected


def test_the_baseline_is_that_of_the_level():
    for frequency in (100, 250, 500):
        _, registers, detector = settings_of(kind_of(frequency))
        channel, shape = processor_of(registers, detector)
        level = registers.coefficients.level(*registers.slow_samples)
        values = channel.baselines(2000)
        error = values.std() / math.sqrt(2000)
        assert values.mean() == pytest.approx(shape.level * level, abs=5 * error)
        rows = one(channel, [(3_000_000, 700.0), (9_000_000, 700.0)])[0]
        assert rows.baseline == pytest.approx(
            [shape.level * level] * 2, abs=3 * values.std()
        )


def test_a_baseline_far_off_is_cut():
    kind = kind_of(500)
    found = [(3_000_000 + 9_000_000 * i, 500.0) for i in range(20)]
    kept = []
    for cut in (0, 1):
        _, registers, detector = settings_of(kind, BLcut=cut, Log2Bweight=-1)
        channel, _ = processor_of(registers, detector, noise=30.0)
        channel.add(np.array([t for t, _ in found]), np.full(20, 500.0), np.arange(20))
        kept.append(np.unique(channel.process(10**9)[0][0].baseline).size)
    assert kept[0] == 20
    assert kept[1] < 5
