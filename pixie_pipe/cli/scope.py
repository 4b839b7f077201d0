"""``pixie-pipe scope``: traces as the ADCs see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import (
    ChannelOptions,
    DriverOptions,
    channel_table,
    check_outputs,
    choices_as_usage,
    is_picture,
    refuse_without_picture,
)
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.scanning import Traces

_PATIENCE_S: Final = 10.0

_DATA = {".npy": "one array", ".npz": "an array for each channel"}


def scope(
    *,
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    count: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    persistence: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=2), show_default=False),
    ] = None,
    align: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    span: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, show_default=False)
    ] = None,
    auto: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    threshold: Annotated[
        float | None,
        Parameter(validator=validators.Number(gt=0), show_default=False),
    ] = None,
    timeout: Annotated[
        float | None,
        Parameter(validator=validators.Number(gt=0), show_default=False),
    ] = None,
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

    Example: pixie-pipe scope --driver simulated --channel 0 --auto --persistence 500
    --align --span -2:20 -o persistence.png

    Parameters
    ----------
    count
        Traces of each channel.
    persistence
        Take so many traces of each channel, and draw how many of them pass where
        instead of lines.
    align
        With --persistence: shift each trace so that its pulse is at the time 0;
        traces without one are left out.
    span
        With --persistence: first and last time to draw in µs, FIRST:LAST; by default
        all.
    auto
        Wait for pulses: keep only traces that have one. The exit code is 1 if no
        channel sees any.
    threshold
        Least height of a pulse in ADC units; by default 8 times the noise.
    timeout
        With --auto: longest time to wait for pulses, in s; by default 10.
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
    from pixie_pipe.scanning import filter_curves, parse_span, take_traces

    check_outputs(outputs, _DATA, force=force)
    _refuse_idle(
        {
            "--filters": filters,
            "--overlaid": overlaid,
            "--persistence": persistence is not None,
        },
        {"--align": align, "--span": span is not None},
        outputs,
    )
    if persistence is not None and count != 1:
        raise UsageError("--count and --persistence both say how many traces: give one")
    if timeout is not None and not auto:
        raise UsageError(
            "--timeout goes with --auto: without it, nothing is waited for"
        )
    patience = _PATIENCE_S if timeout is None else timeout
    with choices_as_usage():
        span_us = None if span is None else parse_span(span)
    with choices_as_usage(), (driver or DriverOptions()).opened() as digitizer:
        traces = take_traces(
            digitizer,
            count=persistence or count,
            until_pulse=auto,
            threshold=threshold,
            timeout_s=patience,
            **(which or ChannelOptions()).chosen(),
        )
        curves = filter_curves(digitizer, traces) if filters else None
    _print(traces)
    # The numbers first: a plot of too many channels is refused.
    for path in sorted(outputs, key=is_picture):
        if not is_picture(path):
            traces.save(path, force=force)
        elif persistence is not None:
            traces.persistence(
                path, align=align, threshold=threshold, span_us=span_us, force=force
            )
        else:
            traces.plot(path, overlaid=overlaid, filters=curves, force=force)
    if auto:
        _tell_missing(traces, patience)


def _refuse_idle(
    kinds: dict[str, bool], details: dict[str, bool], outputs: Sequence[Path]
) -> None:
    """Refuse options that would do nothing.

    Parameters
    ----------
    kinds
        Options that say what is drawn, with whether they are given.
    details
        Options that go with --persistence alone.
    outputs
        Files to write.

    Raises
    ------
    UsageError
        If there is no picture, or options contradict each other.
    """
    given = [name for name, is_given in kinds.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together: choose one")
    idle = [name for name, is_given in details.items() if is_given]
    if idle and given != ["--persistence"]:
        raise UsageError(f"{' and '.join(idle)}: only with --persistence")
    refuse_without_picture(kinds, outputs)


def _tell_missing(traces: Traces, timeout: float) -> None:
    """Tell which channels have seen fewer pulses than were asked for.

    Raises
    ------
    PixiePipeError
        If none has seen any.
    """
    from pixie_pipe.errors import PixiePipeError

    without = [
        target.name
        for target, pulses in zip(traces.targets, traces.has_pulse, strict=True)
        if not pulses.all()
    ]
    if not any(pulses.any() for pulses in traces.has_pulse):
        raise PixiePipeError(
            f"no pulse was seen within {timeout:g} s; look at the signals and the "
            f"offsets, or lower --threshold"
        )
    if without:
        output.note(f"too few pulses within {timeout:g} s: {', '.join(without)}")


def _print(traces: Traces) -> None:
    import numpy as np

    table = channel_table(
        "Traces", "Samples", "µs/sample", "Median", "Min", "Max", "Pulses"
    )
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
