"""Parameters of some channels: read, set, and given back what they were."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.scanning.errors import RestoreError
from pixie_pipe.scanning.targets import Target, parameters_of

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer

_SAME: Final = 1e-6
"""Relative difference up to which two values are the same: drivers may calculate in
single precision."""

_ROUNDS: Final = 2
"""How often old values are written: one may be refused while another is not back."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is: a parameter of a module, or of one of its channels.

    Attributes
    ----------
    parameter
        Its name.
    module
        Number of the module.
    channel
        Number of the channel, or None.
    module_name
        Short name of the module.
    """

    parameter: str
    module: int
    channel: int | None
    module_name: str

    def __str__(self) -> str:
        where = "" if self.channel is None else f" ch {self.channel:02d}"
        return f"{self.parameter} of {self.module_name}{where}"


class Controls:
    """The parameters of a scan, of all its channels or of their modules.

    Parameters
    ----------
    digitizer
        An open digitizer with parameters.
    parameters
        Names of the parameters, of channels or of modules.
    targets
        The channels.

    Raises
    ------
    DriverError
        If the driver has no parameters, or none of such a name.
    """

    def __init__(
        self,
        digitizer: Digitizer,
        parameters: Sequence[str],
        targets: Sequence[Target],
    ) -> None:
        self._part = parameters_of(digitizer, "set parameters")
        self._targets = tuple(targets)
        self._places = {
            name: self._places_of(name, of_channels=self._is_of_channels(name))
            for name in parameters
        }

    def _is_of_channels(self, name: str) -> bool:
        """Find out whether a parameter is one of channels, or of modules."""
        first = self._targets[0]
        try:
            self._part.read_channel(name, first.module, first.channel)
        except PixiePipeError as channel_error:
            try:
                self._part.read_module(name, first.module)
            except PixiePipeError as module_error:
                raise DriverError(
                    f"the parameter {name} can be read neither of a channel "
                    f"({channel_error}) nor of a module ({module_error})"
                ) from channel_error
            return False
        return True

    def _places_of(self, name: str, *, of_channels: bool) -> tuple[Place, ...]:
        return tuple(
            dict.fromkeys(
                Place(
                    name,
                    target.module,
                    target.channel if of_channels else None,
                    target.module_name,
                )
                for target in self._targets
            )
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """Where all the values are."""
        return tuple(place for places in self._places.values() for place in places)

    def read(self) -> dict[Place, float]:
        """Return the values as they are."""
        return {place: self._read(place) for place in self.places}

    def read_back(self) -> list[tuple[float, ...]]:
        """Return the values of all parameters for each target, as they are."""
        found = {
            (place.parameter, place.module, place.channel): value
            for place, value in self.read().items()
        }

        def value(name: str, target: Target) -> float:
            of_module = found.get((name, target.module, None))
            if of_module is not None:
                return of_module
            return found[name, target.module, target.channel]

        return [
            tuple(value(name, target) for name in self._places)
            for target in self._targets
        ]

    def write(self, values: Mapping[str, float]) -> None:
        """Give each parameter one value, of all targets."""
        for name, value in values.items():
            for place in self._places[name]:
                self._write(place, value)

    def restore(self, old: Mapping[Place, float]) -> None:
        """Give back old values, all that can be, and look whether they are there.

        Raises
        ------
        RestoreError
            If some values are not back: which, and why.
        """
        problems: dict[Place, str] = {}
        for _ in range(_ROUNDS):
            problems = {}
            for place, value in old.items():
                try:
                    self._write(place, value)
                except Exception as error:  # noqa: BLE001 - the others are to be tried
                    problems[place] = f"{type(error).__name__}: {error}"
            problems |= self._differences(old, problems)
            if not problems:
                return
        listed = "\n".join(
            f"  {place} should be {old[place]:g} again: {problem}"
            for place, problem in problems.items()
        )
        raise RestoreError(
            f"these values could not be given back, set them by hand:\n{listed}"
        )

    def _differences(
        self, old: Mapping[Place, float], known: Mapping[Place, str]
    ) -> dict[Place, str]:
        """Return the places that have other values than they had, and which."""
        found: dict[Place, str] = {}
        for place, value in old.items():
            if place in known:
                continue
            try:
                now = self._read(place)
            except Exception as error:  # noqa: BLE001 - told with the others
                found[place] = f"it cannot be read: {type(error).__name__}: {error}"
                continue
            if not math.isclose(now, value, rel_tol=_SAME, abs_tol=1e-9):
                found[place] = f"it is {now:g}"
        return found

    def _read(self, place: Place) -> float:
        if place.channel is None:
            return self._part.read_module(place.parameter, place.module)
        return self._part.read_channel(place.parameter, place.module, place.channel)

    def _write(self, place: Place, value: float) -> None:
        if place.channel is None:
            self._part.write_module(place.parameter, round(value), place.module)
        else:
            self._part.write_channel(
                place.parameter, value, place.module, place.channel
            )
