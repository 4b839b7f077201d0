"""``pixie-pipe rates``: input rate, output rate and dead time of channels, live."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    ChannelOptions,
    DriverOptions,
    channel_table,
    check_outputs,
    choices_as_usage,
    number_text,
)
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from pixie_pipe.scanning import Rates


def rates(
    *,
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    every: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 1.0,
    seconds: Annotated[
        float | None,
        Parameter(validator=validators.Number(gt=0), show_default=False),
    ] = None,
    once: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    run: Literal["list", "mca"] = "list",
    plot: Annotated[Path | None, Parameter(show_default=False)] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Show input rate, output rate and dead time of channels.

    A run is started and nothing of it is kept. The table is refreshed until Ctrl-C.
    Dead time is the part of the pulses that gave no event: 1 - output / input rate.

    Example: pixie-pipe rates --driver simulated --once

    Parameters
    ----------
    every
        Time from one reading to the next, in s.
    seconds
        End after this time; by default with Ctrl-C, or when the run ends.
    once
        Read once, and end.
    run
        What the modules do: list-mode data, read and thrown away, or spectra (mca).
    plot
        At the end, draw the rates over time: .png, .svg or .pdf.
    force
        Replace a plot that exists.
    json
        Print each reading as one line of JSON.
    """
    from pixie_pipe.scanning import RateHistory, watch_rates

    if once and seconds is not None:
        raise UsageError("--once and --seconds both say when to end: give one")
    check_outputs([] if plot is None else [plot], {}, force=force)
    history = RateHistory()
    try:
        with (
            choices_as_usage(),
            (driver or DriverOptions()).opened() as digitizer,
            closing(
                watch_rates(
                    digitizer,
                    every_s=every,
                    seconds=every if once else seconds,
                    kind=run,
                    **(which or ChannelOptions()).chosen(),
                )
            ) as readings,
            _shown(json=json) as show,
        ):
            for reading in readings:
                if plot is not None:
                    history.readings.append(reading)
                show(reading)
    finally:
        # Ctrl-C is how one ends it.
        if plot is not None and len(history):
            history.plot(plot, force=force)
        elif plot is not None:
            output.note(f"{plot}: not written, for no rates were read")


@contextmanager
def _shown(*, json: bool) -> Iterator[Callable[[Rates], None]]:
    """Yield what shows a reading: as a live table, a table each, or JSON."""
    if json:
        from pixie_pipe.cli.output import write_json

        def write(reading: Rates) -> None:
            write_json(reading.to_dict())
            sys.stdout.flush()

        yield write
        return
    console = output.results()
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda reading: console.print(_table(reading))
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        yield lambda reading: live.update(_table(reading), refresh=True)


def _table(reading: Rates) -> Table:
    from pixie_pipe._units import format_count

    names = {target.module: target.module_name for target in reading.targets}
    lost = [
        f"{names[number]} LOST {format_count(int(rates.words_dropped))} words"
        for number, rates in reading.modules.items()
        if rates.words_dropped > 0
    ]
    words = sum(
        rates.words_hz for rates in reading.modules.values() if rates.words_hz > 0
    )
    caption = f"{reading.seconds:.1f} s, {format_count(round(words))} words/s read"
    table = channel_table("Input (Hz)", "Output (Hz)", "Dead time (%)")
    table.caption = "; ".join([caption, *lost])
    table.caption_justify = "left"
    for row, target in enumerate(reading.targets):
        table.add_row(
            target.name,
            number_text(reading.input_hz[row], 1),
            number_text(reading.output_hz[row], 1),
            number_text(reading.dead_percent[row], 2),
        )
    return table
