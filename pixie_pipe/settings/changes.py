"""Changing parameters: checked before, written in order, read back after.

XIA's library rounds, clips and wraps without a word, and some parameters change others.
`apply` tells what became of everything that was asked for.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.rows import Rows
from pixie_pipe.settings.text_tables import number_ranges, text_table, value_text
from pixie_pipe.settings.variables import float_to_word, word_to_float
from pixie_pipe.settings.wanted import Place, Wanted, check_wanted
from pixie_pipe.settings.writing import write_channels, write_modules

if TYPE_CHECKING:
    from pixie_pipe.settings.access import ParameterAccess

_SAME: Final = 1e-6
"""Relative difference that does not count: a 32-bit float has 6e-8."""

_ONE_CLOCK_US: Final = 0.0101
"""A little more than a clock of 10 ns."""


class Outcome(enum.Enum):
    """What became of a value."""

    AS_ASKED = "as asked"
    ROUNDED = "rounded"
    CLIPPED = "clipped"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True)
class Change:
    """One value that was asked for, and what it became.

    Attributes
    ----------
    name, unit
        As asked; bits have no unit.
    module, channel
        Where; channel is None for what is of the module.
    asked, got
        The values. `got` is read back; None if that was not possible.
    outcome
        How they differ.
    note
        Why it was refused, or what else is to be known.
    """

    name: str
    module: int
    channel: int | None
    asked: object
    got: object
    unit: str
    outcome: Outcome
    note: str = ""


class Changes(Rows[Change]):
    """What became of all values. Its text is a table; so is its display in IPython.

    Attributes
    ----------
    notes
        What else has changed, and what to think of.
    """

    def __init__(self, changes: Iterable[Change], notes: Iterable[str] = ()) -> None:
        super().__init__(changes)
        self.notes = list(notes)

    @property
    def is_as_asked(self) -> bool:
        """Whether every value became what was asked for."""
        return all(change.outcome is Outcome.AS_ASKED for change in self)

    def select(self, outcome: Outcome) -> list[Change]:
        """Return the changes with one outcome."""
        return [change for change in self if change.outcome is outcome]

    def __str__(self) -> str:
        """Return a table. Channels for which all is the same share a line."""
        rows = []
        for (module, *texts), group in groupby(self, key=_line):
            channels = [c.channel for c in group if c.channel is not None]
            rows.append([str(module), number_ranges(channels), *texts])
        header = ("module", "channels", "name", "asked", "got", "unit", "", "")
        lines = [text_table(header, rows) if rows else "nothing was asked for"]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def _line(change: Change) -> tuple[int, str, str, str, str, str, str]:
    outcome = "" if change.outcome is Outcome.AS_ASKED else change.outcome.value
    asked, got = value_text(change.asked), value_text(change.got)
    return change.module, change.name, asked, got, change.unit, outcome, change.note


class ChangesRefusedError(SettingsError):
    """Something was refused, after other values may have been written.

    Attributes
    ----------
    changes
        What became of all values.
    """

    def __init__(self, changes: Changes) -> None:
        count = len(changes.select(Outcome.REFUSED))
        super().__init__(f"{count} of {len(changes)} values were refused:\n{changes}")
        self.changes = changes


def every_channel(
    modules: Iterable[int], channels: Iterable[int] = range(16)
) -> list[tuple[int, int]]:
    """Return the pairs of all modules and channels.

    Examples
    --------
    >>> every_channel([2, 3], [0, 1])
    [(2, 0), (2, 1), (3, 0), (3, 1)]
    """
    numbers = list(channels)
    return [(module, channel) for module in modules for channel in numbers]


def apply(
    target: ParameterAccess,
    values: Mapping[str, object],
    *,
    channels: Iterable[tuple[int, int]] = (),
    modules: Iterable[int] | None = None,
) -> Changes:
    """Change parameters of channels and modules.

    All is checked before the first value is written. Parameters that depend on each
    other are written in the right order, whatever the order of `values`, and all are
    read back when the last one is written.

    Parameters
    ----------
    target
        Settings (`SettingsAccess`), or the modules themselves.
    values
        By XIA's names and the names of bits: a value, or one for each channel in
        `channels` (each module in `modules`). HOST_RT_PRESET is in seconds. It is not
        altered.
    channels
        Pairs of module and channel.
    modules
        For the parameters of modules; None stands for the modules of the channels.

    Returns
    -------
    Changes
        What became of each value.

    Raises
    ------
    SettingsError
        If a name or value is wrong. Nothing was written then.
    ChangesRefusedError
        If the target refused some values. The others are written; the error has the
        table of all.

    Examples
    --------
    >>> from pixie_pipe import settings
    >>> module = settings.ModuleSettings(2, settings.ModuleKind(250, 14, "F"))
    >>> target = settings.SettingsAccess(settings.CrateSettings([module]))
    >>> print(apply(target, {"CFDDelay": 0.1}, channels=[(2, 0), (2, 1)]))
    module  channels  name      asked  got    unit
    2       0-1       CFDDelay  0.1    0.104  µs    rounded
    """
    wanted = check_wanted(values, channels, modules)
    refused = write_modules(target, _module_words(target, wanted))
    refused.update(write_channels(target, _channel_values(target, wanted)))
    changes = [
        _read_back(target, one, place, refused)
        for one in wanted
        for place in one.values
    ]
    result = Changes(changes, _notes(values, changes))
    if result.select(Outcome.REFUSED):
        raise ChangesRefusedError(result)
    return result


def _registers(wanted: Sequence[Wanted]) -> dict[Place, dict[str, list[Wanted]]]:
    """Return what is asked of each parameter of XIA's, by place; bits come last."""
    found: dict[Place, dict[str, list[Wanted]]] = {}
    for one in sorted(wanted, key=lambda one: one.field is not None):
        for place in one.values:
            found.setdefault(place, {}).setdefault(one.parameter.name, []).append(one)
    return found


