"""What all plots share: figures without pyplot, colours, legends, files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe._extras import optional_import
from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = (".png", ".svg", ".pdf", ".html")
"""Endings of the files that plots are written to."""

COLOURS: Final = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
)
"""Colours that colour-blind people tell apart, without the yellow, which is too pale on
white (M. Okabe, K. Ito, Color Universal Design, jfly.uni-koeln.de/color)."""

LINES: Final = ("-", "--", ":", "-.")
"""When the colours are used up, they begin anew with the next line style."""

MAP: Final = "viridis"
"""Colour map of maps: its lightness is even, also for colour-blind people."""

MARK: Final = "#555555"
"""Colour of thresholds, triggers and other lines that are no data."""

MOST_PANELS: Final = 64
"""More axes than these in one picture cannot be read."""

_DPI: Final = 120
_LEGEND_ROWS: Final = 24
"""Entries of a legend, one below the other, that fit beside a plot."""


class PlotError(PixiePipeError, ValueError):
    """What cannot be drawn: arrays that do not go together, or too much at once."""


def require() -> None:
    """Refuse early where matplotlib is missing.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    optional_import("matplotlib", "plot")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, whose size is given in inches.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    module = optional_import("matplotlib.figure", "plot")
    figure: Figure = module.Figure(
        figsize=(width, height), dpi=_DPI, layout="constrained"
    )
    return figure


def add_title(figure: Figure, title: str) -> None:
    """Write a title above all axes of a figure."""
    # An empty one would take room.
    if title:
        figure.suptitle(title)


def save(figure: Figure, path: str | Path, *, force: bool = False) -> Path:
    """Write a figure to a file, whole or not at all. No display is needed.

    Parameters
    ----------
    figure
        What a plot function returned.
    path
        The file; its ending, one of `FORMATS`, decides on the format.
    force
        Replace a file that exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PlotError
        If the ending is another one.
    OutputExistsError, OutputPathError
        If the file exists, or cannot be written.
    """
    from pixie_pipe.storage.atomic import new_file

    path = check_format(path)
    kind = path.suffix[1:].lower()
    with new_file(path, force=force) as opened:
        if kind == "html":
            opened.path.write_text(_page(figure, path.stem), encoding="utf-8")
        else:
            figure.savefig(opened.path, format=kind)
    return path


def _page(figure: Figure, title: str) -> str:
    """Return a page that needs nothing from outside: the figure as SVG."""
    from html import escape
    from io import StringIO

    drawn = StringIO()
    figure.savefig(drawn, format="svg")
    _, _, picture = drawn.getvalue().partition("<svg")
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<title>{escape(title)}</title><style>svg {{ max-width: 100%; height: auto }}"
        f"</style></head><body><svg{picture}</body></html>\n"
    )


def check_format(path: str | Path) -> Path:
    """Return the name of a file that a plot can be written to.

    Raises
    ------
    PlotError
        If the ending is none of `FORMATS`.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise PlotError(f"{path}: expected a name that ends in {', '.join(FORMATS)}")
    return path


def styles(count: int) -> Iterator[dict[str, Any]]:
    """Yield colour and line style of each of `count` curves."""
    for number in range(count):
        cycle, colour = divmod(number, len(COLOURS))
        yield {"color": COLOURS[colour], "linestyle": LINES[cycle % len(LINES)]}


def checked_labels(labels: Sequence[str] | None, count: int, what: str) -> list[str]:
    """Return the names of curves; without any, numbers.

    Raises
    ------
    PlotError
        If there are more or fewer names than curves.
    """
    if labels is None:
        return [str(number) for number in range(count)]
    if len(labels) != count:
        raise PlotError(f"there are {len(labels)} labels for {count} {what}")
    return list(labels)


def grid_shape(panels: int, *, wide: bool = True) -> tuple[int, int]:
    """Return rows and columns for some panels of a picture.

    Parameters
    ----------
    panels
        Their number.
    wide
        Whether a few panels stand one below the other, or side by side.

    Raises
    ------
    PlotError
        If there are none, or more than can be read.
    """
    if not 1 <= panels <= MOST_PANELS:
        raise PlotError(
            f"there are {panels} panels to draw, expected 1 to {MOST_PANELS}; choose "
            f"fewer channels, or draw them into one"
        )
    few = 1 if wide else panels
    columns = few if panels < 4 else 2 if panels <= 8 else 4
    return math.ceil(panels / columns), columns


@dataclass(frozen=True, slots=True)
class Panels:
    """A figure with axes for each channel, in rows and columns.

    Attributes
    ----------
    figure
        The figure.
    axes
        The axes, row by row.
    columns
        How many of them stand side by side.
    """

    figure: Figure
    axes: list[Axes]
    columns: int

    def label(self, x_label: str | Sequence[str], y_label: str) -> None:
        """Label the axes at the left, and those below which there are none.

        Parameters
        ----------
        x_label
            What the horizontal axes are: one text, or one for each.
        y_label
            What the vertical axes are.
        """
        count = len(self.axes)
        texts = [x_label] * count if isinstance(x_label, str) else x_label
        for number, axes in enumerate(self.axes):
            if number % self.columns == 0:
                axes.set_ylabel(y_label)
            if number + self.columns >= count:
                axes.set_xlabel(texts[number])
                axes.tick_params(labelbottom=True)


def new_panels(
    names: Sequence[str], *, wide: bool = True, height: float = 1.7, **sharing: bool
) -> Panels:
    """Return a figure with axes for each name, which stands above them.

    Parameters
    ----------
    names
        Names of the channels.
    wide
        Whether the axes are wide, as of traces, or nearly square, as of maps.
    height
        Of wide axes with what stands around them, in inches.
    **sharing
        ``sharex`` and ``sharey`` of `Figure.subplots`.

    Raises
    ------
    PlotError
        If there are none, or more than can be read.
    MissingExtraError
        If matplotlib is not installed.
    """
    rows, columns = grid_shape(len(names), wide=wide)
    if wide:
        size = 3.2 * columns + (4 if columns == 1 else 2), height * rows + 1.2
    else:
        size = max(6.5, 3.4 * columns + 1.5), 3.2 * rows + 1
    figure = new_figure(*size)
    grid = figure.subplots(rows, columns, squeeze=False, **sharing).ravel()
    for axes in grid[len(names) :]:
        axes.remove()
    panels = Panels(figure, list(grid[: len(names)]), columns)
    for axes, name in zip(panels.axes, names, strict=True):
        axes.set_title(name, fontsize="medium", loc="left")
    return panels


def drawn(figure: Figure, path: str | Path | None, *, force: bool = False) -> Figure:
    """Return a figure, and write it if a file is given; see `save`."""
    if path is not None:
        save(figure, path, force=force)
    return figure


def tidy(axes: Axes) -> None:
    """Give axes a light grid, and no frame above and beside the data."""
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Tell the names of curves, if there are several, beside the data."""
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(
            handles,
            labels,
            loc="outside right upper",
            fontsize="small",
            frameon=False,
            ncols=math.ceil(len(handles) / _LEGEND_ROWS),
        )
