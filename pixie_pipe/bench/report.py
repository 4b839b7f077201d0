"""What was measured, as JSON and as a page of documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from pixie_pipe.bench.figures import Section, Table

BEGIN = "<!-- figures of pixie-pipe bench: do not edit -->"
END = "<!-- end of the figures -->"

_WIDTH = 96


class PageError(PixiePipeError, ValueError):
    """A page that has no place for figures."""


@dataclass(frozen=True)
class Report:
    """What one call of the benchmarks found.

    Attributes
    ----------
    machine
        Date, machine, versions and command.
    sections
        What was found, by name of the benchmark.
    """

    machine: Mapping[str, str]
    sections: Mapping[str, Section]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and texts."""
        return {
            "format": 1,
            **self.machine,
            "benchmarks": {
                name: section.to_dict() for name, section in self.sections.items()
            },
        }

    def markdown(self) -> str:
        """Return everything as a part of a page."""
        date, command = self.machine["date"], self.machine["command"]
        parts = [
            _filled(
                f"Measured on {date} on {self.machine['machine']}, "
                f"{self.machine['system']}, with {self.machine['versions']}:"
            ),
            f"```sh\n{command}\n```",
            _filled(
                "Figures are medians, with the smallest and the largest in "
                "parentheses. Ratios are taken within one round."
            ),
        ]
        for section in self.sections.values():
            parts += [f"## {section.title}", _filled(section.method)]
            parts += [_markdown(table) for table in section.tables]
        return "\n\n".join(parts)

    def update(self, page: Path) -> None:
        """Put everything in the place that a page has for it.

        Parameters
        ----------
        page
            A file of Markdown with the lines `BEGIN` and `END`.

        Raises
        ------
        PageError
            If it has not both of them, in this order.
        """
        text = page.read_text(encoding="utf-8")
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise PageError(
                f"{page}: there is no place for figures; expected the lines {BEGIN!r} "
                f"and {END!r}"
            )
        text = f"{before}{BEGIN}\n\n{self.markdown()}\n\n{END}{after}"
        new = page.with_name(f"{page.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(page)


def _markdown(table: Table) -> str:
    """Return a table with columns of equal width."""
    lines = table.texts()
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *rows = (
        "| "
        + " | ".join(
            text.ljust(width) for text, width in zip(line, widths, strict=True)
        )
        + " |"
        for line in lines
    )
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([head, rule, *rows])


def _filled(text: str) -> str:
    import textwrap

    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
