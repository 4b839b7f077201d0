"""The settings of a module and of a crate, as raw variables of the DSP."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.matching import FoundModule, match_modules
from pixie_pipe.settings.variables import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    WORD_LIMIT,
    Words,
    default_channel_variable,
    default_module_variable,
)

if TYPE_CHECKING:
    from pixie_pipe.settings.kinds import ModuleKind

ModuleKey: TypeAlias = int | tuple[int, int]
"""A module: its slot, or its crate and slot."""


@dataclasses.dataclass(eq=False)
class ModuleSettings:
    """Every setting of one module.

    Attributes
    ----------
    slot, crate
        Where the module is.
    kind
        What the module is.
    serial
        Its serial number; None if it is not known.
    module
        Variables of the module by their names in the DSP, each ``(width,)`` words.
        What is not given is as in the defaults.
    channel
        Variables of the channels, each ``(channels,)`` words.
    boards
        The kinds of channels that are not as `kind` says: Rev H can mix boards.
    metadata, extra
        What else a file tells of the module, and variables that are not known here.
        They are kept and written again.

    Raises
    ------
    SettingsError
        If a variable is unknown, of another shape or no 32-bit words.
    """

    slot: int
    kind: ModuleKind
    crate: int = 0
    serial: int | None = None
    module: dict[str, Words] = dataclasses.field(default_factory=dict)
    channel: dict[str, Words] = dataclasses.field(default_factory=dict)
    boards: dict[int, ModuleKind] = dataclasses.field(default_factory=dict)
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for given, known in (
            (self.module, MODULE_VARIABLES),
            (self.channel, CHANNEL_VARIABLES),
        ):
            unknown = sorted(set(given) - set(known))
            if unknown:
                raise SettingsError(f"{self.where}: no variable {unknown[0]!r}")
        self.module = {
            name: self._words(name, self.module, width)
            for name, width in MODULE_VARIABLES.items()
        }
        self.channel = {
            name: self._words(name, self.channel, self.kind.channels)
            for name in CHANNEL_VARIABLES
        }

    @property
    def where(self) -> str:
        """The module in words, for texts: ``crate 0, slot 2``."""
        return f"crate {self.crate}, slot {self.slot}"

    def kind_of(self, channel: int) -> ModuleKind:
        """Return the kind of the board that has a channel."""
        return self.boards.get(channel, self.kind)

    def copy(self) -> ModuleSettings:
        """Return a copy that shares nothing with this one."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModuleSettings):
            return NotImplemented
        names = [field.name for field in dataclasses.fields(self)]
        plain = [name for name in names if name not in ("module", "channel")]
        return all(getattr(self, name) == getattr(other, name) for name in plain) and (
            _same(self.module, other.module) and _same(self.channel, other.channel)
        )

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        serial = "" if self.serial is None else f", serial {self.serial}"
        return f"<settings of {self.where}: {self.kind}{serial}>"

    def _words(self, name: str, given: Mapping[str, Words], width: int) -> Words:
        if name not in given:
            if name in MODULE_VARIABLES:
                return default_module_variable(name, self.kind)
            return default_channel_variable(name, self.kind)
        values = np.asarray(given[name])
        if values.shape != (width,):
            raise SettingsError(
                f"{self.where}: {name} has the shape {values.shape}, expected "
                f"({width},)"
            )
        if values.dtype.kind not in "iu" or any(
            not 0 <= value < WORD_LIMIT for value in values.tolist()
        ):
            raise SettingsError(
                f"{self.where}: {name} is {values.tolist()}, expected whole numbers "
                f"from 0 to {WORD_LIMIT - 1}"
            )
        return values.astype(np.uint32)


class CrateSettings:
    """The settings of modules, found by where they are and never by their order.

    Parameters
    ----------
    modules
        Of one crate, or of several.

    Raises
    ------
    SettingsError
        If two of them are in the same place.

    Examples
    --------
    >>> from pixie_pipe.settings import ModuleKind
    >>> crate = CrateSettings([ModuleSettings(slot=2, kind=ModuleKind(250, 14, "F"))])
    >>> crate[2].where
    'crate 0, slot 2'
    >>> crate[0, 2] is crate[2]
    True
    """

    def __init__(self, modules: Iterable[ModuleSettings] = ()) -> None:
        self._modules: dict[tuple[int, int], ModuleSettings] = {}
        for module in modules:
            self.add(module)

    def add(self, module: ModuleSettings) -> None:
        """Add a module.

        Raises
        ------
        SettingsError
            If there is one in that place.
        """
        place = (module.crate, module.slot)
        if place in self._modules:
            raise SettingsError(f"{module.where}: there are two modules in this place")
        self._modules[place] = module

    @property
    def places(self) -> list[tuple[int, int]]:
        """Crate and slot of every module, in the order of the file."""
        return list(self._modules)

    def __getitem__(self, key: ModuleKey) -> ModuleSettings:
        """Return a module by its slot, or by its crate and slot.

        Raises
        ------
        SettingsError
            If there is none, or a slot alone does not tell which.
        """
        if isinstance(key, tuple):
            found = [place for place in self._modules if place == key]
        else:
            found = [place for place in self._modules if place[1] == key]
        if len(found) == 1:
            return self._modules[found[0]]
        known = ", ".join(f"({crate}, {slot})" for crate, slot in self._modules)
        if found:
            raise SettingsError(
                f"slot {key} is in more than one crate; give (crate, slot) of {known}"
            )
        what = f"(crate, slot) {key}" if isinstance(key, tuple) else f"slot {key}"
        raise SettingsError(
            f"no module in {what}; (crate, slot) of those here: {known or 'none'}"
        )

    def __contains__(self, key: object) -> bool:
        if isinstance(key, tuple):
            return key in self._modules
        return any(slot == key for _, slot in self._modules)

    def __iter__(self) -> Iterator[ModuleSettings]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CrateSettings):
            return NotImplemented
        return self._modules == other._modules

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        return f"<settings of {len(self)} modules: {', '.join(map(repr, self))}>"

    def copy(self) -> CrateSettings:
        """Return a copy that shares nothing with this one."""
        return CrateSettings(module.copy() for module in self)

    def match(
        self, found: Sequence[FoundModule], *, check_serials: bool = True
    ) -> list[ModuleSettings]:
        """Return the settings of the modules that are present, in their order.

        XIA's library takes the modules of a file by their order and only logs that
        they have moved; this is how to hand it the right ones.

        Parameters
        ----------
        found
            The modules of the crate.
        check_serials
            Whether the serial numbers must agree, where both are known. Without, the
            settings of a module that was replaced go to the one in its place.

        Raises
        ------
        SettingsError
            If a module has no settings, or those in its place are of another module.
            The text names all such modules, and where their settings are.
        """
        there = [FoundModule(m.slot, m.serial, m.crate) for m in self]
        modules = list(self)
        return [
            modules[number]
            for number in match_modules(found, there, check_serials=check_serials)
        ]


def _same(first: Mapping[str, Words], second: Mapping[str, Words]) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)
