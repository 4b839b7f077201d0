"""Keep the events of one module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pixie_pipe.events import Events

_LAST_CHANNEL = 255


class PickSingleModule(Task):
    """Keeps the events of one module, or of some of its channels."""

    reads = (port(Kind.EVENTS, ("crate", "slot", "channel")),)
    writes = (port(Kind.EVENTS),)
    category = Category.TRANSFORM
    label = "Keep the events of one module"
    can_pool = True
    conserves_events = True
    parameters: ClassVar = {
        "crate": Parameter(0, "crate of the module", min=0, max=255),
        "slot": Parameter(2, "slot of the module", min=0, max=255),
        "channels": Parameter(
            None, "channels to keep; by default all", type=list, items=int
        ),
    }

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Check the numbers of the channels."""
        for channel in config.get("channels") or ():
            if not 0 <= channel <= _LAST_CHANNEL:
                raise ParameterError(
                    f"{self.name}.channels has {channel}, expected numbers from 0 to "
                    f"{_LAST_CHANNEL}"
                )

    def do_start(self) -> None:
        """Begin to count."""
        self.ledger["events_dropped"] = 0

    def do_work(self, datum: Events) -> Events | None:
        """Return the events that are kept, if there are any."""
        config = self.config
        picked = picked_events(datum, config.crate, config.slot, config.channels)
        self.ledger["events_dropped"] += len(datum) - len(picked)
        return picked if len(picked) else None


def picked_events(
    events: Events, crate: int, slot: int, channels: Sequence[int] | None
) -> Events:
    """Return the events of a module and, unless None, of these channels.

    Events that are all of the module are not copied.
    """
    is_single = bool((events.crate == crate).all() and (events.slot == slot).all())
    if is_single and channels is None:
        return events
    return events.select(crate=crate, slot=slot, channel=channels)
