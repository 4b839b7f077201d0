"""A crate that repeats what was simulated once: fast, with the same physics.

A stretch of time is simulated, and then comes again and again with later timestamps.
Nothing of an earlier stretch reaches into the next one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.simulation.chunks import Chunk, part_of, stamped_later
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.module import HISTOGRAM_BINS, ModuleCounts
from pixie_pipe.simulation.truth import Fate, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixie_pipe.simulation.crate import CrateSimulator

_ENOUGH_WORDS: Final = 1 << 21
_ENOUGH_EVENTS: Final = 50_000
"""A stretch ends with the block in which all modules together have one of them."""
_LONGEST_PS: Final = 10 * 10**12


@dataclasses.dataclass(frozen=True, slots=True)
class _Stretch:
    """What a module writes in the stretch.

    Attributes
    ----------
    events
        Its events.
    starts
        Where each begins in the words.
    edges
        The first event of each block, and the number of events.
    counts
        What was counted at the start of each block, and at the end.
    """

    events: Chunk
    starts: NDArray[np.int64]
    edges: NDArray[np.int64]
    counts: list[ModuleCounts]


class TemplateCrate:
    """Repeats a stretch of a simulated run; has the methods of `CrateSimulator`.

    Parameters
    ----------
    crate
        What simulates the stretch; nothing was simulated with it yet.
    tick_ps
        Ticks of the modules.

    Raises
    ------
    SimulationError
        If the blocks of the crate are no whole ticks.
    """

    def __init__(self, crate: CrateSimulator, tick_ps: Sequence[int]) -> None:
        odd = [tick for tick in tick_ps if crate.block_ps % tick]
        if odd:
            raise SimulationError(
                f"a tick of {odd[0]} ps does not fit into blocks of {crate.block_ps} "
                f"ps: use the mode physics"
            )
        self._crate = crate
        self._tick_ps = tuple(tick_ps)
        modules = range(len(tick_ps))
        parts: list[list[Chunk]] = [[] for _ in modules]
        counts = [[crate.counts(number)] for number in modules]
        self._blocks = 0
        while not self._is_enough(parts):
            self._blocks += 1
            while crate.settled_ps < self._blocks * crate.block_ps:
                for kept, chunk in zip(parts, crate.advance(), strict=True):
                    kept.extend([] if chunk is None else [chunk])
            for number in modules:
                counts[number].append(crate.counts(number))
        self._stretches = [
            _stretch(parts[number], counts[number], crate.block_ps)
            for number in modules
        ]
        self._done = 0

    def _is_enough(self, parts: list[list[Chunk]]) -> bool:
        chunks = [chunk for kept in parts for chunk in kept]
        return self._blocks * self._crate.block_ps >= _LONGEST_PS or (
            self._blocks > 0
            and (
                sum(chunk.words.size for chunk in chunks) >= _ENOUGH_WORDS
                or sum(chunk.ends.size for chunk in chunks) >= _ENOUGH_EVENTS
            )
        )

    @property
    def settled_ps(self) -> int:
        """Time until which everything is known."""
        return self._done * self._crate.block_ps

    def advance(self) -> list[Chunk | None]:
        """Return what each module writes in the next block."""
        period, block = divmod(self._done, self._blocks)
        shift_ps = period * self._blocks * self._crate.block_ps
        self._done += 1
        return [
            _shifted(stretch, block, shift_ps, tick)
            for stretch, tick in zip(self._stretches, self._tick_ps, strict=True)
        ]

    def counts(self, module: int) -> ModuleCounts:
        """Return what the channels of a module have counted until `settled_ps`."""
        period, block = divmod(self._done, self._blocks)
        stretch = self._stretches[module]
        whole, part = stretch.counts[-1], stretch.counts[block]
        channels = stretch.events.channel
        output = [
            np.bincount(channels[:count], minlength=whole.output.size)
            for count in (channels.size, stretch.edges[block])
        ]
        return ModuleCounts(
            input=period * whole.input + part.input,
            output=period * output[0] + output[1],
            above_ps=period * whole.above_ps + part.above_ps,
        )

    def histogram(self, module: int, channel: int) -> NDArray[np.int64]:
        """Return the histogram of a channel, shape (32768,)."""
        period, block = divmod(self._done, self._blocks)
        stretch = self._stretches[module]
        own = (stretch.events.channel == channel) & (stretch.events.bins >= 0)
        counts = [
            np.bincount(
                stretch.events.bins[:count][own[:count]], minlength=HISTOGRAM_BINS
            )
            for count in (own.size, stretch.edges[block])
        ]
        return period * counts[0] + counts[1]

    def truth(self) -> Truth | None:
        """Return the truth, if it was asked for; without losses in the FIFO."""
        once = self._crate.truth()
        if once is None:
            return None
        block_ps = self._crate.block_ps
        length_ps = self._blocks * block_ps
        once = once.take(once.time_ps < length_ps)
        sent = np.array([stretch.starts.size for stretch in self._stretches])
        # Events that were ready too late for the stretch were not written.
        late = once.event >= sent[once.module]
        once.event[late] = -1
        once.fate[late] = Fate.PENDING
        periods = -(-self._done // self._blocks)
        decays = int(once.decay.max(initial=-1)) + 1
        parts = [once.repeated(n, length_ps, decays, sent) for n in range(periods)]
        found = Truth.joined(parts)
        written = np.array(
            [
                self._done // self._blocks * stretch.starts.size
                + stretch.edges[self._done % self._blocks]
                for stretch in self._stretches
            ]
        )
        found = found.take(found.time_ps < self.settled_ps)
        late = found.event >= written[found.module]
        found.event[late] = -1
        found.fate[late] = Fate.PENDING
        return found


def _stretch(
    chunks: list[Chunk], counts: list[ModuleCounts], block_ps: int
) -> _Stretch:
    """Return the events of chunks by block; later ones are left out."""
    events = _joined(chunks)
    edges = np.searchsorted(events.ready_ps, np.arange(len(counts)) * block_ps)
    events = part_of(events, 0, int(edges[-1]))
    starts = np.concatenate([np.zeros(1, np.int64), events.ends])[:-1]
    return _Stretch(events, starts, edges.astype(np.int64), counts)


def _joined(chunks: list[Chunk]) -> Chunk:
    none = np.zeros(0, np.int64)
    at = np.cumsum([0, *(chunk.words.size for chunk in chunks)])

    def join(name: str) -> NDArray[np.int64]:
        return np.concatenate([none, *(getattr(chunk, name) for chunk in chunks)])

    moved = [
        dataclasses.replace(
            chunk,
            ends=chunk.ends + first,
            external=np.where(chunk.external >= 0, chunk.external + first, -1),
        )
        for chunk, first in zip(chunks, at, strict=False)
    ]
    chunks = moved
    words = [np.zeros(0, np.uint32), *(chunk.words for chunk in chunks)]
    return Chunk(
        words=np.concatenate(words),
        ends=join("ends"),
        ready_ps=join("ready_ps"),
        channel=join("channel"),
        external=join("external"),
        bins=join("bins"),
    )


def _shifted(
    stretch: _Stretch, block: int, shift_ps: int, tick_ps: int
) -> Chunk | None:
    """Return the events of a block at a later time, in memory of their own."""
    first, end = int(stretch.edges[block]), int(stretch.edges[block + 1])
    if first == end:
        return None
    moved = stamped_later(part_of(stretch.events, first, end), shift_ps, tick_ps)
    return dataclasses.replace(moved, ready_ps=moved.ready_ps + shift_ps)
