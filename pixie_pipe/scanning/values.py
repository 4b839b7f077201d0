"""Values of a parameter, as text: ``10:100:5``, ``1,2,5``, or both."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Final

from pixie_pipe.scanning.errors import ChoiceError

MOST_VALUES: Final = 10_000
"""More values than these of one parameter are taken for a slip of the pen."""

_HINT: Final = "expected START:STOP:STEP, values with commas, or both: 10:50:10,75,100"


def parse_values(text: str) -> tuple[float, ...]:
    """Return the values that a text names, in its order.

    Parameters
    ----------
    text
        ``START:STOP:STEP`` includes STOP if it is a whole number of steps away; the
        step may be negative. Several ranges and single values stand with commas.

    Raises
    ------
    ChoiceError
        If it is something else, there are too many values, or one comes twice.

    Examples
    --------
    >>> parse_values("0.1:0.3:0.1,1")
    (0.1, 0.2, 0.3, 1.0)
    """
    values: list[float] = []
    for part in text.split(","):
        values += _range(part, text)
        if len(values) > MOST_VALUES:
            raise ChoiceError(f"{text!r} has more than {MOST_VALUES} values")
    if len(set(values)) < len(values):
        raise ChoiceError(f"{text!r} names a value twice")
    return tuple(values)


def _range(part: str, text: str) -> list[float]:
    numbers = [_number(item, text) for item in part.split(":")]
    if len(numbers) == 1:
        return [float(numbers[0])]
    if len(numbers) != 3:
        raise ChoiceError(f"{part!r} is no range of values; {_HINT}")
    start, stop, step = numbers
    if step == 0 or (stop - start) / step < 0:
        raise ChoiceError(
            f"{part!r}: the step {step} does not lead from {start} to {stop}"
        )
    # In decimals: 0.1 added up does not drift.
    count = int((stop - start) / step) + 1
    if count > MOST_VALUES:
        raise ChoiceError(f"{text!r} has more than {MOST_VALUES} values")
    return [float(start + number * step) for number in range(count)]


def _number(item: str, text: str) -> Decimal:
    try:
        number = Decimal(item.strip())
    except InvalidOperation as error:
        raise ChoiceError(f"{_named(item, text)} is no number; {_HINT}") from error
    if not number.is_finite():
        raise ChoiceError(f"{_named(item, text)} is not finite; {_HINT}")
    return number


def _named(part: str, text: str) -> str:
    """Return a part of a text for an error, with the text if that is longer."""
    return repr(part) if part == text else f"{text!r}: {part!r}"


def parse_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that a text names, such as ``0,4-7``, in its order.

    Raises
    ------
    ChoiceError
        If it is something else.

    Examples
    --------
    >>> parse_numbers("0,4-7")
    (0, 4, 5, 6, 7)
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or not (last.isdecimal() if dash else True):
            raise ChoiceError(
                f"{_named(part, text)} is no number; expected such as 0,4-7"
            )
        end = int(last) if dash else int(first)
        if end < int(first) or end > MOST_VALUES:
            raise ChoiceError(
                f"{_named(part, text)} is no range; expected such as 0,4-7"
            )
        numbers += range(int(first), end + 1)
    return tuple(numbers)


def parse_bins(text: str) -> tuple[int, int]:
    """Return the range of bins that a text such as ``1000:2000`` names.

    Raises
    ------
    ChoiceError
        If it is something else, or empty.
    """
    first, _, last = text.partition(":")
    if not first.strip().isdecimal() or not last.strip().isdecimal():
        raise ChoiceError(
            f"{text!r} is no range of bins, expected FIRST:END such as 1000:2000"
        )
    return chosen_bins((int(first), int(last)))


def chosen_bins(bins: tuple[int, int], size: int | None = None) -> tuple[int, int]:
    """Return a range of bins: the first one, and the one behind the last.

    Raises
    ------
    ChoiceError
        If it is empty, or not within a spectrum of `size` bins.
    """
    from pixie_pipe.spectra.errors import SpectraError
    from pixie_pipe.spectra.peaks import check_bins

    try:
        return check_bins(bins, size)
    except SpectraError as error:
        raise ChoiceError(str(error)) from error


def parse_span(text: str) -> tuple[float, float]:
    """Return the range of times that a text such as ``-2:20.5`` names.

    Raises
    ------
    ChoiceError
        If it is something else, or empty.
    """
    parts = text.split(":")
    try:
        first, last = (float(part) for part in parts)
    except ValueError as error:
        raise ChoiceError(
            f"{text!r} is no range of times, expected FIRST:LAST in µs such as -2:20"
        ) from error
    if not -math.inf < first < last < math.inf:
        raise ChoiceError(f"{text!r} is no range of times, expected FIRST before LAST")
    return first, last
