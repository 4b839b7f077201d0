"""Events at a prompt and in a notebook: a line of text, a small table.

Both must appear at once, however many events there are. Beyond a million
events, figures come from a sample and are marked with "about".
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._units import (
    format_bytes,
    format_count,
    format_duration_ps,
    format_rate_hz,
)
from pixie_pipe.events._channels import count_channels
from pixie_pipe.events.schema import COLUMN, TRACE_OFFSETS, Block

if TYPE_CHECKING:
    from pixie_pipe.events.table import Events

_MOST_EXACT = 1_000_000

# Runs of neighbouring events, evenly spaced: single events at a fixed distance
# would miss channels that fire in turn, and cost a cache line each.
_SAMPLE_RUNS = 1024
_SAMPLE_RUN_LENGTH = 128

_MOST_CHANNELS_IN_TEXT = 4
_MOST_CHANNELS_IN_TABLE = 64

_PS_PER_SECOND = 10**12


@dataclass(frozen=True, slots=True)
class Summary:
    """What a prompt tells about events.

    Attributes
    ----------
    count
        Number of events, always exact.
    is_exact
        False if the other figures come from a sample.
    span_ps
        Time from the earliest to the latest event in ps, None if not known.
    rate_hz
        Mean rate in Hz, None if not known.
    channels
        One row per channel, as `Events.channels` gives them, None if not known.
    trace_samples
        Fewest and most samples of the traces, None if there are no traces.
    """

    count: int
    is_exact: bool
    span_ps: int | None
    rate_hz: float | None
    channels: NDArray[np.void] | None
    trace_samples: tuple[int, int] | None

    @property
    def about(self) -> str:
        """Word to put before figures that come from a sample."""
        return "" if self.is_exact else "about "


def summarize(events: Events) -> Summary:
    """Compute what a prompt tells, in some milliseconds.

    Parameters
    ----------
    events
        The events, in any order and with any columns.

    Returns
    -------
    Summary
        Exact figures for up to a million events, else figures of a sample.
    """
    count = len(events)
    is_exact = count <= _MOST_EXACT
    rows: slice | NDArray[np.intp] = slice(None) if is_exact else _sample(count)

    span_ps = rate_hz = channels = trace_samples = None
    present = set(events.columns)
    if count and "time_ps" in present:
        times = events.time_ps[rows]
        span_ps = int(times.max()) - int(times.min())
        rate_hz = (count - 1) * _PS_PER_SECOND / span_ps if span_ps else None
    if count and {"crate", "slot", "channel"} <= present:
        channels = count_channels(
            events.crate[rows], events.slot[rows], events.channel[rows]
        )
        if not is_exact:
            share = channels["count"] / channels["count"].sum()
            channels["count"] = np.rint(share * count)
    if count and TRACE_OFFSETS.name in present:
        offsets = events.trace_offsets
        lengths = offsets[1:][rows] - offsets[:-1][rows]
        trace_samples = int(lengths.min()), int(lengths.max())
    return Summary(count, is_exact, span_ps, rate_hz, channels, trace_samples)


def _sample(count: int) -> NDArray[np.intp]:
    """Return evenly spaced runs of rows, the first and the last row included."""
    starts = np.linspace(0, count - _SAMPLE_RUN_LENGTH, _SAMPLE_RUNS).astype(np.intp)
    return (starts[:, np.newaxis] + np.arange(_SAMPLE_RUN_LENGTH)).reshape(-1)


def text(events: Events) -> str:
    """Return the ``repr`` of events.

    Parameters
    ----------
    events
        The events.

    Returns
    -------
    str
        Number of events, span, rate, channels, optional blocks, trace length.
    """
    summary = summarize(events)
    clauses = [", ".join([_events_text(summary.count), *_time_texts(summary)])]
    if summary.channels is not None:
        clauses.append(_channels_text(summary, summary.channels))
    blocks = [block.value for block in events.blocks if block != Block.CORE]
    if summary.trace_samples is not None and Block.TRACE in blocks:
        blocks.remove(Block.TRACE)
        blocks.append(_traces_text(summary, summary.trace_samples))
    if blocks:
        clauses.append(f"with {', '.join(blocks)}")
    return f"<Events: {'; '.join(clauses)}>"


def _events_text(count: int) -> str:
    return f"{format_count(count)} event{'' if count == 1 else 's'}"


def _time_texts(summary: Summary) -> list[str]:
    texts = []
    if summary.span_ps is not None and summary.count > 1:
        texts.append(summary.about + format_duration_ps(summary.span_ps))
    if summary.rate_hz is not None:
        texts.append(summary.about + format_rate_hz(summary.rate_hz))
    return texts


def _channels_text(summary: Summary, channels: NDArray[np.void]) -> str:
    if len(channels) > _MOST_CHANNELS_IN_TEXT:
        modules = len(np.unique(channels[["crate", "slot"]]))
        plural = "" if modules == 1 else "s"
        return f"{summary.about}{len(channels)} channels of {modules} module{plural}"
    counts = ", ".join(
        f"{_channel_name(row)} ({summary.about}{format_count(int(row['count']))})"
        for row in channels
    )
    return f"channel{'' if len(channels) == 1 else 's'} {counts}"


def _traces_text(summary: Summary, trace_samples: tuple[int, int]) -> str:
    fewest, most = trace_samples
    samples = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"traces of {summary.about}{samples} samples"


def _channel_name(row: np.void) -> str:
    return f"{row['crate']}/{row['slot']}/{row['channel']}"


def html(events: Events) -> str:
    """Return a small table for notebooks, readable on light and dark pages.

    Parameters
    ----------
    events
        The events.

    Returns
    -------
    str
        HTML that needs nothing from outside.
    """
    summary = summarize(events)
    facts = [
        f"<b>{_events_text(summary.count)}</b>",
        *map(escape, _time_texts(summary)),
        escape(format_bytes(events.nbytes)),
    ]
    if summary.trace_samples is not None:
        facts.append(escape(_traces_text(summary, summary.trace_samples)))
    parts = [
        '<div style="color: inherit; font-variant-numeric: tabular-nums">',
        f'<div style="margin-bottom: 0.4em">Events: {" · ".join(facts)}</div>',
    ]
    if summary.channels is not None:
        parts.append(_channels_table(summary, summary.channels))
    parts += [_columns_table(events), "</div>"]
    return "\n".join(parts)


def _channels_table(summary: Summary, channels: NDArray[np.void]) -> str:
    rows = []
    for row in channels[:_MOST_CHANNELS_IN_TABLE]:
        percent = 100 * int(row["count"]) / summary.count
        bar = (
            '<div style="height: 0.7em; min-width: 1px; background: currentColor; '
            f'opacity: 0.5; width: {percent / 10:.2f}em"></div>'
        )
        rows.append(
            _row(
                escape(_channel_name(row)),
                escape(summary.about + format_count(int(row["count"]))),
                f"{percent:.1f} %",
                bar,
            )
        )
    hidden = len(channels) - _MOST_CHANNELS_IN_TABLE
    if hidden > 0:
        plural = "" if hidden == 1 else "s"
        rows.append(_row(f"and {hidden} more channel{plural}", "", "", ""))
    return _table(("crate/slot/channel", "events", "share", ""), rows)


def _columns_table(events: Events) -> str:
    rows = []
    for name in events.columns:
        column = COLUMN[name]
        texts = (name, _type_text(events[name]), column.unit, column.description)
        rows.append(_row(*map(escape, texts)))
    names = f"{len(events.columns)} columns"
    table = _table(("column", "type", "unit", "description"), rows)
    return f"<details><summary>{names}</summary>{table}</details>"


def _type_text(array: NDArray[Any]) -> str:
    shape = "".join(f"[{width}]" for width in array.shape[1:])
    return f"{array.dtype.name}{shape}"


def _row(*cells: str) -> str:
    start = '<td style="text-align: left; white-space: nowrap">'
    return f"<tr>{''.join(f'{start}{cell}</td>' for cell in cells)}</tr>"


def _table(titles: tuple[str, ...], rows: list[str]) -> str:
    style = "text-align: left; border-bottom: 1px solid currentColor"
    header = "".join(f'<th style="{style}">{escape(title)}</th>' for title in titles)
    return (
        '<table style="color: inherit; border-collapse: collapse">'
        f"<thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
