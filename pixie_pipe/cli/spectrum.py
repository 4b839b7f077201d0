"""An energy spectrum as text: bars of block characters over an energy axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scale: TypeAlias = Literal["log", "linear"]

_LABEL_WIDTH = 8
_TICK_DISTANCE = 12
"""Least number of columns from one label of the energy axis to the next."""

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII = " .:#"

# A logarithmic axis begins here, so that a single event can be seen.
_LOG_BASE = 0.5

# The plot ends where this part of the events lies below: a few overflows would
# press everything else against the left side.
_VISIBLE_SHARE = 0.99
_MARGIN = 1.04


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn spectrum.

    Attributes
    ----------
    labels
        The count axis, one label for each row of bars, top first.
    bars
        The rows of bars, top first.
    axis
        The energy axis and its labels, to be printed below.
    first_energy, last_energy
        Range shown, in ADC units.
    energy_per_column
        Width of a column in ADC units.
    peak_count, peak_energy
        The highest column, and the middle of it.
    above
        Events above the range.
    """

    labels: tuple[str, ...]
    bars: tuple[str, ...]
    axis: tuple[str, ...]
    first_energy: int
    last_energy: int
    energy_per_column: int
    peak_count: int
    peak_energy: float
    above: int


def draw_spectrum(
    counts: NDArray[np.int64],
    energy_per_bin: int,
    *,
    width: int,
    height: int,
    scale: Scale = "log",
    energies: tuple[int, int] | None = None,
    ascii_only: bool = False,
) -> Plot:
    """Draw a spectrum into `width` columns and `height` rows of bars.

    Parameters
    ----------
    counts
        Events by energy, shape (bins,).
    energy_per_bin
        Width of a bin in ADC units.
    width, height
        Space: `width` with the labels, `height` without the energy axis.
    scale
        The count axis.
    energies
        Range to show in ADC units; by default from 0 to where nearly all events
        lie below.
    ascii_only
        Draw without block characters.

    Returns
    -------
    Plot
        Lines of text and what they show.
    """
    columns = max(width - _LABEL_WIDTH - 1, 10)
    first, last = _bin_range(counts, energy_per_bin, energies)
    bins_per_column = max(math.ceil((last - first) / columns), 1)
    # The whole width is used, even if that shows a little more.
    last = first + bins_per_column * columns
    shown = np.zeros(last - first, np.int64)
    inside = counts[first:last]
    shown[: inside.size] = inside
    heights = shown.reshape(columns, bins_per_column).sum(axis=1)
    highest = int(heights.max())
    per_column = bins_per_column * energy_per_bin
    first_energy = first * energy_per_bin
    return Plot(
        labels=_count_labels(highest, height, scale),
        bars=_bars(_scaled(heights, scale) * height, height, ascii_only=ascii_only),
        axis=_energy_axis(first_energy, per_column, columns, ascii_only=ascii_only),
        first_energy=first_energy,
        last_energy=first_energy + per_column * columns,
        energy_per_column=per_column,
        peak_count=highest,
        peak_energy=first_energy + (int(heights.argmax()) + 0.5) * per_column,
        above=int(counts[last:].sum()),
    )


def _bin_range(
    counts: NDArray[np.int64], energy_per_bin: int, energies: tuple[int, int] | None
) -> tuple[int, int]:
    if energies is not None:
        first = energies[0] // energy_per_bin
        return first, max(math.ceil(energies[1] / energy_per_bin), first + 1)
    cumulated = np.cumsum(counts)
    # Compared as whole numbers of events: the last one counts in a small spectrum.
    wanted = math.ceil(_VISIBLE_SHARE * int(cumulated[-1]))
    last = int(np.searchsorted(cumulated, wanted)) + 1
    return 0, min(math.ceil(last * _MARGIN), counts.size)


def _scaled(heights: NDArray[np.int64], scale: Scale) -> NDArray[np.float64]:
    """Return heights from 0 to 1."""
    highest = int(heights.max())
    if highest == 0:
        return np.zeros(heights.size)
    if scale == "linear":
        return heights / highest
    with np.errstate(divide="ignore"):
        logarithm = np.log(heights / _LOG_BASE)
    fraction: NDArray[np.float64] = logarithm / math.log(highest / _LOG_BASE)
    return np.where(heights > 0, fraction, 0.0)


def _bars(
    heights: NDArray[np.float64], rows: int, *, ascii_only: bool
) -> tuple[str, ...]:
    symbols = _ASCII if ascii_only else _BLOCKS
    full = len(symbols) - 1
    # What is not empty shows at least the smallest symbol.
    steps = np.where(heights > 0, np.maximum(np.rint(heights * full), 1), 0)
    lines = []
    for row in range(rows - 1, -1, -1):
        cells = np.clip(steps - row * full, 0, full).astype(int)
        lines.append("".join(symbols[cell] for cell in cells.tolist()))
    return tuple(lines)


def _count_labels(highest: int, rows: int, scale: Scale) -> tuple[str, ...]:
    labels = [""] * rows
    if highest == 0:
        return tuple(labels)
    if scale == "linear":
        labels[0] = _count_label(highest)
        labels[-1] = "0"
        return tuple(labels)
    per_row = math.log(highest / _LOG_BASE) / rows
    for power in range(int(math.log10(highest)) + 1):
        # The row whose bars end there.
        row = math.ceil(math.log(10**power / _LOG_BASE) / per_row - 1e-9) - 1
        labels[rows - 1 - min(max(row, 0), rows - 1)] = _count_label(10**power)
    return tuple(labels)


def _count_label(count: int) -> str:
    if count < 10**6:
        return f"{count:,}".replace(",", " ")
    return f"{count / 10 ** int(math.log10(count)):.3g}e{int(math.log10(count))}"


def _energy_axis(
    first: int, per_column: int, columns: int, *, ascii_only: bool
) -> tuple[str, ...]:
    line, tick = ("-", "+") if ascii_only else ("─", "┬")
    axis = [line] * columns
    labels = [" "] * columns
    step = _round_up(_TICK_DISTANCE * per_column)
    free_from = 0
    for energy in range(
        math.ceil(first / step) * step, first + columns * per_column, step
    ):
        column = (energy - first) // per_column
        text = f"{energy:,}".replace(",", " ")
        start = min(max(column - len(text) // 2, 0), columns - len(text))
        if start < free_from:
            continue
        axis[column] = tick
        labels[start : start + len(text)] = text
        free_from = start + len(text) + 1
    return "".join(axis), "".join(labels).rstrip()


def _round_up(number: float) -> int:
    """Return 1, 2 or 5 times a power of ten, not below `number`."""
    power: int = 10 ** int(math.log10(max(number, 1)))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= number)


def plot_lines(plot: Plot, *, ascii_only: bool = False) -> Sequence[tuple[str, str]]:
    """Return the lines of a plot, each as label (with the frame) and content."""
    side, corner = ("|", "+") if ascii_only else ("│", "└")
    indent = " " * _LABEL_WIDTH
    return [
        *(
            (f"{label:>{_LABEL_WIDTH - 1}} {side}", bar)
            for label, bar in zip(plot.labels, plot.bars, strict=True)
        ),
        (f"{indent}{corner}{plot.axis[0]}", ""),
        (f"{indent} {plot.axis[1]}", ""),
    ]
