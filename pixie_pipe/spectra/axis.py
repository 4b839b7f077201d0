"""The axis of a histogram: equal bins from one value to another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Axis:
    """Bins of equal width.

    Attributes
    ----------
    name
        Name of what is counted: ``energy``, ``time_s``.
    label
        For people, with the unit.
    bins, low, high
        How many bins there are from `low` to `high`. A bin has its lower edge.
    is_whole
        Whether the values are whole numbers.
    """

    name: str
    label: str
    bins: int
    low: float
    high: float
    is_whole: bool = False

    @property
    def span(self) -> float:
        """From the lowest edge to the highest."""
        return self.high - self.low

    @property
    def shift(self) -> int:
        """How far whole numbers are shifted to get the bin; -1: that is not how."""
        width = self.span / self.bins
        if not self.is_whole or not self.low.is_integer() or width < 1:
            return -1
        mantissa, exponent = math.frexp(width)
        return exponent - 1 if mantissa == 0.5 else -1

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins, shape (bins + 1,)."""
        return np.linspace(self.low, self.high, self.bins + 1)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Edges between values, shape (bins + 1,).

        A whole number *n* is counted from *n*, but stands for n - 1/2 to n + 1/2: so
        the mean of what is in a bin of whole numbers is in the middle between these.
        """
        return self.edges - 0.5 if self.is_whole else self.edges
