"""``pixie-pipe inspect``: what is in raw files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.sources import SourceOptions
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.storage.survey import ChannelSurvey

_AT_LEAST_ZERO = validators.Number(gte=0)
_SHOWN = Group("What is shown", sort_key=2)


def inspect(
    *files: Path,
    source: SourceOptions | None = None,
    channel: Annotated[
        tuple[str, ...], Parameter(group=_SHOWN, negative="", show_default=False)
    ] = (),
    spectra: Annotated[
        int | None, Parameter(group=_SHOWN, validator=_AT_LEAST_ZERO)
    ] = None,
    scale: Annotated[Literal["log", "linear"], Parameter(group=_SHOWN)] = "log",
    energy: Annotated[str | None, Parameter(group=_SHOWN)] = None,
    rejected: Annotated[int, Parameter(group=_SHOWN, validator=_AT_LEAST_ZERO)] = 10,
    json: Annotated[
        bool, Parameter(group=_SHOWN, negative="", show_default=False)
    ] = False,
    quiet: Annotated[
        bool,
        Parameter(
            name=("--quiet", "-q"), group=_SHOWN, negative="", show_default=False
        ),
    ] = False,
) -> None:
    """Tell what is in raw files, as tables and spectra.

    Example: pixie-pipe inspect run.bin --frequency 500 --revision 34688

    Parameters
    ----------
    files
        Raw list-mode files in the order of the run.
    channel
        Only these channels, as crate/slot/channel: 0/2/9. May be repeated.
    spectra
        Number of spectra to draw, the busiest first; by default a screenful.
    scale
        The count axis of the spectra.
    energy
        Energies to draw, in ADC units: 8000:12000.
    rejected
        Number of stretches of rejected words to list.
    json
        Print one JSON document instead of tables.
    quiet
        Show no progress.
    """
    source = source or SourceOptions()
    wanted = [_channel_numbers(text) for text in channel]
    energies = None if energy is None else _energy_range(energy)
    with output.progress(quiet=quiet) as progress:
        streams = source.streams(files)
        from pixie_pipe.storage.inspection import inspect_streams

        inspection = inspect_streams(
            streams,
            byte_order=source.byte_order,
            max_event_length=source.max_event_length,
            keep_rejections=rejected,
            progress=progress,
        )
    channels = _chosen(inspection.survey.channels, wanted)
    if json:
        from pixie_pipe.cli import inspect_json

        inspect_json.write(inspection, channels)
    else:
        from pixie_pipe.cli import inspect_report

        inspect_report.write(
            inspection,
            channels,
            spectra=len(wanted) if spectra is None and wanted else spectra,
            scale=scale,
            energies=energies,
        )
    output.require_closed(inspection.balance)


def _channel_numbers(text: str) -> tuple[int, int, int]:
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise UsageError(
            f"--channel {text}: expected crate/slot/channel, such as 0/2/9"
        )
    return int(parts[0]), int(parts[1]), int(parts[2])


def _energy_range(text: str) -> tuple[int, int]:
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal() and int(low) < int(high) <= 1 << 16):
        raise UsageError(
            f"--energy {text}: expected LOW:HIGH in ADC units, 0 to 65536, such as "
            f"8000:12000"
        )
    return int(low), int(high)


def _chosen(
    channels: Sequence[ChannelSurvey], wanted: Sequence[tuple[int, int, int]]
) -> list[ChannelSurvey]:
    """Return the channels that were asked for, all if none were."""
    by_number = {(row.crate, row.slot, row.channel): row for row in channels}
    for numbers in wanted:
        if numbers not in by_number:
            name = "/".join(map(str, numbers))
            there = ", ".join("/".join(map(str, known)) for known in by_number)
            raise UsageError(f"there are no events of channel {name}, only of {there}")
    return [by_number[numbers] for numbers in wanted or by_number]
