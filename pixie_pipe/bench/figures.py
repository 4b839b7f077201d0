"""Measured figures: their median and spread, in tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One quantity, measured in one or more rounds.

    Attributes
    ----------
    values
        One value for each round, at least one.
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one of the values."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(self.values)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return _number(self.median)
        return f"{_number(self.median)} ({_number(self.low)}–{_number(self.high)})"


def figure(values: Sequence[float] | float) -> Figure:
    """Return a figure of one value, or of one for each round."""
    return Figure(tuple(values) if isinstance(values, Sequence) else (float(values),))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Figure:
    """Return the ratios of what was measured in the same rounds."""
    return Figure(
        tuple(one / other for one, other in zip(numerators, denominators, strict=True))
    )


@dataclass(frozen=True)
class Table:
    """Figures of several cases.

    Attributes
    ----------
    head
        What a row is.
    rows
        Figures by name of the case and by quantity, which has its unit in its name.
    """

    head: str
    rows: Mapping[str, Mapping[str, Figure]]

    @property
    def columns(self) -> tuple[str, ...]:
        """All quantities."""
        return tuple(dict.fromkeys(name for row in self.rows.values() for name in row))

    def texts(self) -> list[list[str]]:
        """Return the lines of the table, the names of the columns first."""
        lines = [[self.head, *self.columns]]
        for case, row in self.rows.items():
            cells = (str(row[name]) if name in row else "" for name in self.columns)
            lines.append([case, *cells])
        return lines


@dataclass(frozen=True)
class Section:
    """What one benchmark found.

    Attributes
    ----------
    title
        What it is about.
    method
        How it was measured.
    tables
        The figures.
    seconds
        How long it took.
    """

    title: str
    method: str
    tables: tuple[Table, ...]
    seconds: float = field(default=0.0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, as plain numbers and texts."""
        return {
            "title": self.title,
            "method": self.method,
            "seconds": round(self.seconds, 3),
            "figures": [
                {
                    table.head: case,
                    "quantity": quantity,
                    "median": one.median,
                    "low": one.low,
                    "high": one.high,
                    "values": list(one.values),
                }
                for table in self.tables
                for case, row in table.rows.items()
                for quantity, one in row.items()
            ],
        }


def _number(value: float) -> str:
    """Return a number with three digits that matter."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.095 else f"{value:.2g}"
