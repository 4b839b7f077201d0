"""Peaks of spectra, compared to those that were put in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from pixie_pipe.spectra import SpectraError, find_peaks, measure_peak


def gaussian(size, peaks, background=0.0):
    """Expected counts: peaks are (position, FWHM, counts)."""
    bins = np.arange(size)
    expected = np.full(size, float(background))
    for position, width, counts in peaks:
        sigma = width / 2.3548
        shape = np.exp(-0.5 * ((bins - position) / sigma) ** 2)
        expected += counts * shape / sigma / math.sqrt(2 * math.pi)
    return expected


@pytest.mark.parametrize("width", [6.0, 20.0, 60.0])
@pytest.mark.parametrize("background", [0.0, 50.0])
def test_an_exact_peak_is_measured_exactly(width, background):
    expected = gaussian(600, [(300.4, width, 1e6)], background)
    peak = measure_peak(expected, (0, 600))
    assert peak.position == pytest.approx(300.4, abs=0.01)
    # A bin is one wide, which adds to narrow peaks.
    assert peak.width == pytest.approx(
        math.hypot(width, 2.3548 / math.sqrt(12)), rel=0.02
    )
    assert peak.counts == pytest.approx(1e6, rel=0.005)


@pytest.mark.parametrize(
    ("counts", "width", "background"),
    [(300, 5, 0), (1000, 20, 2), (10_000, 60, 20), (30_000, 20, 0)],
)
def test_errors_are_those_of_repeated_measurements(counts, width, background):
    rng = np.random.default_rng(5)
    expected = gaussian(400, [(200.3, width, counts)], background)
    peaks = [measure_peak(rng.poisson(expected), (0, 400)) for _ in range(150)]
    assert all(peak.is_there for peak in peaks)
    for name, true, bias in (
        ("position", 200.3, 0.0),
        ("width", width, 0.03 * width),
        ("counts", counts, 0.01 * counts),
    ):
        values = np.array([getattr(peak, name) for peak in peaks])
        error = np.mean([getattr(peak, f"{name}_error") for peak in peaks])
        spread = values.std()
        assert abs(values.mean() - true) < bias + 4 * spread / math.sqrt(150), name
        assert 0.6 < spread / error < 1.4, name


def test_a_range_chooses_among_peaks_and_counts_bins_from_the_start():
    expected = gaussian(4000, [(1000, 20, 5e4), (3000, 30, 1e4)], 1)
    assert measure_peak(expected, (2800, 3200)).position == pytest.approx(3000, abs=0.1)
    assert measure_peak(expected).position == pytest.approx(1000, abs=0.1)


def test_no_peak_in_noise_and_in_nothing():
    rng = np.random.default_rng(2)
    assert not measure_peak(np.zeros(100), (0, 100)).is_there
    assert not measure_peak(np.zeros(100)).is_there
    assert not measure_peak(np.ones(2), (0, 2)).is_there
    found = [measure_peak(rng.poisson(20, 400), (0, 400)).is_there for _ in range(50)]
    # Three standard errors, at the best of many places.
    assert sum(found) < 25
    assert [find_peaks(rng.poisson(20, 8192)) for _ in range(5)] == [[]] * 5


def test_all_lines_of_a_spectrum_are_found():
    lines = [(1000, 21, 3000), (3000, 30, 20000), (6620, 39, 8000)]
    lines += [(11730, 51, 4000), (13320, 55, 3500), (26140, 85, 300)]
    slope = 200 * np.exp(-np.arange(32768) / 3000.0)
    counts = np.random.default_rng(3).poisson(gaussian(32768, lines, 0.2) + slope)
    found = find_peaks(counts)
    assert found[0].position == pytest.approx(3000, abs=1)
    by_position = sorted(found, key=lambda peak: peak.position)
    assert len(by_position) == len(lines)
    for peak, (position, width, area) in zip(by_position, lines, strict=True):
        assert abs(peak.position - position) < 5 * peak.position_error + 0.2
        assert abs(peak.width - width) < 5 * peak.width_error
        assert abs(peak.counts - area) < 5 * peak.counts_error
    assert len(find_peaks(counts, most=2)) == 2
    (only,) = find_peaks(counts, bins=(6000, 7500))
    assert only.position == pytest.approx(6620, abs=3)


@pytest.mark.parametrize("bins", [(5, 5), (-1, 5), (0, 101)])
def test_ranges_that_are_not_in_the_spectrum(bins):
    for function in (measure_peak, lambda counts, bins: find_peaks(counts, bins=bins)):
        with pytest.raises(SpectraError, match="range of bins"):
            function(np.ones(100), bins)


@given(
    hypothesis_numpy.arrays(
        np.uint32, st.integers(1, 300), elements=st.integers(0, 2**32 - 1)
    ),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
)
def test_whatever_the_counts_are_the_peak_lies_in_the_range(counts, ends):
    first, last = sorted(min(end, counts.size) for end in ends)
    if first == last:
        first, last = 0, counts.size
    for peak in [measure_peak(counts, (first, last)), *find_peaks(counts)]:
        if peak.is_there:
            assert 0 <= peak.position <= counts.size - 1
            assert peak.width >= 1
            assert peak.counts > 0
    peak = measure_peak(counts, (first, last))
    assert not peak.is_there or first <= peak.position <= last - 1
