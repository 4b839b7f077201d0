"""The status of a pipeline as a table: in text, in HTML, and for a terminal."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Final

from pixie_pipe._units import format_bytes
from pixie_pipe.pipeline._rates import seconds_text, short_number
from pixie_pipe.pipeline.messages import Status

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pixie_pipe.pipeline.display import PipelineStatus, ProcessStatus

RED: Final = "#d33"
"""A red that can be read on white and on black."""

_LEFT = {"process", "state"}
_LEAST_NAME_WIDTH = 12


def columns(status: PipelineStatus) -> dict[str, list[str]]:
    """Return the cells by the heading of their column.

    The state comes last: terminals do not agree how wide its sign is.
    """
    rows = status.rows
    table = {
        "process": [_name(row) for row in rows],
        "so far": [
            f"{short_number(row.count)} {row.unit}" if row.count else "-"
            for row in rows
        ],
        "rate": [f"{short_number(row.rate)}/s" if row.count else "-" for row in rows],
        "MB/s in": [_megabytes(row.in_bytes_per_s) for row in rows],
        "MB/s out": [_megabytes(row.out_bytes_per_s) for row in rows],
        "waiting": [
            format_bytes(row.waiting_bytes) if row.waiting_bytes else "-"
            for row in rows
        ],
    }
    if any(row.dropped for row in rows):
        table["dropped"] = [
            short_number(row.dropped) if row.dropped else "-" for row in rows
        ]
    table["lag"] = ["-" if row.lag_s is None else f"{row.lag_s:.1f} s" for row in rows]
    table["state"] = [f"{row.state} {row.word}" for row in rows]
    return table


def _name(row: ProcessStatus) -> str:
    own = row.name.partition(".")[0].partition("-")[0]
    return row.name if own == row.task else f"{row.name} ({row.task})"


def _shortened(name: str, width: int) -> str:
    if len(name) <= width:
        return name
    end = width // 2
    return f"{name[: width - end - 1]}…{name[-end:]}"


def _megabytes(per_second: float) -> str:
    return f"{per_second / 1e6:.1f}" if per_second else "-"


def remarks(status: PipelineStatus) -> list[str]:
    """Return what stands below the table."""
    lines = [f"{row.name}: {', '.join(row.notes)}" for row in status.rows if row.notes]
    for process in dict.fromkeys(row.process for row in status.rows if row.process):
        names = [row.name for row in status.rows if row.process == process]
        if len(names) > 1:
            lines.append(f"{process}: one process for {', '.join(names)}")
    lines += [f"not complete: {reason}" for reason in status.reasons]
    lines += [f"degraded: {reason}" for reason in status.degraded]
    return lines


def progress_text(status: PipelineStatus) -> str:
    """Return how much is done and how long the rest takes; empty if not known."""
    if status.fraction is None:
        return ""
    left = "" if status.left_s is None else f", {seconds_text(status.left_s)} left"
    # 100 % is for what is really done.
    percent = int(1000 * status.fraction) / 10
    return f"{percent:.1f} % read{left}"


def rates_text(status: PipelineStatus) -> str:
    """Return what time the rates are taken over; empty without any."""
    if not any(row.count for row in status.rows):
        return ""
    if status.rates_s is None:
        return "rates: mean of the run"
    return f"rates: mean of the last {status.rates_s:.0f} s"


def text_table(status: PipelineStatus, width: int) -> str:
    """Return the table as text.

    Parameters
    ----------
    status
        What to show.
    width
        Columns that may be used.
    """
    lines = textwrap.wrap(status.headline, width, subsequent_indent="  ")
    lines += [text for text in (progress_text(status),) if text]
    if not status.rows:
        return "\n".join([*lines, "no tasks yet, create_task adds one"])
    table = columns(status)
    others = [_width(head, cells) + 2 for head, cells in table.items()][1:]
    room = max(width - sum(others), _LEAST_NAME_WIDTH)
    table["process"] = [_shortened(name, room) for name in table["process"]]
    widths = {head: _width(head, cells) for head, cells in table.items()}

    def line(cells: list[str]) -> str:
        padded = (
            cell.ljust(widths[head]) if head in _LEFT else cell.rjust(widths[head])
            for head, cell in zip(table, cells, strict=True)
        )
        return "  ".join(padded).rstrip()

    lines.append(line(list(table)))
    lines += [
        line([cells[i] for cells in table.values()]) for i in range(len(status.rows))
    ]
    for remark in remarks(status):
        lines += textwrap.wrap(remark, width, subsequent_indent="  ")
    return "\n".join([*lines, *filter(None, [rates_text(status)])])


def _width(head: str, cells: list[str]) -> int:
    return max(map(len, [head, *cells]))


def html_table(status: PipelineStatus) -> str:
    """Return the table as HTML, readable on light and dark ground."""
    parts = [f"<div>{escape(status.headline)}</div>"]
    if status.fraction is not None:
        parts.append(
            f"<div><progress max='1' value='{status.fraction:.4f}'></progress> "
            f"{escape(progress_text(status))}</div>"
        )
    if not status.rows:
        return "".join([*parts, "<div>no tasks yet, create_task adds one</div>"])
    table = columns(status)
    head = "".join(_cell("th", name, name) for name in table)
    body = "".join(
        f"<tr{_style(row)}>"
        + "".join(_cell("td", name, cells[index]) for name, cells in table.items())
        + "</tr>"
        for index, row in enumerate(status.rows)
    )
    parts.append(
        "<table style='color:currentColor;border-collapse:collapse'>"
        f"<thead><tr style='border-bottom:1px solid currentColor'>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
    parts += [f"<div>{escape(remark)}</div>" for remark in remarks(status)]
    rates = rates_text(status)
    if rates:
        parts.append(f"<div style='opacity:.6'>{rates}</div>")
    return f"<div>{''.join(parts)}</div>"


def _cell(tag: str, column: str, text: str) -> str:
    align = "left" if column in _LEFT else "right"
    return (
        f"<{tag} style='text-align:{align};padding:1px 8px;white-space:nowrap'>"
        f"{escape(text)}</{tag}>"
    )


def _style(row: ProcessStatus) -> str:
    return f" style='color:{RED}'" if row.state is Status.PANICKING else ""


_STYLES = {
    Status.RUNNING: "green",
    Status.FINISHED: "bold green",
    Status.PANICKING: "bold red",
    Status.WAITING: "dim",
    Status.DYING: "dim",
}


def rich_table(status: PipelineStatus) -> RenderableType:
    """Return the table for a console of Rich."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    style = "bold red" if status.complete is False else "bold"
    parts: list[RenderableType] = [Text(status.headline, style=style)]
    if status.fraction is not None:
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=1.0, completed=status.fraction, width=40),
            Text(progress_text(status)),
        )
        parts.append(bar)
    if not status.rows:
        return Group(*parts, Text("no tasks yet, create_task adds one"))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    cells = columns(status)
    for name in cells:
        table.add_column(
            Text(name), justify="left" if name in _LEFT else "right", no_wrap=True
        )
    for index, row in enumerate(status.rows):
        *texts, state = (column[index] for column in cells.values())
        table.add_row(*map(Text, texts), Text(state, style=_STYLES[row.state]))
    parts.append(table)
    parts += [Text(remark, style="yellow") for remark in remarks(status)]
    rates = rates_text(status)
    if rates:
        parts.append(Text(rates, style="dim"))
    return Group(*parts)
