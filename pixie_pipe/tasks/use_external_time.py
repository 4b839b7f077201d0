"""Take the times of events from an external clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from pixie_pipe.events import Events

_MOST = 2**31 - 1


class UseExternalTime(Task):
    """Makes ``time_ps`` from the external timestamps of events.

    Behind ConvertToEvents and before SortEvents. The time is the number of ticks times
    `tick_ps` / `ticks`, and `offset_ps`; there is no correction by the CFD. Modules
    that count the same external clock can be sorted by it, whatever their own do.
    """

    reads = (
        port(
            Kind.EVENTS,
            ("crate", "slot", "time_ps"),
            optional_columns=("external_timestamp", "external_timestamp_valid"),
        ),
    )
    writes = (port(Kind.EVENTS),)
    category = Category.TRANSFORM
    label = "Take the times of events from their external timestamps"
    conserves_events = True
    parameters: ClassVar = {
        "tick_ps": Parameter(
            10_000, "time of so many external ticks as `ticks` says", unit="ps",
            min=1, max=_MOST,
        ),
        "ticks": Parameter(
            1, "number of ticks that make `tick_ps`, so that any tick is exact",
            min=1, max=_MOST,
        ),
        "offset_ps": Parameter(
            0, "what is added to all times", unit="ps", min=-(2**62), max=2**62 - 1
        ),
        "bits": Parameter(48, "bits of the external counter", choices=(48, 64)),
        "without": Parameter(
            "drop", "events without an external timestamp: leave them out, end the "
            "run, or bridge by the module's own clock",
            choices=("drop", "error", "bridge"),
        ),
    }  # fmt: skip

    def do_start(self) -> None:
        """Begin with no counter followed."""
        from pixie_pipe.kernels.external_time import ExternalTimes

        config = self.config
        self._clock = ExternalTimes(
            config.tick_ps,
            per_ticks=config.ticks,
            offset_ps=config.offset_ps,
            bits=config.bits,
            without=config.without,
        )
        self.ledger["events_dropped"] = 0

    def do_work(self, datum: Events) -> Events | None:
        """Return the events that have a time of the external clock."""
        found = self._clock.apply(datum)
        self.ledger["events_dropped"] += len(datum) - len(found)
        return found if len(found) else None
