"""What a scan is: parameters and their values, and what is measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pixie_pipe.scanning.errors import ChoiceError
from pixie_pipe.scanning.measures import Need, find_measure
from pixie_pipe.scanning.runs import check_seconds
from pixie_pipe.scanning.values import chosen_bins

MOST_POINTS: Final = 100_000
"""More points than these would take days."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter of a scan.

    Attributes
    ----------
    parameter
        Its name, as XIA has it: ``TRIGGER_THRESHOLD``.
    values
        The values, in the order in which they are set.
    """

    parameter: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        if not self.parameter:
            raise ChoiceError("a parameter has no name")
        if not self.values:
            raise ChoiceError(f"there are no values for {self.parameter}")
        if not all(map(math.isfinite, self.values)):
            raise ChoiceError(f"a value for {self.parameter} is not finite")
        if len(set(self.values)) < len(self.values):
            raise ChoiceError(f"a value for {self.parameter} comes twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One or two parameters, set to all their values, and what is measured then.

    Attributes
    ----------
    axes
        The parameters. All values of the second are set for each of the first.
    measures
        Names of what is measured; see `MEASURES`.
    seconds
        How long data are taken at each point, in s.
    bins
        Range of the spectrum in which peaks and counts are looked for: the first bin,
        and the one behind the last; None for all.
    settle_s
        Time to wait after values were set, in s.

    Raises
    ------
    ChoiceError
        If anything makes no sense.
    """

    axes: tuple[Axis, ...]
    measures: tuple[str, ...]
    seconds: float = 1.0
    bins: tuple[int, int] | None = None
    settle_s: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= len(self.axes) <= 2:
            raise ChoiceError(
                f"a scan has {len(self.axes)} parameters, expected 1 or 2"
            )
        names = [axis.parameter for axis in self.axes]
        if len(set(names)) < len(names):
            raise ChoiceError(f"the parameter {names[0]} is named twice")
        if not self.measures:
            raise ChoiceError("nothing is measured: name at least one measure")
        if len(set(self.measures)) < len(self.measures):
            raise ChoiceError("a measure is named twice")
        for measure in self.measures:
            find_measure(measure)
        check_seconds(self.seconds)
        if not 0 <= self.settle_s < math.inf:
            raise ChoiceError(
                f"the settling time is {self.settle_s} s, expected 0 or more"
            )
        if self.bins is not None:
            chosen_bins(self.bins)
        if len(self) > MOST_POINTS:
            raise ChoiceError(
                f"the scan has {len(self)} points, expected at most {MOST_POINTS}"
            )

    def __len__(self) -> int:
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each parameter has."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(axis.parameter for axis in self.axes)

    @property
    def needs(self) -> frozenset[Need]:
        """What the measures are taken from."""
        return frozenset(find_measure(name).need for name in self.measures)

    @property
    def least_seconds(self) -> float:
        """How long it takes at least: the time of the runs and for settling."""
        run = 0.0 if self.needs == {Need.BASELINES} else self.seconds
        return len(self) * (run + self.settle_s)

    def points(self) -> list[tuple[float, ...]]:
        """Return the values of the parameters, point by point."""
        return list(itertools.product(*(axis.values for axis in self.axes)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "axes": [
                {"parameter": axis.parameter, "values": list(axis.values)}
                for axis in self.axes
            ],
            "measures": list(self.measures),
            "seconds": self.seconds,
            "bins": None if self.bins is None else list(self.bins),
            "settle_s": self.settle_s,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scan:
        """Return the scan that `to_dict` has described.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is no such description.
        """
        bins = values["bins"]
        return cls(
            axes=make_axes(
                (axis["parameter"], axis["values"]) for axis in values["axes"]
            ),
            measures=tuple(values["measures"]),
            seconds=float(values["seconds"]),
            bins=None if bins is None else (int(bins[0]), int(bins[1])),
            settle_s=float(values["settle_s"]),
        )


def make_axes(
    parameters: Iterable[tuple[str, Sequence[float]]],
) -> tuple[Axis, ...]:
    """Return the axes for names and values of parameters."""
    return tuple(Axis(name, tuple(values)) for name, values in parameters)
