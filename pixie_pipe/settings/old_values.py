"""What parameters were, and how they become it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.parameter_table import CHANNEL_PARAMETERS, MODULE_PARAMETERS
from pixie_pipe.settings.text_tables import value_text
from pixie_pipe.settings.writing import write_channels, write_modules

if TYPE_CHECKING:
    from pixie_pipe.settings.access import ParameterAccess
    from pixie_pipe.settings.wanted import Place, Wanted

    Result = TypeVar("Result")

_FINDS_BLCUT: Final = ("TAU", "CHANNEL_CSRA")
"""Parameters with which the library looks for a new BLCUT of the channel.

With SLOW_FILTER_RANGE it does so for all channels of the module. The other registers
that change along (those of the filters and the trace) come back with the parameters.
"""

_MOST_CHANNELS: Final = 32
_PASSES: Final = 2  # the first one may change BLCUT, which was right before it
_SAME: Final = 1e-9


class RestoreError(SettingsError):
    """Some parameters could not be set to what they were.

    Attributes
    ----------
    lost
        What they were, by (name, module, channel); channel is None for what is of the
        module.
    texts
        A line for each: where it is, what it was, and why it is not.
    """

    def __init__(
        self,
        lost: Mapping[tuple[str, int, int | None], float],
        texts: Sequence[str],
        reason: str = "",
    ) -> None:
        lines = ["these parameters could not be restored, set them by hand:"]
        lines += [f"  {text}" for text in texts]
        super().__init__("\n".join([*lines, reason]).rstrip())
        self.lost = dict(lost)
        self.texts = list(texts)


class OldValues:
    """What parameters of channels and modules were before they were changed."""

    def __init__(self) -> None:
        self._values: dict[Place, dict[str, float]] = {}

    @classmethod
    def of(cls, target: ParameterAccess, wanted: Iterable[Wanted]) -> Self:
        """Read what is to be changed, and what changes with it.

        Parameters
        ----------
        target
            Settings, or the modules themselves.
        wanted
            What will be written.

        Raises
        ------
        PixiePipeError
            If something cannot be read.
        """
        old = cls()
        for one in wanted:
            name = one.parameter.name
            for module, channel in one.values:
                old._keep(target, name, (module, channel))
                if name in _FINDS_BLCUT:
                    old._keep(target, "BLCUT", (module, channel))
                if name == "SLOW_FILTER_RANGE":
                    for number in _channels_of(target, module):
                        old._keep(target, "BLCUT", (module, number))
        return old

    def _keep(self, target: ParameterAccess, name: str, place: Place) -> None:
        value = _read(target, name, place)
        self._values.setdefault(place, {})[name] = value

    def __iter__(self) -> Iterator[tuple[str, Place, float]]:
        """Yield name, place and value of each."""
        for place, values in self._values.items():
            for name, value in values.items():
                yield name, place, value

    def to_rows(self) -> list[dict[str, Any]]:
        """Return plain values, for JSON."""
        return [
            {"parameter": name, "module": module, "channel": channel, "value": value}
            for name, (module, channel), value in self
        ]

    def take_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take over what `to_rows` has given, in place of what is known.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a row is none.
        """
        for row in rows:
            module, channel = int(row["module"]), row["channel"]
            place = module, None if channel is None else int(channel)
            value = int(row["value"]) if channel is None else float(row["value"])
            name = row["parameter"]
            if name not in (
                MODULE_PARAMETERS if channel is None else CHANNEL_PARAMETERS
            ):
                raise ValueError(f"there is no parameter {name!r}")
            self._values.setdefault(place, {})[name] = value

    def restore(
        self, target: ParameterAccess, names: Mapping[int, str] | None = None
    ) -> None:
        """Write what is not as it was, all that can be, and look whether it is there.

        Parameters
        ----------
        target
            Settings, or the modules themselves.
        names
            What modules are called in the text of the error; by default ``module 2``.

        Raises
        ------
        RestoreError
            If something is not as it was: what, and why.
        """
        careful = _Careful(target)
        refused: dict[tuple[Place, str], str] = {}
        for _ in range(_PASSES):
            left = self._changed(careful)
            if not left:
                return
            refused = write_modules(careful, _of_modules(left))
            # What was written to modules may have changed channels.
            refused |= write_channels(careful, _of_channels(self._changed(careful)))
        left = self._changed(careful)
        if left:
            raise _restore_error(careful, left, refused, names or {})

    def _changed(self, target: ParameterAccess) -> dict[Place, dict[str, float]]:
        changed: dict[Place, dict[str, float]] = {}
        for name, place, value in self:
            if not _is_now(target, name, value, place):
                changed.setdefault(place, {})[name] = value
        return changed