def _module_words(
    target: ParameterAccess, wanted: Sequence[Wanted]
) -> dict[int, dict[str, int]]:
    words: dict[int, dict[str, int]] = {}
    for (module, channel), parameters in _registers(wanted).items():
        if channel is None:
            for name, parts in parameters.items():
                now = target.read_module(name, module) if parts[0].field else 0
                words.setdefault(module, {})[name] = _word(now, parts, (module, None))
    return words


def _channel_values(
    target: ParameterAccess, wanted: Sequence[Wanted]
) -> dict[tuple[int, int], dict[str, float]]:
    values: dict[tuple[int, int], dict[str, float]] = {}
    for (module, channel), parameters in _registers(wanted).items():
        if channel is None:
            continue
        for name, parts in parameters.items():
            place = module, channel
            if parts[-1].field is None:
                value = _number(parts[0].values[place])
            else:
                now = 0.0
                if parts[0].field:
                    now = target.read_channel(name, module, channel)
                value = float(_word(int(now), parts, place))
            values.setdefault(place, {})[name] = value
    return values


def _word(now: int, parts: Sequence[Wanted], place: Place) -> int:
    """Return a register with what is asked for: the word as a whole, then its bits."""
    for part in parts:
        value = part.values[place]
        if part.field is not None:
            now = part.field.put(now, value)
        elif part.parameter.name == "HOST_RT_PRESET":
            now = float_to_word(_number(value))
        else:
            now = int(_number(value))
    return now


def _number(value: object) -> float:
    assert isinstance(value, float)  # check_wanted made it one
    return value


def _read_back(
    target: ParameterAccess,
    wanted: Wanted,
    place: Place,
    refused: Mapping[tuple[Place, str], str],
) -> Change:
    module, channel = place
    name = wanted.parameter.name
    note = "in every module of the crate" if wanted.parameter.whole_crate else ""
    got: object = None
    steps = 1.0
    try:
        if channel is None:
            got = target.read_module(name, module)
            if name == "HOST_RT_PRESET":
                got = word_to_float(int(got))
        else:
            got = target.read_channel(name, module, channel)
            if name.startswith("ENERGY_"):
                steps = 2.0 ** target.read_module("SLOW_FILTER_RANGE", module)
        if wanted.field is not None:
            got = wanted.field.get(int(_as_float(got)))
    except PixiePipeError as error:
        outcome, note = Outcome.REFUSED, str(error)
    else:
        outcome = _compare(wanted, wanted.values[place], got, steps)
        if outcome is Outcome.REFUSED:
            note = "written, but it reads otherwise"
    if (place, name) in refused:
        outcome, note = Outcome.REFUSED, refused[place, name]
    asked = wanted.values[place]
    return Change(wanted.name, module, channel, asked, got, wanted.unit, outcome, note)


def _as_float(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def _compare(wanted: Wanted, asked: object, got: object, steps: float) -> Outcome:
    if wanted.field is not None:
        return Outcome.AS_ASKED if asked == got else Outcome.REFUSED
    difference = abs(_as_float(asked) - _as_float(got))
    # Of a whole register, the lowest bits count as much as the others.
    same = 0.0 if wanted.parameter.whole else _SAME * max(abs(_as_float(asked)), _SAME)
    if difference <= same:
        return Outcome.AS_ASKED
    if difference <= wanted.parameter.step * steps * (1 + _SAME):
        return Outcome.ROUNDED
    return Outcome.CLIPPED


def _notes(values: Mapping[str, object], changes: Sequence[Change]) -> list[str]:
    notes = []
    if "SLOW_FILTER_RANGE" in values and not {
        "ENERGY_RISETIME",
        "ENERGY_FLATTOP",
    }.issubset(values):
        notes.append(
            "SLOW_FILTER_RANGE is the unit of the energy filter of all channels of the "
            "module: its times have changed. Set ENERGY_RISETIME and ENERGY_FLATTOP, "
            "too; that also sets when the energy is read (PeakSample)."
        )
    if "TRIGGER_RISETIME" in values and "TRIGGER_THRESHOLD" not in values:
        notes.append(
            "the threshold in ADC units depends on TRIGGER_RISETIME and has changed "
            "with it: set TRIGGER_THRESHOLD, too."
        )
    if any(
        change.name == "FASTTRIGBACKLEN"
        and isinstance(change.got, float)
        and change.got < _ONE_CLOCK_US
        for change in changes
    ):
        notes.append("with a FASTTRIGBACKLEN of one clock (10 ns) events can be lost.")
    if {"TAU", "Gain", "CHANNEL_CSRA"} & set(values) and "BLCUT" not in values:
        notes.append(
            "modules before Rev H look for a new BLCUT when TAU or the gain changes."
        )
    return notes
