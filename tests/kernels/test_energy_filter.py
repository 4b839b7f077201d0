"""Energies from sums and traces: the definition, pulses, and recorded headers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.kernels._traces import TraceError
from pixie_pipe.kernels.charge_windows import charge_windows
from pixie_pipe.kernels.energy_filter import (
    energies_from_sums,
    energies_from_traces,
    energy_coefficients,
    energy_filter,
    filter_sums,
)
from pixie_pipe.listmode import Layout, decode
from tests.support.traces import answer, packed, split

TAU, DT = 100.0, 2.0
ONE = np.zeros(1)
lengths = st.integers(1, 8)
gaps = st.integers(0, 8)
samples_of_traces = st.lists(
    st.lists(st.integers(0, 65535), min_size=24, max_size=40), min_size=1, max_size=4
)


@given(samples_of_traces, lengths, gaps, st.data())
def test_energies_follow_the_definition(rows, length, gap, data):
    reach = 2 * length + gap
    samples, offsets = packed(rows)
    coefficients = energy_coefficients(length, TAU, DT, 16)
    ends = np.array([data.draw(st.integers(reach, len(row))) for row in rows])
    energies = energies_from_traces(
        samples, offsets, ends, coefficients, length=length, gap=gap
    )
    sums = filter_sums(samples, offsets, ends, length=length, gap=gap)
    none = np.zeros(len(rows))
    raw = energies_from_sums(sums[0], sums[1], sums[2], none, coefficients)
    filtered = split(
        energy_filter(samples, offsets, coefficients, length=length, gap=gap), offsets
    )
    for i, row in enumerate(rows):
        end = int(ends[i])
        window = row[end - reach : end]
        assert sums[:, i].tolist() == [
            sum(window[:length]),
            sum(window[length : length + gap]),
            sum(window[length + gap :]),
        ]
        level = answer(row, reach, length, gap, TAU, DT)
        expected = answer(row, end, length, gap, TAU, DT)
        assert raw[i] == pytest.approx(expected, rel=1e-9, abs=1e-6)
        assert energies[i] == pytest.approx(expected - level, rel=1e-9, abs=1e-4)
        assert filtered[i][end - 1] == pytest.approx(energies[i], rel=1e-9, abs=1e-4)
        assert filtered[i][: reach - 1] == [0.0] * (reach - 1)


@pytest.mark.parametrize(("bits", "scale"), [(12, 16), (14, 4), (16, 1)])
def test_a_pulse_gives_its_height_wherever_it_begins_in_the_gap(bits, scale):
    coefficients = energy_coefficients(20, 60.0, 2.0, bits)
    rows = []
    for start in range(160, 201):
        time = np.arange(240) - start
        shape = np.where(time >= 0, np.exp(-time * 2.0 / 60.0), 0.0)
        rows.append([int(value) for value in np.rint(1000 + 30_000 * shape)])
    samples, offsets = packed(rows)
    energies = energies_from_traces(
        samples, offsets, 220, coefficients, length=20, gap=40
    )
    # Samples are whole numbers: some rounding is left.
    np.testing.assert_allclose(energies, 30_000 * scale, atol=0.5 * scale)
    level = 1000 * coefficients.level(20, 40)
    given_level = energies_from_traces(
        samples,
        offsets,
        220,
        coefficients,
        length=20,
        gap=40,
        baseline=np.full(41, level),
    )
    np.testing.assert_allclose(given_level, energies, atol=1e-6)


def test_a_tau_much_longer_than_a_sample_loses_no_digits():
    long = energy_coefficients(100, 1e9, 1.0, 16)
    # In the limit of no decay: the difference of two means.
    assert long.leading == pytest.approx(0.01, rel=1e-6)
    assert long.trailing == pytest.approx(-0.01, rel=1e-6)
    assert long.gap == pytest.approx(1e-9, rel=1e-6)


def test_recorded_headers_have_the_energies_of_their_sums(real_data: Path):
    # 500 MSPS, 14 bits; SlowLength 2 at SlowFilterRange 1 is 20 samples, the decay
    # time is that of LaBr3 (30 ns).
    words = np.fromfile(real_data / "traces.bin", "<u4")
    events = decode(words, Layout.find(500, 34688)).events
    assert len(events) == 9
    coefficients = energy_coefficients(20, 30.0, 2.0, 14)
    energies = energies_from_sums(
        events.esum_trailing,
        events.esum_gap,
        events.esum_leading,
        events.baseline,
        coefficients,
    )
    assert abs(energies - events.energy).max() < 0.5
    assert np.rint(energies).tolist() == events.energy.tolist()

    # The windows are those of one of the two steps of the slow filter.
    sums = [
        filter_sums(events.trace_samples, events.trace_offsets, end, length=20, gap=80)
        for end in (550, 555)
    ]
    recorded = [events.esum_trailing, events.esum_gap, events.esum_leading]
    fits = [(each == np.array(recorded)).all(axis=0) for each in sums]
    assert (fits[0] | fits[1]).all()
    ends = np.where(fits[0], 550, 555)
    again = energies_from_traces(
        events.trace_samples,
        events.trace_offsets,
        ends,
        coefficients,
        length=20,
        gap=80,
        baseline=events.baseline,
    )
    np.testing.assert_array_equal(again, energies)


@given(
    st.lists(st.lists(st.integers(0, 65535), max_size=40), max_size=4),
    st.lists(st.integers(0, 9), min_size=8, max_size=8),
    st.data(),
)
def test_charges_are_sums_one_behind_the_other(rows, windows, data):
    samples, offsets = packed(rows)
    first = np.array([data.draw(st.integers(0, 45)) for _ in rows], np.int64)
    charges = charge_windows(samples, offsets, first, windows)
    for i, row in enumerate(rows):
        edges = np.cumsum([first[i], *windows])
        expected = [sum(row[edges[j] : edges[j + 1]]) for j in range(8)]
        assert charges[i].tolist() == expected


def test_what_cannot_be_is_refused():
    samples, offsets = packed([[1] * 30])
    coefficients = energy_coefficients(4, TAU, DT, 14)
    for end in (8, 31):
        with pytest.raises(
            TraceError, match=f"trace 0: the windows end at sample {end}"
        ):
            filter_sums(samples, offsets, end, length=4, gap=1)
    for wrong in ({"tau_ns": 0.0}, {"tau_ns": math.nan}, {"sample_ns": -1.0}):
        with pytest.raises(TraceError, match="expected a positive number of ns"):
            energy_coefficients(4, **{"tau_ns": 1.0, "sample_ns": 1.0} | wrong, bits=14)
    with pytest.raises(TraceError, match="bits is 17"):
        energy_coefficients(4, TAU, DT, 17)
    with pytest.raises(TraceError, match="expected four rows of one length"):
        energies_from_sums(ONE, ONE, ONE, np.zeros(2), coefficients)
    with pytest.raises(TraceError, match="expected eight whole numbers"):
        charge_windows(samples, offsets, 0, [1, 2])
    with pytest.raises(TraceError, match="expected neither to be negative"):
        charge_windows(samples, offsets, -1, [1] * 8)
