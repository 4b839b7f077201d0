"""Fits find what was put in, and their errors are those of repeated measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pixie_pipe.spectra import FitError, Peak, SpectraError, find_peaks, fit_peaks
from pixie_pipe.spectra.fit import FWHM_OF_SIGMA, group_peaks


def expected(edges, peaks, left, right, step=0.0):
    """Integrate each bin by itself: peaks are (counts, position, sigma)."""
    low, high = edges[:-1], edges[1:]
    middle = (low + high) / 2
    total = (left + (right - left) * (middle - edges[0]) / np.ptp(edges)) * (high - low)
    for counts, position, sigma in peaks:
        cdf = np.array([math.erf((x - position) / sigma / math.sqrt(2)) for x in edges])
        total += counts * np.diff(cdf) / 2
        height = step * counts / sigma / math.sqrt(2 * math.pi)
        below = (1 - (cdf[1:] + cdf[:-1]) / 2) / 2
        total += height * below * (high - low)
    return total


EDGES = np.arange(161) - 0.5
GUESS = Peak(position=78.0, width=14.0, counts=900.0)
TRUTH = (1000.0, 80.3, 5.0)


def repeated(count, background, step):
    """Return how far values are from the truth in their errors, and chi-squares."""
    rng = np.random.default_rng(5)
    mean = expected(EDGES, [TRUTH], 4.0, 2.0, step)
    pulls, chi2 = [], []
    for _ in range(count):
        fit = fit_peaks(
            rng.poisson(mean), [GUESS], bins=(30, 130), background=background
        )
        (peak,) = fit.peaks
        pulls.append(
            (
                (peak.position - TRUTH[1]) / peak.position_error,
                (peak.fwhm - FWHM_OF_SIGMA * TRUTH[2]) / peak.fwhm_error,
                (peak.counts - TRUTH[0]) / peak.counts_error,
            )
        )
        chi2.append(fit.chi2 / fit.ndf)
    return np.array(pulls), np.array(chi2)


@pytest.mark.parametrize(("background", "step"), [("linear", 0.0), ("step", 0.05)])
def test_pulls_have_mean_0_and_width_1(background, step):
    count = 80
    pulls, chi2 = repeated(count, background, step)
    mean, width = pulls.mean(axis=0), pulls.std(axis=0, ddof=1)
    assert (np.abs(mean) < 4 / math.sqrt(count)).all(), mean
    assert (np.abs(width - 1) < 4 / math.sqrt(2 * count)).all(), width
    # A chi-square of few counts is a little more than the degrees of freedom.
    assert abs(chi2.mean() - 1) < 0.1


def test_an_exact_spectrum_gives_the_truth():
    counts = expected(EDGES, [TRUTH, (400.0, 105.0, 6.0)], 6.0, 3.0)
    guesses = [GUESS, Peak(position=107.0, width=12.0, counts=300.0)]
    fit = fit_peaks(counts, guesses, bins=(20, 150))
    for peak, truth in zip(fit.peaks, [TRUTH, (400.0, 105.0, 6.0)], strict=True):
        assert peak.counts == pytest.approx(truth[0], rel=1e-3)
        assert peak.position == pytest.approx(truth[1], abs=5e-3)
        assert peak.sigma == pytest.approx(truth[2], rel=1e-3)
    assert fit.chi2 < 0.01
    assert fit.ndf == 130 - 8
    assert np.allclose(fit.expected, counts[20:150], rtol=1e-3)
    assert np.abs(fit.residuals).max() < 0.05


def test_positions_are_values_of_the_axis():
    edges = 100 + 2.5 * (EDGES + 0.5)
    counts = expected(EDGES, [TRUTH], 4.0, 2.0)
    fit = fit_peaks(counts, [GUESS], edges=edges, background="linear")
    (peak,) = fit.peaks
    assert peak.position == pytest.approx(100 + 2.5 * (TRUTH[1] + 0.5), abs=0.05)
    assert peak.sigma == pytest.approx(2.5 * TRUTH[2], rel=0.01)
    assert peak.counts == pytest.approx(TRUTH[0], rel=0.01)


def test_what_is_found_is_fitted():
    rng = np.random.default_rng(7)
    edges = np.arange(2049) - 0.5
    lines = [(5000.0, 400.0, 6.0), (8000.0, 1200.0, 9.0), (3000.0, 1250.0, 9.0)]
    counts = rng.poisson(expected(edges, lines, 20.0, 5.0))
    found = find_peaks(counts)
    groups = group_peaks(found)
    assert len(found) == 3
    assert [len(group) for group in groups] == [1, 2]
    fitted = [peak for group in groups for peak in fit_peaks(counts, group).peaks]
    for peak, line in zip(fitted, sorted(lines, key=lambda one: one[1]), strict=True):
        assert abs(peak.position - line[1]) < 4 * peak.position_error
        assert abs(peak.counts - line[0]) < 4 * peak.counts_error


def test_what_cannot_be_fitted():
    counts = np.random.default_rng(1).poisson(5.0, 160)
    with pytest.raises(SpectraError, match="no peak to fit"):
        fit_peaks(counts, [])
    with pytest.raises(SpectraError, match="7 bins are too few"):
        fit_peaks(counts, [GUESS], bins=(70, 77))
    with pytest.raises(SpectraError, match="3 edges for 160 bins"):
        fit_peaks(counts, [GUESS], edges=np.arange(3.0))
    with pytest.raises(SpectraError, match="range of bins"):
        fit_peaks(counts, [GUESS], bins=(70, 300))
    with pytest.raises(FitError, match=r"no peak|does not converge"):
        fit_peaks(np.zeros(160), [GUESS])
