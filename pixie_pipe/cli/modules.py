"""``pixie-pipe modules``: the modules that a driver finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import DriverOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixie_pipe.drivers.digitizer import ModuleInfo


def modules(
    *,
    driver: DriverOptions | None = None,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """List the modules that a driver finds.

    Example: pixie-pipe modules --driver recorded --option files=run.bin
    --option frequency=500 --option revision=34688

    Parameters
    ----------
    json
        Print one JSON document instead of a table.
    """
    with (driver or DriverOptions()).opened() as digitizer:
        found = list(digitizer.modules)
    if json:
        from pixie_pipe.cli.output import write_json

        write_json({"format": 1, "modules": [*map(_to_dict, range(len(found)), found)]})
    else:
        _print(found)


def _to_dict(number: int, module: ModuleInfo) -> dict[str, Any]:
    return {
        "module": number,
        "name": module.name,
        "crate": module.crate,
        "slot": module.slot,
        "frequency": module.frequency,
        "bits": module.bits or None,
        "revision": module.revision,
        "hardware": module.hardware or None,
        "serial": module.serial or None,
        "channels": module.channels,
        "layout": module.layout.name,
    }


_COLUMNS = (
    "",
    "Name",
    "Crate",
    "Slot",
    "MSPS",
    "Bits",
    "Revision",
    "HW",
    "Serial",
    "Ch",
    "Layout",
)


def _print(found: Sequence[ModuleInfo]) -> None:
    from rich.table import Table

    console = output.results()
    if not found:
        console.print("the driver finds no modules")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in _COLUMNS:
        is_text = title in {"Name", "HW", "Layout"}
        table.add_column(title, justify="left" if is_text else "right", overflow="fold")
    for number, module in enumerate(found):
        values = _to_dict(number, module).values()
        table.add_row(*("?" if value is None else str(value) for value in values))
    console.print(table)
