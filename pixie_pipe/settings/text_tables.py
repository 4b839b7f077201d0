"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows below a header, in columns of equal width."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(text.rstrip() for text in texts)


def number_ranges(numbers: Iterable[int]) -> str:
    """Return numbers in order, with ranges in place of neighbours: ``0-3, 7``."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in parts)


def value_text(value: object) -> str:
    """Return a value as people write it: six digits, no more zeros than it needs."""
    if isinstance(value, (bool, str)) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, float):
        return (
            f"{value:.0f}"
            if value.is_integer() and abs(value) < 1e15
            else f"{value:.6g}"
        )
    if isinstance(value, tuple):
        return f"[{number_ranges(value)}]"
    return str(value)
