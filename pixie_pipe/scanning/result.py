"""What a scan has found: arrays, a table, a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.scanning.definition import Axis, Scan
from pixie_pipe.scanning.errors import ChoiceError, ScanFileError
from pixie_pipe.scanning.measures import find_measure
from pixie_pipe.scanning.results_file import Contents, read_results
from pixie_pipe.scanning.targets import Target

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(slots=True, kw_only=True, eq=False)
class ScanResult:
    """What was measured in a scan.

    Attributes
    ----------
    scan
        What the scan is.
    targets
        The channels.
    points
        What is known about each point that was measured, by its number: plain values,
        as in the file.
    path
        The file, or None.
    notes
        What else has changed with the parameters, and what to think of.
    """

    scan: Scan
    targets: tuple[Target, ...]
    points: dict[int, dict[str, Any]] = field(default_factory=dict)
    path: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all points were measured."""
        return len(self.points) == len(self.scan)

    def __repr__(self) -> str:
        axes = " x ".join(
            f"{axis.parameter} ({len(axis.values)} values)" for axis in self.scan.axes
        )
        return (
            f"<ScanResult: {', '.join(self.scan.measures)} over {axes}, "
            f"{len(self.points)} of {len(self.scan)} points, "
            f"{len(self.targets)} channels>"
        )

    def values(self, measure: str | None = None) -> NDArray[np.float64]:
        """Return what was measured, shape (channels, values of each parameter).

        Parameters
        ----------
        measure
            Which measure; by default the first one. What was not measured, or could
            not be, is nan.

        Raises
        ------
        ChoiceError
            If this was not measured.
        """
        return self._measured(measure, 0)

    def errors(self, measure: str | None = None) -> NDArray[np.float64]:
        """Return the standard errors; see `values`."""
        return self._measured(measure, 1)

    def read_back(self, parameter: str | None = None) -> NDArray[np.float64]:
        """Return the values that the parameter had, shape as that of `values`.

        For named bits these are the numbers in the bits.

        Parameters
        ----------
        parameter
            Which one; by default the first.

        Raises
        ------
        ChoiceError
            If it is not one of the scan.
        """
        names = self.scan.parameters
        if parameter is not None and parameter not in names:
            raise ChoiceError(f"{parameter} was not scanned, but {', '.join(names)}")
        column = 0 if parameter is None else names.index(parameter)
        return self._array(
            {
                number: [row[column] for row in point["read_back"]]
                for number, point in self.points.items()
            }
        )

    def _measured(self, measure: str | None, column: int) -> NDArray[np.float64]:
        name = self._name(measure)
        return self._array(
            {
                number: [pair[column] for pair in point["results"][name]]
                for number, point in self.points.items()
            }
        )

    def _name(self, measure: str | None) -> str:
        measures = self.scan.measures
        if measure is None:
            return measures[0]
        if measure not in measures:
            raise ChoiceError(f"{measure} was not measured, but {', '.join(measures)}")
        return measure

    def _array(
        self, columns: Mapping[int, Sequence[float | None]]
    ) -> NDArray[np.float64]:
        """Return an array over channels and points; None is nan."""
        found = np.full((len(self.targets), len(self.scan)), np.nan)
        for number, column in columns.items():
            if not 0 <= number < len(self.scan) or len(column) != len(self.targets):
                raise ValueError(f"point {number} does not belong to this scan")
            found[:, number] = [np.nan if one is None else one for one in column]
        return found.reshape(len(self.targets), *self.scan.shape)

    def table(self) -> str:
        """Return the results as text, a line for each point and channel.

        Values of a parameter that differ from those asked for stand in brackets.
        """
        measures = [find_measure(name) for name in self.scan.measures]
        rows = [
            [*self.scan.parameters, "channel", *self.scan.measures],
            # Units below the names: a scan of two measures fits into 80 columns.
            [
                *(f"({axis.unit})" if axis.unit else "" for axis in self.scan.axes),
                "",
                *(f"({measure.unit})" for measure in measures),
            ],
        ]
        asked = self.scan.points()
        for number in sorted(self.points):
            point = self.points[number]
            for row, target in enumerate(self.targets):
                settings = zip(
                    self.scan.axes, asked[number], point["read_back"][row], strict=True
                )
                found = (point["results"][name][row] for name in self.scan.measures)
                rows.append(
                    [
                        *(_setting(*setting) for setting in settings),
                        target.name,
                        *(_with_error(*pair) for pair in found),
                    ]
                )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                text.rjust(width) for text, width in zip(row, widths, strict=True)
            )
            for row in rows
        )

    def plot(
        self,
        path: str | Path | None = None,
        *,
        measure: str | None = None,
        force: bool = False,
    ) -> Figure:
        """Draw one measure: curves over one parameter, maps over two.

        The curves stand over the values that were read back, or over their words.

        Parameters
        ----------
        path
            A file .png, .svg or .pdf to write.
        measure
            Which measure; by default the first one.
        force
            Replace a file that exists.

        Raises
        ------
        ChoiceError
            If this was not measured.
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_scan_curves, plot_scan_maps

        what = find_measure(self._name(measure))
        names = [target.name for target in self.targets]
        title = f"Scan of {' and '.join(self.scan.parameters)}"
        if len(self.scan.axes) == 1:
            (axis,) = self.scan.axes
            figure = plot_scan_curves(
                axis.words or self.read_back(),
                self.values(what.name),
                self.errors(what.name),
                x_label=axis.label,
                y_label=what.axis_label,
                labels=names,
                title=title,
            )
        else:
            first, second = self.scan.axes
            figure = plot_scan_maps(
                second.words or second.values,
                first.words or first.values,
                self.values(what.name),
                x_label=second.label,
                y_label=first.label,
                value_label=what.axis_label,
                labels=names,
                title=title,
            )
        return drawn(figure, path, force=force)


def _setting(axis: Axis, asked: float, found: float) -> str:
    text = axis.text(asked)
    return text if np.isclose(asked, found) else f"{text} [{axis.text(found)}]"


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    if error is None or error <= 0:
        return f"{value:.6g}"
    # Two digits of the error tell how many of the value mean anything.
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def definition_of(
    scan: Scan, targets: Sequence[Target], serials: Sequence[int]
) -> dict[str, Any]:
    """Return a scan and its channels as plain values: what a file must agree with."""
    return {
        **scan.to_dict(),
        "channels": [
            [target.module, target.module_name, serial, target.channel]
            for target, serial in zip(targets, serials, strict=True)
        ],
    }


def load_scan(path: str | Path) -> ScanResult:
    """Return what the file of a scan holds.

    Raises
    ------
    ScanFileError
        If it cannot be read, or is no such file.
    """
    contents = read_results(path)
    try:
        scan = Scan.from_dict(contents.definition)
        targets = tuple(
            Target(int(module), int(channel), str(name))
            for module, name, _, channel in contents.definition["channels"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ScanFileError(f"{path}: is damaged: {error!r}") from error
    return checked_result(scan, targets, contents, Path(path))


def checked_result(
    scan: Scan, targets: tuple[Target, ...], contents: Contents, path: Path
) -> ScanResult:
    """Return the result that a file holds, if all of its points make sense.

    Raises
    ------
    ScanFileError
        If they do not.
    """
    result = ScanResult(scan=scan, targets=targets, points=contents.points, path=path)
    try:
        for name in scan.measures:
            result.values(name)
            result.errors(name)
        for parameter in scan.parameters:
            result.read_back(parameter)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ScanFileError(f"{path}: a point is damaged: {error!r}") from error
    return result
