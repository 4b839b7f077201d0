"""A run of a simulated crate as it is read: by a clock, through FIFOs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.fifo import Fifo
from pixie_pipe.simulation.pauses import Pauses
from pixie_pipe.simulation.truth import Fate, Truth

if TYPE_CHECKING:
    from pixie_pipe.simulation.crate import CrateSimulator
    from pixie_pipe.simulation.template import TemplateCrate

_PAUSE_UNIT_PS: Final = 1_000_000
"""Pauses are whole µs, and so whole ticks of 8 and of 10 ns."""

_PATIENCE_S: Final = 0.1
"""A read simulates no longer than this; the simulated clock is late then."""

STATISTICS: Final = (
    "words_read",
    "words_written",
    "words_dropped",
    "hw_overflows",
    "fifo_words",
    "late_s",
)
"""What `CrateRun.statistics` tells of a module, beside that of its channels."""

CHANNEL_STATISTICS: Final = (
    "input_counts",
    "output_counts",
    "live_time_s",
    "real_time_s",
)


class CrateRun:
    """Simulates as far as a clock goes, and puts the words into FIFOs.

    Parameters
    ----------
    crate
        What simulates.
    tick_ps
        Ticks of the modules.
    fifo_words
        Words that a FIFO holds.
    clock
        Returns seconds; the run begins now, with its first block simulated.
    is_list_mode
        Whether words are written, beside the histograms.
    with_truth
        Whether the crate collects the truth: only then all events are remembered.
    """

    def __init__(
        self,
        crate: CrateSimulator | TemplateCrate,
        tick_ps: Sequence[int],
        *,
        fifo_words: int,
        clock: Callable[[], float],
        is_list_mode: bool = True,
        with_truth: bool = False,
    ) -> None:
        self._crate = crate
        self._clock = clock
        self._is_list_mode = is_list_mode
        self._with_truth = with_truth
        self._fifos = [Fifo(fifo_words) for _ in tick_ps]
        self._words_read = [0] * len(tick_ps)
        self._ends: list[list[NDArray[np.int64]]] = [[] for _ in tick_ps]
        self._pauses = Pauses(tick_ps)
        self._late_ps = 0
        self._is_over = False
        self.is_paused = False
        # The clock does not wait for the first block, with which kernels may have to be
        # compiled.
        self.advance()
        self._begun = clock()

    def advance(self) -> None:
        """Simulate one block of time more."""
        chunks = self._crate.advance()
        if not self._is_list_mode:
            return
        for number, chunk in enumerate(chunks):
            kept = None if chunk is None else self._pauses.stamped(number, chunk)
            if kept is None:
                continue
            fifo = self._fifos[number]
            if self._with_truth:
                self._ends[number].append(fifo.words_offered + kept.ends)
            fifo.offer(kept)

    def simulate(self) -> int:
        """Simulate until now; return what time it is in the simulation, in ps."""
        begun = self._clock()
        elapsed = self._elapsed_ps(begun)
        while self._crate.settled_ps < elapsed - self._late_ps:
            self.advance()
            if self._clock() - begun > _PATIENCE_S:
                late = elapsed - self._crate.settled_ps
                self._late_ps = max(self._late_ps, late)
        return elapsed - self._late_ps

    def _elapsed_ps(self, now: float) -> int:
        """Return the time since the begin without pauses, in ps."""
        return int((now - self._begun) * 1e12) - self._pauses.shift_ps

    def look(self, module: int) -> None:
        """Let the FIFO of a module take what has come until now."""
        if not self._is_over and not self.is_paused:
            self._fifos[module].advance(self.simulate())

    def pause(self) -> None:
        """Pause behind the block that goes on: all its words are written."""
        self._write_all()
        self.is_paused = True

    def resume(self) -> None:
        """Go on, unless that block has not ended: then it was no pause."""
        self.is_paused = False
        at = self._crate.settled_ps
        length = self._elapsed_ps(self._clock()) - self._late_ps - at
        if length > 0:
            self._pauses.add(at, -(-length // _PAUSE_UNIT_PS) * _PAUSE_UNIT_PS)

    def stop(self) -> None:
        """End the run with the block that goes on: all its words are written."""
        if not self.is_paused:
            self._write_all()
        self._is_over = True

    def _write_all(self) -> None:
        self.simulate()
        for fifo in self._fifos:
            fifo.advance(None)

    def read(self, module: int, most: int) -> NDArray[np.uint32]:
        """Return words of a FIFO, at most so many."""
        self.look(module)
        words = self._fifos[module].read(most)
        self._words_read[module] += words.size
        return words

    def statistics(self, module: int) -> dict[str, Any]:
        """Return what is named in `STATISTICS`, and that of the channels as lists."""
        self.look(module)
        fifo = self._fifos[module]
        values = (
            self._words_read[module],
            fifo.words_written,
            fifo.words_dropped,
            fifo.overflows,
            fifo.level,
            self._late_ps * 1e-12,
        )
        channels = self.channel_statistics(module)
        return {
            **dict(zip(STATISTICS, values, strict=True)),
            **{name: found.tolist() for name, found in channels.items()},
        }

    def channel_statistics(self, module: int) -> dict[str, NDArray[Any]]:
        """Return input and output counts, live and real time of each channel.

        The times stand still in a pause.
        """
        counts = self._crate.counts(module)
        real = self._crate.settled_ps
        lost = self._pauses.lost_output(module, counts.output.size)
        return {
            "input_counts": counts.input,
            "output_counts": counts.output - lost,
            "live_time_s": (real - counts.above_ps) * 1e-12,
            "real_time_s": np.full(counts.input.size, real * 1e-12),
        }

    def histogram(self, module: int, channel: int) -> NDArray[np.int64]:
        """Return the histogram of a channel until now, shape (32768,)."""
        self.look(module)
        counts = self._crate.histogram(module, channel)
        return counts - self._pauses.lost_histogram(module, channel, counts.size)

    def truth(self) -> Truth | None:
        """Return what really happened until now, if that is kept."""
        simulated = self._crate.truth()
        if simulated is None:
            return None
        known = self._pauses.seen_by(simulated)
        # A trigger whose event is still being recorded.
        known.fate[(known.fate == Fate.RECORDED) & (known.event < 0)] = Fate.PENDING
        for number, fifo in enumerate(self._fifos):
            ends = np.concatenate([np.zeros(0, np.int64), *self._ends[number]])
            if ends.size:
                rows = np.flatnonzero((known.module == number) & (known.event >= 0))
                lost = rows[fifo.damaged(ends)[known.event[rows]]]
                known.fate[lost] = Fate.LOST_IN_FIFO
        return known
