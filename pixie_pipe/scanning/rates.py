"""Rates of channels, read again and again while a run goes on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._units import format_duration_ps
from pixie_pipe.scanning.plain import plain
from pixie_pipe.scanning.runs import (
    REAL_TIME,
    Pace,
    check_seconds,
    discard_words,
    end_run,
)
from pixie_pipe.scanning.statistics import (
    ModuleCounts,
    ModuleRates,
    module_counts,
    rates_between,
)
from pixie_pipe.scanning.targets import (
    ChannelChoice,
    ModuleChoice,
    Target,
    choose_targets,
    spectra_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pixie_pipe.drivers.digitizer import Digitizer

RunKind: TypeAlias = Literal["list", "mca"]
"""What modules do meanwhile: list-mode data, which are thrown away, or spectra."""

_ENDLESS_S: Final = 99_999.0
"""How long a run for spectra lasts that is ended by hand: more than a day."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rates:
    """Rates of some channels at one moment; nan where they are not known.

    Attributes
    ----------
    seconds
        When they were read, in s since the first reading.
    targets
        The channels.
    input_hz, output_hz
        Rates in Hz, shape (channels,).
    dead_percent
        Part of the pulses that gave no event, in percent, shape (channels,).
    input_counts, output_counts
        What was counted since the reading before, shape (channels,).
    modules
        What is known about each module, by its number.
    """

    seconds: float
    targets: tuple[Target, ...]
    input_hz: NDArray[np.float64]
    output_hz: NDArray[np.float64]
    dead_percent: NDArray[np.float64]
    input_counts: NDArray[np.float64]
    output_counts: NDArray[np.float64]
    modules: dict[int, ModuleRates] = field(repr=False)

    def __repr__(self) -> str:
        total = float(np.nansum(self.output_hz))
        return (
            f"<Rates of {len(self.targets)} channels at {self.seconds:.1f} s: "
            f"{total:.6g} Hz come out in total>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; what is not known is None."""
        return {
            "seconds": round(self.seconds, 6),
            "channels": [
                {
                    **target.to_dict(),
                    "input_hz": plain(self.input_hz[row]),
                    "output_hz": plain(self.output_hz[row]),
                    "dead_percent": plain(self.dead_percent[row]),
                    "input_counts": plain(self.input_counts[row]),
                    "output_counts": plain(self.output_counts[row]),
                }
                for row, target in enumerate(self.targets)
            ],
            "modules": [
                {
                    "module": number,
                    "words_hz": plain(rates.words_hz),
                    "words_dropped": plain(rates.words_dropped),
                }
                for number, rates in self.modules.items()
            ],
        }


@dataclass(slots=True, eq=False)
class RateHistory:
    """Rates in the order in which they were read."""

    readings: list[Rates] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.readings)

    def __repr__(self) -> str:
        if not self.readings:
            return "<RateHistory: empty>"
        last = self.readings[-1]
        span = format_duration_ps(int(last.seconds * 1e12))
        return (
            f"<RateHistory: {len(self)} readings of {len(last.targets)} channels in "
            f"{span}>"
        )

    def values(self, name: str) -> NDArray[np.float64]:
        """Return what was read over time, shape (channels, readings).

        Parameters
        ----------
        name
            ``input_hz``, ``output_hz``, ``dead_percent``, ``input_counts`` or
            ``output_counts``.
        """
        return np.array([getattr(rates, name) for rates in self.readings]).T

    def plot(self, path: str | Path | None = None, *, force: bool = False) -> Figure:
        """Draw the rates over time, and write the picture if a file is given.

        Raises
        ------
        ScanningError
            If nothing was read.
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_rates
        from pixie_pipe.scanning.errors import ScanningError

        if not self.readings:
            raise ScanningError("there is nothing to draw: no rates were read")
        figure = plot_rates(
            np.array([rates.seconds for rates in self.readings]),
            self.values("input_hz"),
            self.values("output_hz"),
            self.values("dead_percent"),
            labels=[target.name for target in self.readings[0].targets],
            title="Rates",
        )
        return drawn(figure, path, force=force)


def watch_rates(
    digitizer: Digitizer,
    *,
    every_s: float = 1.0,
    seconds: float | None = None,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
    kind: RunKind = "list",
    pace: Pace = REAL_TIME,
) -> Generator[Rates, None, None]:
    """Yield the rates of channels again and again.

    A run is started, and ended when the generator is closed. Data are read, as in a
    real run, and thrown away. A run that goes on already is left as it is, and not
    read: only its statistics are.

    Parameters
    ----------
    digitizer
        An open digitizer.
    every_s
        Time from one reading to the next.
    seconds
        When to end; None goes on until the generator is closed, or the run ends.
    modules, channels
        Which channels; see `choose_targets`.
    kind
        What the modules do: ``list`` or ``mca``.
    pace
        How time is measured and spent.

    Raises
    ------
    ChoiceError
        If a time is not positive, or there is no such channel.
    DriverError
        If the driver fails, or what it tells makes no sense.
    """
    check_seconds(every_s)
    targets = choose_targets(digitizer, modules, channels)
    is_ours = not digitizer.is_running
    if is_ours:
        _start(digitizer, kind)
    try:
        begun = pace.clock()
        end = None if seconds is None else begun + check_seconds(seconds)
        numbers = tuple(dict.fromkeys(target.module for target in targets))
        before, last = _read(digitizer, numbers), begun
        while True:
            goes_on = _wait(digitizer, last + every_s, pace, reads=is_ours)
            after, now = _read(digitizer, numbers), pace.clock()
            found = {
                number: rates_between(before[number], after[number], now - last)
                for number in numbers
            }
            yield _chosen(now - begun, targets, found)
            # The next reading is due in time, even if this one came late.
            before, last = after, now
            if not goes_on or (end is not None and now >= end - every_s / 2):
                return
    finally:
        if is_ours:
            end_run(digitizer, pace)


def _start(digitizer: Digitizer, kind: RunKind) -> None:
    if kind == "list":
        digitizer.start_run()
    else:
        spectra = spectra_of(digitizer, "make spectra")
        spectra.start_histogram_run(_ENDLESS_S)


def _read(digitizer: Digitizer, numbers: Sequence[int]) -> dict[int, ModuleCounts]:
    return {
        number: module_counts(
            digitizer.statistics(number), digitizer.modules[number].channels
        )
        for number in numbers
    }


def _wait(digitizer: Digitizer, until: float, pace: Pace, *, reads: bool) -> bool:
    """Wait for some time, and tell whether the run still goes on."""
    while True:
        if not digitizer.is_running:
            return False
        came = discard_words(digitizer) if reads else 0
        left = until - pace.clock()
        if left <= 0:
            return True
        if not came:
            pace.sleep(min(pace.poll_s, left))


def _chosen(
    seconds: float, targets: tuple[Target, ...], found: dict[int, ModuleRates]
) -> Rates:
    def column(name: str) -> NDArray[np.float64]:
        return np.array(
            [getattr(found[target.module], name)[target.channel] for target in targets]
        )

    return Rates(
        seconds=seconds,
        targets=targets,
        input_hz=column("input_hz"),
        output_hz=column("output_hz"),
        dead_percent=column("dead_percent"),
        input_counts=column("input_counts"),
        output_counts=column("output_counts"),
        modules=found,
    )
