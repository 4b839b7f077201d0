"""How fast data pass a process: counts, samples of them, rates, and their text."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WINDOW_SECONDS: Final = 5.0
"""Time that rates are taken over, if somebody looked that recently."""

LEAST_SECONDS: Final = 0.8
"""Shortest time for a rate: processes report about once a second."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What has passed a process since its run began.

    Attributes
    ----------
    unit
        What is counted: ``events`` if there are any, else ``words`` or ``frames``.
    count
        How many of them.
    bytes_in, bytes_out
        Bytes that came, and that were sent (once, however many consumers there are).
    bytes_read
        Bytes that a source of old data has read of its files.
    """

    unit: str = ""
    count: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_read: int = 0

    @classmethod
    def of(cls, statistics: Mapping[str, Any]) -> Passed:
        """Take the counts from what a process reported."""
        came = list(mapping(statistics, "in").values())
        sent = mapping(statistics, "sent")
        unit, count = "", 0
        for unit in ("events", "words", "frames"):
            count = sum(number(counts, unit) for counts in came) or number(sent, unit)
            if count:
                break
        return cls(
            unit,
            count,
            sum(number(counts, "bytes") for counts in came),
            number(sent, "bytes"),
            number(mapping(statistics, "own"), "bytes_read"),
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of one process, per second.

    Attributes
    ----------
    seconds
        Time that they are taken over; None: since the start of the run.
    """

    count: float
    bytes_in: float
    bytes_out: float
    bytes_read: float
    seconds: float | None = None


class Meter:
    """Samples of what passed one process, and the rates that follow from them."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Passed]] = deque()
        self._last: object = None

    def add(self, time: float, statistics: Mapping[str, Any]) -> Passed:
        """Take a sample, unless the process has not reported since the last one.

        Parameters
        ----------
        time
            When the process reported, in seconds of the monotonic clock.
        statistics
            What it reported.
        """
        samples = self._samples
        if statistics is self._last and samples:
            return samples[-1][1]
        self._last = statistics
        passed = Passed.of(statistics)
        # A process that was replaced counts from zero again, and a filter may count
        # words until the first events come.
        if samples and (
            passed.count < samples[-1][1].count or passed.unit != samples[-1][1].unit
        ):
            samples.clear()
        samples.append((time, passed))
        while samples[0][0] < time - WINDOW_SECONDS:
            samples.popleft()
        return passed

    def rates(self, started: float, ended: float | None = None) -> Rates:
        """Return the rates of the last seconds, or of the whole run.

        Parameters
        ----------
        started, ended
            Begin and end of the run in seconds of the monotonic clock. With an end,
            the rates are those of the whole run.
        """
        if not self._samples:
            return Rates(0.0, 0.0, 0.0, 0.0)
        (first, before), (last, now) = self._samples[0], self._samples[-1]
        seconds: float | None = last - first
        if ended is not None or last - first < LEAST_SECONDS:
            first, before, seconds = started, Passed(), None
            last = last if ended is None else ended
        span = last - first
        if span <= 0:
            return Rates(0.0, 0.0, 0.0, 0.0)
        return Rates(
            (now.count - before.count) / span,
            (now.bytes_in - before.bytes_in) / span,
            (now.bytes_out - before.bytes_out) / span,
            (now.bytes_read - before.bytes_read) / span,
            seconds,
        )


def mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a mapping in what a process reported; empty if there is none."""
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def number(values: object, name: str) -> int:
    """Return a whole number in what a process reported; 0 if there is none."""
    found = values.get(name) if isinstance(values, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def short_number(value: float) -> str:
    """Return a number with three or four digits and a prefix: ``1.2 M``."""
    for factor, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        # What would be rounded up to 1000.0 is written with the next prefix.
        if value >= 0.99995 * factor:
            return f"{value / factor:.1f}{prefix}"
    digits = 1 if value < 10 and value != int(value) else 0
    return f"{value:.{digits}f}"


def rate_text(per_second: float, unit: str) -> str:
    """Return a rate as short text: ``1.2 M events/s``."""
    return f"{short_number(per_second)} {unit}/s"


def seconds_text(seconds: float) -> str:
    """Return a duration as short text: ``12.3 s``, ``4 min 05 s``, ``2 h 07 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
