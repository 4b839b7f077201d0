"""When and how many words of which module are to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.tasks._looped_words import LoopedWords

MAX_BEHIND_S: Final = 1.0
"""Time that a slow consumer can be behind before the clock waits for it."""

_MOST_LEFT: Final = 64
"""Words by which a full frame is shorter, at most, so that it ends anywhere."""

_MARGIN: Final = 8
"""Words that `LoopedWords.take` may need besides."""


@dataclass(slots=True)
class Lane:
    """The words of one module, and how far they are sent.

    Attributes
    ----------
    words
        Its words.
    event_limit
        Number of its events in the run; None for no limit.
    sent
        Words that were sent.
    last_sent_s
        When some were sent last.
    is_cut
        Whether the last ones were cut within an event, before its end was due.
    """

    words: LoopedWords
    event_limit: int | None = None
    sent: int = 0
    last_sent_s: float = 0.0
    is_cut: bool = False

    @property
    def word_limit(self) -> int | None:
        """Number of its words in the run; None for no limit."""
        if self.event_limit is None:
            return None
        return self.words.words_until(self.event_limit)

    @property
    def is_done(self) -> bool:
        """Whether everything is sent."""
        limit = self.word_limit
        return limit is not None and self.sent >= limit

    @property
    def events_sent(self) -> int:
        """Events that were sent as a whole."""
        return self.words.events_within(self.sent)

    @property
    def next_due_s(self) -> float:
        """When the next event is due that is not sent as a whole."""
        return self.words.due_of(self.events_sent)

    def words_due(self, time_s: float) -> int:
        """Return how many words are due, from the first one on."""
        events = self.words.events_due(time_s)
        if self.event_limit is not None:
            events = min(events, self.event_limit)
        return self.words.words_until(events)

    def event_end(self) -> int:
        """Return the number of words with which the event that was begun ends."""
        complete = self.events_sent
        if self.words.words_until(complete) == self.sent:
            return self.sent
        return self.words.words_until(complete + 1)


class Schedule:
    """Says what is to be sent next.

    Frames end anywhere, not where events do, as what is read from a FIFO does.

    Parameters
    ----------
    lanes
        One for each module.
    frame_words
        Largest number of words in a frame, above 72 or so.
    latency_s
        Longest time for which words wait before they are sent.
    is_paced
        Whether events are sent when they are due, or as fast as possible.
    rng
        Tells where frames end.
    """

    def __init__(
        self,
        lanes: list[Lane],
        *,
        frame_words: int,
        latency_s: float,
        is_paced: bool,
        rng: np.random.Generator,
    ) -> None:
        self.lanes = lanes
        self._frame_words = max(1, frame_words - _MARGIN)
        # Words that are held back at one sending go with the next one.
        self._wait_s = latency_s / 2
        self._is_paced = is_paced
        self._rng = rng
        self.behind_s = 0.0

    def data_time(self, elapsed_s: float) -> float:
        """Return the time of the data, in seconds, some time after the start.

        It is behind the clock by what consumers were too slow for.
        """
        if not self._is_paced:
            return elapsed_s
        waiting = [lane.next_due_s for lane in self.lanes if not lane.is_done]
        if waiting:
            behind = elapsed_s - self.behind_s - min(waiting)
            self.behind_s += max(0.0, behind - max(MAX_BEHIND_S, 4 * self._wait_s))
        return elapsed_s - self.behind_s

    def next(self, elapsed_s: float) -> tuple[int, int] | None:
        """Return the lane that is to send now, and how many words; None to wait."""
        open_lanes = [
            number for number, lane in enumerate(self.lanes) if not lane.is_done
        ]
        if not open_lanes:
            return None
        # The one furthest behind first: the modules stay together in time.
        open_lanes.sort(key=lambda number: self.lanes[number].next_due_s)
        time_s = self.data_time(elapsed_s)
        for number in open_lanes:
            count = self._count(self.lanes[number], time_s, elapsed_s)
            if count:
                return number, count
        return None

    def _count(self, lane: Lane, time_s: float, elapsed_s: float) -> int:
        full = max(1, self._frame_words - int(self._rng.integers(_MOST_LEFT)))
        if not self._is_paced:
            limit = lane.word_limit
            return full if limit is None else min(full, limit - lane.sent)
        ready = lane.words_due(time_s) - lane.sent
        if ready >= full:
            return full
        if ready <= 0 or elapsed_s - lane.last_sent_s < self._wait_s:
            return 0
        if lane.is_cut:
            lane.is_cut = False
            return ready
        held = int(self._rng.integers(min(ready, _MOST_LEFT)))
        lane.is_cut = held > 0
        return ready - held

    def note_sent(self, number: int, count: int, elapsed_s: float) -> None:
        """Note that words of a lane were sent."""
        lane = self.lanes[number]
        lane.sent += count
        lane.last_sent_s = elapsed_s

    def pause_s(self, elapsed_s: float) -> float:
        """Return how long nothing will be to be sent, in seconds."""
        pause = self._wait_s
        for lane in self.lanes:
            if not lane.is_done:
                pause = min(pause, self._until_full(lane, elapsed_s))
                waited = elapsed_s - lane.last_sent_s
                if waited < self._wait_s:
                    pause = min(pause, self._wait_s - waited)
        return max(pause, 0.001)

    def _until_full(self, lane: Lane, elapsed_s: float) -> float:
        """Return when the lane will have a full frame, in seconds from now."""
        events = lane.words.events_within(lane.sent + self._frame_words)
        return lane.words.due_of(events) - (elapsed_s - self.behind_s)

    def rest(self, number: int, elapsed_s: float) -> list[int]:
        """Return the sizes of the last frames of a lane that ends now.

        They hold what is due, and the rest of an event that was begun.
        """
        lane = self.lanes[number]
        end = lane.event_end()
        if self._is_paced:
            end = max(end, lane.words_due(elapsed_s - self.behind_s))
        left = end - lane.sent
        frames, last = divmod(left, self._frame_words)
        return [self._frame_words] * frames + [last] * (last > 0)
