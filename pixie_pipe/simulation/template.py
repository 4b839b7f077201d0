"""A crate that repeats what was simulated once: fast, with the same physics.

A stretch of time is simulated, and then comes again and again with later timestamps.
Nothing of an earlier stretch reaches into the next one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.time_shift import shift_timestamps
from pixie_pipe.simulation.errors import SimulationError
from pixie_pipe.simulation.module import EXTERNAL_TICK_PS, Chunk, ModuleCounts
from pixie_pipe.simulation.truth import Fate, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixie_pipe.simulation.crate import CrateSimulator

_ENOUGH_WORDS: Final = 1 << 21
_ENOUGH_EVENTS: Final = 50_000
"""A stretch ends with the block in which all modules together have one of them."""
_LONGEST_PS: Final = 10 * 10**12

_HEADER_WORDS: Final = 4


@dataclasses.dataclass(frozen=True, slots=True)
class _Stretch:
    """What a module writes in the stretch; `words` has spare room behind `size`."""

    words: NDArray[np.uint32]
    size: int
    starts: NDArray[np.int64]
    chunk: Chunk


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
        parts: list[list[Chunk]] = [[] for _ in tick_ps]
        self._period_ps = 0
        while not self._is_enough(parts):
            self._period_ps += crate.block_ps
            while crate.settled_ps < self._period_ps:
                for kept, chunk in zip(parts, crate.advance(), strict=True):
                    kept += [] if chunk is None else [chunk]
        self._stretches = [_joined(chunks, self._period_ps) for chunks in parts]
        self._counts = [crate.counts(number) for number in range(len(tick_ps))]
        for counts, stretch in zip(self._counts, self._stretches, strict=True):
            counts.output = np.bincount(
                stretch.chunk.channel, minlength=counts.output.size
            )
        self._periods = 0

    def _is_enough(self, parts: list[list[Chunk]]) -> bool:
        chunks = [chunk for kept in parts for chunk in kept]
        return self._period_ps >= _LONGEST_PS or (
            self._period_ps > 0
            and (
                sum(chunk.words.size for chunk in chunks) >= _ENOUGH_WORDS
                or sum(chunk.ends.size for chunk in chunks) >= _ENOUGH_EVENTS
            )
        )

    @property
    def settled_ps(self) -> int:
        """Time until which everything is known."""
        return self._periods * self._period_ps

    def advance(self) -> list[Chunk | None]:
        """Return what each module writes in the next stretch."""
        shift_ps = self._periods * self._period_ps
        self._periods += 1
        return [
            _shifted(stretch, shift_ps, tick)
            for stretch, tick in zip(self._stretches, self._tick_ps, strict=True)
        ]

    def counts(self, module: int) -> ModuleCounts:
        """Return what the channels of a module have counted until `settled_ps`."""
        once = self._counts[module]
        times = self._periods
        return ModuleCounts(once.input * times, once.output * times, once.above_ps * times)

    def histogram(self, module: int, channel: int) -> NDArray[np.int64]:
        """Return the histogram of a channel, shape (32768,)."""
        return self._crate.histogram(module, channel) * self._periods

    def truth(self) -> Truth | None:
        """Return the truth, if it was asked for; without losses in the FIFO."""
        once = self._crate.truth()
        if once is None:
            return None
        inside = once.time_ps < self._period_ps
        once = Truth(*(getattr(once, name)[inside] for name in _TRUTH_COLUMNS))
        sent = np.array([stretch.starts.size for stretch in self._stretches])[
            once.module
        ]
        # Events that were ready too late for the stretch were not written.
        late = once.event >= sent
        once.event[late] = -1
        once.fate[late] = Fate.PENDING
        decays = int(once.decay.max(initial=-1)) + 1
        period = np.repeat(np.arange(self._periods), len(once))
        columns = {
            name: np.tile(getattr(once, name), self._periods)
            for name in _TRUTH_COLUMNS
        }
        columns["time_ps"] += period * self._period_ps
        columns["decay"] += np.where(columns["decay"] >= 0, period * decays, 0)
        more = period * np.tile(sent, self._periods)
        columns["event"] += np.where(columns["event"] >= 0, more, 0)
        return Truth(**columns)


_TRUTH_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Truth))


def _joined(chunks: list[Chunk], end_ps: int) -> _Stretch:
    """Return the events of chunks that are ready before the end."""
    none = np.zeros(0, np.int64)
    sizes = np.cumsum([0, *(chunk.words.size for chunk in chunks)])
    ready = np.concatenate([none, *(chunk.ready_ps for chunk in chunks)])
    count = int(np.searchsorted(ready, end_ps))
    ends = np.concatenate(
        [none, *(chunk.ends + at for chunk, at in zip(chunks, sizes, strict=False))]
    )[:count]
    external = np.concatenate(
        [
            none,
            *(
                np.where(chunk.external >= 0, chunk.external + at, -1)
                for chunk, at in zip(chunks, sizes, strict=False)
            ),
        ]
    )[:count]
    size = int(ends[-1]) if count else 0
    words = np.zeros(size + _HEADER_WORDS, np.uint32)
    words[:size] = np.concatenate(
        [np.zeros(0, np.uint32), *(chunk.words for chunk in chunks)]
    )[:size]
    channel = np.concatenate([none, *(chunk.channel for chunk in chunks)])[:count]
    return _Stretch(
        words,
        size,
        np.concatenate([[0], ends[:-1]]) if count else none,
        Chunk(words[:size], ends, ready[:count], channel, external),
    )


def _shifted(stretch: _Stretch, shift_ps: int, tick_ps: int) -> Chunk | None:
    """Return the events of a stretch at a later time, in memory of their own."""
    once = stretch.chunk
    if not stretch.size:
        return None
    words = stretch.words.copy()
    shift_timestamps(words, stretch.starts, shift_ps // tick_ps)
    external = once.external[once.external >= 0]
    # An external timestamp has its words in the order of the timestamp's, which are the
    # second and third of a header.
    shift_timestamps(words, external - 1, shift_ps // EXTERNAL_TICK_PS)
    return dataclasses.replace(
        once, words=words[: stretch.size], ready_ps=once.ready_ps + shift_ps
    )
