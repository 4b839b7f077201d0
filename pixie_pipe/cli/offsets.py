"""``pixie-pipe offsets``: offsets of the inputs, adjusted by the modules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    DriverOptions,
    ModuleOptions,
    channel_table,
    check_settings_file,
    choices_as_usage,
    number_text,
    settings_writer,
)

if TYPE_CHECKING:
    from pixie_pipe.scanning import Offsets


def offsets(
    *,
    driver: DriverOptions | None = None,
    which: ModuleOptions | None = None,
    settings: Annotated[Path | None, Parameter(show_default=False)] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Let modules adjust their offsets, and tell what has changed.

    All channels of a module are adjusted: their baselines go to BASELINE_PERCENT of
    the range of the ADC. The levels in the table are medians of ADC traces. This
    takes seconds for each module. No run may go on.

    Example: pixie-pipe offsets --driver simulated --settings new.json

    Parameters
    ----------
    settings
        Afterwards write all settings of the modules to this JSON file.
    force
        Replace a file that exists.
    json
        Print one JSON document instead of a table.
    """
    from pixie_pipe.scanning import adjust_offsets

    check_settings_file(settings, force=force)
    with choices_as_usage(), (driver or DriverOptions()).opened() as digitizer:
        write = settings_writer(digitizer, settings, force=force)
        adjusted = adjust_offsets(digitizer, **(which or ModuleOptions()).chosen())
        write()
    if json:
        output.write_json({"format": 1, "channels": adjusted.to_rows()})
    else:
        _print(adjusted)
    away = [target.name for target in adjusted.away()]
    if away:
        output.note(
            f"more than 1 % away from BASELINE_PERCENT: {', '.join(away)}; look at "
            f"their signals and polarity"
        )


def _print(adjusted: Offsets) -> None:
    table = channel_table("VOFFSET (V)", "now", "Level (%)", "now", "wanted")
    columns = zip(
        adjusted.targets,
        adjusted.before_v,
        adjusted.after_v,
        adjusted.before_percent,
        adjusted.after_percent,
        adjusted.wanted_percent,
        strict=True,
    )
    for target, before_v, after_v, *levels in columns:
        table.add_row(
            target.name,
            number_text(float(before_v), 4),
            number_text(float(after_v), 4),
            *(number_text(float(level), 1) for level in levels),
        )
    output.results().print(table)
