"""The graph of tasks as a drawing, in text and as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

ARROW, LOSSY_ARROW = " → ", " ⇢ "


@dataclass(frozen=True, slots=True)
class Line:
    """One arrow of the drawing."""

    producer: str
    consumer: str
    lossy: bool = False


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is drawn.

    Attributes
    ----------
    labels
        Text of each node by its name.
    lines
        The arrows. Those to nodes without a label are left out.
    side
        Names of nodes that stand beside the main line.
    """

    labels: Mapping[str, str]
    lines: Sequence[Line]
    side: frozenset[str] = frozenset()

    def _known_lines(self) -> list[Line]:
        return [
            line
            for line in self.lines
            if line.producer in self.labels and line.consumer in self.labels
        ]

    def chains(self) -> list[list[Line]]:
        """Part the arrows into chains, the main line first.

        A chain ends where nothing follows, or where an earlier one was drawn.
        """
        unused = self._known_lines()
        chains: list[list[Line]] = []
        drawn: set[str] = set()
        while unused:
            chain = self._next_chain(unused, drawn)
            chains.append(chain)
            drawn.update(*((line.producer, line.consumer) for line in chain))
            unused = [line for line in unused if line not in chain]
        return chains

    def _next_chain(self, unused: list[Line], drawn: set[str]) -> list[Line]:
        consumers = {line.consumer for line in unused}
        branches = [line for line in unused if line.producer in drawn]
        starts = [line for line in unused if line.producer not in consumers]
        # In a circle nothing is first.
        first = (branches or starts or unused)[0].producer
        chain: list[Line] = []
        seen = {first}
        name = first
        while True:
            following = [
                line
                for line in unused
                if line.producer == name and line.consumer not in seen
            ]
            if not following:
                return chain or [unused[0]]
            line = max(following, key=lambda line: self._weight(line, unused))
            chain.append(line)
            name = line.consumer
            if name in drawn:
                return chain
            seen.add(name)

    def _weight(self, line: Line, unused: list[Line]) -> tuple[bool, bool]:
        goes_on = any(other.producer == line.consumer for other in unused)
        return line.consumer not in self.side, goes_on

    def alone(self) -> list[str]:
        """Return the names of the nodes that no arrow touches."""
        known = self._known_lines()
        touched = {name for line in known for name in (line.producer, line.consumer)}
        return [name for name in self.labels if name not in touched]


def text_drawing(sketch: Sketch, width: int) -> list[str]:
    """Return the lines of a drawing in text.

    Parameters
    ----------
    sketch
        What is drawn.
    width
        Columns that may be used; a single name may be longer.
    """
    chains = sketch.chains()
    drawn: set[str] = set()
    lines: list[str] = []
    heads = list(chains)
    while heads:
        chain = heads.pop(0)
        parts = [("", chain[0].producer), *_parts(chain)]
        lines += _block(sketch, parts, heads, drawn, width)
    return lines + [sketch.labels[name] for name in sketch.alone()]


Part = tuple[str, str]
"""An arrow, and the name of the node it leads to."""


def _parts(chain: Iterable[Line]) -> list[Part]:
    return [(LOSSY_ARROW if line.lossy else ARROW, line.consumer) for line in chain]


def _block(
    sketch: Sketch,
    parts: list[Part],
    others: list[list[Line]],
    drawn: set[str],
    width: int,
) -> list[str]:
    """Draw one chain and, below its nodes, the chains that branch off there."""
    lines: list[str] = []
    text = ""
    places: list[tuple[int, str]] = []
    for arrow, name in parts:
        label = sketch.labels[name]
        if text and len(text) + len(arrow) + len(label) > width:
            lines += [text + arrow.rstrip()]
            lines += _branches(sketch, places, others, drawn, width)
            text, places = "  ", []
        elif text:
            text += arrow
        if name not in drawn:
            places.append((len(text), name))
            drawn.add(name)
        text += label
    return [*lines, text, *_branches(sketch, places, others, drawn, width)]


def _branches(
    sketch: Sketch,
    places: list[tuple[int, str]],
    others: list[list[Line]],
    drawn: set[str],
    width: int,
) -> list[str]:
    # From the right: the lines down to the others pass on the left.
    lines: list[str] = []
    mine = [
        (column, [chain for chain in others if chain[0].producer == name])
        for column, name in places
    ]
    mine = [(column, chains) for column, chains in mine if chains]
    for _, chains in mine:
        for chain in chains:
            others.remove(chain)
    while mine:
        column, chains = mine.pop()
        left = "".join(
            "│" if any(place == at for place, _ in mine) else " "
            for at in range(column)
        )
        for chain in chains:
            (arrow, name), *rest = _parts(chain)
            is_last = chain is chains[-1]
            below = _block(
                sketch, [("", name), *rest], others, drawn, max(width - column - 3, 20)
            )
            corner = ("└" if is_last else "├") + arrow.strip() + " "
            pad = "   " if is_last else "│  "
            lines += [
                left + corner + below[0],
                *(left + pad + more for more in below[1:]),
            ]
    return lines


