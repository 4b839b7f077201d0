"""Build coincidences of sorted events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.pipeline.data import Kind, StreamMark
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.preparing import Preparation
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition

_DEFINITION = (
    "mode",
    "window_ns",
    "before_ns",
    "trigger",
    "min_multiplicity",
    "max_multiplicity",
    "count",
    "required",
    "require",
    "veto",
    "reference",
    "delays_ns",
    "max_events",
)
"""Parameters that say what a coincidence is."""

_CHANNELS = "such as 0/2/5, 0/2/0-3, or 0/2 for a whole module"

# As long as SortEvents lets few events wait.
_RELEASE_SECONDS = 0.5

# 10 ms: what comes within the delays waits in memory.
_LONGEST_DELAY_NS = 1e7


class BuildCoincidences(Task):
    """Numbers the events that belong together in the column ``coincidence``.

    Events come in the order of their times, so behind SortEvents. They are sent on in
    the same order, cut so that each coincidence is whole in one batch. The number is 0
    for events in none; ``coincidence_reference`` marks the one of each from which times
    count. Late events are in none.
    """

    reads = (
        port(
            Kind.EVENTS,
            ("crate", "slot", "channel", "time_ps"),
            optional_columns=("late",),
        ),
        port(Kind.MARKS, optional=True),
    )
    writes = (
        port(Kind.EVENTS, ("coincidence", "coincidence_reference")),
        port(Kind.MARKS),
    )
    category = Category.TRANSFORM
    label = "Build coincidences of sorted events"
    conserves_events = True
    parameters: ClassVar = {
        "mode": Parameter(
            "gap",
            "an event joins within the window of the one before (gap), or of the first "
            "one (first), or around an event of a trigger channel (trigger)",
            choices=("gap", "first", "trigger"),
        ),
        "window_ns": Parameter(
            500.0,
            "the window; with triggers, the time after a trigger",
            unit="ns",
            min=0,
            max=1e9,
        ),
        "before_ns": Parameter(
            0.0, "with triggers, the time before a trigger", unit="ns", min=0, max=1e9
        ),
        "trigger": Parameter(
            None, f"trigger channels, {_CHANNELS}", type=list, items=str
        ),
        "min_multiplicity": Parameter(2, "fewest events of a coincidence", min=1),
        "max_multiplicity": Parameter(
            None, "most events of a coincidence; by default any", type=int, min=1
        ),
        "count": Parameter(
            "events",
            "what the multiplicity counts: events, or channels that have some",
            choices=("events", "channels"),
        ),
        "required": Parameter(
            None, f"channels that it must have, {_CHANNELS}", type=list, items=str
        ),
        "require": Parameter(
            "all", "whether it must have all of them or any", choices=("all", "any")
        ),
        "veto": Parameter(
            None, f"channels that it must not have, {_CHANNELS}", type=list, items=str
        ),
        "reference": Parameter(
            None,
            "channels from whose first event times count; by default from the first "
            "event of all, or from the trigger",
            type=list,
            items=str,
        ),
        "delays_ns": Parameter(
            None,
            "what is added to times for building, in ns by channel: {0/2/5: 12.5}; at "
            "most 10 ms",
            type=dict,
        ),
        "singles": Parameter(
            "keep", "what to do with events in no coincidence", choices=("keep", "drop")
        ),
        "max_events": Parameter(
            16_384,
            "events at which a coincidence is closed, whatever the window",
            min=2,
            max=1 << 20,
        ),
    }  # fmt: skip

    @classmethod
    def preparations(cls, _parameters: Mapping[str, Any]) -> Sequence[Preparation]:
        """Have the kernels compiled."""
        from pixie_pipe.tasks import warm_up_coincidences

        told = "the building of coincidences is compiled, once for each installation"
        return (Preparation("coincidences", warm_up_coincidences, told),)

    def do_configure(self, config: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Check that the parameters make a definition."""
        self._definition()

    def _definition(self) -> CoincidenceDefinition:
        from pixie_pipe.coincidences.build import define_coincidences
        from pixie_pipe.errors import PixiePipeError

        values = {name: getattr(self.config, name) for name in _DEFINITION}
        for name in ("trigger", "required", "veto", "reference"):
            values[name] = values[name] or ()
        for name, delay in (values["delays_ns"] or {}).items():
            is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
            if not is_number or not abs(delay) <= _LONGEST_DELAY_NS:
                raise ParameterError(
                    f"{self.name}.delays_ns has {delay!r} for {name}, expected a "
                    f"number from {-_LONGEST_DELAY_NS:g} to {_LONGEST_DELAY_NS:g} ns"
                )
        try:
            return define_coincidences(**values)
        except PixiePipeError as error:
            raise ParameterError(f"{self.name}: {error}") from error

    def do_start(self) -> None:
        """Begin with nothing held."""
        from pixie_pipe.kernels.coincidences import CoincidenceBuilder

        self._builder = CoincidenceBuilder(self._definition())
        self._ends: list[StreamMark] = []
        self._last_came = time.monotonic()
        self.ledger["events_dropped"] = 0
        self._count()

    def do_work(self, datum: Events | StreamMark) -> None:
        """Take a batch; send what is decided."""
        if not isinstance(datum, StreamMark):
            self._last_came = time.monotonic()
            self._send(self._builder.add(datum))
        elif datum.ended:
            # Sent on when all events of the stream have been, at the end.
            self._ends.append(datum)
        else:
            self.send(datum)

    def do_wait(self) -> None:
        """Send what is decided, if the next batch lets it wait."""
        if (
            self.status is Status.RUNNING
            and self._builder.held_events
            and time.monotonic() - self._last_came >= _RELEASE_SECONDS
        ):
            self._send(self._builder.release())

    def do_stop(self) -> None:
        """Send all that is left."""
        self._send(self._builder.finish())
        for mark in self._ends:
            self.send(mark)

    def _send(self, batches: list[Events]) -> None:
        if self.config.singles == "drop":
            batches = self._without_singles(batches)
        for events in batches:
            self.send(events)
        self._count()

    def _without_singles(self, batches: list[Events]) -> list[Events]:
        """Return what is in coincidences, as one batch: it is copied in any case."""
        from pixie_pipe.events import Events

        kept = [events[events.coincidence > 0] for events in batches]
        joined = Events.concatenate([events for events in kept if events])
        self.ledger["events_dropped"] += sum(map(len, batches)) - len(joined)
        return [joined] if joined else []

    def _count(self) -> None:
        builder = self._builder
        if builder.full_count and not self.statistics.get("full"):
            self.print(
                f"{self.name}: a coincidence had max_events = "
                f"{self.config.max_events} events and was closed; a shorter window may "
                f"be what is meant"
            )
        self.statistics |= {
            "coincidences": builder.count,
            "in_coincidences": builder.member_count,
            "late": builder.late_count,
            "full": builder.full_count,
            "held_events": builder.held_events,
        }
