"""Settings, and what differs between them, as tables and as plain values."""

from __future__ import annotations

import math
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.table import Table

from pixie_pipe.cli import output
from pixie_pipe.settings import (
    CrateSettings,
    Differences,
    Listing,
    ModuleSettings,
)
from pixie_pipe.settings.text_tables import number_ranges


def heading(module: ModuleSettings) -> str:
    """Return where a module is and what it is, in a line."""
    parts = [f"{module.where}: {module.kind}"]
    if module.serial is not None:
        parts.append(f"serial number {module.serial}")
    others = sorted(module.boards.items(), key=lambda item: (str(item[1]), item[0]))
    for kind, boards in groupby(others, key=lambda item: item[1]):
        channels = number_ranges(channel for channel, _ in boards)
        parts.append(
            f"channels {channels}: {kind.frequency_msps} MSPS, {kind.adc_bits} bits"
        )
    return ", ".join(parts)


def write_listing(settings: CrateSettings, listing: Listing, *, raw: bool) -> None:
    """Print values to stdout, a table for each module."""
    console = output.results()
    lines = listing.lines()
    for number, (place, some) in enumerate(groupby(lines, key=lambda x: x[:2])):
        if number:
            console.print()
        console.print(heading(settings[place]))
        table = _table(*_RAW_TITLES if raw else _TITLES)
        last = ""
        for line in some:
            name = "" if line.name == last else line.name
            last = line.name
            channels = line.channels or "module"
            if raw:
                words = line.value, f"{int(line.value):#x}"
                table.add_row(name, *words, channels, line.parameter)
            else:
                table.add_row(name, line.value, line.unit, channels)
        console.print(table)


def listing_document(
    path: Path, settings: CrateSettings, listing: Listing
) -> dict[str, Any]:
    """Return values as plain ones, for JSON."""
    places = {(value.crate, value.slot) for value in listing}
    modules = [m for m in settings if (m.crate, m.slot) in places]
    return {
        "format": 1,
        "file": str(path),
        "modules": [_module(module) for module in modules],
        "values": [_plain(row) for row in listing.table()],
    }


def write_differences(first: Path, second: Path, differences: Differences) -> None:
    """Print what differs to stdout, a table for each module."""
    console = output.results()
    lines = differences.lines()
    if not lines:
        console.print(f"{first} and {second}: no difference", soft_wrap=True)
        return
    console.print(f"first:  {first}\nsecond: {second}", soft_wrap=True)
    for (crate, slot), some in groupby(lines, key=lambda x: x[:2]):
        console.print(f"\ncrate {crate}, slot {slot}")
        table = _table("Name", "First", "Second", "Unit", "Channels", "Raw words")
        for line in some:
            values = line.first or "-", line.second or "-"
            unit = line.unit
            channels = line.channels or "module"
            table.add_row(line.name, *values, unit, channels, line.raw)
        console.print(table)


def differences_document(
    first: Path, second: Path, differences: Differences
) -> dict[str, Any]:
    """Return what differs as plain values, for JSON."""
    return {
        "format": 1,
        "first": str(first),
        "second": str(second),
        "equal": not differences,
        "differences": [_plain(row) for row in differences.table()],
    }


_TITLES = ("Name", "Value", "Unit", "Channels")
_RAW_TITLES = ("Variable", "Word", "Hexadecimal", "Channels", "Parameter")


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, title in enumerate(titles):
        # A name that is cut in two is found by nobody.
        table.add_column(title, overflow="fold", no_wrap=number == 0)
    return table


def _module(module: ModuleSettings) -> dict[str, Any]:
    return {
        "crate": module.crate,
        "slot": module.slot,
        "serial": module.serial,
        "frequency_msps": module.kind.frequency_msps,
        "adc_bits": module.kind.adc_bits,
        "revision": module.kind.revision,
        "channels": module.kind.channels,
        "fpga_mhz": module.kind.fpga_mhz,
        "boards": {
            str(channel): {
                "frequency_msps": kind.frequency_msps,
                "adc_bits": kind.adc_bits,
                "fpga_mhz": kind.fpga_mhz,
            }
            for channel, kind in sorted(module.boards.items())
        },
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that JSON can hold: it knows no NaN and no infinity."""
    return {
        name: str(value)
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in row.items()
    }
