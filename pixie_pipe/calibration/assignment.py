"""Which peak is which line.

Each pair of peaks is tried as each pair of lines. A pair gives a straight line from
position to energy; it must rise, and nearly go through zero, as the energies of the
modules do. What it says of all other lines decides: strong lines in the range that have
no peak speak against it, lines that have one for it, and more so if the peak is high.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.calibration.errors import CalibrationError

if TYPE_CHECKING:
    from pixie_pipe.calibration.lines import KnownLine
    from pixie_pipe.spectra.peaks import Peak

MOST_PEAKS: Final = 16
"""Peaks that are tried, the clearest ones."""

MOST_OFFSET: Final = 0.05
"""Most that a straight line misses zero, as a part of the highest energy: 5 % are more
than the offsets of modules, and less than the distance of the two lines of Co-60."""

_NEAR: Final = 0.7
"""A peak is at a line if it is nearer than this part of its width (FWHM)."""

_GAIN_SPREAD: Final = 0.2
"""How far a gain may be from what was said about it, as a part of it."""


def assign_lines(
    peaks: Sequence[Peak],
    lines: Sequence[KnownLine],
    *,
    gain: float | None = None,
    end: float = math.inf,
) -> list[tuple[Peak, KnownLine]]:
    """Find the peaks of known lines.

    Parameters
    ----------
    peaks
        Peaks whose positions and widths are values on the axis, the clearest first.
    lines
        Lines of the sources.
    gain
        About how many keV a unit of the axis is, if that is known: within 20 %.
    end
        Where the axis ends: lines beyond are not missed.

    Returns
    -------
    list of (Peak, KnownLine)
        The pairs, by energy; each peak and each line at most once.

    Raises
    ------
    CalibrationError
        If no peak fits any line.
    """
    tried = [peak for peak in peaks if peak.position > 0][:MOST_PEAKS]
    best: tuple[float, list[tuple[Peak, KnownLine]]] = (0.0, [])
    for offset, slope in _straight_lines(tried, lines):
        if gain is not None and abs(slope / gain - 1) > _GAIN_SPREAD:
            continue
        found = _score(tried, lines, offset, slope, end)
        if found[0] > best[0]:
            best = found
    if not best[1]:
        names = ", ".join(dict.fromkeys(line.source for line in lines))
        raise CalibrationError(
            f"none of the {len(tried)} peaks can be told to be a line of {names}; take "
            f"more data, another source, or say about how many keV a unit is (gain)"
        )
    return best[1]


def _straight_lines(
    peaks: Sequence[Peak], lines: Sequence[KnownLine]
) -> Iterator[tuple[float, float]]:
    """Yield offsets and slopes that could be."""
    highest = max(line.kev for line in lines)
    for peak, line in itertools.product(peaks, lines):
        yield 0.0, line.kev / peak.position
    by_place = sorted(peaks, key=lambda peak: peak.position)
    by_energy = sorted(lines, key=lambda line: line.kev)
    for low, high in itertools.combinations(by_place, 2):
        for first, second in itertools.combinations(by_energy, 2):
            slope = (second.kev - first.kev) / (high.position - low.position)
            offset = first.kev - slope * low.position
            if slope > 0 and abs(offset) <= MOST_OFFSET * highest:
                yield offset, slope


def _score(
    peaks: Sequence[Peak],
    lines: Sequence[KnownLine],
    offset: float,
    slope: float,
    end: float,
) -> tuple[float, list[tuple[Peak, KnownLine]]]:
    """Return how well lines and peaks go together, and the pairs."""
    strongest = max(line.per_decay for line in lines)
    highest = max(line.kev for line in lines)
    most = max(peak.counts for peak in peaks)
    free = list(peaks)
    pairs: list[tuple[Peak, KnownLine]] = []
    # Of the same quality, the one that is nearer to zero.
    score = -0.1 * abs(offset) / (MOST_OFFSET * highest)
    for line in sorted(lines, key=lambda one: -one.per_decay):
        weight = math.sqrt(line.per_decay / strongest)
        place = (line.kev - offset) / slope
        near = [peak for peak in free if _distance(peak, place) < 1]
        if not near:
            score -= weight * (place < end)
            continue
        peak = min(near, key=lambda one: _distance(one, place))
        free.remove(peak)
        pairs.append((peak, line))
        height = math.sqrt(peak.counts / most)
        score += weight * (1 - _distance(peak, place) ** 2) * (0.5 + height)
    return score, sorted(pairs, key=lambda pair: pair[1].kev)


def _distance(peak: Peak, place: float) -> float:
    """Return how far a peak is from a place, in parts of what is near enough."""
    return float(np.abs(peak.position - place) / (_NEAR * peak.width))
