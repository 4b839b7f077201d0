"""Pauses of a run: nothing is simulated in them, and what comes later is stamped later.

A pause begins where the simulation stands, at the end of a block. Events that had
triggered by then and were not complete are lost. Times that are simulated know no
pauses: they stand still in the clock of the modules, as their real time does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.chunks import Chunk, chosen, stamped_later, stamps

if TYPE_CHECKING:
    from pixie_pipe.simulation.truth import Truth


@dataclass(frozen=True, slots=True)
class _Pause:
    """One pause: when it began in simulated time, and all pauses until its end."""

    at_ps: int
    shift_ps: int


class Pauses:
    """The pauses of a run.

    Parameters
    ----------
    tick_ps
        Ticks of the modules.
    """

    def __init__(self, tick_ps: Sequence[int]) -> None:
        self._tick_ps = tuple(tick_ps)
        self._pauses: list[_Pause] = []
        # Events of each module that were kept when each pause had ended, and now.
        self._kept: list[list[int]] = [[] for _ in tick_ps]
        self._count = [0] * len(self._tick_ps)
        self._made = [0] * len(self._tick_ps)
        self._lost: list[list[NDArray[np.int64]]] = [[] for _ in tick_ps]
        self._lost_chunks: list[list[Chunk]] = [[] for _ in tick_ps]

    @property
    def shift_ps(self) -> int:
        """How long all pauses have lasted."""
        return self._pauses[-1].shift_ps if self._pauses else 0

    def add(self, at_ps: int, length_ps: int) -> None:
        """Add a pause that has ended.

        Parameters
        ----------
        at_ps
            Simulated time at which it began, and which it is still.
        length_ps
            How long it was: whole ticks of all modules.
        """
        self._pauses.append(_Pause(at_ps, self.shift_ps + length_ps))
        for kept, count in zip(self._kept, self._count, strict=True):
            kept.append(count)

    def stamped(self, module: int, chunk: Chunk) -> Chunk | None:
        """Return the next events of a module as they are written, if any are left."""
        first = self._made[module]
        self._made[module] += chunk.ends.size
        if self._pauses:
            at_ps = self._pauses[-1].at_ps
            is_whole = stamps(chunk) * self._tick_ps[module] >= at_ps
            if not is_whole.all():
                self._lost[module].append(first + np.flatnonzero(~is_whole))
                self._lost_chunks[module].append(chosen(chunk, ~is_whole))
                chunk = chosen(chunk, is_whole)
            if not chunk.ends.size:
                return None
            chunk = stamped_later(chunk, self.shift_ps, self._tick_ps[module])
        self._count[module] += chunk.ends.size
        return chunk

    def lost_output(self, module: int, channels: int) -> NDArray[np.int64]:
        """Return how many events each channel of a module has lost by pauses."""
        total = np.zeros(channels, np.int64)
        for chunk in self._lost_chunks[module]:
            total += np.bincount(chunk.channel, minlength=channels)
        return total

    def lost_histogram(self, module: int, channel: int, bins: int) -> NDArray[np.int64]:
        """Return the histogram of what a channel has lost by pauses."""
        total = np.zeros(bins, np.int64)
        for chunk in self._lost_chunks[module]:
            found = chunk.bins[(chunk.channel == channel) & (chunk.bins >= 0)]
            total += np.bincount(found, minlength=bins)
        return total

    def seen_by(self, known: Truth) -> Truth:
        """Return the truth by the clocks of the modules, without what was lost."""
        if not self._pauses:
            return known
        found = known.take(np.arange(len(known)))
        at_ps = np.array([pause.at_ps for pause in self._pauses])
        shifts = np.array([0, *(pause.shift_ps for pause in self._pauses)])
        before = np.searchsorted(at_ps, found.time_ps, "right")
        for module, lost in enumerate(self._lost):
            gone = np.concatenate([np.zeros(0, np.int64), *lost])
            rows = np.flatnonzero((found.module == module) & (found.event >= 0))
            events = found.event[rows]
            found.event[rows] = np.where(
                np.isin(events, gone), -1, events - np.searchsorted(gone, events)
            )
            # A quantum may come before the pause, and its event behind.
            rows = rows[found.event[rows] >= 0]
            before[rows] = np.searchsorted(
                self._kept[module], found.event[rows], "right"
            )
        found.time_ps[:] += shifts[before]
        return found
