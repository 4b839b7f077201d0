"""Settings, and what differs between them, as tables and as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from pixie_pipe.cli import output
from pixie_pipe.settings import (
    CrateSettings,
    DifferenceLine,
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
        rows: list[tuple[str, ...]] = []
        last = ""
        for line in some:
            name = "" if line.name == last else line.name
            last = line.name
            channels = line.channels or "module"
            if raw:
                words = line.value, f"{int(line.value):#x}"
                rows.append((name, *words, channels, line.parameter))
            else:
                rows.append((name, line.value, line.unit, channels))
        _print_table(_RAW_TITLES if raw else _TITLES, rows)


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
        _print_table(_DIFFERENCE_TITLES, [_difference_row(line) for line in some])


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


def _difference_row(line: DifferenceLine) -> tuple[str, ...]:
    unit = "" if line.unit == "raw" else line.unit
    first, second = (
        f"{value} {unit}".rstrip() if value else "-"
        for value in (line.first, line.second)
    )
    return line.name, first, second, line.channels or "module", line.raw


_GAP: Final = 2  # blanks between columns
_DIFFERENCE_TITLES = ("Name", "First", "Second", "Channels", "Raw words")
_TITLES = ("Name", "Value", "Unit", "Channels")
_RAW_TITLES = ("Variable", "Word", "Hexadecimal", "Channels", "Parameter")


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; what is long goes on in the next line."""
    console = output.results()
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    room = console.width - _GAP * len(titles)
    columns = list(zip(titles, *rows, strict=True))
    for title, width in zip(titles, _widths(columns, room), strict=True):
        table.add_column(title, overflow="fold", width=width)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int] | list[None]:
    """Return widths of columns for which names stay whole, and words of the others.

    Rich leaves the widths to itself, and cuts words where there is no need. In a
    terminal that is too narrow they are left to it all the same.
    """
    least = [max(len(w) for text in c for w in ("", *text.split())) for c in columns]
    widths = [max(map(len, column)) for column in columns]
    least[0] = widths[0]
    if sum(least) > room:
        return [None] * len(columns)
    while sum(widths) > room:
        spare = [width - small for width, small in zip(widths, least, strict=True)]
        widest = max(range(len(widths)), key=lambda n: (spare[n] > 0, widths[n]))
        widths[widest] -= 1
    return widths


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
