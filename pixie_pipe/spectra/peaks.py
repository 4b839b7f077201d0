"""Peaks of spectra, found and measured without a fit.

Scans have to measure many spectra with few counts and unknown shapes, where a fit that
does not converge would spoil a point. Positions are centroids; widths are taken at half
of the height of a smoothed spectrum, and what the smoothing adds is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.spectra.errors import SpectraError

_FWHM_OF_SIGMA: Final = 2 * math.sqrt(2 * math.log(2))

_EDGE: Final = 0.1
"""Part of a range, at each of its ends, that is taken for background."""

_WINDOW: Final = 0.5
"""The smoothing window is this part of the width of the peak."""

_FIRST_SIGMA: Final = 1.5
_SIGMA_STEP: Final = 1.5
"""The standard deviations that are tried, in bins: the first, and their ratio."""

_LEAST_SIGMAS: Final = 3.0
"""A peak whose counts are less certain than this is none."""

_WIDTH_ERROR: Final = 2.1
"""The width at half height is this much less certain than one from all counts (for
which it is w / sqrt(2 N)): from simulated peaks of 300 to 30 000 counts, with flat
background and without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A peak of a spectrum; all values are nan if there is none.

    Attributes
    ----------
    position, position_error
        Its centroid, in bins: that of bin number n is n.
    width, width_error
        Its full width at half maximum, in bins.
    counts, counts_error
        Its counts above the background.
    """

    position: float = math.nan
    position_error: float = math.nan
    width: float = math.nan
    width_error: float = math.nan
    counts: float = math.nan
    counts_error: float = math.nan

    @property
    def is_there(self) -> bool:
        """Whether there is a peak."""
        return not math.isnan(self.position)


NO_PEAK: Final = Peak()


def check_bins(bins: tuple[int, int], size: int | None = None) -> tuple[int, int]:
    """Return a range of bins: the first one, and the one behind the last.

    Raises
    ------
    SpectraError
        If it is empty, or not within a spectrum of `size` bins.
    """
    first, last = bins
    if not 0 <= first < last or (size is not None and last > size):
        within = "" if size is None else f" within the {size} bins of the spectrum"
        raise SpectraError(
            f"the range of bins is {first}:{last}, expected FIRST:END with 0 <= FIRST "
            f"< END{within}"
        )
    return first, last


def measure_peak(counts: NDArray[Any], bins: tuple[int, int] | None = None) -> Peak:
    """Measure the highest peak of a range, or the clearest one of a whole spectrum.

    Parameters
    ----------
    counts
        The spectrum, shape (bins,).
    bins
        The first bin, and the one behind the last. The background is the straight line
        through the outer tenths of the range: there should be no other peaks. None:
        the peak that `find_peaks` gives first.

    Returns
    -------
    Peak
        The peak; `Peak.is_there` is false if nothing stands out by 3 standard errors.

    Raises
    ------
    SpectraError
        If the range is not within the spectrum.
    """
    if bins is None:
        found = find_peaks(counts, most=1)
        return found[0] if found else NO_PEAK
    first, last = check_bins(bins, counts.size)
    values = np.asarray(counts[first:last], np.float64)
    if values.size < 3 or not values.any():
        return NO_PEAK
    background = _background(values)
    net = values - background
    located = _locate(values, net)
    if located is None:
        return NO_PEAK
    top, width = located
    centre, low, high = _centroid(net, top, width)
    area = float(net[low:high].sum())
    # The background is known from the edges of the range, hardly worse than here.
    error = math.sqrt(max(area + 2 * float(background[low:high].sum()), 1.0))
    if area < _LEAST_SIGMAS * error:
        return NO_PEAK
    relative = error / area
    return Peak(
        position=first + centre,
        position_error=width / _FWHM_OF_SIGMA * relative,
        width=width,
        width_error=_WIDTH_ERROR * width * relative / math.sqrt(2),
        counts=area,
        counts_error=error,
    )


def _background(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the straight line through the means of the edges."""
    edge = max(int(values.size * _EDGE), 1)
    left, right = values[:edge].mean(), values[-edge:].mean()
    places = np.arange(values.size) - (edge - 1) / 2
    line: NDArray[np.float64] = left + (right - left) * places / (values.size - edge)
    return np.maximum(line, 0.0)


def _locate(
    values: NDArray[np.float64], net: NDArray[np.float64]
) -> tuple[int, float] | None:
    """Return the highest bin and the width at half height, or None."""
    best = max(
        (
            (float(clear.max()), sigma)
            for sigma, clear in _answers(net, values, net.size / 4)
        ),
        default=None,
    )
    if best is None or best[0] <= 0:
        return None
    width = _FWHM_OF_SIGMA * best[1]
    # The window follows the width, and the width the window, in a few steps.
    for _ in range(6):
        window = max(round(_WINDOW * width) | 1, 1)
        smoothed = _smooth(net, min(window, net.size))
        top = int(smoothed.argmax())
        crossings = _half_height(smoothed, top)
        if smoothed[top] <= 0 or crossings is None:
            return None
        seen = crossings[1] - crossings[0]
        added = _FWHM_OF_SIGMA**2 * (window**2 - 1) / 12
        before, width = width, math.sqrt(max(seen**2 - added, 1.0))
        if abs(width - before) < 0.02 * width:
            break
    return top, width


