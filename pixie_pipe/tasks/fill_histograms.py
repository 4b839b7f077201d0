"""Energy spectra of all channels while the data come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, Role, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from pixie_pipe.events import Events

FILE_NAME = "histograms.h5"

_REPORT_SECONDS = 1.0

# What people read in a table; the file has all channels.
_MOST_CHANNELS = 256


class FillHistograms(Task):
    """Fills one energy spectrum for each channel.

    They are written to ``histograms.h5`` in the run's directory every now and then,
    and at the end. A process that is started anew goes on with them.
    """

    reads = (port(Kind.EVENTS, ("crate", "slot", "channel", "energy")),)
    writes = ()
    category = Category.MONITOR
    role = Role.OPTIONAL
    label = "Fill an energy spectrum for each channel"
    parameters: ClassVar = {
        "bins": Parameter(16_384, "bins of each spectrum", min=1, max=65_536),
        "shift": Parameter(
            2,
            "a bin is 2**shift ADC units wide: energies go up to 65535",
            min=0,
            max=15,
        ),
        "snapshot_s": Parameter(
            10.0, "time between two versions of the file", unit="s", min=0.1
        ),
    }

    def do_start(self) -> None:
        """Begin with empty spectra."""
        from pixie_pipe.kernels.histogram import ChannelHistograms

        self._histograms = ChannelHistograms(self.config.bins, shift=self.config.shift)
        self._events = self._written_events = 0
        self._next_report = self._next_file = time.monotonic()
        self._next_file += self.config.snapshot_s
        self.statistics |= {"events": 0, "overflow": 0, "channels": {}}

    def do_work(self, datum: Events) -> None:
        """Add events."""
        self._histograms.fill(datum)
        self._events += len(datum)

    def do_wait(self) -> None:
        """Tell how many events there are, and write the file if it is time."""
        if self.status is not Status.RUNNING:
            return
        now = time.monotonic()
        if now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            self._tell()
        if now >= self._next_file:
            self._write()
            # Writing many spectra must not take all the time.
            self._next_file = time.monotonic() + self.config.snapshot_s

    def do_stop(self) -> None:
        """Tell, and write, for the last time."""
        self._tell()
        self._write(is_last=True)

    def _tell(self) -> None:
        histograms = self._histograms
        by_channel = histograms.counts.sum(axis=1) + histograms.overflow
        overflow = int(histograms.overflow.sum())
        names = [f"c{crate}-s{slot:02d}-ch{channel:02d}"
                 for crate, slot, channel in histograms.channels]  # fmt: skip
        table = dict(sorted(zip(names, by_channel.tolist(), strict=True)))
        self.statistics |= {
            "events": self._events,
            "overflow": overflow,
            "channels": dict(list(table.items())[:_MOST_CHANNELS]),
        }
        self.report(events=self._events, channels=len(names), overflow=overflow)

    def _write(self, *, is_last: bool = False) -> None:
        if not self.run_directory:
            return
        path = Path(self.run_directory) / FILE_NAME
        if self._events == self._written_events and not (is_last and not path.exists()):
            return
        from pixie_pipe.tasks._histogram_file import write_histograms

        write_histograms(path, self._histograms, self._events)
        self._written_events = self._events

    def serialize(self) -> bytes:
        """Return the spectra as bytes."""
        from pixie_pipe.tasks._histogram_state import pack_state

        return pack_state(self._histograms, self._events)

    def restore(self, state: bytes) -> None:
        """Go on with the spectra of the process before."""
        from pixie_pipe.tasks._histogram_state import unpack_state

        self._histograms, self._events = unpack_state(state)
