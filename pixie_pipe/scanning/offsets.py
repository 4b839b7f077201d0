"""The offsets of the inputs: adjusted, with what they and the baselines were before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.scanning.plain import plain
from pixie_pipe.scanning.targets import (
    ModuleChoice,
    Target,
    choose_targets,
    parameters_of,
    signals_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixie_pipe.drivers.digitizer import Digitizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offsets:
    """Offsets of channels, and where their baselines are, before and after.

    Levels are the medians of ADC traces in percent of the range of the ADC; nan if its
    bits are not known.

    Attributes
    ----------
    targets
        The channels.
    wanted_percent
        Where baselines shall be, BASELINE_PERCENT, in percent, shape (channels,).
    before_v, after_v
        Offsets, VOFFSET, in V, shape (channels,).
    before_percent, after_percent
        Levels of the baselines, shape (channels,).
    """

    targets: tuple[Target, ...]
    wanted_percent: NDArray[np.float64]
    before_v: NDArray[np.float64]
    after_v: NDArray[np.float64]
    before_percent: NDArray[np.float64]
    after_percent: NDArray[np.float64]

    def away(self, percent: float = 1.0) -> list[Target]:
        """Return the channels whose baselines are not where they shall be.

        Parameters
        ----------
        percent
            How far away they may be, in percent of the range.
        """
        distance = np.abs(self.after_percent - self.wanted_percent)
        return [
            target
            for target, far in zip(self.targets, distance > percent, strict=True)
            if far
        ]

    def __repr__(self) -> str:
        moved = int((self.before_v != self.after_v).sum())
        return f"<Offsets of {len(self.targets)} channels, {moved} have changed>"

    def to_rows(self) -> list[dict[str, Any]]:
        """Return plain values, for JSON: a row for each channel."""
        names = (
            "wanted_percent",
            "before_v",
            "after_v",
            "before_percent",
            "after_percent",
        )
        return [
            {
                **target.to_dict(),
                **{name: plain(getattr(self, name)[row]) for name in names},
            }
            for row, target in enumerate(self.targets)
        ]


def adjust_offsets(digitizer: Digitizer, *, modules: ModuleChoice = None) -> Offsets:
    """Bring the baselines of all channels of modules to BASELINE_PERCENT.

    No run may go on.

    Parameters
    ----------
    digitizer
        An open digitizer.
    modules
        Which modules; see `choose_targets`.

    Raises
    ------
    ChoiceError
        If there is no such module.
    DriverError
        If the driver cannot do it, or a run goes on.
    """
    signals = signals_of(digitizer, "adjust offsets")
    targets = choose_targets(digitizer, modules)
    numbers = tuple(dict.fromkeys(target.module for target in targets))
    wanted = _read(digitizer, targets, "BASELINE_PERCENT")
    before_v = _read(digitizer, targets, "VOFFSET")
    before = _levels(digitizer, targets)
    for number in numbers:
        signals.adjust_offsets(number)
    return Offsets(
        targets=targets,
        wanted_percent=wanted,
        before_v=before_v,
        after_v=_read(digitizer, targets, "VOFFSET"),
        before_percent=before,
        after_percent=_levels(digitizer, targets),
    )


def _read(
    digitizer: Digitizer, targets: Sequence[Target], name: str
) -> NDArray[np.float64]:
    access = parameters_of(digitizer, "adjust offsets")
    return np.array(
        [access.read_channel(name, target.module, target.channel) for target in targets]
    )


def _levels(digitizer: Digitizer, targets: Sequence[Target]) -> NDArray[np.float64]:
    """Return the median of a trace of each channel, in percent of the ADC's range."""
    signals = signals_of(digitizer, "adjust offsets")
    found = {}
    for number in dict.fromkeys(target.module for target in targets):
        bits = digitizer.modules[number].bits
        full = (1 << bits) - 1 if bits else np.nan
        found[number] = 100 * np.median(signals.adc_traces(number), axis=1) / full
    return np.array([found[target.module][target.channel] for target in targets])