def _smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the running mean of an odd number of bins."""
    return np.convolve(values, np.full(window, 1 / window), "same")


def _half_height(values: NDArray[np.float64], top: int) -> tuple[float, float] | None:
    """Return where the sides of a peak cross half of its height, or None."""
    half = values[top] / 2
    below = np.flatnonzero(values < half)
    left, right = below[below < top], below[below > top]
    if left.size == 0 or right.size == 0:
        return None
    low, high = int(left[-1]), int(right[0])
    rise = (half - values[low]) / (values[low + 1] - values[low])
    fall = (values[high - 1] - half) / (values[high - 1] - values[high])
    return low + rise, high - 1 + fall


def _centroid(
    net: NDArray[np.float64], top: int, width: float
) -> tuple[float, int, int]:
    """Return the centroid within one width on both sides, and the bins of the peak."""
    reach = max(1.25 * width, 1.0)
    centre, low, high = float(top), 0, net.size
    for _ in range(5):
        low = max(round(centre - reach), 0)
        high = min(round(centre + reach) + 1, net.size)
        weights = net[low:high]
        total = weights.sum()
        if total <= 0:
            break
        moved = float(np.dot(weights, np.arange(low, high)) / total)
        moved = min(max(moved, low), high - 1)
        if abs(moved - centre) < 1e-3:
            break
        centre = moved
    return centre, low, high


def find_peaks(
    counts: NDArray[Any],
    *,
    bins: tuple[int, int] | None = None,
    significance: float = 6.0,
    most: int = 30,
) -> list[Peak]:
    """Find the peaks of a spectrum.

    The spectrum is compared to the second derivative of Gaussians, of which the
    standard deviations go from 1.5 bins up in steps of 1.5 times (M. A. Mariscotti,
    Nucl. Instrum. Methods 50 (1967) 309, has one width).

    Parameters
    ----------
    counts
        The spectrum, shape (bins,).
    bins
        Range to look at: the first bin, and the one behind the last.
    significance
        How many standard errors a peak must stand out.
    most
        Most peaks to return.

    Returns
    -------
    list of Peak
        The clearest first.

    Raises
    ------
    SpectraError
        If the range is not within the spectrum.
    """
    first, last = check_bins(bins or (0, counts.size), counts.size)
    values = np.asarray(counts[first:last], np.float64)
    found: list[Peak] = []
    taken: list[tuple[float, float]] = []
    for place, sigma in _candidates(values, significance):
        if any(abs(place - other) < 3 * max(sigma, wide) for other, wide in taken):
            continue
        peak = measure_peak(values, _around(place, sigma, values.size, taken))
        if not peak.is_there:
            taken.append((place, sigma))
            continue
        # The clearest answer may be that to several peaks together: what is taken is
        # only the one that was measured.
        own = peak.width / _FWHM_OF_SIGMA
        if all(abs(peak.position - other) >= 3 * wide for other, wide in taken):
            found.append(_moved(peak, first))
        taken.append((peak.position, own))
        if len(found) == most:
            break
    return found


def _around(
    place: int, sigma: float, size: int, taken: list[tuple[float, float]]
) -> tuple[int, int]:
    """Return the range in which a peak is measured: half way to others, at most."""
    reach = round(4 * sigma) + 2
    low, high = max(place - reach, 0), min(place + reach + 1, size)
    for other, _ in taken:
        middle = round((place + other) / 2)
        if other < place:
            low = max(low, middle)
        else:
            high = min(high, middle)
    return low, max(high, low + 1)


def _moved(peak: Peak, by: int) -> Peak:
    return replace(peak, position=peak.position + by)


def _candidates(
    values: NDArray[np.float64], significance: float
) -> list[tuple[int, float]]:
    """Return places and standard deviations, the most significant first."""
    candidates: list[tuple[float, int, float]] = []
    for sigma, clear in _answers(values, values, values.size / 24):
        # The kernel hangs over the ends there.
        reach = _reach(sigma)
        clear[:reach] = clear[-reach:] = 0
        is_top = (clear[1:-1] >= clear[:-2]) & (clear[1:-1] > clear[2:])
        tops = np.flatnonzero(is_top & (clear[1:-1] > significance)) + 1
        candidates += [(float(clear[top]), int(top), sigma) for top in tops.tolist()]
    candidates.sort(reverse=True)
    return [(place, sigma) for _, place, sigma in candidates]


def _reach(sigma: float) -> int:
    return math.ceil(4 * sigma)


def _answers(
    values: NDArray[np.float64], counts: NDArray[np.float64], largest: float
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Yield standard deviations, and how clearly such peaks stand out at each bin.

    Parameters
    ----------
    values
        The spectrum, with or without background.
    counts
        The spectrum with background, which tells the statistical errors.
    largest
        Largest standard deviation.
    """
    sigma = _FIRST_SIGMA
    while sigma <= largest:
        reach = _reach(sigma)
        places = np.arange(-reach, reach + 1) / sigma
        kernel = (1 - places**2) * np.exp(-(places**2) / 2)
        kernel -= kernel.mean()
        variance = _convolved(counts, kernel**2)
        yield sigma, _convolved(values, kernel) / np.sqrt(variance.clip(min=1.0))
        sigma *= _SIGMA_STEP


def _convolved(
    values: NDArray[np.float64], kernel: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what np.convolve(..., "same") does for a longer first array, but fast."""
    size = values.size + kernel.size - 1
    length = 1 << (size - 1).bit_length()
    spectrum = np.fft.rfft(values, length) * np.fft.rfft(kernel, length)
    whole = np.fft.irfft(spectrum, length)
    start = kernel.size // 2
    return whole[start : start + values.size]
