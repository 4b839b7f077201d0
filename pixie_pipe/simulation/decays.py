"""From decays to energies in detectors: arrival, geometry, coincidence, resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.detectors import Detector, backscattered

if TYPE_CHECKING:
    from pixie_pipe.simulation.sources import Line, Source

_LIGHT_PS_PER_MM: Final = 1 / 0.299792458

_BACKSCATTER: Final = 0.03
"""Part of the quanta that miss all detectors and are scattered back into one."""

_S_PER_PS: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Setup:
    """Detectors around a source.

    Detector 2 n and 2 n + 1 are opposite: of a pair back to back, each sees one.

    Attributes
    ----------
    detectors
        The detectors.
    coverage
        Part of all directions that they cover together, each the same.
    distance_mm
        Distance of each from the source.
    sources
        The sources, and their parts of all decays.
    rate_hz
        Decays per second.
    room_hz
        Quanta of the room per second in each detector.
    """

    detectors: Sequence[Detector]
    coverage: float
    distance_mm: Sequence[float]
    sources: Sequence[tuple[Source, float]]
    rate_hz: float
    room_hz: float


@dataclass(frozen=True, slots=True)
class Deposits:
    """Energies left in detectors, in the order of time.

    Attributes
    ----------
    detector
        Which detector, shape (n,).
    time_ps
        When the quantum came to it, in ps, shape (n,).
    pulse_ps
        When its pulse begins: the same with the jitter of the detector.
    kev
        Deposited energy.
    seen_kev
        The same with the statistics of the carriers: the height of the pulse.
    decay
        Number of the decay; -1 for quanta of the room.
    """

    detector: NDArray[np.int64]
    time_ps: NDArray[np.int64]
    pulse_ps: NDArray[np.int64]
    kev: NDArray[np.float64]
    seen_kev: NDArray[np.float64]
    decay: NDArray[np.int64]


def simulate_decays(
    setup: Setup,
    rng: np.random.Generator,
    *,
    start_ps: int,
    length_ps: int,
    first_decay: int,
) -> tuple[Deposits, int]:
    """Return what the decays in a stretch of time leave, and how many decays they are.

    Decays come at random times (a Poisson process).

    Parameters
    ----------
    setup
        Source and detectors.
    rng
        Random numbers.
    start_ps, length_ps
        The stretch of time.
    first_decay
        Number of its first decay.
    """
    quanta = _Quanta(setup, rng)
    count = int(rng.poisson(setup.rate_hz * length_ps * _S_PER_PS))
    times = start_ps + np.sort(rng.integers(0, length_ps, count))
    numbers = np.arange(first_decay, first_decay + count)
    share = rng.random(count)
    begin = 0.0
    for source, part in setup.sources:
        rows = np.flatnonzero((share >= begin) & (share < begin + part))
        begin += part
        for lines in source.steps:
            quanta.emit(lines, times[rows], numbers[rows])
    quanta.add_room(start_ps, length_ps)
    return quanta.collected(), count


class _Quanta:
    """Collects what quanta leave in detectors."""

    def __init__(self, setup: Setup, rng: np.random.Generator) -> None:
        self._setup = setup
        self._rng = rng
        self._parts: list[tuple[NDArray[np.generic], ...]] = []
        self._flight_ps = np.rint(
            np.asarray(setup.distance_mm, np.float64) * _LIGHT_PS_PER_MM
        ).astype(np.int64)

    def emit(
        self,
        lines: Sequence[Line],
        times: NDArray[np.int64],
        decays: NDArray[np.int64],
    ) -> None:
        """Emit a quantum of one of the lines, or none, in each of these decays."""
        chosen = self._rng.random(times.size)
        begin = 0.0
        for line in lines:
            rows = np.flatnonzero((chosen >= begin) & (chosen < begin + line.per_decay))
            begin += line.per_decay
            self._emit_line(line, times[rows], decays[rows])

    def _emit_line(
        self, line: Line, times: NDArray[np.int64], decays: NDArray[np.int64]
    ) -> None:
        direction = self._rng.random(times.size) / self._setup.coverage
        detector = (direction * len(self._setup.detectors)).astype(np.int64)
        hit = direction < 1
        detector = detector[hit]
        self._absorb(line.kev, times[hit], decays[hit], detector)
        if line.is_pair:
            self._absorb(line.kev, times[hit], decays[hit], detector ^ 1)
        self._scatter_back(line.kev, times[~hit], decays[~hit])

    def _absorb(
        self,
        kev: float,
        times: NDArray[np.int64],
        decays: NDArray[np.int64],
        detector: NDArray[np.int64],
    ) -> None:
        for number, kind in enumerate(self._setup.detectors):
            rows = np.flatnonzero(detector == number)
            rows = rows[self._rng.random(rows.size) < kind.chance(kev)]
            left = kind.deposits(kev, rows.size, self._rng)
            self._add(number, times[rows], left, decays[rows])

    def _scatter_back(
        self, kev: float, times: NDArray[np.int64], decays: NDArray[np.int64]
    ) -> None:
        rng, detectors = self._rng, self._setup.detectors
        rows = np.flatnonzero(rng.random(times.size) < _BACKSCATTER)
        left = backscattered(kev, rows.size, rng)
        detector = rng.integers(0, len(detectors), rows.size)
        for number, kind in enumerate(detectors):
            to_it = np.flatnonzero(detector == number)
            chances = np.array([kind.chance(value) for value in left[to_it]])
            to_it = to_it[rng.random(to_it.size) < chances]
            self._add(number, times[rows[to_it]], left[to_it], decays[rows[to_it]])

    def add_room(self, start_ps: int, length_ps: int) -> None:
        """Add the quanta of the room."""
        rng, setup = self._rng, self._setup
        for number, kind in enumerate(setup.detectors):
            count = int(rng.poisson(setup.room_hz * length_ps * _S_PER_PS))
            times = start_ps + rng.integers(0, length_ps, count)
            none = np.full(count, -1, np.int64)
            self._add(number, times, kind.room(count, rng), none)

    def _add(
        self,
        number: int,
        times: NDArray[np.int64],
        kev: NDArray[np.float64],
        decays: NDArray[np.int64],
    ) -> None:
        kind = self._setup.detectors[number]
        arrival = times + self._flight_ps[number]
        jitter = self._rng.normal(0.0, kind.jitter_ps, times.size)
        self._parts.append(
            (
                np.full(times.size, number, np.int64),
                arrival,
                np.maximum(arrival + np.rint(jitter).astype(np.int64), 0),
                kev,
                kind.seen(kev, self._rng),
                decays,
            )
        )

    def collected(self) -> Deposits:
        """Return everything in the order of the pulses."""
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        order = np.argsort(columns[2], kind="stable")
        return Deposits(*(column[order] for column in columns))
