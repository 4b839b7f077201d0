"""Room on the disk of the runs: told before it is used up, and a clean end in time."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pixie_pipe._units import format_bytes
from pixie_pipe.pipeline._rates import seconds_text
from pixie_pipe.pipeline.messages import Error

DEFAULT_KEEP_FREE_MB: Final = 200.0
"""Room for what is worked off after the sources have stopped, some windows of links,
and for what is closed then: tables and the record of the run."""

LOOK_SECONDS: Final = 1.0
"""Period of looking. At 1 GB/s that is 1 GB, and `WORKING_OFF_SECONDS` are ten."""

WINDOW_SECONDS: Final = 60.0
"""Time that the rate is taken over: outputs grow in steps of some seconds."""

LEAST_SECONDS: Final = 2.0
"""Shortest time for a rate."""

WORKING_OFF_SECONDS: Final = 10.0
"""When the sources are stopped, there must be room for so long at the present rate."""

WARNING_SECONDS: Final = (3600.0, 1800.0, 600.0, 180.0, 60.0)
"""Time left at which people are warned, once each."""


def free_bytes(directory: Path) -> int:
    """Return how many bytes an ordinary user can still write.

    Raises
    ------
    OSError
        If that cannot be told.
    """
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left of the disk.

    Attributes
    ----------
    free
        Free bytes.
    rate
        Bytes per second by which they become fewer; 0 if they do not.
    kept
        Bytes that are to stay free.
    warning
        What people are to be told now; "" if there is nothing new.
    """

    free: int
    rate: float
    kept: float
    warning: str = ""

    @property
    def left_s(self) -> float:
        """Time until nothing but what is kept is left, in seconds."""
        room = max(self.free - self.kept, 0.0)
        return room / self.rate if self.rate > 0 else math.inf

    @property
    def is_used_up(self) -> bool:
        """Whether nothing but what is kept is left."""
        return self.free <= self.kept


class DiskForecast:
    """Tells from free bytes, looked at again and again, how long they will last.

    Parameters
    ----------
    keep_free
        Bytes that are to stay free, in any case.
    """

    def __init__(self, keep_free: float) -> None:
        self._keep_free = keep_free
        self._samples: deque[tuple[float, int]] = deque()
        self._warned_s = math.inf

    def look(self, now: float, free: int) -> Outlook:
        """Take a sample.

        Parameters
        ----------
        now
            Monotonic time in seconds.
        free
            Free bytes.
        """
        samples = self._samples
        samples.append((now, free))
        while samples[0][0] < now - WINDOW_SECONDS:
            samples.popleft()
        seconds, used = now - samples[0][0], samples[0][1] - free
        rate = max(used, 0) / seconds if seconds >= LEAST_SECONDS else 0.0
        kept = max(self._keep_free, WORKING_OFF_SECONDS * rate)
        outlook = Outlook(free, rate, kept)
        return Outlook(free, rate, kept, self._warning(outlook))

    def _warning(self, outlook: Outlook) -> str:
        left = outlook.left_s
        if left > 2 * self._warned_s:
            # Somebody has made room: what comes next is news again.
            self._warned_s = math.inf
        passed = [s for s in WARNING_SECONDS if left <= s < self._warned_s]
        if not passed:
            return ""
        self._warned_s = min(passed)
        return (
            f"the disk will be full in {seconds_text(left)}: "
            f"{format_bytes(outlook.free)} are free, and "
            f"{format_bytes(round(outlook.rate))}/s are written; make room, or the run "
            f"is stopped then"
        )


def require_room(directory: Path, keep_free: float) -> None:
    """Refuse to begin a run where there is no room for one.

    Parameters
    ----------
    directory
        Absolute path of the directory of runs, which need not exist.
    keep_free
        Bytes that are to stay free.

    Raises
    ------
    Error
        If there are fewer free bytes than are to stay free.
    """
    try:
        # It is made only later.
        there = next(path for path in (directory, *directory.parents) if path.is_dir())
        free = free_bytes(there)
    except OSError:
        # A directory that is of no use is told when the run is made in it.
        return
    if free <= keep_free:
        raise Error(
            f"cannot start: {directory} has {format_bytes(free)} free, and "
            f"{format_bytes(round(keep_free))} are kept free; make room, or set "
            f"run.keep_free_mb (keep_free_mb=...)"
        )


class DiskWatch:
    """Watches the disk of a run in a thread of its own, which nobody waits for.

    Parameters
    ----------
    directory
        Directory of the run.
    keep_free
        Bytes that are to stay free.
    warn
        Called with a text when there is something to tell.
    end
        Called with the reason when the run must end, until the watch is closed.
    """

    def __init__(
        self,
        directory: Path,
        keep_free: float,
        *,
        warn: Callable[[str], None],
        end: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._forecast = DiskForecast(keep_free)
        self._warn = warn
        self._end = end
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="pixie_pipe disk", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread soon."""
        self._closing.set()

    def _watch(self) -> None:
        could_look, is_ending = True, False
        while not self._closing.wait(LOOK_SECONDS):
            try:
                free = free_bytes(self._directory)
            except OSError as error:
                if could_look:
                    self._warn(
                        f"{self._directory}: cannot tell how much room is left: "
                        f"{error.strerror}"
                    )
                could_look = False
                continue
            could_look = True
            outlook = self._forecast.look(time.monotonic(), free)
            if self._closing.is_set():
                return
            if outlook.is_used_up:
                text = (
                    f"{format_bytes(free)} free, "
                    f"{format_bytes(round(outlook.kept))} are kept free"
                )
                if not is_ending:
                    self._warn(f"the disk is full: {text}; the run is stopped")
                is_ending = True
                # Again, should the run not have begun yet.
                self._end(f"disk: {text}")
            elif outlook.warning:
                self._warn(outlook.warning)
