"""One task at a prompt and in a notebook: parameters with units, and how it goes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe._units import format_bytes, format_count
from pixie_pipe.pipeline._rates import mapping, rate_text

if TYPE_CHECKING:
    from pixie_pipe.pipeline.display import PipelineStatus, ProcessStatus
    from pixie_pipe.pipeline.handle import TaskHandle
    from pixie_pipe.pipeline.parameters import Parameter

_WIDTH: Final = 100
_VALUE_WIDTH: Final = 40
_MOST_NUMBERS: Final = 12


@dataclass(frozen=True, slots=True)
class _Row:
    """A parameter as texts; `default` is empty where the value is the default."""

    name: str
    value: str
    default: str
    description: str


Statistics = Mapping[str, Mapping[str, Any]]
"""What each process reported last, by its name."""


def text(handle: TaskHandle, status: PipelineStatus, statistics: Statistics) -> str:
    """Return a task as text.

    Parameters
    ----------
    handle
        The task.
    status
        How its pipeline goes.
    statistics
        What the processes of the pipeline reported.
    """
    lines = [_heading(handle), *_figures(handle, status, statistics)]
    rows = _rows(handle)
    name_width = max((len(row.name) for row in rows), default=0)
    value_width = max((len(row.value) for row in rows), default=0)
    for row in rows:
        mark = "*" if row.default else " "
        start = f"{mark} {row.name:{name_width}}  {row.value:{value_width}}"
        note = f" (default {row.default})" if row.default else ""
        lines += textwrap.wrap(
            f"{start}  {row.description}{note}".rstrip(),
            _WIDTH,
            subsequent_indent=" " * min(len(start) + 2, 60),
            drop_whitespace=True,
        )
    return "\n".join(lines)


def html(handle: TaskHandle, status: PipelineStatus, statistics: Statistics) -> str:
    """Return a task as HTML.

    Parameters
    ----------
    handle
        The task.
    status
        How its pipeline goes.
    statistics
        What the processes of the pipeline reported.
    """
    body = "".join(
        f"<tr>{_cell(row.name)}{_cell(row.value, bold=bool(row.default))}"
        f"{_cell(row.default and f'default {row.default}')}"
        f"{_cell(row.description)}</tr>"
        for row in _rows(handle)
    )
    figures = "".join(
        f"<div>{escape(line.strip())}</div>"
        for line in _figures(handle, status, statistics)
    )
    return (
        f"<div><div><b>{escape(_heading(handle))}</b></div>{figures}"
        f"<table style='color:currentColor'>{body}</table></div>"
    )


def _cell(content: str, *, bold: bool = False) -> str:
    weight = ";font-weight:bold" if bold else ""
    return f"<td style='text-align:left{weight}'>{escape(content)}</td>"


def _heading(handle: TaskHandle) -> str:
    node = handle.node
    kind = node.kind
    same = handle.name == kind.__name__
    parts = [handle.name if same else f"{handle.name} ({kind.__name__})"]
    parts.append(handle.status.name.lower())
    if node.workers > 1:
        parts.append(f"{node.workers} workers")
    if str(node.role) != "essential":
        parts.append(str(node.role))
    label = f": {kind.label}" if kind.label else ""
    return f"{handle.status} {', '.join(parts)}{label}"


def _figures(
    handle: TaskHandle, status: PipelineStatus, statistics: Statistics
) -> list[str]:
    """Return what its processes did, in short."""
    rows = [row for row in status.rows if row.name in handle.node.processes]
    lines = []
    if any(row.count for row in rows):
        lines.append(f"  {_flow(rows)}")
    numbers = _numbers(handle, statistics)
    if numbers:
        lines += textwrap.wrap(
            ", ".join(numbers), _WIDTH, initial_indent="  ", subsequent_indent="  "
        )
    for row in rows:
        lines += [f"  {row.name}: {note}" for note in row.notes if not _is_count(note)]
    return lines


def _is_count(note: str) -> bool:
    return note[:1].isdigit()


def _flow(rows: list[ProcessStatus]) -> str:
    unit = next(row.unit for row in rows if row.count)
    same = [row for row in rows if row.unit == unit]
    count = sum(row.count for row in same)
    parts = [
        f"{format_count(count)} {unit}",
        rate_text(sum(r.rate for r in same), unit),
    ]
    waiting = sum(row.waiting_bytes or 0 for row in rows)
    dropped = sum(row.dropped for row in rows)
    if waiting:
        parts.append(f"{format_bytes(waiting)} waiting")
    if dropped:
        parts.append(f"{format_count(dropped)} dropped")
    return ", ".join(parts)


def _numbers(handle: TaskHandle, statistics: Statistics) -> list[str]:
    """Return the counts that the task keeps, summed over its workers."""
    sums: dict[str, int | float] = {}
    for process in handle.node.processes:
        values = statistics.get(process, {})
        for part in ("ledger", "own"):
            for name, value in mapping(values, part).items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    sums[name] = sums.get(name, 0) + value
    texts = [
        f"{name.replace('_', ' ')} "
        + (format_count(value) if isinstance(value, int) else f"{value:g}")
        for name, value in sums.items()
    ]
    more = len(texts) - _MOST_NUMBERS
    return [*texts[:_MOST_NUMBERS], f"{more} more"] if more > 0 else texts


def _rows(handle: TaskHandle) -> list[_Row]:
    values = handle.parameters
    rows = []
    for name, parameter in handle.node.kind.parameters.items():
        changed = values[name] != parameter.default
        default = _value(parameter.default, parameter) if changed else ""
        value = _value(values[name], parameter)
        rows.append(_Row(name, value, default, parameter.description))
    return rows


def _value(value: Any, parameter: Parameter) -> str:  # noqa: ANN401 - any parameter's
    if value is None:
        return "not set"
    shown = repr(value)
    if len(shown) > _VALUE_WIDTH:
        shown = f"{shown[: _VALUE_WIDTH - 1]}…"
    return f"{shown} {parameter.unit}".rstrip()
