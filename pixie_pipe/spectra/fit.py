"""Fits of peaks to spectra, by the likelihood of the counts.

The counts of each bin are taken as those of a Poisson distribution, so that bins with
few of them, or none, count as they should. What is minimized is twice the logarithm of
the ratio of likelihoods (S. Baker, R. D. Cousins, Nucl. Instrum. Methods 221 (1984)
437), which is also the chi-square that is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.spectra.errors import FitError, SpectraError
from pixie_pipe.spectra.peaks import Peak, check_bins

if TYPE_CHECKING:
    from collections.abc import Callable

Background: TypeAlias = Literal["linear", "step"]

FWHM_OF_SIGMA: Final = 2 * math.sqrt(2 * math.log(2))

REACH: Final = 2.5
"""How many widths (FWHM) beside the outermost peaks are fitted."""

_LEAST_FREE: Final = 3
"""More bins than parameters, at least."""

_PER_PEAK: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPeak:
    """A peak as it was fitted; positions are values on the axis, not bins.

    Attributes
    ----------
    position, position_error
        Where its centre is.
    fwhm, fwhm_error
        Its full width at half maximum.
    counts, counts_error
        Its counts above the background.
    """

    position: float
    position_error: float
    fwhm: float
    fwhm_error: float
    counts: float
    counts_error: float

    @property
    def sigma(self) -> float:
        """Its standard deviation."""
        return self.fwhm / FWHM_OF_SIGMA


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeakFit:
    """Peaks that were fitted together.

    Attributes
    ----------
    peaks
        The peaks, by position.
    edges
        Edges of the bins that were fitted, shape (bins + 1,).
    counts
        Counts of these bins, shape (bins,).
    parameters
        Values of all parameters, as `expected` takes them.
    background
        Its form.
    chi2, ndf
        Chi-square, and degrees of freedom.
    """

    peaks: tuple[FittedPeak, ...]
    edges: NDArray[np.float64]
    counts: NDArray[np.float64]
    parameters: tuple[float, ...]
    background: Background
    chi2: float
    ndf: int

    @property
    def expected(self) -> NDArray[np.float64]:
        """Counts of each bin by the fit, shape (bins,)."""
        model = _model(len(self.peaks), self.edges, self.background)
        counts: NDArray[np.float64] = np.diff(model(self.edges, *self.parameters))
        return counts

    @property
    def residuals(self) -> NDArray[np.float64]:
        """Counts less those by the fit, in standard deviations; shape (bins,)."""
        expected = self.expected
        spread: NDArray[np.float64] = np.sqrt(expected.clip(min=1.0))
        found: NDArray[np.float64] = (self.counts - expected) / spread
        return found


def fit_peaks(
    counts: NDArray[Any],
    peaks: Sequence[Peak],
    *,
    edges: NDArray[Any] | None = None,
    bins: tuple[int, int] | None = None,
    background: Background = "linear",
) -> PeakFit:
    """Fit Gaussian peaks on a background.

    Parameters
    ----------
    counts
        The spectrum, shape (bins,).
    peaks
        The peaks that are there, as `find_peaks` finds them: where a fit begins.
    edges
        Edges of the bins, shape (bins + 1,); by default bin *n* goes from n - 1/2 to
        n + 1/2, as positions of `Peak` do.
    bins
        What is fitted: the first bin, and the one behind the last; by default all
        within 2.5 widths of the peaks.
    background
        ``linear``: a straight line; ``step``: that, and a step below each peak, in
        parts of its height, which quanta leave that were scattered by a small angle.

    Returns
    -------
    PeakFit
        Peaks, background and how well they fit.

    Raises
    ------
    SpectraError
        If the arguments make no sense, or there are too few bins.
    FitError
        If the fit does not converge, or a peak runs out of its range.
    MissingExtraError
        If iminuit is not installed.
    """
    values = np.asarray(counts, np.float64)
    numbered = np.arange(values.size + 1, dtype=np.float64) - 0.5
    places = numbered if edges is None else np.asarray(edges, np.float64)
    if places.shape != (values.size + 1,):
        raise SpectraError(
            f"there are {places.size} edges for {values.size} bins, expected "
            f"{values.size + 1}"
        )
    if not peaks:
        raise SpectraError("there is no peak to fit, expected at least one")
    first, last = check_bins(bins or _range(peaks, values.size), values.size)
    free = last - first - _number_of_parameters(len(peaks), background)
    if free < _LEAST_FREE:
        raise SpectraError(
            f"{last - first} bins are too few to fit {len(peaks)} peaks; take more, "
            f"or bins that are less wide"
        )
    part, where = values[first:last], places[first : last + 1]
    start = _start(part, where, [_placed(peak, places) for peak in peaks], background)
    found, errors, chi2 = _minimize(part, where, start, background, len(peaks))
    fitted = [
        _peak(found[k : k + _PER_PEAK], errors[k : k + _PER_PEAK])
        for k in range(0, _PER_PEAK * len(peaks), _PER_PEAK)
    ]
    _check(fitted, where)
    return PeakFit(
        peaks=tuple(sorted(fitted, key=lambda peak: peak.position)),
        edges=where,
        counts=part,
        parameters=tuple(found),
        background=background,
        chi2=chi2,
        ndf=free,
    )


def group_peaks(peaks: Sequence[Peak]) -> list[list[Peak]]:
    """Part peaks into groups that must be fitted together, because they overlap."""
    groups: list[list[Peak]] = []
    for peak in sorted(peaks, key=lambda one: one.position):
        if groups:
            before = groups[-1][-1]
            reach = REACH * max(before.width, peak.width)
            if peak.position - before.position < reach:
                groups[-1].append(peak)
                continue
        groups.append([peak])
    return groups


def _range(peaks: Sequence[Peak], size: int) -> tuple[int, int]:
    low = min(peak.position - REACH * peak.width for peak in peaks)
    high = max(peak.position + REACH * peak.width for peak in peaks)
    return max(math.floor(low), 0), min(math.ceil(high) + 1, size)


def _placed(peak: Peak, edges: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return position and standard deviation on the axis, and counts."""
    bins = np.arange(edges.size) - 0.5
    ends = (
        peak.position - peak.width / 2,
        peak.position,
        peak.position + peak.width / 2,
    )
    left, centre, right = np.interp(ends, bins, edges)
    return float(centre), float(right - left) / FWHM_OF_SIGMA, peak.counts


