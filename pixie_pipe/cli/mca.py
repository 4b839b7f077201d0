"""``pixie-pipe mca``: spectra that the modules make themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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

if TYPE_CHECKING:
    from pixie_pipe.scanning import Peak, Spectra

_DATA = {".csv": "text", ".npz": "arrays"}


def mca(
    seconds: Annotated[float, Parameter(validator=validators.Number(gt=0))],
    *,
    driver: DriverOptions | None = None,
    which: ChannelOptions | None = None,
    bins: Annotated[str | None, Parameter(name="--range", show_default=False)] = None,
    rebin: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    scale: Literal["log", "linear"] = "log",
    overlaid: Annotated[bool | None, Parameter(show_default=False)] = None,
    peaks: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 10,
    outputs: Annotated[
        tuple[Path, ...],
        Parameter(name=("--output", "-o"), negative="", show_default=False),
    ] = (),
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Take spectra for some time, list their peaks, and draw them.

    The modules fill them by themselves; no list-mode data are taken. Peaks are
    measured without a fit: the width is that at half height.

    Numbers in brackets are the standard error of the last digits.

    Example: pixie-pipe mca 60 --driver simulated --channels 0-3 -o co60.png
    -o co60.csv

    Parameters
    ----------
    seconds
        How long.
    bins
        Range of bins to draw and to look for peaks, FIRST:END; by default all.
    rebin
        Draw so many bins as one.
    scale
        The count axis of the plot.
    overlaid
        Draw all channels into one, or each for itself; by default up to 7 into one.
    peaks
        List at most so many peaks of each channel.
    outputs
        File to write; .png, .svg and .pdf are plots, .csv and .npz hold the numbers.
        May be repeated.
    force
        Replace files that exist.
    json
        Print rates and peaks as one JSON document.
    """
    from pixie_pipe.scanning import parse_bins, take_spectra
    from pixie_pipe.scanning.values import chosen_bins

    check_outputs(outputs, _DATA, force=force)
    refuse_without_picture(
        {
            "--rebin": rebin != 1,
            "--scale": scale != "log",
            "--overlaid": overlaid is not None,
        },
        outputs,
    )
    with choices_as_usage():
        chosen = None if bins is None else parse_bins(bins)
        with (driver or DriverOptions()).opened() as digitizer:
            spectra = take_spectra(
                digitizer, seconds, **(which or ChannelOptions()).chosen()
            )
        if chosen is not None:
            chosen_bins(chosen, spectra.counts.shape[1])
    found = [
        spectra.peaks(row, bins=chosen, most=peaks) if peaks else []
        for row in range(len(spectra.targets))
    ]
    if json:
        from pixie_pipe.cli.output import write_json

        write_json(_to_dict(spectra, found))
    else:
        _print(spectra, found, with_peaks=peaks > 0)
    # The numbers first: a plot of too many channels is refused.
    for path in sorted(outputs, key=is_picture):
        if is_picture(path):
            spectra.plot(
                path,
                scale=scale,
                rebin=rebin,
                bins=chosen,
                overlaid=overlaid,
                force=force,
            )
        else:
            spectra.save(path, force=force)


def _to_dict(spectra: Spectra, found: list[list[Peak]]) -> dict[str, Any]:
    import dataclasses

    from pixie_pipe.scanning.plain import plain

    channels = []
    for row, target in enumerate(spectra.targets):
        rates = spectra.modules[target.module]
        channels.append(
            {
                **target.to_dict(),
                "counts": int(spectra.counts[row].sum(dtype="i8")),
                "input_hz": plain(rates.input_hz[target.channel]),
                "output_hz": plain(rates.output_hz[target.channel]),
                "dead_percent": plain(rates.dead_percent[target.channel]),
                "peaks": [dataclasses.asdict(peak) for peak in found[row]],
            }
        )
    return {"format": 1, "seconds": spectra.seconds, "channels": channels}


def _print(spectra: Spectra, found: list[list[Peak]], *, with_peaks: bool) -> None:
    from pixie_pipe._units import format_count, format_rate_hz

    of_peaks = ("Peak at bin", "FWHM", "%", "In the peak") if with_peaks else ()
    table = channel_table("Counts", "Output rate", *of_peaks)
    for row, target in enumerate(spectra.targets):
        rate = spectra.modules[target.module].output_hz[target.channel]
        head = [
            target.name,
            format_count(int(spectra.counts[row].sum(dtype="i8"))),
            format_rate_hz(float(rate)),
        ]
        peaks: list[Peak | None] = [*sorted(found[row], key=lambda one: one.position)]
        for peak in peaks or [None]:
            table.add_row(*head, *(_peak_cells(peak) if with_peaks else ()))
            head = ["", "", ""]
    output.results().print(table)


def _peak_cells(peak: Peak | None) -> list[str]:
    from pixie_pipe._units import format_measured

    if peak is None:
        return ["none", "", "", ""]
    percent = f"{100 * peak.width / peak.position:.2f}" if peak.position > 0 else "?"
    return [
        format_measured(peak.position, peak.position_error),
        format_measured(peak.width, peak.width_error),
        percent,
        format_measured(peak.counts, peak.counts_error),
    ]
