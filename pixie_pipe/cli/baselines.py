"""``pixie-pipe baselines``: baselines as the modules measure them between pulses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    ChannelOptions,
    DriverOptions,
    channel_table,
    check_outputs,
    choices_as_usage,
    is_picture,
    number_text,
)

if TYPE_CHECKING:
    from pixie_pipe.scanning import Baselines

_DATA = {".csv": "text", ".npz": "arrays"}


def baselines(
    *,
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    outputs: Annotated[
        tuple[Path, ...],
        Parameter(name=("--output", "-o"), negative="", show_default=False),
    ] = (),
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Take baselines of channels, and draw them.

    They are the answers of the energy filter between pulses, in units of the energy.
    The spread is the standard deviation of all of them; the noise that of the bulk,
    without outliers: a spread far above the noise tells of pulses among them. No run
    may go on.

    Example: pixie-pipe baselines --driver simulated --channels 0-3 -o baselines.png

    Parameters
    ----------
    outputs
        File to write; .png, .svg and .pdf are plots, .csv and .npz hold the numbers.
        May be repeated.
    force
        Replace files that exist.
    json
        Print one JSON document instead of a table.
    """
    from pixie_pipe.scanning import baselines as take_baselines

    check_outputs(outputs, _DATA, force=force)
    with choices_as_usage(), (driver or DriverOptions()).opened() as digitizer:
        taken = take_baselines(digitizer, **(which or ChannelOptions()).chosen())
    if json:
        output.write_json({"format": 1, "channels": taken.to_rows()})
    else:
        _print(taken)
    # The numbers first: a plot of too many channels is refused.
    for path in sorted(outputs, key=is_picture):
        if is_picture(path):
            taken.plot(path, force=force)
        else:
            taken.save(path, force=force)


def _print(taken: Baselines) -> None:
    table = channel_table("Baselines", "Mean", "Spread", "Noise")
    columns = zip(
        taken.targets, taken.count, taken.mean, taken.spread, taken.noise, strict=True
    )
    for target, count, *values in columns:
        cells = (number_text(float(value), 2) for value in values)
        table.add_row(target.name, str(count), *cells)
    output.results().print(table)
