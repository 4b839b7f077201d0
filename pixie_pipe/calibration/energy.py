"""Energy calibration of one channel: peaks, lines, and a polynomial through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.calibration.assignment import assign_lines
from pixie_pipe.calibration.errors import CalibrationError
from pixie_pipe.calibration.polynomial import Polynomial, fit_polynomial
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.spectra.fit import PeakFit, fit_peaks, group_peaks
from pixie_pipe.spectra.peaks import Peak, find_peaks

if TYPE_CHECKING:
    from pixie_pipe.calibration.lines import KnownLine
    from pixie_pipe.spectra.fit import Background, FittedPeak

_LEAST_COUNTS: Final = 100
"""A spectrum of fewer counts is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLine:
    """A line of a source, and the peak that was fitted to it.

    Attributes
    ----------
    source, kev
        The line.
    position, position_error
        Centre of the peak, in ADC units.
    fwhm, fwhm_error
        Its full width at half maximum, in ADC units.
    counts, counts_error
        Its counts above the background.
    chi2, ndf
        Chi-square of the fit of the peak, and its degrees of freedom.
    """

    source: str
    kev: float
    position: float
    position_error: float
    fwhm: float
    fwhm_error: float
    counts: float
    counts_error: float
    chi2: float
    ndf: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The resolution of a channel at one line.

    Attributes
    ----------
    kev
        Energy of the line.
    fwhm_kev, fwhm_kev_error
        Full width at half maximum, and its standard error.
    """

    kev: float
    fwhm_kev: float
    fwhm_kev_error: float

    @property
    def percent(self) -> float:
        """The width in percent of the energy."""
        return 100 * self.fwhm_kev / self.kev

    @property
    def percent_error(self) -> float:
        """Its standard error."""
        return 100 * self.fwhm_kev_error / self.kev


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCalibration:
    """Energy in keV of the energies of one channel, in ADC units.

    Attributes
    ----------
    polynomial
        From ADC units to keV.
    lines
        The lines that it was made with.
    """

    polynomial: Polynomial
    lines: tuple[MeasuredLine, ...] = ()

    def __call__(self, energy: Any) -> NDArray[np.float64]:  # noqa: ANN401 - as numpy
        """Return energies in keV, of the shape of `energy` (ADC units)."""
        return self.polynomial(energy)

    @property
    def residuals(self) -> NDArray[np.float64]:
        """By how much the polynomial misses each line, in keV; shape (lines,)."""
        positions = [line.position for line in self.lines]
        energies = np.array([line.kev for line in self.lines])
        residuals: NDArray[np.float64] = self.polynomial(positions) - energies
        return residuals

    @property
    def residual_errors(self) -> NDArray[np.float64]:
        """Standard errors of the positions of the lines, in keV; shape (lines,)."""
        positions = [line.position for line in self.lines]
        errors = np.array([line.position_error for line in self.lines])
        found: NDArray[np.float64] = np.abs(self.polynomial.slope(positions)) * errors
        return found

    @property
    def resolutions(self) -> list[Resolution]:
        """The resolution at each line."""
        found = []
        for line in self.lines:
            slope = float(self.polynomial.slope(line.position))
            found.append(
                Resolution(
                    kev=line.kev,
                    fwhm_kev=slope * line.fwhm,
                    fwhm_kev_error=slope * line.fwhm_error,
                )
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineSearch:
    """What was found of some lines in a spectrum.

    Attributes
    ----------
    lines
        Lines with the peaks that were fitted to them.
    fits
        The fits.
    problems
        Why peaks were left out.
    """

    lines: tuple[MeasuredLine, ...]
    fits: tuple[PeakFit, ...]
    problems: tuple[str, ...]


def measure_lines(
    counts: NDArray[Any],
    edges: NDArray[np.float64],
    lines: Sequence[KnownLine],
    *,
    gain: float | None = None,
    background: Background = "linear",
) -> LineSearch:
    """Find lines of sources in a spectrum, and fit their peaks.

    Parameters
    ----------
    counts
        The spectrum, shape (bins,).
    edges
        Edges of the bins in ADC units, shape (bins + 1,); see `Axis.positions`.
    lines
        The lines.
    gain
        About how many keV an ADC unit is, if that is known.
    background
        See `fit_peaks`.

    Raises
    ------
    CalibrationError
        If there are hardly any counts, or no line is found.
    MissingExtraError
        If iminuit is not installed.
    """
    if counts.sum() < _LEAST_COUNTS:
        raise CalibrationError(
            f"there are {int(counts.sum())} counts, expected {_LEAST_COUNTS} at least"
        )
    peaks = find_peaks(counts)
    placed = [_placed(peak, edges) for peak in peaks]
    pairs = assign_lines(placed, lines, gain=gain, end=float(edges[-1]))
    wanted = {id(peaks[placed.index(peak)]): line for peak, line in pairs}
    found: list[MeasuredLine] = []
    fits: list[PeakFit] = []
    problems: list[str] = []
    for group in group_peaks(peaks):
        if not any(id(peak) in wanted for peak in group):
            continue
        try:
            fit = fit_peaks(counts, group, edges=edges, background=background)
        except SpectraError as error:
            names = [wanted[id(peak)].kev for peak in group if id(peak) in wanted]
            problems.append(f"{', '.join(f'{kev:g} keV' for kev in names)}: {error}")
            continue
        fits.append(fit)
        for peak, fitted in zip(group, fit.peaks, strict=True):
            if id(peak) in wanted:
                found.append(_measured(wanted[id(peak)], fitted, fit))
    return LineSearch(lines=tuple(found), fits=tuple(fits), problems=tuple(problems))


def calibrate_channel(
    lines: Sequence[MeasuredLine], *, degree: int = 1, through_zero: bool = False
) -> ChannelCalibration:
    """Put a polynomial through measured lines.

    Parameters
    ----------
    lines
        The lines, of one source or several.
    degree
        1 (a straight line) to 3.
    through_zero
        Let an energy of 0 ADC units be 0 keV.

    Raises
    ------
    CalibrationError
        If there are too few lines, or the polynomial does not rise where they are.
    """
    ordered = sorted(lines, key=lambda line: line.position)
    polynomial = fit_polynomial(
        [line.position for line in ordered],
        [line.position_error for line in ordered],
        [line.kev for line in ordered],
        degree=degree,
        through_zero=through_zero,
    )
    span = np.linspace(ordered[0].position, ordered[-1].position, 100)
    if not (polynomial.slope(span) > 0).all():
        raise CalibrationError(
            f"the polynomial of degree {degree} does not rise from "
            f"{ordered[0].kev:g} to {ordered[-1].kev:g} keV; take a lower degree"
        )
    return ChannelCalibration(polynomial=polynomial, lines=tuple(ordered))


def _placed(peak: Peak, edges: NDArray[np.float64]) -> Peak:
    """Return a peak whose position and width are values on the axis."""
    bins = np.arange(edges.size) - 0.5
    half = peak.width / 2
    ends = (peak.position - half, peak.position, peak.position + half)
    left, centre, right = np.interp(ends, bins, edges)
    return Peak(position=float(centre), width=float(right - left), counts=peak.counts)


def _measured(line: KnownLine, peak: FittedPeak, fit: PeakFit) -> MeasuredLine:
    return MeasuredLine(
        source=line.source,
        kev=line.kev,
        position=peak.position,
        position_error=peak.position_error,
        fwhm=peak.fwhm,
        fwhm_error=peak.fwhm_error,
        counts=peak.counts,
        counts_error=peak.counts_error,
        chi2=fit.chi2,
        ndf=fit.ndf,
    )
