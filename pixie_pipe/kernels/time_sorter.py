"""Merging the events of many modules into one stream in time order.

Each module sends events that are nearly in order: none is earlier than the latest
one of its module by more than a *window*. The *watermark* is the time before which
no more events are expected; those before it are safe and can be passed on. It is
the earliest, over the modules, of the latest time of a module less the window.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Literal, get_args

import numpy as np

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels._held import HeldBatch, copied
from pixie_pipe.kernels._merging import merged
from pixie_pipe.kernels._module_times import ModuleTimes, module_number

PS_PER_US = 1_000_000

_NEEDED = ("crate", "slot", "time_ps")

Late = Literal["flag", "drop", "error"]
"""What to do with late events: mark them, leave them out, or take them as an error."""


class TimeSorterError(PixiePipeError, ValueError):
    """Parameters or modules that a `TimeSorter` cannot take, or a call too late."""


class LateEventsError(TimeSorterError):
    """Events came later than they may.

    Attributes
    ----------
    module
        Crate and slot of the one that is latest.
    late_ps
        How much earlier its time is than that of the last event passed on, in ps.
    count
        How many events of the batch are late.
    """

    def __init__(self, module: tuple[int, int], late_ps: int, count: int) -> None:
        self.module = module
        self.late_ps = late_ps
        self.count = count
        crate, slot = module
        super().__init__(
            f"{count} events of a batch are late; the latest one, of module "
            f"{crate}/{slot}, is {late_ps / PS_PER_US:.6g} us earlier than events that "
            f"were passed on"
        )


class TimeSorter:
    """Merges batches of events of any number of modules by their time.

    Parameters
    ----------
    window_ps
        How much earlier than the latest event of its module an event can be, in
        ps. A larger window holds more events.
    max_wait_ps
        A module whose latest time is more than this behind the latest time of
        all modules is idle: it is not waited for until it has caught up. A module
        that was announced and is silent counts as if it had sent an event when it
        was announced, or with the first event of all if it was announced before.
    max_bytes
        If more than this is held, the oldest events are passed on although they
        are not safe.
    late
        ``"flag"``: pass late events on, with the flag ``late``; ``"drop"``: leave them
        out; ``"error"``: raise a `LateEventsError`.
    min_rows
        Pass on no fewer events than this, unless asked to with `flush`. Many small
        batches cost more than few large ones.

    Raises
    ------
    TimeSorterError
        If a parameter is out of range.

    Notes
    -----
    Over the whole run, what is passed on is exactly
    ``Events.concatenate([all of stream 0, all of stream 1, ...]).sort()``, however
    the events were cut into batches and in whatever order these came, as long as
    no event comes too late. An event is *late* if a later one was passed on before
    it came. Late events are passed on with the next batch, in their place in the
    order of that batch, and marked in the column ``late``.

    The work for each event does not grow with the number of events or batches that
    are held: held events are copied when they are passed on, and at most once more.

    Examples
    --------
    >>> sorter = TimeSorter(1_000, max_wait_ps=10**12, max_bytes=1 << 30)
    >>> sorter.add(
    ...     Events({"crate": [0, 0], "slot": [2, 2], "time_ps": [7, 5]}), stream=0
    ... )
    >>> sorter.finish().time_ps
    array([5, 7])
    """

    def __init__(
        self,
        window_ps: int,
        *,
        max_wait_ps: int,
        max_bytes: int,
        late: Late = "flag",
        min_rows: int = 1 << 15,
    ) -> None:
        for name, value, least in (
            ("window_ps", window_ps, 0),
            ("max_wait_ps", max_wait_ps, 0),
            ("max_bytes", max_bytes, 1),
            ("min_rows", min_rows, 1),
        ):
            if value < least:
                raise TimeSorterError(
                    f"{name} is {value}, expected a whole number from {least} on"
                )
        if late not in get_args(Late):
            raise TimeSorterError(
                f"late is {late!r}, expected one of {', '.join(get_args(Late))}"
            )
        # Python's integers: sums of times near the ends of int64 stay right.
        self._window_ps = int(window_ps)
        self._max_wait_ps = int(max_wait_ps)
        self._max_bytes = max_bytes
        self._late = late
        self._min_rows = min_rows
        self._module_times = ModuleTimes()
        # Latest time of each module that has sent something, by its number; for
        # one that is silent, the latest time of all when it was announced.
        self._heard: dict[int, int] = {}
        self._silent: dict[int, int | None] = {}
        self._latest: int | None = None
        self._passed: int | None = None
        self._watermark: int | None = None
        # All batches with rows that are not safe, by the time of the first of
        # these, and all batches with rows that are.
        self._waiting: list[tuple[int, int, HeldBatch]] = []
        self._ready: dict[int, HeldBatch] = {}
        self._batches = 0
        self._held_events = self._held_bytes = 0
        self._safe_events = self._safe_bytes = 0
        self._late_count = self._dropped_count = self._forced = 0
        self._latest_late: tuple[tuple[int, int], int] | None = None
        self._template = Events.empty()
        self._known_columns: set[tuple[str, ...]] = set()
        self._finished = False

    @property
    def held_events(self) -> int:
        """Number of events that came and were not passed on yet."""
        return self._held_events

    @property
    def held_bytes(self) -> int:
        """Size of the events held.

        The memory in use is at most twice as much, and 32 bytes for each event of a
        batch that came out of order.
        """
        return self._held_bytes

    @property
    def late_count(self) -> int:
        """Number of late events so far, dropped or not."""
        return self._late_count

    @property
    def dropped_count(self) -> int:
        """Number of events dropped so far because they were late."""
        return self._dropped_count

    @property
    def latest_late(self) -> tuple[tuple[int, int], int] | None:
        """The latest of all late events: its module, and how late it was in ps.

        That is how much earlier its time is than that of the last event that had been
        passed on. None while there are no late events.
        """
        return self._latest_late

    @property
    def forced(self) -> int:
        """How often events were passed on because too many were held."""
        return self._forced

    @property
    def watermark_ps(self) -> int | None:
        """Time before which no more events are expected in ps, None at first."""
        return self._watermark

    def add_module(self, module: tuple[int, int]) -> None:
        """Announce a module that will send events, and wait for it from now on.

        Modules that are not announced are waited for from their first event on.

        Parameters
        ----------
        module
            Its crate and slot.

        Raises
        ------
        TimeSorterError
            If a number is not from 0 to 255.
        """
        number = _number(module)
        if number not in self._heard:
            self._silent.setdefault(number, self._latest)

    def end_module(self, module: tuple[int, int]) -> None:
        """Wait for a module no more: nothing comes from it any more.

        Parameters
        ----------
        module
            Its crate and slot. If it sends again, it is waited for again.

        Raises
        ------
        TimeSorterError
            If a number is not from 0 to 255.
        """
        number = _number(module)
        self._heard.pop(number, None)
        self._silent.pop(number, None)
        self._advance()

    def add(self, events: Events, *, stream: int) -> Events | None:
        """Take a batch of events.

        Parameters
        ----------
        events
            The batch, in any order, of one or more modules. Its memory is not
            copied as a rule and must not change.
        stream
            Number of the stream that it continues. Events with equal times come
            in the order of their streams, then in that in which they came.

        Returns
        -------
        Events or None
            Events in time order, or None if fewer than `min_rows` are safe.

        Raises
        ------
        EventsError
            If a column is missing that is needed, or that other batches have.
        TimeSorterError
            After `finish`.
        LateEventsError
            If events are late and that is an error. Nothing of the batch is held
            then; what was held before can still be had.
        """
        if self._finished:
            raise TimeSorterError(
                f"a batch of stream {stream} came after finish(); begin a new run "
                f"with a new TimeSorter"
            )
        self._check_columns(events)
        if not events:
            return None
        batch = HeldBatch(events, stream, self._batches)
        self._note_modules(batch)
        if self._judge_late(batch):
            self._hold(batch)
        self._advance()
        is_full = self._held_bytes > self._max_bytes
        if self._held_bytes - self._safe_bytes > self._max_bytes:
            self._force()
        if is_full or self._safe_events >= self._min_rows:
            return self._pass_on()
        return None

    def flush(self) -> Events | None:
        """Return all events that are safe, in time order, or None if there are none.

        To be called now and then, so that events of low rates do not wait long.
        """
        return self._pass_on() if self._safe_events else None

    def finish(self) -> Events:
        """Return all events that are left, in time order, and take no more."""
        self._finished = True
        if self._latest is not None:
            self._raise_watermark(self._latest + 1)
        return self._pass_on() if self._safe_events else self._template

    def _check_columns(self, events: Events) -> None:
        columns = events.columns
        if columns in self._known_columns:
            return
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            raise EventsError(
                f"events without {', '.join(missing)} cannot be sorted; "
                f"columns: {', '.join(columns) or 'none'}"
            )
        # Without rows, this only tells whether the rows can be joined later.
        parts = [self._template] if self._known_columns else []
        # A copy: not even views without rows may keep the memory of a batch.
        self._template = copied(Events.concatenate([*parts, events[:0]]), slice(None))
        self._known_columns.add(columns)

    def _note_modules(self, batch: HeldBatch) -> None:
        earliest, latest = int(batch.times[0]), int(batch.times[-1])
        if self._latest is None:
            self._latest = latest
            self._silent = dict.fromkeys(self._silent, earliest)
        self._latest = max(self._latest, latest)
        for number, time in self._module_times.latest(batch.events).items():
            self._silent.pop(number, None)
            self._heard[number] = max(time, self._heard.get(number, time))

    def _judge_late(self, batch: HeldBatch) -> bool:
        """Mark or drop the events that should have been passed on before.

        Returns whether any are left.
        """
        if self._passed is None or int(batch.times[0]) >= self._passed:
            return True
        count = int(np.searchsorted(batch.times, np.int64(self._passed)))
        self._late_count += count
        module, late_ps = batch.first_module, self._passed - int(batch.times[0])
        if self._latest_late is None or late_ps > self._latest_late[1]:
            self._latest_late = module, late_ps
        if self._late == "error":
            raise LateEventsError(module, late_ps, count)
        if self._late == "flag":
            batch.mark_late(count)
            return True
        self._dropped_count += count
        if count == len(batch):
            return False
        batch.drop(count)
        return True

    def _hold(self, batch: HeldBatch) -> None:
        self._batches += 1
        self._held_events += len(batch)
        self._held_bytes += batch.nbytes(0, len(batch))
        heappush(self._waiting, (int(batch.times[0]), batch.number, batch))

    def _advance(self) -> None:
        """Move the watermark to where the modules allow it."""
        allowed = self._allowed_watermark()
        if allowed is not None:
            self._raise_watermark(allowed)

    def _allowed_watermark(self) -> int | None:
        if self._latest is None:
            return None
        waited_for = self._latest - self._max_wait_ps
        for since in self._silent.values():
            if since is None or since >= waited_for:
                return self._watermark
        live = [time for time in self._heard.values() if time >= waited_for]
        if live:
            return min(live) - self._window_ps
        if self._heard or self._silent:
            return self._latest - self._window_ps
        return self._latest + 1

    def _raise_watermark(self, time_ps: int) -> None:
        """Move the watermark, never back, and find the events that are safe by it."""
        if self._watermark is None or time_ps > self._watermark:
            self._watermark = time_ps
        # A batch is looked at only when one more of its events is safe.
        while self._waiting and self._waiting[0][0] < self._watermark:
            _, number, batch = heappop(self._waiting)
            first, behind = batch.safe, batch.rows_before(self._watermark)
            batch.safe = behind
            self._ready[number] = batch
            self._safe_events += behind - first
            self._safe_bytes += batch.nbytes(first, behind)
            if behind < len(batch):
                heappush(self._waiting, (int(batch.unsafe_ps[0]), number, batch))

    def _force(self) -> None:
        """Declare the oldest events safe until few enough are not."""
        self._forced += 1
        while self._held_bytes - self._safe_bytes > self._max_bytes:
            times = np.concatenate([batch.unsafe_ps for *_, batch in self._waiting])
            middle = (times.size - 1) // 2
            # At least half of them: each event is looked at twice on average.
            self._raise_watermark(int(np.partition(times, middle)[middle]) + 1)

    def _pass_on(self) -> Events:
        ready = sorted(
            self._ready.values(), key=lambda batch: (batch.stream, batch.number)
        )
        events = merged([batch.take_safe() for batch in ready])
        self._ready = {}
        self._held_events -= self._safe_events
        self._held_bytes -= self._safe_bytes
        self._safe_events = self._safe_bytes = 0
        last = int(events.time_ps[-1])
        self._passed = last if self._passed is None else max(self._passed, last)
        return events


def _number(module: tuple[int, int]) -> int:
    crate, slot = module
    if not (0 <= crate <= 255 and 0 <= slot <= 255):
        raise TimeSorterError(
            f"module {module} has a number out of range, expected a crate and a slot "
            f"from 0 to 255"
        )
    return module_number(crate, slot)
