"""Baselines and decay times of the signals at the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
        For each channel its baselines in ADC units, shape (values,).
    """

    targets: tuple[Target, ...]
    values: tuple[NDArray[np.float64], ...]

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
            f"ADC units>"
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecayTimes:
    """Decay times of the pulses of some channels.

    Attributes
    ----------
    targets
        The channels.
    tau_us
        Decay times in us, shape (channels,); nan where none was found.
    """

    targets: tuple[Target, ...]
    tau_us: NDArray[np.float64]

    def __repr__(self) -> str:
        values = ", ".join(
            f"{target.name}: {'none' if np.isnan(tau) else f'{tau:.4g} us'}"
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
            self.tau_us,
            y_label="Decay time (us)",
            labels=[target.name for target in self.targets],
            title="Decay times",
        )
        return drawn(figure, path, force=force)


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
    )
