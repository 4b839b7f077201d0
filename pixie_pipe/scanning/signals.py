"""Baselines and decay times of the signals at the inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers.digitizer import Parameters
from pixie_pipe.scanning.errors import ChoiceError
from pixie_pipe.scanning.plain import plain
from pixie_pipe.scanning.targets import (
    ChannelChoice,
    ModuleChoice,
    Target,
    choose_targets,
    parameters_of,
    signals_of,
)
from pixie_pipe.settings import Changes, apply

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pixie_pipe.drivers.digitizer import Digitizer

_SIGMA_OF_MAD = 1.4826
"""Standard deviation of a Gaussian over the median of the absolute deviations."""


def robust_noise(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of the bulk of values; outliers do not count."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return float("nan")
    return float(np.median(np.abs(finite - np.median(finite))) * _SIGMA_OF_MAD)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baselines:
    """Baselines of some channels.

    Attributes
    ----------
    targets
        The channels.
    values
        For each channel its baselines as the modules measure them between pulses, in
        units of the energy, shape (values,); nan is none.
    """

    targets: tuple[Target, ...]
    values: tuple[NDArray[np.float64], ...]

    @property
    def count(self) -> NDArray[np.int64]:
        """How many baselines each channel has."""
        return np.array([np.isfinite(values).sum() for values in self.values])

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the baselines of each channel; nan without any."""
        return np.array([_of_finite(np.mean, values) for values in self.values])

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation of the baselines of each channel, with all outliers."""
        return np.array([_of_finite(np.std, values) for values in self.values])

    @property
    def noise(self) -> NDArray[np.float64]:
        """Standard deviation of the baselines of each channel, without outliers."""
        return np.array([robust_noise(values) for values in self.values])

    def __repr__(self) -> str:
        noise = self.noise
        known = noise[np.isfinite(noise)]
        spread = f"{known.min():.3g} to {known.max():.3g}" if known.size else "unknown"
        return (
            f"<Baselines of {len(self.targets)} channels; noise (sigma) {spread} "
            f"units of the energy>"
        )

    def plot(self, path: str | Path | None = None, *, force: bool = False) -> Figure:
        """Draw a histogram for each channel, and write it if a file is given.

        Raises
        ------
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_baselines

        figure = plot_baselines(
            self.values,
            labels=[target.name for target in self.targets],
            title="Baselines",
        )
        return drawn(figure, path, force=force)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the numbers to a file.

        Parameters
        ----------
        path
            The ending decides: ``.csv`` is text, a column for each channel, nan where
            there is none; ``.npz`` holds an array for each channel, named as
            ``c0-s02 ch 03``.
        force
            Replace a file that exists.

        Raises
        ------
        ChoiceError
            If the ending is another one.
        OutputExistsError, OutputPathError
            If the file exists, or cannot be written.
        """
        from pixie_pipe.storage.atomic import new_file

        path = Path(path)
        if path.suffix not in {".csv", ".npz"}:
            raise ChoiceError(f"{path}: expected a name that ends in .csv or .npz")
        pairs = zip(self.targets, self.values, strict=True)
        named: dict[str, Any] = {target.name: values for target, values in pairs}
        with new_file(path, force=force) as opened, opened.path.open("wb") as file:
            if path.suffix == ".npz":
                np.savez_compressed(file, **named)
            else:
                rows = itertools.zip_longest(*self.values, fillvalue=np.nan)
                head = ",".join(named)
                np.savetxt(file, list(rows), "%.9g", ",", header=head, comments="")
        return path

    def to_rows(self) -> list[dict[str, Any]]:
        """Return plain values, for JSON: a row for each channel."""
        columns = zip(
            self.targets, self.count, self.mean, self.spread, self.noise, strict=True
        )
        return [
            {
                **target.to_dict(),
                "count": int(count),
                "mean": plain(mean),
                "spread": plain(spread),
                "noise": plain(noise),
            }
            for target, count, mean, spread, noise in columns
        ]


def _of_finite(
    function: Callable[[NDArray[np.float64]], Any], values: NDArray[np.float64]
) -> float:
    finite = values[np.isfinite(values)]
    return float(function(finite)) if finite.size else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecayTimes:
    """Decay times of the pulses of some channels.

    Attributes
    ----------
    targets
        The channels.
    tau_us
        Decay times in µs, shape (channels,); nan where none was found.
    setting_us
        The parameter TAU in µs, with which the energy is computed, shape (channels,);
        nan where the driver does not tell.
    """

    targets: tuple[Target, ...]
    tau_us: NDArray[np.float64]
    setting_us: NDArray[np.float64]

    def __repr__(self) -> str:
        values = ", ".join(
            f"{target.name}: {'none' if np.isnan(tau) else f'{tau:.4g} µs'}"
            for target, tau in zip(self.targets, self.tau_us, strict=True)
        )
        return f"<DecayTimes {values}>"

    def plot(self, path: str | Path | None = None, *, force: bool = False) -> Figure:
        """Draw a point for each channel, and write the picture if a file is given.

        Raises
        ------
        PlotError, MissingExtraError, OutputExistsError
            If it cannot be drawn or written.
        """
        from pixie_pipe.plots import drawn, plot_channel_values

        figure = plot_channel_values(
            {"found": self.tau_us, "TAU": self.setting_us},
            y_label="Decay time (µs)",
            labels=[target.name for target in self.targets],
            title="Decay times",
        )
        return drawn(figure, path, force=force)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return plain values, for JSON: a row for each channel."""
        columns = zip(self.targets, self.tau_us, self.setting_us, strict=True)
        return [
            {**target.to_dict(), "tau_us": plain(found), "setting_us": plain(setting)}
            for target, found, setting in columns
        ]

    def apply(self, digitizer: Digitizer) -> Changes:
        """Set TAU of each channel to what was found; others are left as they are.

        Parameters
        ----------
        digitizer
            The one that they were found with, without a run.

        Returns
        -------
        Changes
            What became of each value.

        Raises
        ------
        DriverError
            If the driver has no parameters, or a run goes on.
        ChangesRefusedError
            If the modules refused some.
        """
        part = parameters_of(digitizer, "set TAU")
        found = [
            (target, value)
            for target, value in zip(self.targets, self.tau_us.tolist(), strict=True)
            if np.isfinite(value)
        ]
        return apply(
            part,
            {"TAU": [value for _, value in found]} if found else {},
            channels=[(target.module, target.channel) for target, _ in found],
        )


