"""Tells when a disk becomes too slow for what is to be recorded."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 10.0
"""Time over which the share of writing is taken."""

MOST_SHARE: Final = 0.5
"""Share of the time that may go into writing: the rest is for all that comes on top."""

SLOW_WRITE_S: Final = 1.0
"""A write is a copy into the memory of the system, some ms: if it takes this long, the
system makes writers wait for the disk. Modules hold data of about this time."""

SLOW_SYNC_S: Final = 10.0
"""Twice the time after which the recorder sends the next words to the disk."""

SILENT_S: Final = 30.0
"""Shortest time between two complaints."""


class SlowDiskWatch:
    """Says in words when a disk is slow, each time that it becomes worse."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()
        self._silent_until = 0.0
        self._told_write_s = SLOW_WRITE_S
        self._told_sync_s = SLOW_SYNC_S

    def look(
        self,
        now: float,
        *,
        write_s: float,
        slowest_write_s: float,
        slowest_sync_s: float,
    ) -> str:
        """Return what is to be told; "" if there is nothing new.

        Parameters
        ----------
        now
            Monotonic time in seconds.
        write_s
            Time that all writing took so far, in seconds.
        slowest_write_s, slowest_sync_s
            Longest time of a write, and of sending a file to the disk, in seconds.
        """
        share = self._share(now, write_s)
        if now < self._silent_until:
            return ""
        found = []
        if slowest_write_s > self._told_write_s:
            self._told_write_s = slowest_write_s
            found.append(f"a write took {slowest_write_s:.1f} s")
        if slowest_sync_s > self._told_sync_s:
            self._told_sync_s = slowest_sync_s
            found.append(f"the disk took {slowest_sync_s:.1f} s to take in a file")
        if share > MOST_SHARE:
            found.append(f"writing took {share:.0%} of the last {WINDOW_S:.0f} s")
        if not found:
            return ""
        self._silent_until = now + SILENT_S
        return (
            f"the disk is slow: {' and '.join(found)}; if it becomes slower, modules "
            f"will lose events: lower the rate, or take a faster disk"
        )

    def _share(self, now: float, write_s: float) -> float:
        """Return the share of the last seconds that went into writing."""
        samples = self._samples
        if not samples or now - samples[-1][0] >= WINDOW_S / 10:
            samples.append((now, write_s))
        while len(samples) > 1 and samples[1][0] <= now - WINDOW_S:
            samples.popleft()
        begin, before = samples[0]
        return (write_s - before) / (now - begin) if now - begin >= WINDOW_S else 0.0
