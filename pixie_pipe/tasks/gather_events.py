"""Join small batches of events into larger ones."""

from __future__ import annotations

import time
from typing import ClassVar

from pixie_pipe.events import Events
from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

_MB = 1_000_000


class GatherEvents(Task):
    """Joins batches until they are large enough, in the order in which they come."""

    reads = (port(Kind.EVENTS),)
    writes = (port(Kind.EVENTS),)
    category = Category.TRANSFORM
    label = "Join small batches of events into larger ones"
    conserves_events = True
    parameters: ClassVar = {
        "rows": Parameter(100_000, "events of a batch, at least", min=1),
        "batch_mb": Parameter(
            4.0, "size of a batch with fewer events", unit="MB", min=0.001
        ),
        "batch_s": Parameter(0.5, "longest time that events wait", unit="s", min=0),
    }

    def do_start(self) -> None:
        """Begin with nothing."""
        self._forget()

    def _forget(self) -> None:
        self._waiting: list[Events] = []
        self._rows = self._bytes = 0

    def do_work(self, datum: Events) -> Events | None:
        """Return all that waits if that is enough."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(datum)
        self._rows += len(datum)
        self._bytes += datum.nbytes
        full = self._rows >= self.config.rows
        return (
            self._take() if full or self._bytes >= self.config.batch_mb * _MB else None
        )

    def _take(self) -> Events:
        events = Events.concatenate(self._waiting)
        self._forget()
        return events

    def do_wait(self) -> None:
        """Send what has waited long enough."""
        if self.status is not Status.RUNNING or not self._waiting:
            return
        if time.monotonic() - self._since >= self.config.batch_s:
            self.send(self._take())

    def do_stop(self) -> None:
        """Send the rest."""
        if self._waiting:
            self.send(self._take())