class _Careful:
    """Access in which every failure is an error of ours, so that the rest is tried."""

    def __init__(self, target: ParameterAccess) -> None:
        self._target = target

    def read_channel(self, name: str, module: int, channel: int) -> float:
        return self._do(lambda to: to.read_channel(name, module, channel))

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        self._do(lambda to: to.write_channel(name, value, module, channel))

    def read_module(self, name: str, module: int) -> int:
        return self._do(lambda to: to.read_module(name, module))

    def write_module(self, name: str, value: int, module: int) -> None:
        self._do(lambda to: to.write_module(name, value, module))

    def _do(self, action: Callable[[ParameterAccess], Result]) -> Result:
        try:
            return action(self._target)
        except PixiePipeError:
            raise
        except Exception as error:
            raise SettingsError(f"{type(error).__name__}: {error}") from error


def _channels_of(target: ParameterAccess, module: int) -> list[int]:
    """Return the channels of a module: it is asked until it refuses."""
    found = []
    for channel in range(_MOST_CHANNELS):
        try:
            target.read_channel("BLCUT", module, channel)
        except PixiePipeError:
            break
        found.append(channel)
    return found


def _of_modules(values: Mapping[Place, dict[str, float]]) -> dict[int, dict[str, int]]:
    return {
        module: {name: int(word) for name, word in words.items()}
        for (module, channel), words in values.items()
        if channel is None
    }


def _of_channels(
    values: Mapping[Place, dict[str, float]],
) -> dict[tuple[int, int], dict[str, float]]:
    return {
        (module, channel): parameters
        for (module, channel), parameters in values.items()
        if channel is not None
    }


def _read(target: ParameterAccess, name: str, place: Place) -> float:
    module, channel = place
    if channel is None:
        return target.read_module(name, module)
    return target.read_channel(name, module, channel)


def _is_now(target: ParameterAccess, name: str, value: float, place: Place) -> bool:
    try:
        now = _read(target, name, place)
    except PixiePipeError:
        return False
    if place[1] is None or CHANNEL_PARAMETERS[name].whole:
        # Relative to a whole register, its lowest bits are nothing.
        return now == value
    if math.isnan(now) and math.isnan(value):
        return True
    return math.isclose(now, value, rel_tol=_SAME, abs_tol=_SAME)


def _restore_error(
    target: ParameterAccess,
    left: Mapping[Place, dict[str, float]],
    refused: Mapping[tuple[Place, str], str],
    names: Mapping[int, str],
) -> RestoreError:
    lost: dict[tuple[str, int, int | None], float] = {}
    texts = []
    for place, values in left.items():
        module, channel = place
        where = names.get(module, f"module {module}")
        if channel is not None:
            where += f", channel {channel}"
        for name, value in values.items():
            lost[name, module, channel] = value
            try:
                state = f"is {value_text(float(_read(target, name, place)))}"
            except PixiePipeError as error:
                state = f"cannot be read ({error})"
            reason = refused.get((place, name))
            because = f": {reason}" if reason else ""
            was = value_text(float(value))
            texts.append(f"{where}: {name} was {was}, and {state}{because}")
    return RestoreError(lost, texts)
