"""Calibrations find the energies that spectra were made with."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.calibration import (
    LINES,
    CalibrationError,
    MeasuredLine,
    calibrate_channel,
    calibrate_spectra,
    find_lines,
    fit_polynomial,
)
from pixie_pipe.calibration.assignment import assign_lines
from pixie_pipe.spectra import Peak, Spectra, SpectraError
from tests.calibration.made_up import (
    AM241,
    CHANNELS,
    CO60,
    CS137,
    GAIN,
    NA22,
    OFFSET,
    made_up_spectra,
    resolution_kev,
)


def test_two_sources_in_two_runs():
    measured = [
        (made_up_spectra(NA22, 1, run=5), ["Na-22"]),
        (made_up_spectra(CO60, 2, run=6), ["Co-60"]),
    ]
    result = calibrate_spectra(measured)
    calibration = result.calibration
    assert tuple(calibration.channels) == CHANNELS
    assert (calibration.runs, calibration.sources) == ((5, 6), ("Na-22", "Co-60"))
    assert calibration.valid.first_run == 5
    assert result.problems == {}
    for number, name in enumerate(CHANNELS):
        one = calibration[name]
        truth = (OFFSET, GAIN * (1 + 0.05 * number))
        pulls = np.subtract(one.polynomial.coefficients, truth) / one.polynomial.errors
        assert np.abs(pulls).max() < 4
        assert one.polynomial.chi2 / one.polynomial.ndf < 5
        assert [line.kev for line in one.lines] == sorted(
            kev for kev, _ in (*NA22, *CO60)
        )
        assert np.abs(one.residuals / one.residual_errors).max() < 4
        for found in one.resolutions:
            assert abs(found.fwhm_kev - resolution_kev(found.kev)) < (
                5 * found.fwhm_kev_error
            )
            assert found.percent == 100 * found.fwhm_kev / found.kev
        assert float(one(10_000)) == pytest.approx(truth[0] + 1e4 * truth[1], rel=2e-3)
    hist = measured[0][0]["energy"].hist(CHANNELS[0], calibration=calibration[name])
    assert hist.axes[0].label == "Energy (keV)"


def test_positions_pull_as_they_should():
    """Fitted positions, over many spectra, by what their errors say."""
    pulls = []
    for seed in range(12):
        result = calibrate_spectra([(made_up_spectra(NA22, seed), ["Na-22"])])
        for number, name in enumerate(CHANNELS):
            gain = GAIN * (1 + 0.05 * number)
            for line in result.calibration[name].lines:
                truth = (line.kev - OFFSET) / gain
                pulls.append((line.position - truth) / line.position_error)
    count = len(pulls)
    assert count == 12 * 2 * 2
    assert abs(np.mean(pulls)) < 4 / np.sqrt(count)
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(2 * count)


def test_a_curve_needs_more_lines():
    lines = [*NA22, *CS137, *AM241]
    spectra = made_up_spectra(lines, 3, curve=2e-8)
    sources = ["Na-22", "Cs-137", "Am-241"]
    straight, curved = (
        calibrate_spectra([(spectra, sources)], degree=degree).calibration[CHANNELS[0]]
        for degree in (1, 2)
    )
    assert straight.polynomial.chi2 > 10 * curved.polynomial.chi2
    assert curved.polynomial.coefficients[2] > 5 * curved.polynomial.errors[2]
    assert np.abs(curved.residuals).max() < 1.0


@pytest.mark.parametrize(
    ("lines", "sources", "other"),
    [
        (NA22, ["Na-22"], [(180, 20_000, 20), (340, 9000, 8)]),
        (CO60, ["Co-60"], [(210, 20_000, 20), (960, 4000, 25), (2505.7, 900, 18)]),
        (CS137, ["661.657"], [(185, 15_000, 18), (477, 3000, 12)]),
        ([*NA22, (1460.82, 800)], ["Na-22", "K-40"], []),
    ],
)
def test_other_bumps_are_not_taken_for_lines(lines, sources, other):
    spectra = made_up_spectra(lines, 4, other=other)
    through_zero = len(lines) == 1
    gain = GAIN if through_zero else None
    result = calibrate_spectra(
        [(spectra, sources)], through_zero=through_zero, gain=gain
    )
    for number, name in enumerate(CHANNELS):
        found = result.calibration[name].lines
        assert [line.kev for line in found] == [kev for kev, _ in lines]
        for line in found:
            truth = (line.kev - OFFSET) / (GAIN * (1 + 0.05 * number))
            assert abs(line.position - truth) < 5 * line.position_error + 5


def test_channels_that_cannot_be_calibrated_are_told():
    spectra = made_up_spectra(NA22, 5)
    spectra["energy"].counts[1] = 0
    result = calibrate_spectra([(spectra, ["na22"])])
    assert list(result.calibration.channels) == [CHANNELS[0]]
    assert "there are 0 counts" in result.problems[CHANNELS[1]][0]
    with pytest.raises(CalibrationError, match="c0-s02-ch01 has no calibration"):
        result.calibration[CHANNELS[1]]
    spectra["energy"].counts[0] = 0
    with pytest.raises(CalibrationError, match="no channel could be calibrated"):
        calibrate_spectra([(spectra, ["na22"])])
    with pytest.raises(CalibrationError, match="degree 3 needs 4 lines at least"):
        calibrate_spectra([(made_up_spectra(NA22, 5), ["Na-22"])], degree=3)


def test_histograms_that_are_none_of_energies():
    gated = {"kind": "spectrum", "gate": {"pileup": False}}
    with pytest.raises(SpectraError, match="no spectrum of energies without a gate"):
        calibrate_spectra([(Spectra([gated, {"kind": "rate"}]), ["Na-22"])])
    with pytest.raises(SpectraError, match="'rate' is a rate of energy, expected"):
        calibrate_spectra([(Spectra([{"kind": "rate"}]), ["Na-22"])], name="rate")


def test_lines_of_sources():
    assert [line.kev for line in find_lines(["co60", "661.657"])] == [
        661.657,
        1173.228,
        1332.492,
    ]
    assert {"Na-22", "Co-60", "Cs-137", "Am-241", "Eu-152"} <= set(LINES)
    with pytest.raises(CalibrationError, match=r"'Na-2'; did you mean Na-22\? \(known"):
        find_lines(["Na-2"])
    with pytest.raises(CalibrationError, match="no line, expected at least one"):
        find_lines([])


def test_peaks_that_fit_no_line():
    peaks = [Peak(position=500.0, width=10.0, counts=100.0)]
    with pytest.raises(CalibrationError, match="none of the 1 peaks"):
        assign_lines(peaks, find_lines(["Na-22"]), gain=50.0)


def line_at(position, kev, error=0.1):
    return MeasuredLine(
        source="", kev=kev, position=position, position_error=error, fwhm=1.0,
        fwhm_error=0.1, counts=1.0, counts_error=1.0, chi2=1.0, ndf=1,
    )  # fmt: skip


def test_polynomials_through_exact_points():
    places = np.array([500.0, 4000.0, 20_000.0, 60_000.0])
    for degree, zero in [(1, False), (2, False), (3, False), (3, True), (1, True)]:
        truth = np.array([0.0 if zero else 3.0, 0.05, 1e-7, -1e-12])[: degree + 1]
        energies = sum(c * places**k for k, c in enumerate(truth))
        found = fit_polynomial(
            places, [0.5] * 4, energies, degree=degree, through_zero=zero
        )
        assert found.coefficients == pytest.approx(truth, rel=1e-6, abs=1e-9)
        assert found.ndf == 4 - degree - (not zero)
        assert found.chi2 < 1e-6
        assert float(found.slope(100.0)) == pytest.approx(
            sum(k * c * 100.0 ** (k - 1) for k, c in enumerate(truth) if k)
        )


def test_errors_of_polynomials_are_those_of_repeated_measurements():
    rng = np.random.default_rng(1)
    places, errors = np.array([1000.0, 5000.0, 9000.0]), np.array([1.0, 3.0, 2.0])
    pulls = []
    for _ in range(300):
        found = fit_polynomial(
            places + errors * rng.standard_normal(3), errors, 2.0 + 0.1 * places
        )
        pulls.append(np.subtract(found.coefficients, (2.0, 0.1)) / found.errors)
    assert np.abs(np.mean(pulls, axis=0)).max() < 4 / np.sqrt(300)
    assert np.abs(np.std(pulls, axis=0) - 1).max() < 4 / np.sqrt(600)


def test_polynomials_that_cannot_be():
    with pytest.raises(CalibrationError, match="the degree is 4, expected 1 to 3"):
        fit_polynomial([1.0], [1.0], [1.0], degree=4)
    with pytest.raises(CalibrationError, match="two lines are at the same place"):
        fit_polynomial([1.0, 1.0], [1.0, 1.0], [1.0, 2.0])
    falls = [line_at(100.0, 10.0), line_at(200.0, 50.0), line_at(300.0, 5.0)]
    with pytest.raises(CalibrationError, match="does not rise from 10 to 5 keV"):
        calibrate_channel(falls, degree=2)
