"""A block of words without end: sent again and again while its time goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout

_CORE_WORDS: Final = 4
_MARGIN: Final = 2 * (_CORE_WORDS - 1)
"""Words that are copied besides those asked for, so that headers are whole."""

_STAMP_BITS: Final = 48
_WORD_BYTES: Final = 4


class NothingToLoopError(PixiePipeError, ValueError):
    """Words without a single event."""


class LoopedWords:
    """Repeats a block of words; each time its timestamps are later by one period.

    Words between events are repeated, too; those behind the last event are left out,
    so that the block joins its own beginning at an event. Words are counted from the
    first one of the first round.

    Parameters
    ----------
    words
        The block, shape (n,), uint32.
    layout
        Its layout.
    modules
        (crate, slot) of its modules; None accepts any.
    period_ticks
        Ticks from one round to the next. By default the time from the earliest event
        to the latest, and the mean time between events.
    due_s
        When each event is to be sent in the first round, in seconds, rising.
    period_s
        Seconds from one round to the next.
    pool
        Memory to use again.

    Raises
    ------
    NothingToLoopError
        If there is no event in the words.
    """

    def __init__(
        self,
        words: NDArray[np.uint32],
        layout: Layout,
        *,
        modules: Iterable[tuple[int, int]] | None = None,
        period_ticks: int | None = None,
        due_s: NDArray[np.float64] | None = None,
        period_s: float = 0.0,
        pool: BufferPool | None = None,
    ) -> None:
        from pixie_pipe.listmode.positions import event_positions

        positions = event_positions(words, layout, modules=modules)
        if not positions.size:
            raise NothingToLoopError(
                f"there is no event of layout {layout.name} in {words.size} words, "
                f"expected at least one to repeat"
            )
        length = layout.event_length
        lengths = (words[positions] >> np.uint32(length.shift)) & np.uint32(length.mask)
        self._positions = positions
        self._ends = positions + lengths.astype(np.int64)
        self._words = words[: self._ends[-1]]
        if period_ticks is None:
            period_ticks = _period(words, positions)
        self.period_ticks = period_ticks
        self.due_s = np.zeros(positions.size) if due_s is None else due_s
        self.period_s = period_s
        self._pool = BufferPool() if pool is None else pool
        self._shifted = np.zeros(0, np.int64)

    @property
    def words_per_round(self) -> int:
        """Words of the block."""
        return self._words.size

    @property
    def events_per_round(self) -> int:
        """Events of the block."""
        return self._positions.size

    def words_until(self, events: int) -> int:
        """Return after how many words this many events are complete."""
        rounds, within = divmod(events, self.events_per_round)
        end = int(self._ends[within - 1]) if within else 0
        return rounds * self.words_per_round + end

    def events_within(self, words: int) -> int:
        """Return how many events are complete after this many words."""
        rounds, within = divmod(words, self.words_per_round)
        complete = int(np.searchsorted(self._ends, within, side="right"))
        return rounds * self.events_per_round + complete

    def events_due(self, time_s: float) -> int:
        """Return how many events are due at a time in seconds."""
        rounds, within = divmod(max(time_s, 0.0), self.period_s)
        due = int(np.searchsorted(self.due_s, within, side="right"))
        return int(rounds) * self.events_per_round + due

    def due_of(self, event: int) -> float:
        """Return when an event is due, in seconds."""
        rounds, within = divmod(event, self.events_per_round)
        return rounds * self.period_s + float(self.due_s[within])

    def take(self, first: int, count: int) -> NDArray[np.uint32]:
        """Return `count` words from word `first` on, shape (count,).

        The memory is used again when nothing refers to it any more.
        """
        size = (count + _MARGIN) * _WORD_BYTES
        room = self._pool.take(size)[:size].view(np.uint32)
        filled = lead = 0
        while filled - lead < count:
            rounds, within = divmod(first + filled - lead, self.words_per_round)
            before, copied, behind = self._copy(
                room[filled:], rounds, within, count - (filled - lead)
            )
            if not filled:
                lead = before
            filled += copied - behind
        return room[lead : lead + count]

    def _copy(
        self, room: NDArray[np.uint32], rounds: int, first: int, count: int
    ) -> tuple[int, int, int]:
        """Copy words of one round with whole headers, and shift their times.

        Returns how many were copied before those asked for, in all, and behind.
        """
        from pixie_pipe.kernels.time_shift import shift_timestamps

        end = min(first + count, self.words_per_round)
        start, low = self._header_start(first)
        stop, high = self._header_start(end)
        if stop < end:
            # The header across the end comes as a whole.
            stop, high = stop + _CORE_WORDS, high + 1
        part = room[: stop - start]
        part[:] = self._words[start:stop]
        if self._shifted.size < high - low:
            self._shifted = np.empty(high - low, np.int64)
        positions = self._shifted[: high - low]
        np.subtract(self._positions[low:high], start, out=positions)
        shift_timestamps(part, positions, rounds * self.period_ticks)
        return first - start, stop - start, stop - end

    def _header_start(self, word: int) -> tuple[int, int]:
        """Return where the header begins that `word` is inside of, and its event.

        If it is inside of none, `word` itself, and the first event behind it.
        """
        event = int(np.searchsorted(self._positions, word))
        if event and word < self._positions[event - 1] + _CORE_WORDS:
            return int(self._positions[event - 1]), event - 1
        return word, event


def _period(words: NDArray[np.uint32], positions: NDArray[np.int64]) -> int:
    """Return how long a block lasts, in ticks, with the mean gap behind it."""
    low = words[positions + 1].astype(np.int64)
    high = (words[positions + 2] & np.uint32(0xFFFF)).astype(np.int64)
    stamps = low | high << 32
    # Differences of a counter that wraps: of the two possible ones, the smaller.
    half = 1 << (_STAMP_BITS - 1)
    steps = (np.diff(stamps) + half) % (1 << _STAMP_BITS) - half
    elapsed = np.concatenate([[0], np.cumsum(steps)])
    span = int(elapsed.max() - elapsed.min())
    return span + max(1, span // max(1, positions.size - 1))
