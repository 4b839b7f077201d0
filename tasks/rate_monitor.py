"""Shows how many events each channel gives: an example of a task of one's own.

Put the directory of this file into ``task_path`` of the configuration, or give it with
``--task-path``; then ``RateMonitor`` is a task like the built-in ones.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pixie_pipe.pipeline import Category, Kind, Parameter, Role, Status, Task, port

if TYPE_CHECKING:
    from pixie_pipe.events import Events

CHANNELS = 1 << 16
"""Crate and slot have four bits each, channels have eight."""


class RateMonitor(Task):
    """Reports, and prints, the rate of each channel in events per second.

    The rates are those of arrival: the clock is the computer's, not the module's. The
    report has them by channel, such as ``c0-s02-ch05``.
    """

    label = "Shows the rate of each channel"
    category = Category.MONITOR
    role = Role.OPTIONAL
    reads = (port(Kind.EVENTS, ["crate", "slot", "channel"]),)
    writes = ()
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "period_s": Parameter(
            1.0, "Time between reports", unit="s", min=0.5, max=3600.0
        ),
        "print_rates": Parameter(default=True, description="Print the rates, too"),
    }

    def do_start(self) -> None:
        """Begin with no counts."""
        self._counts = np.zeros(CHANNELS, np.int64)
        self._begun = time.monotonic()
        self.statistics["events"] = 0

    def do_work(self, events: Events) -> None:
        """Count the events of a batch."""
        number = events.crate.astype(np.int64) << 12
        number |= events.slot.astype(np.int64) << 8
        number |= events.channel
        self._counts += np.bincount(number, minlength=CHANNELS)
        self.statistics["events"] += len(events)

    def do_wait(self) -> None:
        """Report if it is time; the pipeline calls this ten times a second."""
        if self.status is Status.RUNNING:
            elapsed = time.monotonic() - self._begun
            if elapsed >= self.config.period_s:
                self._tell(elapsed)

    def do_stop(self) -> None:
        """Report what came since the last time."""
        self._tell(max(time.monotonic() - self._begun, 1e-3))

    def _tell(self, elapsed: float) -> None:
        """Report the rates of the time that has elapsed, in seconds, and begin anew."""
        seen = np.flatnonzero(self._counts)
        rates = {_name(n): self._counts[n] / elapsed for n in seen.tolist()}
        self.report(rates_hz={name: round(rate, 1) for name, rate in rates.items()})
        if self.config.print_rates:
            self.print(_text(rates))
        self._counts[:] = 0
        self._begun = time.monotonic()


def _name(number: int) -> str:
    return f"c{number >> 12}-s{number >> 8 & 15:02d}-ch{number & 255:02d}"


def _text(rates: Mapping[str, float]) -> str:
    """Return one line: the sum of all rates, and the highest ones."""
    highest = sorted(rates, key=lambda name: rates[name], reverse=True)[:4]
    listed = ", ".join(f"{name} {rates[name]:,.0f}" for name in highest)
    more = f", {len(rates) - 4} more" if len(rates) > 4 else ""
    total = sum(rates.values())
    return f"{total:,.0f} events/s" + (f" ({listed}{more})" if rates else "")
