"""The result of ``pixie-pipe inspect`` as tables and plots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from pixie_pipe._units import (
    format_bytes,
    format_count,
    format_duration_ps,
    format_rate_hz,
)
from pixie_pipe.cli import output
from pixie_pipe.cli.spectrum import Scale, draw_spectrum, plot_lines
from pixie_pipe.storage.inspection import Inspection, StreamInspection
from pixie_pipe.storage.survey import ChannelSurvey, ModuleSurvey, TimeStep

if TYPE_CHECKING:
    from rich.console import Console

_PLOT_ROWS = 5
_TALL_PLOT_ROWS = 10
# Title and two lines of axis.
_LINES_BESIDE_PLOT = 3
_WIDEST_PLOT = 120
_MOST_LENGTHS = 4
_FACT_INDENT = 11
_NARROWEST_FACT = 40

# The spaces within a number and before its unit, where no line is to end.
_NUMBER_SPACE = re.compile(r"(?<=\d) (?=\d|[pnµm]?s\b|%|words|samples)")

_HEADERS = {
    4: "plain",
    6: "external time",
    8: "energy sums",
    10: "energy sums, external time",
    12: "QDC",
    14: "QDC, external time",
    16: "energy sums, QDC",
    18: "energy sums, QDC, external time",
}


def write(
    inspection: Inspection,
    channels: Sequence[ChannelSurvey],
    *,
    spectra: int | None,
    scale: Scale,
    energies: tuple[int, int] | None,
) -> None:
    """Print tables and plots to stdout.

    Parameters
    ----------
    inspection
        What was found.
    channels
        The channels to show.
    spectra
        Number of spectra to draw; None for as many as fit on the screen.
    scale, energies
        As for `draw_spectrum`.
    """
    console = output.results()
    for stream in inspection.streams:
        _print_stream(console, stream)
    for module in inspection.survey.modules:
        _print_module(console, module)
    if channels:
        console.print()
        console.print(_channel_table(channels))
    _print_rejections(console, inspection)
    _print_spectra(console, channels, spectra, scale, energies)
    if inspection.notes:
        console.print()
    for note in inspection.notes:
        line = Text.assemble(("note: ", "bold yellow"), note)
        console.print(line, soft_wrap=not console.is_terminal)


def _print_stream(console: Console, stream: StreamInspection) -> None:
    for source in stream.sources:
        line = Text.assemble(
            (str(source.path), "bold"), f", {format_bytes(source.size)}"
        )
        console.print(line, soft_wrap=True)
    console.print(f"  layout {stream.stream.layout}", soft_wrap=True)
    console.print(f"  {output.balance_text(stream.balance)}", soft_wrap=True)


def _print_module(console: Console, module: ModuleSurvey) -> None:
    console.print()
    console.print(Text(f"Module {module.crate}/{module.slot}", "bold"))
    width = max(console.width - _FACT_INDENT, _NARROWEST_FACT)
    for name, text in _module_facts(module):
        lines = [
            part.replace("\N{NO-BREAK SPACE}", " ")
            for line in text.split("\n")
            for part in wrap(_NUMBER_SPACE.sub("\N{NO-BREAK SPACE}", line), width)
        ]
        label = f"  {name}".ljust(_FACT_INDENT)
        for line in lines:
            console.print(Text.assemble((label, "dim"), line), soft_wrap=True)
            label = " " * _FACT_INDENT


def _module_facts(module: ModuleSurvey) -> Iterator[tuple[str, str]]:
    rate = "" if module.rate_hz is None else f", {format_rate_hz(module.rate_hz)}"
    yield "events", f"{format_count(module.events)}{rate}"
    first, last = map(format_duration_ps, (module.first_ps, module.last_ps))
    yield "time", f"{first} to {last}, span {format_duration_ps(module.span_ps)}"
    headers = {
        f"{length} words ({_HEADERS[length]})": count
        for length, count in module.header_lengths.items()
    }
    yield "headers", _counts_text(headers)
    traces = {
        f"{format_count(length)} samples" if length else "none": count
        for length, count in _most_common(module.trace_lengths)
    }
    more = len(module.trace_lengths) - len(traces)
    yield "traces", _counts_text(traces) + (f", {more} other lengths" if more else "")
    yield "order", _disorder_text(module)
    yield "gaps", _gaps_text(module)
    yield "resets", _resets_text(module)


def _most_common(counts: Mapping[int, int]) -> list[tuple[int, int]]:
    common = sorted(counts.items(), key=lambda item: -item[1])[:_MOST_LENGTHS]
    return sorted(common)


def _counts_text(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return f"all {next(iter(counts))}" if "none" not in counts else "none"
    return ", ".join(f"{name}: {format_count(count)}" for name, count in counts.items())


def _disorder_text(module: ModuleSurvey) -> str:
    if not module.disorder:
        return "no event is earlier than one before it"
    return (
        f"{format_count(module.disorder)} events "
        f"({_percent(module.disorder, module.events)}) are earlier than one before "
        f"them, by up to {format_duration_ps(module.largest_back_ps)} (event "
        f"{format_count(module.largest_back_event)})"
    )


def _gaps_text(module: ModuleSurvey) -> str:
    longest = (
        f"longest step {format_duration_ps(module.largest_step_ps)}, before event "
        f"{format_count(module.largest_step_event)}"
    )
    if not module.gap_count:
        return f"none; {longest}"
    return f"{_listed(module.gaps, module.gap_count)}; {longest}"


def _resets_text(module: ModuleSurvey) -> str:
    if not module.reset_count:
        return "none"
    return _listed(module.resets, module.reset_count)


def _listed(steps: Sequence[TimeStep], count: int) -> str:
    lines = [format_count(count)]
    lines += [
        f"event {format_count(step.event)}: {format_duration_ps(step.before_ps)} to "
        f"{format_duration_ps(step.after_ps)}"
        for step in steps
    ]
    if count > len(steps):
        lines.append(f"and {format_count(count - len(steps))} more")
    return "\n".join(lines)


def _channel_table(channels: Sequence[ChannelSurvey]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Channel", style="bold", no_wrap=True)
    for title in ("Events", "Rate", "Pile-up", "Out of range"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("CFD valid", "forced", "off"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in channels:
        table.add_row(
            _name(row),
            format_count(row.events),
            "" if row.rate_hz is None else format_rate_hz(row.rate_hz),
            *(
                _percent(count, row.events)
                for count in (
                    row.pileup,
                    row.out_of_range,
                    row.cfd_valid,
                    row.cfd_forced,
                    row.cfd_off,
                )
            ),
        )
    return table


def _name(row: ChannelSurvey) -> str:
    return f"{row.crate}/{row.slot}/{row.channel}"


def _percent(count: int, total: int) -> str:
    if count == 0:
        return "0"
    percent = 100 * count / total
    return "< 0.1 %" if percent < 0.1 else f"{percent:.1f} %"


def _print_rejections(console: Console, inspection: Inspection) -> None:
    if not inspection.rejections:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Rejected in", overflow="fold")
    table.add_column("at word", justify="right", no_wrap=True)
    table.add_column("words", justify="right", no_wrap=True)
    table.add_column("reason")
    for row in inspection.rejections:
        table.add_row(
            str(row.path),
            format_count(row.byte_offset // 4),
            format_count(row.word_count),
            row.reason.description,
        )
    console.print()
    console.print(table)
    more = inspection.rejected_stretches - len(inspection.rejections)
    if more:
        console.print(
            f"and {format_count(more)} more; list them with --rejected "
            f"{inspection.rejected_stretches}",
            style="dim",
        )


def _print_spectra(
    console: Console,
    channels: Sequence[ChannelSurvey],
    wanted: int | None,
    scale: Scale,
    energies: tuple[int, int] | None,
) -> None:
    drawable = [row for row in channels if row.spectrum is not None]
    busiest = sorted(drawable, key=lambda row: -row.events)
    fitting = max((console.height - 4) // (_PLOT_ROWS + _LINES_BESIDE_PLOT), 1)
    shown = busiest[: fitting if wanted is None else wanted]
    # A single one gets the space of two.
    rows = _TALL_PLOT_ROWS if len(shown) == 1 else _PLOT_ROWS
    if shown:
        console.print(f"\nEnergy in ADC units, counts on a {scale} scale", style="dim")
    for row in shown:
        _print_spectrum(console, row, rows, scale, energies)
    hidden = len(busiest) - len(shown)
    if hidden and wanted != 0:
        console.print()
        console.print(
            f"{hidden} more channel{'' if hidden == 1 else 's'}: --spectra "
            f"{len(busiest)}, or --channel {_name(busiest[len(shown)])}",
            style="dim",
        )


def _print_spectrum(
    console: Console,
    row: ChannelSurvey,
    rows: int,
    scale: Scale,
    energies: tuple[int, int] | None,
) -> None:
    assert row.spectrum is not None
    ascii_only = not output.can_draw(console)
    plot = draw_spectrum(
        row.spectrum,
        row.energy_per_bin,
        width=min(console.width, _WIDEST_PLOT),
        height=rows,
        scale=scale,
        energies=energies,
        ascii_only=ascii_only,
    )
    facts = (
        f"  {format_count(row.events)} events, highest column "
        f"{format_count(plot.peak_count)} at {format_count(round(plot.peak_energy))} "
        f"({plot.energy_per_column} wide)"
    )
    if plot.above:
        facts += f", {format_count(plot.above)} above"
    console.print(Text.assemble((_name(row), "bold"), facts), soft_wrap=True)
    for label, bar in plot_lines(plot, ascii_only=ascii_only):
        line = Text.assemble((label, "dim"), (bar.rstrip(), "cyan"))
        console.print(line, soft_wrap=True)
