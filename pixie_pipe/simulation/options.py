"""What can be asked of a simulated crate, checked before anything is simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pixie_pipe.simulation.channel import CsrA, Electronics
from pixie_pipe.simulation.crate import ModulePlan
from pixie_pipe.simulation.decays import Setup
from pixie_pipe.simulation.detectors import find_detector
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.fifo import FIFO_WORDS, LIBRARY_WORDS
from pixie_pipe.simulation.settings import Variables, default_variables
from pixie_pipe.simulation.sources import find_sources

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout

_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "rate_hz": (0, 1e8),
    "coverage": (1e-6, 1),
    "distance_mm": (0, 1e6),
    "room_hz": (0, 1e7),
    "fifo_words": (1, 1 << 40),
    "channels": (1, 32),
    "trace_samples": (0, 32768),
    "seed": (0, float(1 << 62)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parameters of `SimulatedDigitizer`, which explains them.

    Raises
    ------
    SimulationError
        If one is out of range.
    """

    source: str | Mapping[str, float] = "Co-60"
    rate_hz: float = 5000.0
    detector: str | Sequence[str] = "LaBr3"
    channels: int = 4
    coverage: float = 0.6
    distance_mm: float = 100.0
    room_hz: float = 20.0
    trace_samples: int = 0
    energy_sums: bool = False
    qdc: bool = False
    external_timestamps: bool = False
    adc_bits: int | Sequence[int] | None = None
    seed: int = 1
    mode: str = "physics"
    fifo_words: int = FIFO_WORDS + LIBRARY_WORDS
    truth: bool = False

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if self.mode not in {"physics", "fast"}:
            raise SimulationError(
                f"mode is {self.mode!r}, expected 'physics' or 'fast'"
            )
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise SimulationError(
                    f"{name} is {value!r}, expected {least:g} to {most:g}"
                )

    def plans(self, modules: Sequence[tuple[int, int, Layout]]) -> list[ModulePlan]:
        """Return the modules of a crate, from crate, slot and layout of each.

        Raises
        ------
        SimulationError
            If there are none, or one cannot be as it was asked for.
        """
        if not modules:
            raise SimulationError("modules is empty, expected at least one")
        names = _one_for_each("detector", self.detector, len(modules))
        bits = _one_for_each("adc_bits", self.adc_bits, len(modules))
        plans = []
        for (crate, slot, layout), name, wanted in zip(
            modules, names, bits, strict=True
        ):
            kind = Electronics.of(layout, wanted)
            if self.channels > kind.channels:
                raise SimulationError(
                    f"channels is {self.channels}, but module {crate}/{slot} has "
                    f"{kind.channels}"
                )
            plans.append(
                ModulePlan(crate, slot, kind, find_detector(name), self.channels)
            )
        return plans

    def setup(self, plans: Sequence[ModulePlan]) -> Setup:
        """Return source and detectors: ``channel * modules + module`` is one's number.

        Raises
        ------
        SimulationError
            If there is no such source.
        """
        detectors = [plan.detector for plan in plans] * self.channels
        return Setup(
            detectors=detectors,
            coverage=self.coverage,
            distance_mm=[self.distance_mm] * len(detectors),
            sources=find_sources(self.source),
            rate_hz=self.rate_hz,
            room_hz=self.room_hz,
        )

    def variables(self, plan: ModulePlan) -> Variables:
        """Return the DSP variables that a module begins with."""
        variables = default_variables(plan.kind, plan.detector, plan.connected)
        wanted = {
            CsrA.TRACE: self.trace_samples > 0,
            CsrA.ENERGY_SUMS: self.energy_sums,
            CsrA.QDC: self.qdc,
            CsrA.EXTERNAL_TIME: self.external_timestamps,
        }
        for bit, is_wanted in wanted.items():
            variables["ChanCSRa"] |= np.uint32(is_wanted << bit)
        if self.trace_samples > 0:
            variables["TraceLength"][:] = self.trace_samples
        return variables


def _one_for_each(name: str, given: Any, count: int) -> list[Any]:  # noqa: ANN401
    """Return one value for each module, from one for all or one for each."""
    if given is None or isinstance(given, str | int):
        return [given] * count
    if len(given) != count:
        raise SimulationError(
            f"{name} has {len(given)} values, expected one, or one for each of the "
            f"{count} modules"
        )
    return list(given)
