"""``pixie-pipe scope``: traces as the ADCs see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    ChannelOptions,
    DriverOptions,
    check_outputs,
    choices_as_usage,
    is_picture,
)

if TYPE_CHECKING:
    from pixie_pipe.scanning import Traces

_DATA = {".npy": "one array", ".npz": "an array for each channel"}


def scope(
    *,
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    count: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    auto: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    threshold: Annotated[
        float | None,
        Parameter(validator=validators.Number(gt=0), show_default=False),
    ] = None,
    timeout: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 10.0,
    overlaid: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    filters: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    outputs: Annotated[
        tuple[Path, ...],
        Parameter(name=("--output", "-o"), negative="", show_default=False),
    ] = (),
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Take ADC traces of channels, and draw them.

    Without --auto the traces are taken at once, whatever they show; an empty one is
    the noise. No run may go on.

    Example: pixie-pipe scope --driver simulated --channels 0-3 --auto -o traces.png

    Parameters
    ----------
    count
        Traces of each channel.
    auto
        Wait for pulses: keep only traces that have one. The exit code is 1 if no
        channel sees any.
    threshold
        Least height of a pulse in ADC units; by default 8 times the noise.
    timeout
        Longest time to wait for pulses, in s.
    overlaid
        Draw all channels into one.
    filters
        Draw what the trigger filter, the CFD and the energy filter make of the first
        trace, with the lengths that are set, the threshold and where the energy is
        taken.
    outputs
        File to write; .png, .svg and .pdf are plots, .npy holds the numbers (channels,
        traces, samples), .npz an array for each channel. May be repeated.
    force
        Replace files that exist.
    """
    from pixie_pipe.errors import PixiePipeError
    from pixie_pipe.scanning import filter_curves, take_traces

    check_outputs(outputs, _DATA, force=force)
    with choices_as_usage(), (driver or DriverOptions()).opened() as digitizer:
        traces = take_traces(
            digitizer,
            count=count,
            until_pulse=auto,
            threshold=threshold,
            timeout_s=timeout,
            **(which or ChannelOptions()).chosen(),
        )
        curves = filter_curves(digitizer, traces) if filters else None
    _print(traces)
    # The numbers first: a plot of too many channels is refused.
    for path in sorted(outputs, key=is_picture):
        if is_picture(path):
            traces.plot(path, overlaid=overlaid, filters=curves, force=force)
        else:
            traces.save(path, force=force)
    if not auto:
        return
    without = [
        target.name
        for target, pulses in zip(traces.targets, traces.has_pulse, strict=True)
        if not pulses.all()
    ]
    if len(without) == len(traces.targets) and not any(
        pulses.any() for pulses in traces.has_pulse
    ):
        raise PixiePipeError(
            f"no pulse was seen within {timeout:g} s; look at the signals and the "
            f"offsets, or lower --threshold"
        )
    if without:
        output.note(f"too few pulses within {timeout:g} s: {', '.join(without)}")


def _print(traces: Traces) -> None:
    import numpy as np
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Channel")
    for title in ("Traces", "Samples", "us/sample", "Median", "Min", "Max", "Pulses"):
        table.add_column(title, justify="right")
    rows = zip(
        traces.targets,
        traces.samples,
        traces.sample_us,
        traces.has_pulse,
        strict=True,
    )
    for target, samples, step, pulses in rows:
        table.add_row(
            target.name,
            str(len(samples)),
            str(samples.shape[1]),
            f"{step:g}" if step > 0 else "?",
            f"{np.median(samples):g}",
            str(samples.min()),
            str(samples.max()),
            str(int(pulses.sum())),
        )
    output.results().print(table)
