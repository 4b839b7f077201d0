"""What really happened: each deposit of energy, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation import _channel_state

if TYPE_CHECKING:
    from pixie_pipe.simulation.decays import Deposits


class Fate(IntEnum):
    """What became of a deposit."""

    BELOW_THRESHOLD = _channel_state.BELOW
    """It made no trigger."""
    RECORDED = _channel_state.RECORDED
    """It triggered, and its event was written."""
    PILED_UP = _channel_state.PILED_UP
    """It triggered while the energy of an earlier one was measured."""
    DEAD_TIME = _channel_state.DEAD
    """It triggered while the trace of an earlier one was recorded."""
    UNRESOLVED = _channel_state.UNRESOLVED
    """It came together with a larger one, or while that was above threshold."""
    REJECTED = 5
    """Its event was not written for being piled up, or for not being."""
    CHANNEL_OFF = 6
    """Its channel was switched off."""
    LOST_IN_FIFO = 7
    """Words of its event were lost because the FIFO was full."""
    PENDING = 8
    """It was not decided when the run ended."""


@dataclass(frozen=True, slots=True)
class Truth:
    """All deposits of a run, in the order in which they were simulated.

    Attributes
    ----------
    module, channel
        Where: number of the module, and its channel; shape (n,).
    time_ps
        When the quantum came to the detector, in ps since the run began.
    kev
        Deposited energy in keV, without resolution.
    decay
        Number of the decay; -1 for quanta of the room.
    fate
        A `Fate`.
    event
        Number of its event among those that its module sent; -1 without one.
    """

    module: NDArray[np.int64]
    channel: NDArray[np.int64]
    time_ps: NDArray[np.int64]
    kev: NDArray[np.float64]
    decay: NDArray[np.int64]
    fate: NDArray[np.int8]
    event: NDArray[np.int64]

    def __len__(self) -> int:
        return self.time_ps.size

    @property
    def recorded(self) -> NDArray[np.bool_]:
        """Whether the event of each deposit was written and kept."""
        kept: NDArray[np.bool_] = self.fate == Fate.RECORDED
        return kept

    def take(self, rows: NDArray[Any]) -> Truth:
        """Return some rows, in memory of their own."""
        return Truth(*(getattr(self, name)[rows] for name in _COLUMNS))

    @classmethod
    def joined(cls, parts: Sequence[Truth]) -> Self:
        """Return the rows of all parts."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in _COLUMNS
            )
        )

    def repeated(
        self, times: int, length_ps: int, decays: int, events: NDArray[np.int64]
    ) -> Truth:
        """Return what happens when the same comes again.

        Parameters
        ----------
        times
            How often it has come before.
        length_ps, decays, events
            Time, decays, and events of each module by which one time is later.
        """
        return Truth(
            module=self.module,
            channel=self.channel,
            time_ps=self.time_ps + times * length_ps,
            kev=self.kev,
            decay=np.where(self.decay >= 0, self.decay + times * decays, -1),
            fate=self.fate,
            event=np.where(
                self.event >= 0, self.event + times * events[self.module], -1
            ),
        )


_COLUMNS: Final = tuple(field.name for field in fields(Truth))


class TruthLog:
    """Collects the truth while a run goes on; deposits have rising numbers."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.generic], ...]] = []
        self._fate = np.zeros(0, np.int8)
        self._event = np.zeros(0, np.int64)
        self._count = 0

    def add(
        self,
        module: NDArray[np.int64],
        channel: NDArray[np.int64],
        deposits: Deposits,
    ) -> None:
        """Add deposits; their numbers go on from the last ones."""
        self._parts.append(
            (module, channel, deposits.time_ps, deposits.kev, deposits.decay)
        )
        end = self._count + module.size
        if end > self._fate.size:
            more = max(end, 2 * self._fate.size) - self._fate.size
            self._fate = np.concatenate(
                [self._fate, np.full(more, Fate.PENDING, np.int8)]
            )
            self._event = np.concatenate([self._event, np.full(more, -1, np.int64)])
        self._count = end

    def set_fates(
        self, numbers: NDArray[np.int64], fates: NDArray[np.int8] | Fate
    ) -> None:
        """Tell what became of deposits."""
        self._fate[numbers] = fates

    def set_events(self, numbers: NDArray[np.int64], first_event: int) -> None:
        """Tell which deposits made the next events of a module; -1 is noise."""
        own = np.flatnonzero(numbers >= 0)
        self._event[numbers[own]] = first_event + own

    def result(self) -> Truth:
        """Return what is known until now."""
        parts = list(zip(*self._parts, strict=True)) or [()] * len(_DEPOSITED)
        columns: dict[str, NDArray[Any]] = {
            name: np.concatenate([np.zeros(0, kind), *part])
            for (name, kind), part in zip(_DEPOSITED.items(), parts, strict=True)
        }
        return Truth(
            **columns,
            fate=self._fate[: self._count].copy(),
            event=self._event[: self._count].copy(),
        )


_DEPOSITED: Final[Mapping[str, type]] = {
    "module": np.int64,
    "channel": np.int64,
    "time_ps": np.int64,
    "kev": np.float64,
    "decay": np.int64,
}
"""What is known of a deposit before anything looks at it."""
