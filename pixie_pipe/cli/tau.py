"""``pixie-pipe tau``: decay times of the pulses, beside the parameter TAU."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    ChannelOptions,
    DriverOptions,
    channel_table,
    check_outputs,
    check_settings_file,
    choices_as_usage,
    number_text,
    settings_writer,
)

if TYPE_CHECKING:
    from pixie_pipe.scanning import DecayTimes
    from pixie_pipe.settings import Changes


def tau(
    *,
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    set_found: Annotated[
        bool, Parameter(name="--set", negative="", show_default=False)
    ] = False,
    settings: Annotated[Path | None, Parameter(show_default=False)] = None,
    plot: Annotated[
        Path | None, Parameter(name=("--plot", "-o"), show_default=False)
    ] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Find the decay times of the pulses of channels.

    They stand beside the parameter TAU, with which the energy is computed. No run may
    go on.

    Example: pixie-pipe tau --driver simulated --channels 0-3 --settings new.json

    Parameters
    ----------
    set_found
        Set TAU to what was found, in the modules; channels without a decay time keep
        theirs.
    settings
        Do so, and write all settings of the modules to this JSON file.
    plot
        Draw the decay times and TAU: .png, .svg or .pdf.
    force
        Replace files that exist.
    json
        Print one JSON document instead of a table.
    """
    from pixie_pipe.scanning import tau as find_tau

    check_outputs([] if plot is None else [plot], {}, force=force)
    check_settings_file(settings, force=force)
    changes: Changes | None = None
    with choices_as_usage(), (driver or DriverOptions()).opened() as digitizer:
        write = settings_writer(digitizer, settings, force=force)
        found = find_tau(digitizer, **(which or ChannelOptions()).chosen())
        if set_found or settings is not None:
            changes = found.apply(digitizer)
            write()
    if json:
        output.write_json({"format": 1, "channels": found.to_rows()})
    else:
        _print(found)
    if plot is not None:
        found.plot(plot, force=force)
    if changes is not None:
        _tell(changes, len(found.targets))


def _print(found: DecayTimes) -> None:
    table = channel_table("Found (µs)", "TAU (µs)", "Difference (%)")
    columns = zip(
        found.targets, found.tau_us.tolist(), found.setting_us.tolist(), strict=True
    )
    for target, tau_us, setting_us in columns:
        difference = 100 * (tau_us / setting_us - 1) if setting_us else float("nan")
        table.add_row(
            target.name,
            _time(tau_us),
            _time(setting_us),
            number_text(difference, 1),
        )
    output.results().print(table)


def _time(value_us: float) -> str:
    """Return a time with the digits that it has: tens of ns, or hundreds of µs."""
    return "-" if math.isnan(value_us) else f"{value_us:.4g}"


def _tell(changes: Changes, channels: int) -> None:
    """Tell of how many channels TAU was set, and what else that does."""
    if not len(changes):
        output.note("no decay time was found: TAU is as it was")
        return
    output.note(
        f"TAU was set to what was found in {len(changes)} of {channels} channels"
    )
    for text in changes.notes:
        output.note(text)
