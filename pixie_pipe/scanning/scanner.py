"""Scans: parameters set to all their values, and what is measured then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning.controls import Controls
from pixie_pipe.scanning.definition import Scan, make_axes
from pixie_pipe.scanning.errors import ScanFileError
from pixie_pipe.scanning.holding import held_signals
from pixie_pipe.scanning.measures import Need, Observation, find_measure
from pixie_pipe.scanning.plain import plain
from pixie_pipe.scanning.result import ScanResult, checked_result, definition_of
from pixie_pipe.scanning.results_file import ResultsFile
from pixie_pipe.scanning.runs import REAL_TIME, Pace, histogram_run, list_mode_run
from pixie_pipe.scanning.spectra import run_rates
from pixie_pipe.scanning.targets import (
    ChannelChoice,
    ModuleChoice,
    Target,
    choose_targets,
    signals_of,
    spectra_of,
)
from pixie_pipe.settings import OldValues, RestoreError

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer

Progress: TypeAlias = Callable[[int, int, Mapping[str, Any]], None]
"""Called after each point with the points done, all points, and what was found."""


def scan(
    digitizer: Digitizer,
    parameter: str,
    values: Sequence[Any] | str,
    parameter2: str | None = None,
    values2: Sequence[Any] | str = (),
    *,
    measure: str | Sequence[str] = "peak_position",
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
    seconds: float = 1.0,
    bins: tuple[int, int] | None = None,
    settle_s: float = 0.0,
    output: str | Path | None = None,
    progress: Progress | None = None,
    pace: Pace = REAL_TIME,
) -> ScanResult:
    """Set a parameter, or two, to many values, and measure at each of them.

    The old values are given back at the end, after an error, and after Ctrl-C.

    Parameters
    ----------
    digitizer
        An open digitizer with parameters.
    parameter, values
        Name of a parameter of channels or of modules, and its values: numbers, or a
        text such as ``"10:100:5"``. Or the name of bits, and words: ``"on,off"``.
    parameter2, values2
        A second one; all its values are set for each of the first.
    measure
        Names of what is measured; see `MEASURES`.
    modules, channels
        Which channels; see `choose_targets`. All get the same values.
    seconds
        How long data are taken at each point.
    bins
        Range of the spectrum in which peaks and counts are looked for: the first bin,
        and the one behind the last.
    settle_s
        Time to wait after values were set.
    output
        File to which each point is written at once. If it exists and is of the same
        scan, only what is missing is measured.
    progress
        Called after each point.
    pace
        How time is measured and spent.

    Returns
    -------
    ScanResult
        Arrays, a table, and a plot.

    Raises
    ------
    ChoiceError
        If what was asked for makes no sense.
    DriverError
        If the driver lacks what is needed, or fails, or a run goes on.
    ChangesRefusedError
        If the modules refuse a value.
    ScanFileError
        If the file is of another scan, in use, or damaged.
    RestoreError
        If old values could not be given back: which.
    """
    pairs = [(parameter, values)]
    if parameter2 is not None:
        pairs.append((parameter2, values2))
    definition = Scan(
        axes=make_axes(pairs),
        measures=(measure,) if isinstance(measure, str) else tuple(measure),
        seconds=seconds,
        bins=bins,
        settle_s=settle_s,
    )
    return run_scan(
        digitizer,
        definition,
        modules=modules,
        channels=channels,
        output=output,
        progress=progress,
        pace=pace,
    )


def run_scan(
    digitizer: Digitizer,
    definition: Scan,
    *,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
    pace: Pace = REAL_TIME,
) -> ScanResult:
    """Do a scan that is defined already; see `scan`."""
    targets = choose_targets(digitizer, modules, channels)
    serials = [digitizer.modules[target.module].serial for target in targets]
    if output is None:
        return _Scanner(digitizer, definition, targets, None, pace).run(progress)
    with ResultsFile(output, definition_of(definition, targets, serials)) as file:
        return _Scanner(digitizer, definition, targets, file, pace).run(progress)


class _Scanner:
    """One scan that goes on."""

    def __init__(
        self,
        digitizer: Digitizer,
        definition: Scan,
        targets: tuple[Target, ...],
        file: ResultsFile | None,
        pace: Pace,
    ) -> None:
        self._digitizer = digitizer
        self._scan = definition
        self._targets = targets
        self._numbers = tuple(dict.fromkeys(target.module for target in targets))
        self._file = file
        self._pace = pace
        self._result = (
            ScanResult(scan=definition, targets=targets)
            if file is None
            else checked_result(definition, targets, file.contents, file.path)
        )

    def run(self, progress: Progress | None) -> ScanResult:
        """Measure what is missing, and give back the old values."""
        left_over = [] if self._file is None else self._file.contents.old_values
        if self._result.is_complete and not left_over:
            return self._result
        self._refuse_what_is_lacking()
        controls = Controls(self._digitizer, self._scan.axes, self._targets)
        with self._restored(controls, left_over):
            for number, values in enumerate(self._scan.points()):
                if number in self._result.points:
                    continue
                point = self._measure(controls, number, values)
                self._result.points[number] = point
                self._result.notes = controls.notes
                if self._file is not None:
                    self._file.add("point", **point)
                if progress is not None:
                    progress(len(self._result.points), len(self._scan), point)
        return self._result

    def _refuse_what_is_lacking(self) -> None:
        """Tell before anything is changed what the driver cannot do."""
        if self._digitizer.is_running:
            raise DriverError("a run goes on: stop it before parameters are scanned")
        if Need.SPECTRUM in self._scan.needs:
            spectra_of(self._digitizer, "make spectra, which the measures need")
        if Need.BASELINES in self._scan.needs:
            signals_of(self._digitizer, "take baselines, which the measures need")

    @contextmanager
    def _restored(
        self, controls: Controls, left_over: Sequence[Mapping[str, Any]]
    ) -> Iterator[None]:
        """Give back at the end what the values are now, or were before a crash."""
        old = controls.old_values()
        if self._file is not None:
            try:
                old.take_rows(left_over)
            except (KeyError, TypeError, ValueError) as error:
                raise ScanFileError(
                    f"{self._file.path}: the old values are damaged: {error!r}"
                ) from error
            self._file.add("begin", old_values=old.to_rows())
        try:
            yield
        except BaseException as error:
            self._give_back(controls, old, error)
            raise
        self._give_back(controls, old)

    def _give_back(
        self,
        controls: Controls,
        old: OldValues,
        reason: BaseException | None = None,
    ) -> None:
        with held_signals():
            try:
                try:
                    # A run that goes on would refuse the old values.
                    self._digitizer.stop_run()
                finally:
                    controls.restore(old)
            except RestoreError as error:
                if reason is None:
                    raise
                ending = f"{type(reason).__name__} {reason}".rstrip()
                raise RestoreError(
                    error.lost, error.texts, f"The scan was ended by: {ending}"
                ) from reason
            if self._file is not None:
                self._file.add("end", complete=self._result.is_complete)

    def _measure(
        self, controls: Controls, number: int, values: tuple[float, ...]
    ) -> dict[str, Any]:
        """Return what was found at one point, as plain values."""
        read_back = controls.set(values)
        if self._scan.settle_s:
            self._pace.sleep(self._scan.settle_s)
        seen = self._observe()
        found = {
            name: [[plain(one) for one in find_measure(name).of(one)] for one in seen]
            for name in self._scan.measures
        }
        return {
            "point": number,
            "values": list(values),
            "read_back": [list(row) for row in read_back],
            "results": found,
        }

    def _observe(self) -> list[Observation]:
        """Take data once, and return what was seen of each channel."""
        digitizer, needs = self._digitizer, self._scan.needs
        seen = [
            Observation(bins=self._scan.bins, channel=target.channel)
            for target in self._targets
        ]
        if Need.BASELINES in needs:
            signals = signals_of(digitizer, "take baselines")
            baselines = {number: signals.baselines(number) for number in self._numbers}
            for one, target in zip(seen, self._targets, strict=True):
                one.baselines = baselines[target.module][target.channel]
        if Need.SPECTRUM in needs:
            histogram_run(digitizer, self._scan.seconds, self._pace)
            spectra = spectra_of(digitizer, "make spectra")
            for one, target in zip(seen, self._targets, strict=True):
                one.spectrum = spectra.histogram(target.module, target.channel)
        elif Need.STATISTICS in needs:
            # As data are taken, so that the dead time is that of data taking.
            list_mode_run(digitizer, self._scan.seconds, self._pace)
        if Need.STATISTICS in needs:
            rates = run_rates(digitizer, self._targets, self._scan.seconds)
            for one, target in zip(seen, self._targets, strict=True):
                one.rates = rates[target.module]
        return seen
