"""A simulated crate sends what its source, detectors and settings make of it."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pixie_pipe.kernels.charge_windows import charge_windows
from pixie_pipe.kernels.energy_filter import (
    energies_from_sums,
    energies_from_traces,
    filter_sums,
)
from pixie_pipe.listmode import Layout
from pixie_pipe.simulation.channel import ChannelRegisters, CsrA
from pixie_pipe.simulation.pulses import PulseShape
from pixie_pipe.simulation.truth import Fate
from tests.support.simulated_runs import SimulatedRun, simulated

if TYPE_CHECKING:
    from pixie_pipe.events import Events

MIXED = ["0/2:500/34688", "0/3:250/34688", "0/4:100/34688", "0/5:500/34688"]


@cache
def mixed() -> SimulatedRun:
    """Return a run of modules of all frequencies with everything in their headers."""
    return simulated(
        MIXED,
        0.9,
        source="Na-22",
        rate_hz=12_000,
        coverage=0.9,
        channels=2,
        trace_samples=400,
        energy_sums=True,
        qdc=True,
        external_timestamps=True,
    )


def registers_of(run: SimulatedRun, module: int) -> ChannelRegisters:
    plan = run.digitizer._plans[module]
    return ChannelRegisters.from_variables(
        run.digitizer.variables[module], 0, plan.kind
    )


def energy_per_kev(run: SimulatedRun, module: int) -> float:
    registers = registers_of(run, module)
    shape = PulseShape.of(run.digitizer._plans[module].detector, registers)
    return shape.energy_per_kev(registers)


@pytest.mark.parametrize("module", range(4))
def test_energies_follow_from_sums_and_traces(module):
    run = mixed()
    events, registers = run.events[module], registers_of(mixed(), module)
    single = events[~events.pileup]
    assert len(single) > 1000
    length, gap = registers.slow_samples
    coefficients = registers.coefficients
    from_sums = energies_from_sums(
        single.esum_trailing,
        single.esum_gap,
        single.esum_leading,
        single.baseline,
        coefficients,
    )
    most = registers.kind.layout.energy.mask
    np.testing.assert_array_equal(
        np.clip(np.rint(from_sums), 0, most).astype(np.uint16), single.energy
    )

    # In a trace, the windows end at one of the steps of the slow filter.
    step = 1 << registers.slow_range
    first = registers.trace_delay + registers.peak_ticks
    recorded = np.array([single.esum_trailing, single.esum_gap, single.esum_leading])
    ends = np.full(len(single), -1)
    for late in range(step):
        end = (first + late) * registers.kind.samples_per_tick
        sums = filter_sums(
            single.trace_samples, single.trace_offsets, end, length=length, gap=gap
        )
        ends[(sums == recorded).all(axis=0)] = end
    assert (ends >= 0).all()
    from_traces = energies_from_traces(
        single.trace_samples,
        single.trace_offsets,
        ends,
        coefficients,
        length=length,
        gap=gap,
        baseline=single.baseline,
    )
    np.testing.assert_array_equal(from_traces, from_sums)
    charges = charge_windows(
        single.trace_samples, single.trace_offsets, 0, registers.qdc_samples
    )
    np.testing.assert_array_equal(charges, single.qdc)


def test_events_are_those_of_the_truth():
    run = mixed()
    truth = run.truth
    for module, events in enumerate(run.events):
        rows = np.flatnonzero((truth.module == module) & (truth.event >= 0))
        assert sorted(truth.event[rows].tolist()) == list(range(len(events)))
        own = events[truth.event[rows]]
        np.testing.assert_array_equal(own.channel, truth.channel[rows])
        assert (own.crate == 0).all()
        assert (own.slot == 2 + module).all()
        # The external clock has the time of the trigger, in units of 10 ns.
        late = own.external_timestamp.astype(np.int64) * 10_000 - truth.time_ps[rows]
        assert late.min() > -20_000
        assert late.max() < 400_000
    assert set(truth.fate) <= {fate.value for fate in Fate}
    assert truth.recorded.sum() == sum(len(events) for events in run.events)


# Standard deviation of times in ps, for energies above 300 keV: the jitter of the
# detector (120 ps), and what noise and straight lines between samples add. Measured
# with other seeds: 122, 165 and 480 ps.
RESOLUTION_PS = {500: 140, 250: 200, 100: 600}


def times_behind(run: SimulatedRun, module: int, least_kev: float):
    """Return decay numbers, and by how much measured times are behind the truth."""
    truth, events = run.truth, run.events[module]
    alone = np.bincount(truth.decay[truth.decay >= 0])
    rows = np.flatnonzero(
        (truth.module == module) & truth.recorded & (truth.kev > least_kev)
    )
    rows = rows[alone[truth.decay[rows]] <= 2]
    own = events[truth.event[rows]]
    good = own.cfd_valid & ~own.pileup
    assert good.mean() > 0.99
    behind = own.time_ps[good] - truth.time_ps[rows[good]]
    return truth.decay[rows[good]], behind


def test_times_are_those_of_the_quanta():
    run = mixed()
    found = {module: times_behind(run, module, 300.0) for module in range(4)}
    latency = {module: np.median(behind) for module, (_, behind) in found.items()}
    for module, (decay, behind) in found.items():
        frequency = run.digitizer.modules[module].frequency
        assert decay.size > 400
        assert behind.std() < RESOLUTION_PS[frequency]
        # Less than the windows of its filters: tens of ns.
        assert 0 < latency[module] < 60_000
    # Modules of one kind with the same settings have the same latency.
    assert abs(latency[0] - latency[3]) < 30


def test_coincidences_are_seen_across_modules():
    run = mixed()
    for one, other in ((0, 1), (2, 3), (0, 3), (1, 2)):
        decays, behind = times_behind(run, one, 300.0)
        others, others_behind = times_behind(run, other, 300.0)
        common, rows, other_rows = np.intersect1d(decays, others, return_indices=True)
        difference = behind[rows] - others_behind[other_rows]
        difference = difference - np.median(difference)
        sigma = math.hypot(
            *(
                RESOLUTION_PS[run.digitizer.modules[module].frequency]
                for module in (one, other)
            )
        )
        # Opposite detectors, of modules 2 n and 2 n + 1, share the pairs.
        assert common.size > (250 if one // 2 == other // 2 else 40)
        assert difference.std() < sigma
        assert abs(difference).max() < 8 * sigma


def peak(events: Events, near: float, width: float) -> tuple[float, float]:
    """Return mean and its error of a peak, cut at its width on both sides."""
    energy = events.energy[~events.pileup].astype(float)
    for _ in range(8):
        inside = energy[abs(energy - near) < width]
        near = inside.mean()
    return near, inside.std() / math.sqrt(inside.size)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("Na-22", (510.99895, 1274.537)),
        ("Co-60", (1173.228, 1332.492)),
        ("Cs-137", (661.657,)),
        ("Am-241", (59.5409,)),
    ],
)
def test_peaks_are_where_they_belong(source, lines):
    run = simulated(
        ["0/2:250/34688"],
        2.0,
        source=source,
        detector="HPGe",
        channels=2,
        rate_hz=8000,
    )
    events = run.events[0]
    for kev in lines:
        expected = kev * energy_per_kev(run, 0)
        width = 3 * 1.5 * energy_per_kev(run, 0)
        found, error = peak(events, expected, width)
        # Small pulses trigger a little later, when their start is in the trailing
        # window, and the continuum below a line draws its mean: a thousandth.
        assert found == pytest.approx(expected, rel=1e-3, abs=4 * error)


def test_piled_up_events_and_input_counts_are_those_of_poisson():
    run = simulated(
        ["0/2:250/34688"],
        0.6,
        source="Cs-137",
        detector="HPGe",
        channels=1,
        coverage=1.0,
        rate_hz=30_000,
    )
    counted = run.digitizer.channel_statistics(0)
    inputs, outputs = counted["input_counts"][0], counted["output_counts"][0]
    live, real = counted["live_time_s"][0], counted["real_time_s"][0]
    assert real == pytest.approx(0.6, abs=0.06)
    seen = run.truth.fate != Fate.BELOW_THRESHOLD
    rate = seen.sum() / real
    # Input counts in the live time are the true rate.
    assert inputs / live == pytest.approx(rate, rel=4 / math.sqrt(inputs))
    assert live < real
    # After a trigger the filter is blind for b, and a trigger up to W is a pile-up.
    registers = registers_of(run, 0)
    blind = (real - live) / inputs
    pileup_s = registers.pileup_ticks * 8e-9
    chance = 1 - math.exp(-rate * (pileup_s - blind))
    events = run.events[0]
    assert outputs == len(events)
    error = math.sqrt(chance * (1 - chance) / len(events))
    assert events.pileup.mean() == pytest.approx(chance, abs=4 * error)
    assert outputs == pytest.approx(inputs * (1 - chance), rel=4 * error)
    assert (events.energy[events.pileup] == 0).all()
    assert (events.energy[~events.pileup] > 0).mean() > 0.999


def test_traces_make_dead_time():
    """A detector that is busy for a time after each event: not extended by others."""
    options: dict[str, Any] = {
        "source": "Cs-137",
        "channels": 1,
        "coverage": 1.0,
        "rate_hz": 60_000,
        "trace_samples": 2000,
    }
    run = simulated(["0/2:100/34688"], 0.4, **options)
    registers = registers_of(run, 0)
    counted = run.digitizer.channel_statistics(0)
    real = counted["real_time_s"][0]
    rate = counted["input_counts"][0] / counted["live_time_s"][0]
    busy = (registers.trace_length - registers.trace_delay) * 10e-9
    expected = real * rate / (1 + rate * busy)
    outputs = counted["output_counts"][0]
    # The variance of such a count is smaller than Poisson's.
    assert outputs == pytest.approx(expected, rel=4 / math.sqrt(outputs))
    assert (run.truth.fate == Fate.DEAD_TIME).sum() > 0.4 * outputs


@pytest.mark.parametrize(
    ("bits", "pileup", "singles"),
    [(0, True, True), (1, False, True), (2, True, True), (3, True, False)],
)
def test_modes_of_pile_up(bits, pileup, singles):
    def change(variables):
        variables[0]["ChanCSRa"] |= np.uint32(bits << CsrA.PILEUP_REJECT)

    run = simulated(
        ["0/2:500/34688"],
        0.04,
        change=change,
        rate_hz=800_000,
        channels=2,
        trace_samples=100,
    )
    events = run.events[0]
    assert events.pileup.any() == pileup
    assert (~events.pileup).any() == singles
    with_trace = events.trace_length > 0
    if bits == 2:
        np.testing.assert_array_equal(with_trace, events.pileup)
    else:
        assert with_trace.all()
    assert (run.truth.fate == Fate.REJECTED).any() == (bits in {1, 3})


def test_channels_and_triggers_are_switched_off():
    def change(variables):
        variables[0]["ChanCSRa"][1] &= ~np.uint32(1 << CsrA.GOOD)
        variables[0]["FastThresh"][2] = 30_000

    run = simulated(["0/2:500/34688"], 0.1, change=change, rate_hz=50_000, channels=3)
    events, truth = run.events[0], run.truth
    assert np.unique(events.channel).tolist() == [0, 2]
    assert (truth.fate[truth.channel == 1] == Fate.CHANNEL_OFF).all()
    # The default threshold of LaBr3 is set for 25 keV.
    default = run.digitizer.variables[0]["FastThresh"][0]
    threshold_kev = 25.0 * 30_000 / default
    of_channel = truth.channel == 2
    below = truth.kev[of_channel & (truth.fate == Fate.BELOW_THRESHOLD)]
    above = truth.kev[of_channel & truth.recorded]
    assert below.max() < 1.15 * threshold_kev
    # Two smaller ones together reach it, too.
    assert (above > 0.85 * threshold_kev).mean() > 0.95
    assert below.size > 500
    assert above.size > 500


def test_what_leaves_the_range_is_flagged_and_large_pulses_have_no_trace():
    def change(variables):
        variables[0]["OffsetDAC"][:] = 32768 + 32000
        variables[0]["ChanCSRa"] |= np.uint32(1 << CsrA.ENERGY_CUT)
        variables[0]["EnergyLow"][:] = 8000

    run = simulated(
        ["0/2:250/34688"],
        0.1,
        change=change,
        rate_hz=20_000,
        detector="NaI",
        trace_samples=200,
    )
    events = run.events[0]
    assert 0.05 < events.out_of_range.mean() < 0.95
    traced = events.trace_length > 0
    np.testing.assert_array_equal(traced, events.energy <= 8000)
    assert 0.05 < traced.mean() < 0.95
    full = (1 << 14) - 1
    tops = [events.trace(int(i)).max() for i in np.flatnonzero(traced)]
    clipped = np.array(tops) == full
    assert not (clipped & ~events.out_of_range[traced]).any()


@pytest.mark.parametrize("layout", Layout.known(), ids=lambda layout: layout.name)
def test_every_layout_can_be_simulated(layout):
    hardware = f"/{layout.hardware}" if layout.hardware else ""
    text = f"1/4:{layout.frequency}/{layout.revision}{hardware}"
    run = simulated([text], 0.02, rate_hz=20_000, channels=1, energy_sums=True)
    events = run.events[0]
    assert len(events) > 20
    assert (events.energy > 0).mean() > 0.9
    rows = run.truth.recorded
    late = events.time_ps[run.truth.event[rows]] - run.truth.time_ps[rows]
    good = events.cfd_valid[run.truth.event[rows]] & (run.truth.kev[rows] > 300)
    # The early layout of 250 MSPS cannot tell its two samples of 4 ns apart.
    assert np.ptp(late[good]) < (
        8000 if (layout.frequency, layout.revision) == (250, 20466) else 4500
    )
