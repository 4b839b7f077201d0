"""Time offsets of channels, from the time differences of coincident events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.calibration.errors import CalibrationError
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.spectra.fit import fit_peaks
from pixie_pipe.spectra.peaks import find_peaks

if TYPE_CHECKING:
    from pixie_pipe.spectra.time_differences import TimeDifferences

_LEAST_ERROR_NS: Final = 1e-3
"""Times are whole picoseconds: no difference is more certain than one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDifference:
    """How much later one channel is than another one.

    Attributes
    ----------
    first, second
        Names of the channels.
    ns, error_ns
        How much later the second one is, and the standard error.
    fwhm_ns
        Full width at half maximum of the peak.
    """

    first: str
    second: str
    ns: float
    error_ns: float
    fwhm_ns: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOffsets:
    """What is to be added to the times of channels.

    Attributes
    ----------
    reference
        Name of the channel whose offset is 0.
    offsets_ns, errors_ns
        Offsets and their standard errors, by name of the channel.
    differences
        What they were made of.
    chi2, ndf
        Chi-square of all differences, and degrees of freedom.
    """

    reference: str
    offsets_ns: Mapping[str, float]
    errors_ns: Mapping[str, float]
    differences: tuple[TimeDifference, ...]
    chi2: float
    ndf: int

    @property
    def residuals_ns(self) -> NDArray[np.float64]:
        """What is left of each difference if the offsets are added, in ns."""
        left = [
            one.ns + self.offsets_ns[one.second] - self.offsets_ns[one.first]
            for one in self.differences
        ]
        return np.array(left)


def measure_difference(histogram: TimeDifferences) -> TimeDifference:
    """Fit the peak of a histogram of time differences.

    Raises
    ------
    CalibrationError
        If there is no peak, or it cannot be fitted.
    """
    first, second = histogram.declaration.channels
    axis = histogram.axes[0]
    counts = histogram.counts[1:-1]
    found = find_peaks(counts, most=1)
    if not found:
        raise CalibrationError(f"{first} and {second}: there is no peak")
    try:
        (peak,) = fit_peaks(counts, found, edges=axis.edges).peaks
    except SpectraError as error:
        raise CalibrationError(f"{first} and {second}: {error}") from error
    return TimeDifference(
        first=first,
        second=second,
        ns=peak.position,
        error_ns=peak.position_error,
        fwhm_ns=peak.fwhm,
    )


def align(
    differences: Iterable[TimeDifference], *, reference: str | None = None
) -> TimeOffsets:
    """Find the offsets that leave the least of all differences: least squares.

    Parameters
    ----------
    differences
        Of pairs of channels, each with its error; pairs may form rings.
    reference
        Name of the channel that keeps its times; by default the first one.

    Raises
    ------
    CalibrationError
        If there is no difference, or channels are not connected to the reference.
    """
    pairs = tuple(differences)
    names = list(dict.fromkeys(n for one in pairs for n in (one.first, one.second)))
    if not names:
        raise CalibrationError("there is no time difference, expected at least one")
    reference = names[0] if reference is None else reference
    if reference not in names:
        raise CalibrationError(
            f"there is no time difference of the reference {reference}; channels: "
            f"{', '.join(names)}"
        )
    apart = sorted(set(names) - _connected(pairs, reference))
    if apart:
        raise CalibrationError(
            f"{', '.join(apart)} cannot be aligned: no time difference connects them "
            f"with {reference}"
        )
    free = [name for name in names if name != reference]
    matrix = np.zeros((len(pairs), len(free)))
    values = np.zeros(len(pairs))
    for row, one in enumerate(pairs):
        weight = 1 / max(one.error_ns, _LEAST_ERROR_NS)
        for name, sign in ((one.first, -1.0), (one.second, 1.0)):
            if name != reference:
                matrix[row, free.index(name)] += sign * weight
        values[row] = -one.ns * weight
    solved = np.linalg.lstsq(matrix, values)[0]
    errors = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)))
    return TimeOffsets(
        reference=reference,
        offsets_ns={reference: 0.0, **dict(zip(free, solved.tolist(), strict=True))},
        errors_ns={reference: 0.0, **dict(zip(free, errors.tolist(), strict=True))},
        differences=pairs,
        chi2=float(((matrix @ solved - values) ** 2).sum()),
        ndf=len(pairs) - len(free),
    )


def _connected(pairs: tuple[TimeDifference, ...], start: str) -> set[str]:
    """Return the channels that differences lead to, from one of them."""
    reached = {start}
    while True:
        more = {
            name
            for one in pairs
            for name in (one.first, one.second)
            if reached & {one.first, one.second}
        }
        if more <= reached:
            return reached
        reached |= more