def baselines(
    digitizer: Digitizer,
    *,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
) -> Baselines:
    """Take baselines of channels. No run may go on.

    Parameters
    ----------
    digitizer
        An open digitizer.
    modules, channels
        Which channels; see `choose_targets`.

    Raises
    ------
    ChoiceError
        If there is no such channel.
    DriverError
        If the driver takes none, or a run goes on.
    """
    signals = signals_of(digitizer, "take baselines")
    targets = choose_targets(digitizer, modules, channels)
    read = {
        number: signals.baselines(number)
        for number in dict.fromkeys(target.module for target in targets)
    }
    return Baselines(
        targets=targets,
        values=tuple(read[target.module][target.channel] for target in targets),
    )


def tau(
    digitizer: Digitizer,
    *,
    modules: ModuleChoice = None,
    channels: ChannelChoice = None,
) -> DecayTimes:
    """Find the decay times of the pulses of channels. No run may go on.

    Parameters
    ----------
    digitizer
        An open digitizer.
    modules, channels
        Which channels; see `choose_targets`.

    Raises
    ------
    ChoiceError
        If there is no such channel.
    DriverError
        If the driver finds none, or a run goes on.
    """
    signals = signals_of(digitizer, "find decay times")
    targets = choose_targets(digitizer, modules, channels)
    read = {
        number: signals.tau(number)
        for number in dict.fromkeys(target.module for target in targets)
    }
    return DecayTimes(
        targets=targets,
        tau_us=np.array([read[target.module][target.channel] for target in targets]),
        setting_us=np.array([_setting_us(digitizer, target) for target in targets]),
    )


def _setting_us(digitizer: Digitizer, target: Target) -> float:
    if not isinstance(digitizer, Parameters):
        return float("nan")
    return digitizer.read_channel("TAU", target.module, target.channel)
