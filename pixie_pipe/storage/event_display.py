"""Tables of events at a prompt and in a notebook, without reading the events."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pixie_pipe._units import (
    format_bytes,
    format_count,
    format_duration_ps,
    format_rate_hz,
)
from pixie_pipe.events import COLUMN, Block

if TYPE_CHECKING:
    from pixie_pipe.storage.event_table import EventTable

_PS_PER_SECOND = 10**12


def text(table: EventTable) -> str:
    """Return the ``repr`` of a table."""
    clauses = [", ".join(facts(table))]
    blocks = [block.value for block in table.blocks if block != Block.CORE]
    if blocks:
        clauses.append(f"with {', '.join(blocks)}")
    return f"<EventTable: {'; '.join(clauses)}; in {table.name}>"


def facts(table: EventTable) -> list[str]:
    """Return the number of events, and their span and mean rate if these are known."""
    count = len(table)
    found = [f"{format_count(count)} event{'' if count == 1 else 's'}"]
    span_ps = table.known_span_ps
    if span_ps is not None and count > 1:
        found.append(format_duration_ps(span_ps))
        if span_ps:
            found.append(format_rate_hz((count - 1) * _PS_PER_SECOND / span_ps))
    return found


def html(table: EventTable) -> str:
    """Return a small table for notebooks, readable on light and dark pages."""
    head = [f"<b>{facts(table)[0]}</b>", *map(escape, facts(table)[1:])]
    rows = "".join(_row(name) for name in table.columns)
    titles = "".join(
        f'<th style="text-align: left">{title}</th>'
        for title in ("column", "type", "unit", "description")
    )
    return (
        '<div style="color: inherit; font-variant-numeric: tabular-nums">'
        f"<div>EventTable: {' · '.join(head)} · {escape(table.name)} "
        f"({escape(format_bytes(table.size))})</div>"
        f"<details><summary>{len(table.columns)} columns</summary>"
        f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"
        "</details></div>"
    )


def _row(name: str) -> str:
    column = COLUMN[name]
    width = "" if column.width == 1 else f"[{column.width}]"
    texts = (name, f"{column.dtype.name}{width}", column.unit, column.description)
    cells = "".join(
        f'<td style="text-align: left; white-space: nowrap">{escape(cell)}</td>'
        for cell in texts
    )
    return f"<tr>{cells}</tr>"
