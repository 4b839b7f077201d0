"""Polynomials through points with errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixie_pipe.calibration.errors import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_DEGREE: Final = 3

_ROUNDS: Final = 5
"""The weights follow the slope, the slope the weights: this often is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polynomial:
    """A polynomial, and how well it fits.

    Attributes
    ----------
    coefficients
        That of x**0 first.
    errors
        Their standard errors; 0 of one that was fixed.
    chi2, ndf
        Chi-square, and degrees of freedom.
    """

    coefficients: tuple[float, ...]
    errors: tuple[float, ...]
    chi2: float = 0.0
    ndf: int = 0

    def __call__(self, x: Any) -> NDArray[np.float64]:  # noqa: ANN401 - as numpy has it
        """Return the values at `x`, of the same shape."""
        return _values(x, self.coefficients)

    def slope(self, x: Any) -> NDArray[np.float64]:  # noqa: ANN401 - as above
        """Return the derivatives at `x`, of the same shape."""
        return _values(x, [k * c for k, c in enumerate(self.coefficients)][1:])


def _values(x: Any, coefficients: Sequence[float]) -> NDArray[np.float64]:  # noqa: ANN401 - as numpy has it
    places = np.asarray(x, np.float64)
    values = np.zeros(places.shape)
    for coefficient in reversed(coefficients):
        values = values * places + coefficient
    return values


def fit_polynomial(
    x: ArrayLike,
    errors: ArrayLike,
    y: ArrayLike,
    *,
    degree: int = 1,
    through_zero: bool = False,
) -> Polynomial:
    """Fit a polynomial to points whose x is uncertain: least squares.

    Parameters
    ----------
    x, errors
        Places and their standard errors, shape (n,).
    y
        Exact values there, shape (n,).
    degree
        1 to 3.
    through_zero
        Fix the value at 0 to 0.

    Raises
    ------
    CalibrationError
        If there are too few points, or they do not fix the polynomial.
    """
    if not 1 <= degree <= MOST_DEGREE:
        raise CalibrationError(f"the degree is {degree}, expected 1 to {MOST_DEGREE}")
    powers = np.arange(1 if through_zero else 0, degree + 1)
    places, spreads, values = (np.asarray(part, np.float64) for part in (x, errors, y))
    if places.size < powers.size:
        raise CalibrationError(
            f"a polynomial of degree {degree} needs {powers.size} lines at least, "
            f"there are {places.size}; take a lower degree, more sources, or one "
            f"through zero"
        )
    # Of the order of 1, so that the powers are, too.
    scale = float(np.abs(places).max())
    table = (places[:, None] / scale) ** powers
    slope = np.full(places.size, values.max() / scale)
    for _ in range(_ROUNDS):
        weights = 1 / (np.abs(slope) * spreads)
        matrix = table * weights[:, None]
        solved, _, rank, _ = np.linalg.lstsq(matrix, values * weights)
        if rank < powers.size:
            raise CalibrationError("two lines are at the same place")
        slope = (table * powers / places[:, None]) @ solved
        if not slope.all():
            raise CalibrationError("the polynomial is flat at a line")
    covariance = np.linalg.inv(matrix.T @ matrix)
    factors = scale ** -powers.astype(np.float64)
    coefficients, sigmas = np.zeros(degree + 1), np.zeros(degree + 1)
    coefficients[powers] = solved * factors
    sigmas[powers] = np.sqrt(np.diag(covariance)) * factors
    return Polynomial(
        coefficients=tuple(coefficients.tolist()),
        errors=tuple(sigmas.tolist()),
        chi2=float((((table @ solved - values) * weights) ** 2).sum()),
        ndf=places.size - powers.size,
    )
