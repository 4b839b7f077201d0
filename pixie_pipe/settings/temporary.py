"""Changes that are undone."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.settings.changes import Changes, apply
from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.text_tables import value_text
from pixie_pipe.settings.wanted import Place, Wanted, check_wanted
from pixie_pipe.settings.writing import write_channels, write_modules

if TYPE_CHECKING:
    from pixie_pipe.settings.access import ParameterAccess

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
    """

    def __init__(
        self, lost: Mapping[tuple[str, int, int | None], float], texts: Sequence[str]
    ) -> None:
        super().__init__(
            f"{len(lost)} parameters could not be restored:\n  " + "\n  ".join(texts)
        )
        self.lost = dict(lost)


@dataclasses.dataclass
class _Record:
    """What parameters were: numbers of channels, and words of modules."""

    channels: dict[tuple[int, int], dict[str, float]]
    modules: dict[int, dict[str, int]]


@contextlib.contextmanager
def temporary(
    target: ParameterAccess,
    values: Mapping[str, object],
    *,
    channels: Iterable[tuple[int, int]] = (),
    modules: Iterable[int] | None = None,
) -> Iterator[Changes]:
    """Change parameters, and set them back when the block is left, however it is left.

    What changes with a parameter is set back, too, BLCUT with TAU for example. A
    parameter that the library sets in the whole crate gets back
    what it was in the modules that are named here.

    Parameters
    ----------
    target, values, channels, modules
        As for `apply`.

    Yields
    ------
    Changes
        What became of the values.

    Raises
    ------
    SettingsError, ChangesRefusedError
        As `apply` does. All is as it was then.
    RestoreError
        If something could not be set back; the text tells what it was. An error of the
        block is its cause.

    Examples
    --------
    >>> from pixie_pipe import settings
    >>> module = settings.ModuleSettings(2, settings.ModuleKind(250, 14, "F"))
    >>> target = settings.SettingsAccess(settings.CrateSettings([module]))
    >>> with temporary(target, {"CaptureTrace": True}, channels=[(2, 0)]) as changes:
    ...     print(changes)  # and take some traces
    module  channels  name          asked  got   unit
    2       0         CaptureTrace  True   True
    """
    pairs = list(channels)
    numbers = None if modules is None else list(modules)
    wanted = check_wanted(values, pairs, numbers)
    record = _take_record(target, wanted)
    failed: BaseException | None = None
    try:
        yield apply(target, values, channels=pairs, modules=numbers)
    except BaseException as error:
        failed = error
        raise
    finally:
        lost = _restore(target, record)
        if lost.channels or lost.modules:
            raise _restore_error(target, lost) from failed


def _take_record(target: ParameterAccess, wanted: Sequence[Wanted]) -> _Record:
    record = _Record({}, {})
    for one in wanted:
        name = one.parameter.name
        for module, channel in one.values:
            if channel is not None:
                _keep(target, record, module, channel, name)
                if name in _FINDS_BLCUT:
                    _keep(target, record, module, channel, "BLCUT")
                continue
            words = record.modules.setdefault(module, {})
            words[name] = target.read_module(name, module)
            if name == "SLOW_FILTER_RANGE":
                for number in _channels_of(target, module):
                    _keep(target, record, module, number, "BLCUT")
    return record


def _keep(
    target: ParameterAccess, record: _Record, module: int, channel: int, name: str
) -> None:
    values = record.channels.setdefault((module, channel), {})
    values[name] = target.read_channel(name, module, channel)


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


def _restore(target: ParameterAccess, record: _Record) -> _Record:
    """Write what is not as it was, and return what still is not."""
    for _ in range(_PASSES):
        changed = _changed(target, record)
        if not changed.channels and not changed.modules:
            return changed
        write_modules(target, changed.modules)
        write_channels(target, _changed(target, record).channels)
    return _changed(target, record)


def _changed(target: ParameterAccess, record: _Record) -> _Record:
    channels = {
        place: {
            name: value
            for name, value in values.items()
            if not _is_now(target, name, value, place)
        }
        for place, values in record.channels.items()
    }
    modules = {
        module: {
            name: word
            for name, word in words.items()
            if not _is_now(target, name, word, (module, None))
        }
        for module, words in record.modules.items()
    }
    return _Record(
        {place: values for place, values in channels.items() if values},
        {module: words for module, words in modules.items() if words},
    )


def _is_now(target: ParameterAccess, name: str, value: float, place: Place) -> bool:
    now = _read(target, name, place)
    if now is None:
        return False
    if math.isnan(now) and math.isnan(value):
        return True
    return math.isclose(now, value, rel_tol=_SAME, abs_tol=_SAME)


def _read(target: ParameterAccess, name: str, place: Place) -> float | None:
    module, channel = place
    try:
        if channel is None:
            return target.read_module(name, module)
        return target.read_channel(name, module, channel)
    except PixiePipeError:
        return None


def _restore_error(target: ParameterAccess, lost: _Record) -> RestoreError:
    found: dict[tuple[str, int, int | None], float] = {}
    for module, words in lost.modules.items():
        found.update({(name, module, None): word for name, word in words.items()})
    for (module, channel), values in lost.channels.items():
        found.update({(name, module, channel): v for name, v in values.items()})
    texts = []
    for (name, module, number), value in found.items():
        now = _read(target, name, (module, number))
        place = f"module {module}" + ("" if number is None else f", channel {number}")
        state = "cannot be read" if now is None else f"is {value_text(float(now))}"
        texts.append(f"{place}: {name} was {value_text(float(value))}, and {state}")
    return RestoreError(found, texts)
