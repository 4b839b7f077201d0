"""The parameters of a scan: set at each point, and given back at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pixie_pipe.scanning.targets import Target, parameters_of
from pixie_pipe.settings import OldValues, apply
from pixie_pipe.settings.wanted import check_wanted

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer
    from pixie_pipe.scanning.definition import Axis


class Controls:
    """The parameters of a scan, of all its channels or of their modules.

    Parameters
    ----------
    digitizer
        An open digitizer with parameters.
    axes
        The parameters, of channels or of modules.
    targets
        The channels.

    Raises
    ------
    DriverError
        If the driver has no parameters.
    """

    def __init__(
        self, digitizer: Digitizer, axes: Sequence[Axis], targets: Sequence[Target]
    ) -> None:
        self._part = parameters_of(digitizer, "set parameters")
        self._axes = tuple(axes)
        self._targets = tuple(targets)
        self._channels = [(target.module, target.channel) for target in targets]
        self._names = {target.module: target.module_name for target in targets}
        self.notes: list[str] = []

    def old_values(self) -> OldValues:
        """Return what all that a scan changes is now.

        Raises
        ------
        PixiePipeError
            If something cannot be read.
        """
        first = {axis.parameter: axis.asked(axis.values[0]) for axis in self._axes}
        return OldValues.of(self._part, check_wanted(first, self._channels, None))

    def set(self, values: Sequence[float]) -> list[tuple[float, ...]]:
        """Give each parameter one value, and return those that each target has then.

        Parameters
        ----------
        values
            One for each parameter, as `Axis.values` has them.

        Raises
        ------
        ChangesRefusedError
            If a value is refused: which, and why.
        """
        asked = {
            axis.parameter: axis.asked(value)
            for axis, value in zip(self._axes, values, strict=True)
        }
        changes = apply(self._part, asked, channels=self._channels)
        self.notes = changes.notes
        got = {(one.name, one.module, one.channel): one.got for one in changes}

        def read_back(axis: Axis, target: Target) -> float:
            of_module = axis.parameter, target.module, None
            of_channel = axis.parameter, target.module, target.channel
            return axis.number(got[of_module if of_module in got else of_channel])

        return [
            tuple(read_back(axis, target) for axis in self._axes)
            for target in self._targets
        ]

    def restore(self, old: OldValues) -> None:
        """Give back old values, all that can be, and look whether they are there.

        Raises
        ------
        RestoreError
            If some values are not back: which, and why.
        """
        old.restore(self._part, self._names)
