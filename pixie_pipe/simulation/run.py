"""A run of a simulated crate as it is read: by a clock, through FIFOs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.fifo import Fifo
from pixie_pipe.simulation.truth import Fate, Truth

if TYPE_CHECKING:
    from pixie_pipe.simulation.crate import CrateSimulator
    from pixie_pipe.simulation.template import TemplateCrate

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
    modules
        Number of modules.
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
        modules: int,
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
        self._fifos = [Fifo(fifo_words) for _ in range(modules)]
        self._words_read = [0] * modules
        self._ends: list[list[NDArray[np.int64]]] = [[] for _ in range(modules)]
        self._late_ps = 0
        self._is_over = False
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
            if chunk is None:
                continue
            fifo = self._fifos[number]
            if self._with_truth:
                self._ends[number].append(fifo.words_offered + chunk.ends)
            fifo.offer(chunk)

    def simulate(self) -> int:
        """Simulate until now; return what time it is in the simulation, in ps."""
        begun = self._clock()
        elapsed = int((begun - self._begun) * 1e12)
        while self._crate.settled_ps < elapsed - self._late_ps:
            self.advance()
            if self._clock() - begun > _PATIENCE_S:
                late = elapsed - self._crate.settled_ps
                self._late_ps = max(self._late_ps, late)
        return elapsed - self._late_ps

    def look(self, module: int) -> None:
        """Let the FIFO of a module take what has come until now."""
        if not self._is_over:
            self._fifos[module].advance(self.simulate())

    def stop(self) -> None:
        """End the run with the block that goes on: all its words are written."""
        self.simulate()
        self._is_over = True
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
        """Return input and output counts, live and real time of each channel."""
        counts = self._crate.counts(module)
        real = self._crate.settled_ps
        return {
            "input_counts": counts.input,
            "output_counts": counts.output,
            "live_time_s": (real - counts.above_ps) * 1e-12,
            "real_time_s": np.full(counts.input.size, real * 1e-12),
        }

    def histogram(self, module: int, channel: int) -> NDArray[np.int64]:
        """Return the histogram of a channel until now, shape (32768,)."""
        self.look(module)
        return self._crate.histogram(module, channel)

    def truth(self) -> Truth | None:
        """Return what really happened until now, if that is kept."""
        known = self._crate.truth()
        if known is None:
            return None
        # A trigger whose event is still being recorded.
        known.fate[(known.fate == Fate.RECORDED) & (known.event < 0)] = Fate.PENDING
        for number, fifo in enumerate(self._fifos):
            ends = np.concatenate([np.zeros(0, np.int64), *self._ends[number]])
            if ends.size:
                rows = np.flatnonzero((known.module == number) & (known.event >= 0))
                lost = rows[fifo.damaged(ends)[known.event[rows]]]
                known.fate[lost] = Fate.LOST_IN_FIFO
        return known
