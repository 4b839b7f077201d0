"""Every value of a trace follows its definition, for any trace and any settings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixie_pipe.traces import (
    TraceSettings,
    TraceStatus,
    analyse_traces,
    computable_columns,
    find_pulses,
)
from tests.support.made_traces import HEADER_BASELINE, events_of, settings, traces
from tests.support.trace_oracle import Oracle

if TYPE_CHECKING:
    from tests.support.traces import Trace

batches = st.lists(traces(), min_size=1, max_size=4)


def analysed(rows: list[Trace], s: TraceSettings, *columns: str):
    """Analyse traces; every second event has a baseline in its header.

    The timestamp of every third one is that of a CFD.
    """
    number = np.arange(len(rows))
    events = events_of(
        rows,
        timestamp=(7 * number).astype("u8"),
        cfd_source=np.zeros(len(rows), "u1"),
        cfd_fraction=(number % 3 == 1).astype("u2"),
        cfd_forced=np.zeros(len(rows), bool),
        esum_valid=number % 2 == 0,
        baseline=np.full(len(rows), HEADER_BASELINE, "f4"),
    )
    found = analyse_traces(events, s, columns)
    oracles = [
        Oracle(
            row,
            s,
            7 * i if i % 3 != 1 else None,
            HEADER_BASELINE if i % 2 == 0 else None,
        )
        for i, row in enumerate(rows)
    ]
    return found, oracles


def check(found, name: str, expected: list[float], oracles: list[Oracle], **close):
    """Compare a column and the status with what was computed one by one."""
    empty = [not oracle.x for oracle in oracles]
    fill = -1 if name == "trace_pulses" else math.nan
    expected = [
        fill if is_empty else value
        for is_empty, value in zip(empty, expected, strict=True)
    ]
    close = {"rtol": 3e-7, "atol": 1e-3} | close  # of 32-bit floats
    np.testing.assert_allclose(found[name], expected, **close)
    status = [
        TraceStatus.NO_TRACE
        if is_empty
        else oracle.status | TraceStatus.SATURATED * oracle.saturated
        for is_empty, oracle in zip(empty, oracles, strict=True)
    ]
    assert found.trace_status.tolist() == status


@given(batches, settings())
@example([[5] * 40, []], TraceSettings(frequency_msps=100, energy_rise_us=0.1,
                                       tau_us=1.0, trace_delay_us=0.3))  # fmt: skip
@example(  # of three points, one sum of PAASS's formula is zero
    [[1, 2, 1, 1, 1, 2, 3, 2, 2, 2, 2, 2, 1]],
    TraceSettings(
        frequency_msps=100, baseline_us=0.01, trigger_threshold=1.0, tau_fit="sums"
    ),
)
def test_every_value_follows_its_definition(rows, s):
    names = computable_columns(s)[:-1]
    together, _ = analysed(rows, s, *names)
    status = np.zeros(len(rows), np.uint8)
    for name in names:
        found, oracles = analysed(rows, s, name)
        CHECKS[name](found, oracles)
        np.testing.assert_array_equal(found[name], together[name], name)
        status |= found.trace_status
    assert together.trace_status.tolist() == status.tolist()


def check_plain(name: str, value, **close):
    """Return a check of a column, of which `value` tells what an oracle expects."""

    def check_column(found, oracles):
        expected = [value(o) if o.x else math.nan for o in oracles]
        check(found, name, expected, oracles, **close)

    return check_column


def check_times(found, oracles):
    """Compare times; a cubic may have several zeros between two samples."""
    s = oracles[0].s
    if s.cfd == "module":
        checked = check_plain("trace_time_ns", Oracle.module_time, rtol=1e-9, atol=1e-6)
        checked(found, oracles)
        return
    expected = []
    for oracle, time in zip(oracles, found.trace_time_ns, strict=True):
        roots = oracle.sample_times() if oracle.x else [math.nan]
        expected.append(min(roots, key=lambda root: abs(root - time)))
    close = 1e-3 * 1e3 / s.frequency_msps
    check(found, "trace_time_ns", expected, oracles, atol=close)


def check_decays(found, oracles):
    expected = [o.tau() if o.x else math.nan for o in oracles]
    # A decay that is hardly there is a difference of nearly equal sums.
    is_clear = [not value > 1e5 for value in expected]
    check(
        found[np.array(is_clear)],
        "trace_tau_ns",
        [value for value in expected if not value > 1e5],
        [o for o, clear in zip(oracles, is_clear, strict=True) if clear],
        rtol=1e-4,
    )


def check_shape(found, oracles):
    pairs = [o.charges() if o.x else (math.nan, math.nan) for o in oracles]
    # A part of nearly nothing has no digits.
    is_clear = [not abs(charge) < 1 for charge, _ in pairs]
    check(
        found[np.array(is_clear)],
        "trace_psd",
        [psd for (_, psd), clear in zip(pairs, is_clear, strict=True) if clear],
        [o for o, clear in zip(oracles, is_clear, strict=True) if clear],
        rtol=1e-4,
        atol=1e-4,
    )


CHECKS = {
    "trace_baseline": check_plain("trace_baseline", lambda o: o.base),
    "trace_noise": check_plain("trace_noise", lambda o: o.noise),
    "trace_height": check_plain("trace_height", lambda o: o.height),
    "trace_time_ns": check_times,
    "trace_rise_ns": check_plain("trace_rise_ns", Oracle.rise, rtol=1e-5),
    "trace_tau_ns": check_decays,
    "trace_pulses": check_plain("trace_pulses", Oracle.pulses),
    # Sums of large samples leave fewer digits behind the point.
    "trace_energy": check_plain("trace_energy", Oracle.energy, atol=0.02),
    "trace_charge": check_plain(
        "trace_charge", lambda o: o.charges(needs_part=False)[0]
    ),
    "trace_psd": check_shape,
}


@given(batches, settings())
def test_pulses_are_where_the_filter_reaches_the_threshold(rows, s):
    found = find_pulses(events_of(rows), s)
    expected = [Oracle(row, s).triggers() or [] if row else [] for row in rows]
    assert found.counts.tolist() == [len(each) for each in expected]
    assert found.sample.tolist() == [k for each in expected for k in each]
    np.testing.assert_allclose(found.time_ns, found.sample * 1e3 / s.frequency_msps)


def pulse(start: float, height: float = 3000.0, tau: float = 60.0, size: int = 400):
    """Return a pulse that rises within a sample, on a baseline of 500."""
    late = np.arange(size) - start
    shape = np.where(late >= 0, np.exp(-late / tau), 0.0)
    return [int(value) for value in np.rint(500 + height * shape)]


def test_a_pulse_has_the_values_that_it_was_made_with():
    s = TraceSettings(
        frequency_msps=500,
        trace_delay_us=0.3,
        trigger_rise_us=0.02,
        trigger_threshold=200.0,
        energy_rise_us=0.2,
        energy_flat_us=0.04,
        tau_us=0.12,
        energy_delay_us=0.22,
        charge_long_us=0.4,
        charge_short_us=0.04,
    )
    rows = [pulse(150, height) for height in (1000, 3000, 9000)]
    found = analyse_traces(events_of(rows), s)
    np.testing.assert_allclose(found.trace_tau_ns, 120.0, rtol=0.005)
    sums = analyse_traces(events_of(rows), replace(s, tau_fit="sums"), ["trace_tau_ns"])
    # The formula is exact for an infinite number of points.
    np.testing.assert_allclose(sums.trace_tau_ns, 120.0, rtol=0.02)
    heights = np.array([1000, 3000, 9000])
    np.testing.assert_allclose(found.trace_height, heights)
    np.testing.assert_allclose(found.trace_energy, 4 * heights, rtol=1e-3)
    whole = 1 / (1 - math.exp(-1 / 60))
    charge = whole * (1 - math.exp(-200 / 60))
    np.testing.assert_allclose(found.trace_charge, heights * charge, rtol=2e-3)
    late = (math.exp(-20 / 60) - math.exp(-200 / 60)) / (1 - math.exp(-200 / 60))
    np.testing.assert_allclose(found.trace_psd, late, rtol=2e-3)
    assert found.trace_pulses.tolist() == [1, 1, 1]
    assert found.trace_status.tolist() == [0, 0, 0]


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_times_on_samples_do_not_depend_on_the_height(interpolation):
    s = TraceSettings(
        frequency_msps=500,
        cfd_delay_us=0.01,
        cfd_fraction=0.5,
        cfd_interpolation=interpolation,
    )
    starts = np.linspace(100, 101, 21)
    late = np.maximum(np.arange(300) - starts[:, None], 0.0)
    shape = np.exp(-late / 60) - np.exp(-late / 4)
    rows = [
        [int(value) for value in np.rint(1000 + height * row)]
        for height in (2000, 14_000)
        for row in shape
    ]
    times = analyse_traces(events_of(rows), s, ["trace_time_ns"]).trace_time_ns
    late_ns = times.reshape(2, -1) - 2 * starts
    assert np.ptp(late_ns) < (0.1 if interpolation == "linear" else 0.03)


def test_pile_up_is_seen():
    s = TraceSettings(frequency_msps=500, trigger_rise_us=0.02, trigger_threshold=200.0)
    rows = [np.add(pulse(80), pulse(150)).tolist(), pulse(80), [500] * 400]
    found = analyse_traces(events_of(rows), s, ["trace_pulses"])
    assert found.trace_pulses.tolist() == [2, 1, 0]
    pulses = find_pulses(found, s)
    assert pulses.counts.tolist() == [2, 1, 0]
    assert pulses.time_ns.tolist() == [160.0, 302.0, 160.0]


def test_traces_that_are_no_good_have_defined_values():
    s = TraceSettings(
        frequency_msps=500,
        baseline_us=0.02,
        trigger_rise_us=0.02,
        trigger_threshold=200.0,
        energy_rise_us=0.04,
        tau_us=1.0,
        trace_delay_us=0.2,
        cfd_delay_us=0.01,
        charge_long_us=0.1,
    )
    high = np.minimum(pulse(100, 40_000), 16_383).tolist()
    rows = [[], [500] * 9, [500] * 400, high, pulse(100)[:110], [0] * 400]
    found = analyse_traces(events_of(rows), s)
    status = TraceStatus
    assert found.trace_status.tolist() == [
        status.NO_TRACE,
        status.TOO_SHORT,
        status.NO_PULSE,
        status.SATURATED,
        status.TOO_SHORT,
        status.NO_PULSE | status.SATURATED,
    ]
    np.testing.assert_array_equal(
        np.isnan(found.trace_energy), [True, True, False, True, True, True]
    )
    assert found.trace_energy[2] == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_array_equal(
        np.isnan(found.trace_time_ns), [True, True, True, True, False, True]
    )
    np.testing.assert_array_equal(
        found.trace_height, [np.nan, np.nan, 0, 15_883, 3000, 0]
    )
    assert found.trace_pulses.tolist() == [-1, -1, 0, 1, 1, 0]