def _number_of_parameters(peaks: int, background: Background) -> int:
    return _PER_PEAK * peaks + 2 + (background == "step")


def _start(
    counts: NDArray[np.float64],
    edges: NDArray[np.float64],
    peaks: Sequence[tuple[float, float, float]],
    background: Background,
) -> list[float]:
    """Return values of the parameters to begin with."""
    widths = np.diff(edges)
    outer = max(counts.size // 8, 1)
    levels = [
        max(float(part.sum() / width.sum()), 0.1 / float(widths.mean()) / counts.size)
        for part, width in (
            (counts[:outer], widths[:outer]),
            (counts[-outer:], widths[-outer:]),
        )
    ]
    values = [
        value
        for position, sigma, number in peaks
        for value in (max(number, 1.0), position, sigma)
    ]
    return [*values, *levels, *([0.01] if background == "step" else [])]


def _model(
    peaks: int, edges: NDArray[np.float64], background: Background
) -> Callable[..., NDArray[np.float64]]:
    """Return the integral of all that is expected, from the first edge on.

    Its parameters are counts, position and standard deviation of each peak, the
    densities of the line at the first and the last edge, and the step below the peaks
    as a part of their height.
    """
    special = optional_import("scipy.special", "fit")
    low, high = float(edges[0]), float(edges[-1])

    def integral(x: NDArray[np.float64], *values: float) -> NDArray[np.float64]:
        left, right = values[_PER_PEAK * peaks : _PER_PEAK * peaks + 2]
        u = x - low
        total = left * u + (right - left) / (high - low) * u**2 / 2
        for k in range(0, _PER_PEAK * peaks, _PER_PEAK):
            number, position, sigma = values[k : k + _PER_PEAK]
            z = (x - position) / sigma
            below = special.ndtr(z)
            total = total + number * below
            if background == "step":
                density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
                height = values[-1] * number / (sigma * math.sqrt(2 * math.pi))
                # The integral of 1 - ndtr(z), which is 1 far to the left.
                total = total + height * (x - sigma * (z * below + density))
        return np.asarray(total)

    return integral


def _minimize(
    counts: NDArray[np.float64],
    edges: NDArray[np.float64],
    start: list[float],
    background: Background,
    peaks: int,
) -> tuple[list[float], list[float], float]:
    """Return the best values, their errors, and the chi-square."""
    iminuit = optional_import("iminuit", "fit")
    cost = optional_import("iminuit.cost", "fit")
    model = _model(peaks, edges, background)
    names = [f"p{k}" for k in range(len(start))]
    likelihood = cost.ExtendedBinnedNLL(
        counts, edges, lambda x, values: model(x, *values)
    )
    minuit = iminuit.Minuit(likelihood, np.array(start), name=names)
    span = float(edges[-1] - edges[0])
    least = float(np.diff(edges).min()) / 4
    for k in range(0, _PER_PEAK * peaks, _PER_PEAK):
        minuit.limits[k] = (0, None)
        minuit.limits[k + 1] = (float(edges[0]), float(edges[-1]))
        minuit.limits[k + 2] = (least, span)
    for k in range(_PER_PEAK * peaks, len(start)):
        minuit.limits[k] = (0, None)
    minuit.strategy = 1
    minuit.migrad()
    if not minuit.valid:
        # Once more, from where it is: the first estimate of a width may be far off.
        minuit.simplex().migrad()
    minuit.hesse()
    errors = [float(error) for error in minuit.errors]
    if not minuit.valid or not all(map(math.isfinite, errors)):
        raise FitError(
            f"the fit of {peaks} peaks from {edges[0]:g} to {edges[-1]:g} does not "
            f"converge; take another range, or fewer peaks"
        )
    return [float(value) for value in minuit.values], errors, float(minuit.fval)


def _peak(values: Sequence[float], errors: Sequence[float]) -> FittedPeak:
    return FittedPeak(
        counts=values[0],
        counts_error=errors[0],
        position=values[1],
        position_error=errors[1],
        fwhm=FWHM_OF_SIGMA * values[2],
        fwhm_error=FWHM_OF_SIGMA * errors[2],
    )


def _check(peaks: Sequence[FittedPeak], edges: NDArray[np.float64]) -> None:
    span = float(edges[-1] - edges[0])
    for peak in peaks:
        is_inside = edges[0] < peak.position < edges[-1]
        if not is_inside or peak.fwhm > span or peak.counts <= peak.counts_error:
            raise FitError(
                f"the fit from {edges[0]:g} to {edges[-1]:g} found no peak: "
                f"{peak.counts:.0f} counts at {peak.position:g}, {peak.fwhm:g} wide; "
                f"take another range"
            )
