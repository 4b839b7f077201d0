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
from pixie_pipe.scanning.values import chosen_bins, parse_values
from pixie_pipe.settings import (
    CHANNEL_PARAMETERS,
    FIELDS,
    MODULE_PARAMETERS,
    BitField,
    SettingsError,
)
from pixie_pipe.settings.wanted import check_value

MOST_POINTS: Final = 100_000
"""More points than these would take days."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter of a scan.

    Attributes
    ----------
    parameter
        Its name, as XIA has it: ``TRIGGER_THRESHOLD``; or that of named bits:
        ``Polarity``.
    values
        The values, in the order in which they are set. Those of named bits may be given
        as words (``on``, ``positive``) or as what `BitField.get` returns; kept are the
        numbers in the bits.

    Raises
    ------
    ChoiceError
        If there is no such parameter, or it cannot have one of the values.
    """

    parameter: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.parameter:
            raise ChoiceError("a parameter has no name")
        if not self.values:
            raise ChoiceError(f"there are no values for {self.parameter}")
        if self._field is not None and self._field.channels:
            raise ChoiceError(
                f"{self.parameter} is a list of channels, which cannot be scanned"
            )
        object.__setattr__(self, "values", tuple(map(self._checked, self.values)))
        if len(set(self.values)) < len(self.values):
            raise ChoiceError(f"a value for {self.parameter} comes twice")

    def _checked(self, value: object) -> float:
        try:
            if self._field is not None and isinstance(value, str):
                value = self._field.parse(value)
            return self.number(check_value(self.parameter, value))
        except SettingsError as error:
            raise ChoiceError(str(error)) from error

    @property
    def _field(self) -> BitField | None:
        return FIELDS.get(self.parameter)

    @property
    def unit(self) -> str:
        """Unit of its values; empty if they have none."""
        known = {**CHANNEL_PARAMETERS, **MODULE_PARAMETERS}.get(self.parameter)
        return known.unit if known else ""

    @property
    def label(self) -> str:
        """What stands along an axis: with the unit."""
        return f"{self.parameter} ({self.unit})" if self.unit else self.parameter

    def asked(self, number: float) -> object:
        """Return what is written for one of the values."""
        return number if self._field is None else self._field.value_of(int(number))

    def number(self, got: object) -> float:
        """Return the number for what was written, or read."""
        if self._field is not None:
            return float(self._field.number_of(got))
        assert isinstance(got, (int, float))
        return float(got)

    def text(self, number: float) -> str:
        """Return one of the values as people write it."""
        if self._field is None:
            return f"{number:g}"
        return self._field.word(self._field.value_of(int(number)))

    @property
    def words(self) -> list[str]:
        """The words for its values; empty if they are numbers."""
        if self._field is None or not self._field.choices:
            return []
        return [self.text(value) for value in self.values]


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
                {"parameter": axis.parameter, "values": axis.words or list(axis.values)}
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
    parameters: Iterable[tuple[str, Sequence[Any] | str]],
) -> tuple[Axis, ...]:
    """Return the axes for names and values of parameters.

    Parameters
    ----------
    parameters
        Names, and values or a text of them: see `parse_values`; for named bits, words
        with commas.

    Raises
    ------
    ChoiceError
        If a text is none of values, or a parameter cannot have one.
    """
    return tuple(Axis(name, _values(name, values)) for name, values in parameters)


def _values(name: str, values: Sequence[Any] | str) -> tuple[Any, ...]:
    if not isinstance(values, str):
        return tuple(values)
    field = FIELDS.get(name)
    if field is not None and field.choices:
        return tuple(values.split(","))
    return parse_values(values)