_CHARACTER, _HEIGHT, _GAP, _STEP = 7.3, 24, 34, 36


def svg_drawing(sketch: Sketch, marked: Mapping[str, str]) -> str:
    """Return the drawing as an SVG element.

    Parameters
    ----------
    sketch
        What is drawn.
    marked
        Colours of outlines by name of the node; the others have that of the text.
    """
    places = _places(sketch)
    widths = {name: len(sketch.labels[name]) * _CHARACTER + 18 for name in places}
    columns = 1 + max((column for column, _ in places.values()), default=0)
    wide = [
        max(
            (widths[name] for name, (at, _) in places.items() if at == column),
            default=0,
        )
        for column in range(columns)
    ]
    left = [sum(wide[:column]) + _GAP * column + 1 for column in range(columns)]
    shapes = []
    for line in sketch.lines:
        if line.producer not in places or line.consumer not in places:
            continue
        (column, row), (to_column, to_row) = (
            places[line.producer],
            places[line.consumer],
        )
        start = left[column] + widths[line.producer], row * _STEP + _HEIGHT / 2 + 1
        end = left[to_column] - 1, to_row * _STEP + _HEIGHT / 2 + 1
        # Past other nodes it runs between two rows.
        lane = max(to_row, 1) * _STEP - (_STEP - _HEIGHT) / 2 + 1
        passes = to_column != column + 1
        shapes.append(_arrow(start, end, lane if passes else None, lossy=line.lossy))
    for name, (column, row) in places.items():
        x, y = left[column], row * _STEP + 1
        colour = marked.get(name, "currentColor")
        shapes.append(
            f"<rect x='{x:.0f}' y='{y}' width='{widths[name]:.0f}' height='{_HEIGHT}' "
            f"rx='5' fill='none' stroke='{colour}'/>"
            f"<text x='{x + widths[name] / 2:.0f}' y='{y + 16}' text-anchor='middle' "
            f"fill='currentColor'>{escape(sketch.labels[name])}</text>"
        )
    width = left[-1] + wide[-1] + 2
    height = _STEP * max((row for _, row in places.values()), default=0) + _HEIGHT + 2
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height}' "
        f"width='{width:.0f}' height='{height}' style='max-width:100%;height:auto' "
        f"font-family='monospace' font-size='12'>{''.join(shapes)}</svg>"
    )


def _arrow(
    start: tuple[float, float],
    end: tuple[float, float],
    lane: float | None,
    *,
    lossy: bool,
) -> str:
    (x, y), (to_x, to_y) = start, end
    bend, tip = _GAP - 8, to_x - 6
    if lane is None:
        ways = [f"H{tip - bend:.0f}", _bend(tip - bend, y, tip, to_y)]
    else:
        ways = [
            _bend(x, y, x + bend, lane),
            f"H{tip - bend:.0f}",
            _bend(tip - bend, lane, tip, to_y),
        ]
    dashes = " stroke-dasharray='4 3'" if lossy else ""
    return (
        f"<path d='M{x:.0f} {y:.0f} {' '.join(ways)}' fill='none' "
        f"stroke='currentColor'{dashes}/>"
        f"<path d='M{to_x:.0f} {to_y:.0f} l-7 -4 v8 z' fill='currentColor'/>"
    )


def _bend(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (x + to_x) / 2
    return f"C{middle:.0f} {y:.0f} {middle:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"


def _places(sketch: Sketch) -> dict[str, tuple[int, int]]:
    """Return column and row of each node: one row for each chain."""
    rows: dict[str, int] = {}
    free = 0
    for chain in sketch.chains():
        new = [chain[0].producer, *(line.consumer for line in chain)]
        new = [name for name in new if name not in rows]
        rows |= dict.fromkeys(new, free)
        free += bool(new)
    for name in sketch.alone():
        rows[name] = free
        free += 1
    columns = dict.fromkeys(rows, 0)
    # As many rounds as the longest way can have steps: a circle must not last.
    for _ in columns:
        for line in sketch.lines:
            if line.producer in columns and line.consumer in columns:
                least = columns[line.producer] + 1
                columns[line.consumer] = max(columns[line.consumer], least)
    limit = len(columns) - 1
    return {name: (min(columns[name], limit), row) for name, row in rows.items()}
