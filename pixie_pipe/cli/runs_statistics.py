"""What the channels of a run have counted, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pixie_pipe._units import format_count

MODULE_TITLES: Final = ("Module", "Words read>", "Words lost>")
CHANNEL_TITLES: Final = (
    "Module",
    "Channel>",
    "Input>",
    "Output>",
    "Input/s>",
    "Output/s>",
    "Live s>",
    "Real s>",
    "Dead %>",
)
"""Titles of columns; ``>`` at the end says that they are of numbers."""


def module_rows(tables: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each module of which words are known.

    Parameters
    ----------
    tables
        The statistics in the record of a run.
    """
    for table in tables:
        words = [table.get(name) for name in ("words_read", "words_lost")]
        if words != [None, None]:
            yield (
                str(table.get("module", "?")),
                *("" if count is None else format_count(count) for count in words),
            )


def channel_rows(tables: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each channel that has counted something; see `module_rows`."""
    for table in tables:
        for row, channel in enumerate(table.get("channels", ())):
            yield (
                str(table.get("module", "?")),
                str(channel),
                *(_text(table, name, row, form) for name, form in _COLUMNS.items()),
            )


_COLUMNS: Final = {
    "input_counts": "",
    "output_counts": "",
    "input_rate_hz": ".1f",
    "output_rate_hz": ".1f",
    "live_time_s": ".3f",
    "real_time_s": ".3f",
    "dead_percent": ".2f",
}
"""Names in the record, and how the numbers are written; "" for counts."""


def _text(table: Mapping[str, Any], name: str, row: int, form: str) -> str:
    values = table.get(name, ())
    value = values[row] if row < len(values) else None
    if value is None:
        return ""
    return format(value, form) if form else format_count(value)
