"""The words of one recorded module, released by the times of their events."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers._raw_streams import StreamReader

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout
    from pixie_pipe.storage.streams import Stream

_PIECE_BYTES: Final = 1 << 20
_STAMP_BITS: Final = 48

_RESET_PS: Final = 10 * 10**12
"""A time that is earlier by more than this shows that the counter was set to zero."""


class EventClock:
    """Gives times that never fall for the timestamps of a stream.

    A wrap of the counter counts on. Events that are a little out of order come with
    the one before them. Where the counter was reset, time goes on without a gap.

    Parameters
    ----------
    tick_ps
        Length of a tick in ps.
    """

    def __init__(self, tick_ps: int) -> None:
        self._tick_ps = tick_ps
        self._last_stamp: int | None = None
        self._last_ticks = 0
        self._shift_ticks = 0
        self._latest_ps = 0

    def times_ps(self, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the times in ps of the next timestamps, in ticks; both of shape (n,).

        The first one of a stream has the time of its timestamp.
        """
        if not stamps.size:
            return stamps
        if self._last_stamp is None:
            self._last_stamp = self._last_ticks = int(stamps[0])
            self._latest_ps = self._last_ticks * self._tick_ps
        half = 1 << (_STAMP_BITS - 1)
        before = np.concatenate([[self._last_stamp], stamps[:-1]])
        steps = (stamps - before + half) % (1 << _STAMP_BITS) - half
        # A reset is a step back that no disorder makes: it counts as none.
        steps[steps * self._tick_ps < -_RESET_PS] = 0
        ticks = self._last_ticks + np.cumsum(steps)
        self._last_stamp, self._last_ticks = int(stamps[-1]), int(ticks[-1])
        times = np.maximum.accumulate(ticks * self._tick_ps)
        times = np.maximum(times, self._latest_ps)
        self._latest_ps = int(times[-1])
        return times


class Replay:
    """Reads the files of a module, and holds what is not due yet.

    Parameters
    ----------
    stream
        The files and the modules that can appear.
    layout
        The layout.
    is_paced
        Whether words are released by the times of events, or at once.

    Attributes
    ----------
    origin_ps
        Time of the events at which the playing begins.

    Raises
    ------
    RawFileError
        If a file is missing or cannot be read.
    """

    def __init__(self, stream: Stream, layout: Layout, *, is_paced: bool) -> None:
        from pixie_pipe.listmode.cutter import ChunkCutter

        self._reader = StreamReader(stream.paths, frame_bytes=_PIECE_BYTES)
        self._layout = layout
        self._modules = stream.modules
        self._cutter = ChunkCutter(layout, modules=stream.modules)
        self._is_paced = is_paced
        self._clock = EventClock(layout.tick_ps)
        self._pieces: deque[NDArray[np.uint32]] = deque()
        self._first_of_piece = 0
        # Which words are due when: the ends of events, and their times.
        self._ends = np.zeros(0, np.int64)
        self._times = np.zeros(0, np.int64)
        self._loaded = 0
        self._ready = 0
        self._taken = 0
        self._is_loaded = False
        self.origin_ps = 0
        self._load()

    @property
    def first_time_ps(self) -> int | None:
        """Time of the first event; None if there is none, or nothing is paced."""
        while self._is_paced and not self._times.size and not self._is_loaded:
            self._load()
        return int(self._times[0]) if self._times.size else None

    @property
    def ready_words(self) -> int:
        """Words that are due and not taken."""
        return self._ready - self._taken

    @property
    def is_at_end(self) -> bool:
        """Whether all words of the files are due."""
        return self._is_loaded and self._ready == self._loaded

    @property
    def is_done(self) -> bool:
        """Whether all words of the files are taken."""
        return self.is_at_end and self._taken == self._ready

    def advance(self, played_ps: float, most: int) -> None:
        """Note which words are due, some time after the origin in ps.

        Parameters
        ----------
        played_ps
            The time.
        most
            Number of words that will be asked for; more need not be read.
        """
        self._release(played_ps)
        while not (self._is_loaded or self._times.size or self.ready_words >= most):
            self._load()
            self._release(played_ps)

    def stop(self, played_ps: float) -> None:
        """Hold back for ever what is not due at this time, nor read from the files."""
        self._release(played_ps)

    def take(self, count: int) -> NDArray[np.uint32]:
        """Return the next `count` words that are due, or all if there are fewer."""
        count = min(count, self.ready_words)
        parts: list[NDArray[np.uint32]] = []
        while count > 0:
            piece = self._pieces[0]
            begin = self._taken - self._first_of_piece
            part = piece[begin : begin + count]
            parts.append(part)
            count -= part.size
            self._taken += part.size
            if self._taken == self._first_of_piece + piece.size:
                self._first_of_piece = self._taken
                self._pieces.popleft()
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint32)

    def statistics(self) -> dict[str, Any]:
        """Return plain numbers on what was played."""
        whole = self._reader.bytes_total // 4
        return {
            "words_read": self._taken,
            "trailing_bytes": len(self._reader.trailing) if self.is_done else 0,
            "fraction": round(self._taken / whole, 4) if whole else 1.0,
        }

    def close(self) -> None:
        """Close the file that is open."""
        self._reader.close()

    def _release(self, played_ps: float) -> None:
        """Note that the events up to a time are due."""
        if not self._is_paced:
            self._ready = self._loaded
            return
        until = self.origin_ps + int(played_ps)
        count = int(np.searchsorted(self._times, until, side="right"))
        if count:
            self._ready = int(self._ends[count - 1])
            self._ends, self._times = self._ends[count:], self._times[count:]
        if self._is_loaded and not self._times.size:
            # What is behind the last event came with it.
            self._ready = self._loaded

    def _load(self) -> None:
        """Read the next piece of the files."""
        self._cutter.feed(self._reader.read())
        self._is_loaded = self._reader.is_done
        cut = self._cutter.finish() if self._is_loaded else self._cutter.cut()
        if cut is None:
            return
        words = cut.words[: cut.word_count]
        if self._is_paced:
            self._schedule(words)
        self._pieces.append(words)
        self._loaded += words.size

    def _schedule(self, words: NDArray[np.uint32]) -> None:
        """Note when the next words, which are cut where events begin, are due."""
        from pixie_pipe.listmode.positions import event_positions

        positions = event_positions(words, self._layout, modules=self._modules)
        low = words[positions + 1].astype(np.int64)
        high = (words[positions + 2] & np.uint32(0xFFFF)).astype(np.int64)
        # An event is due with all words up to the next one.
        ends = np.append(positions[1:], words.size)[: positions.size]
        self._ends = np.concatenate([self._ends, self._loaded + ends])
        times = self._clock.times_ps(low | high << 32)
        self._times = np.concatenate([self._times, times])
