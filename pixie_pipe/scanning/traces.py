"""Traces as the ADCs see them, taken until there are pulses in them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers.digitizer import Parameters
from pixie_pipe.scanning.errors import ChoiceError, ScanningError
from pixie_pipe.scanning.pulses import find_pulse, has_pulse
from pixie_pipe.scanning.runs import REAL_TIME, Pace, check_seconds
from pixie_pipe.scanning.targets import (
    ChannelChoice,
    ModuleChoice,
    Target,
    choose_targets,
    signals_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pixie_pipe.drivers.digitizer import Digitizer
    from pixie_pipe.plots import FilterCurves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traces:
    """Traces of some channels.

    Attributes
    ----------
    targets
        The channels.
    samples
        For each channel its traces in ADC units, shape (traces, samples), uint16.
    sample_us
        For each channel the time between two samples in µs; nan if it is not known.
    has_pulse
        For each channel, which of its traces show a pulse, shape (traces,).
    """

    targets: tuple[Target, ...]
    samples: tuple[NDArray[np.uint16], ...]
    sample_us: tuple[float, ...]
    has_pulse: tuple[NDArray[np.bool_], ...]

    def __repr__(self) -> str:
        count = sum(len(one) for one in self.samples)
        pulses = sum(int(one.sum()) for one in self.has_pulse)
        lengths = sorted({one.shape[1] for one in self.samples})
        length = " or ".join(str(length) for length in lengths)
        return (
            f"<Traces: {count} of {len(self.targets)} channels, {length} samples each, "
            f"{pulses} with a pulse>"
        )

    @property
    def array(self) -> NDArray[np.uint16]:
        """All samples as one array, shape (channels, traces, samples).

        Raises
        ------
        ScanningError
            If the traces of the channels differ in number or length.
        """
        shapes = {one.shape for one in self.samples}
        if len(shapes) > 1:
            raise ScanningError(
                f"the traces of the channels have different shapes, {sorted(shapes)}, "
                f"and do not fit into one array; choose fewer channels, or write .npz"
            )
        return np.stack(self.samples)

    def plot(
        self,
        path: str | Path | None = None,
        *,
        overlaid: bool = False,
        filters: Sequence[FilterCurves | None] | None = None,
        force: bool = False,
    ) -> Figure:
        """Draw the traces, and write the picture if a file is given.

        Parameters
        ----------
        path
            A file .png, .svg or .pdf.
        overlaid
            Draw all channels into one.
        filters
            For each channel what filters make of its first trace.
        force
            Replace a file that exists.

        Raises
        ------
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_traces

        figure = plot_traces(
            self.samples,
            self.sample_us,
            labels=[target.name for target in self.targets],
            filters=filters,
            overlaid=overlaid,
            title="ADC traces",
        )
        return drawn(figure, path, force=force)

    def persistence(
        self,
        path: str | Path | None = None,
        *,
        align: bool = False,
        threshold: float | None = None,
        span_us: tuple[float, float] | None = None,
        force: bool = False,
    ) -> Figure:
        """Draw how many traces pass where, and write the picture if a file is given.

        Parameters
        ----------
        path
            A file .png, .svg or .pdf.
        align
            Shift each trace so that its pulse is at the time 0, where it is steepest;
            traces without a pulse are left out.
        threshold
            Least height of such a pulse; see `find_pulse`.
        span_us
            First and last time to draw, in µs.
        force
            Replace a file that exists.

        Raises
        ------
        ScanningError
            If no trace has a pulse.
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_persistence

        figure = plot_persistence(
            self.samples,
            self.sample_us,
            labels=[target.name for target in self.targets],
            at=self._pulses(threshold) if align else None,
            span_us=span_us,
            title="ADC traces",
        )
        return drawn(figure, path, force=force)

    def _pulses(self, threshold: float | None) -> list[list[float]]:
        """Return the sample of the pulse in each trace; nan where there is none."""
        found = [
            [find_pulse(trace, threshold) for trace in channel]
            for channel in self.samples
        ]
        if not any(one is not None for channel in found for one in channel):
            raise ScanningError(
                "no trace has a pulse to be aligned at; wait for pulses (--auto), or "
                "lower the threshold"
            )
        return [
            [math.nan if one is None else float(one) for one in channel]
            for channel in found
        ]

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the numbers to a file.

        Parameters
        ----------
        path
            The ending decides: ``.npy`` holds `array`; ``.npz`` holds an array for
            each channel, named as ``c0-s02 ch 03``, and ``sample_us``.
        force
            Replace a file that exists.

        Raises
        ------
        ChoiceError
            If the ending is another one.
        ScanningError
            If the traces do not fit into one array.
        OutputExistsError, OutputPathError
            If the file exists, or cannot be written.
        """
        from pixie_pipe.storage.atomic import new_file

        path = Path(path)
        if path.suffix not in {".npy", ".npz"}:
            raise ChoiceError(f"{path}: expected a name that ends in .npy or .npz")
        whole = self.array if path.suffix == ".npy" else None
        with new_file(path, force=force) as opened, opened.path.open("wb") as file:
            if whole is not None:
                np.save(file, whole, allow_pickle=False)
            else:
                named: dict[str, Any] = {
                    target.name: one
                    for target, one in zip(self.targets, self.samples, strict=True)
                }
                np.savez_compressed(file, sample_us=np.array(self.sample_us), **named)
        return path


