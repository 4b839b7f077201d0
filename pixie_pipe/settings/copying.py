"""Copying settings from one channel to others, by groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pixie_pipe.settings.errors import SettingsError
from pixie_pipe.settings.variables import WORD_LIMIT

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import CrateSettings, ModuleKey, ModuleSettings

_ALL_BITS: Final = WORD_LIMIT - 1
_ANALOG_BITS: Final = 1 << 5 | 1 << 14  # polarity and gain

_GROUPS: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = MappingProxyType(
    {
        "filters": (
            0,
            (
                "BLcut",
                "PAFlength",
                "PeakSample",
                "PeakSep",
                "SlowLength",
                "SlowGap",
                "TriggerDelay",
                "FastGap",
                "FastLength",
                "FastThresh",
            ),
        ),
        "analog": (1, ("ChanCSRa", "OffsetDAC")),
        "histogram": (2, ("EnergyLow", "Log2Ebin")),
        "tau": (3, ("PreampTau",)),
        "trace": (4, ("TraceLength", "TriggerDelay", "PAFlength")),
        "baseline": (5, ("BLcut", "BaselinePercent", "Log2Bweight")),
        "csra": (7, ("ChanCSRa",)),
        "cfd": (8, ("CFDDelay", "CFDScale", "CFDThresh")),
        "stretches": (
            9,
            ("ExtTrigStretch", "ChanTrigStretch", "VetoStretch", "FastTrigBackLen"),
        ),
        "delays": (10, ("ExternDelayLen", "FtrigoutDelay")),
        "multiplicity": (11, ("MultiplicityMaskL", "MultiplicityMaskH")),
        "qdc": (12, tuple(f"QDCLen{number}" for number in range(8))),
    }
)
"""Bit in the mask of XIA's function, and variables, of each group (PixieSDK 5.3.0)."""

COPY_GROUPS: Final = tuple(_GROUPS)
"""The groups of settings that can be copied."""


def copy_mask(groups: Iterable[str]) -> int:
    """Return the mask for `Pixie16CopyDSPParameters`.

    Raises
    ------
    SettingsError
        If there is no such group.

    Examples
    --------
    >>> copy_mask(["tau", "qdc"])
    4104
    """
    return sum(1 << _GROUPS[group][0] for group in _check_groups(groups))


def copy_channel(
    settings: CrateSettings,
    source: tuple[ModuleKey, int],
    destinations: Iterable[tuple[ModuleKey, int]],
    groups: Iterable[str] = COPY_GROUPS,
) -> None:
    """Copy settings of a channel to other channels, in place.

    The words of the registers are copied, as XIA's library does. It copies them between
    modules with other clocks and filter ranges, too, where they mean other times; here
    this is refused.

    Parameters
    ----------
    settings
        They are changed.
    source
        Module (slot, or crate and slot) and channel.
    destinations
        The same of each channel that gets the settings.
    groups
        What to copy; all, if not given.

    Raises
    ------
    SettingsError
        If there is no such module, channel or group, or words would mean something
        else. Nothing is copied then.
    """
    chosen = _check_groups(groups)
    origin, channel = _find(settings, source)
    found = [_find(settings, destination) for destination in destinations]
    for module, number in found:
        _check_same_meaning(origin, channel, module, number, chosen)
    for module, number in found:
        for group in chosen:
            whole = group != "analog"
            for name in _GROUPS[group][1]:
                mask = _ALL_BITS if whole or name != "ChanCSRa" else _ANALOG_BITS
                values = module.channel[name]
                kept = int(values[number]) & ~mask
                values[number] = kept | int(origin.channel[name][channel]) & mask


def _check_groups(groups: Iterable[str]) -> list[str]:
    chosen = [groups] if isinstance(groups, str) else list(groups)
    for group in chosen:
        if group not in _GROUPS:
            raise SettingsError(
                f"there is no group {group!r} of settings; there are "
                f"{', '.join(_GROUPS)}"
            )
    return list(dict.fromkeys(chosen))


def _find(
    settings: CrateSettings, place: tuple[ModuleKey, int]
) -> tuple[ModuleSettings, int]:
    module = settings[place[0]]
    if not 0 <= place[1] < module.kind.channels:
        raise SettingsError(
            f"{module.where} has no channel {place[1]}: expected 0 to "
            f"{module.kind.channels - 1}"
        )
    return module, place[1]


def _check_same_meaning(
    origin: ModuleSettings,
    channel: int,
    module: ModuleSettings,
    number: int,
    groups: list[str],
) -> None:
    here, there = origin.kind_of(channel), module.kind_of(number)
    clocks = (here.frequency_msps, here.fpga_mhz)
    if clocks != (there.frequency_msps, there.fpga_mhz):
        raise SettingsError(
            f"{origin.where} is {here}, {module.where} is {there}: their clocks "
            f"differ, and the same words would be other times; set the parameters"
        )
    for name in ("SlowFilterRange", "FastFilterRange"):
        ranges = int(origin.module[name][0]), int(module.module[name][0])
        if {"filters", "trace"} & set(groups) and ranges[0] != ranges[1]:
            raise SettingsError(
                f"{name} is {ranges[0]} in {origin.where} and {ranges[1]} in "
                f"{module.where}: the same words would be other times; make it equal "
                f"first"
            )