def take_traces(
    digitizer: Digitizer,
    *,
    count: int = 1,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
    until_pulse: bool = False,
    threshold: float | None = None,
    timeout_s: float = 10.0,
    pace: Pace = REAL_TIME,
) -> Traces:
    """Take traces of channels. No run may go on.

    Parameters
    ----------
    digitizer
        An open digitizer.
    count
        Traces of each channel.
    modules, channels
        Which channels; see `choose_targets`.
    until_pulse
        Keep only traces with a pulse, and take some until each channel has got enough
        or the time is over. A channel with too few then has others in their place;
        `Traces.has_pulse` tells.
    threshold
        Least height of a pulse, in ADC units; by default 8 times the noise.
    timeout_s
        Longest time to wait for pulses.
    pace
        How time is measured and spent.

    Raises
    ------
    ChoiceError
        If there is no such channel, or a number makes no sense.
    DriverError
        If the driver takes no traces, or a run goes on.
    """
    if count < 1:
        raise ChoiceError(f"{count} traces were asked for, expected at least 1")
    check_seconds(timeout_s)
    signals = signals_of(digitizer, "take ADC traces")
    targets = choose_targets(digitizer, modules, channels)
    takers = [_Taker(count) for _ in targets]
    until = pace.clock() + timeout_s
    is_waiting = until_pulse
    while not all(taker.is_done(with_pulse=is_waiting) for taker in takers):
        pairs = [
            (target, taker)
            for target, taker in zip(targets, takers, strict=True)
            if not taker.is_done(with_pulse=is_waiting)
        ]
        taken = {
            number: signals.adc_traces(number)
            for number in dict.fromkeys(target.module for target, _ in pairs)
        }
        for target, taker in pairs:
            taker.add(taken[target.module][target.channel], threshold)
        # Then any traces are taken, as many as are wanted.
        is_waiting = is_waiting and pace.clock() < until
    kept = [taker.kept(with_pulse=until_pulse) for taker in takers]
    return Traces(
        targets=targets,
        samples=tuple(np.stack([trace for trace, _ in one]) for one in kept),
        sample_us=tuple(_sample_us(digitizer, target) for target in targets),
        has_pulse=tuple(np.array([pulse for _, pulse in one]) for one in kept),
    )


class _Taker:
    """Keeps the traces of one channel that are wanted."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._with: list[NDArray[np.uint16]] = []
        self._all: deque[tuple[NDArray[np.uint16], bool]] = deque(maxlen=count)

    def add(self, trace: NDArray[np.uint16], threshold: float | None) -> None:
        pulse = has_pulse(trace, threshold)
        kept = trace.copy()
        if pulse and len(self._with) < self._count:
            self._with.append(kept)
        self._all.append((kept, pulse))

    def is_done(self, *, with_pulse: bool) -> bool:
        """Whether there are enough traces, those with a pulse alone if they count."""
        return len(self._with if with_pulse else self._all) >= self._count

    def kept(self, *, with_pulse: bool) -> list[tuple[NDArray[np.uint16], bool]]:
        """Return the traces that were wanted, those with a pulse first if need be."""
        if not with_pulse:
            return list(self._all)
        rest = [(trace, False) for trace, pulse in self._all if not pulse]
        return [*((trace, True) for trace in self._with), *rest][: self._count]


def _sample_us(digitizer: Digitizer, target: Target) -> float:
    if not isinstance(digitizer, Parameters):
        return math.nan
    return digitizer.read_channel("XDT", target.module, target.channel)
