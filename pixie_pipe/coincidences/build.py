"""Coincidences of a table of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from pixie_pipe.coincidences.channels import ChannelChoice, choose_channels
from pixie_pipe.coincidences.container import Coincidences
from pixie_pipe.kernels.coincidence_definition import (
    MOST_EVENTS,
    Channels,
    CoincidenceDefinition,
    CoincidenceError,
    Mode,
)
from pixie_pipe.kernels.coincidences import find_coincidences

if TYPE_CHECKING:
    from pixie_pipe.events import Events

_PS_PER_NS = 1000

DEFAULT_WINDOW_NS = 500.0


def define_coincidences(
    *,
    window_ns: float = DEFAULT_WINDOW_NS,
    mode: Mode | str = Mode.GAP,
    before_ns: float = 0.0,
    trigger: ChannelChoice = (),
    min_multiplicity: int = 2,
    max_multiplicity: int | None = None,
    count: Literal["events", "channels"] = "events",
    required: Iterable[ChannelChoice] = (),
    require: Literal["all", "any"] = "all",
    veto: ChannelChoice = (),
    reference: ChannelChoice = (),
    delays_ns: Mapping[str, float] | None = None,
    max_events: int = MOST_EVENTS,
) -> CoincidenceDefinition:
    """Say what a coincidence is.

    Parameters
    ----------
    window_ns
        Window in ns, both ends included.
    mode
        ``"gap"``: an event joins if it is within the window of the one before it.
        ``"first"``: within the window of the first one. ``"trigger"``: from
        `before_ns` before to `window_ns` after an event of a trigger channel.
    before_ns
        How long before a trigger its window begins, in ns.
    trigger
        Channels whose events are triggers.
    min_multiplicity, max_multiplicity
        Fewest and most events of a coincidence.
    count
        What the multiplicity counts: events, or channels that have some.
    required
        Channels that a coincidence must have. Each item is a channel or a group of
        channels of which one is enough.
    require
        Whether it must have all of these items, or any of them.
    veto
        Channels that a coincidence must not have.
    reference
        Channels from whose first event times count; without one, from the first event
        of all. With triggers, they count from the trigger.
    delays_ns
        Times in ns to add by channel, for building only. The last one that names a
        channel counts.
    max_events
        Events at which a coincidence is closed, so that none grows without end.

    Returns
    -------
    CoincidenceDefinition
        The same, in ps.

    Raises
    ------
    CoincidenceError
        If something is out of range, or does not go together.
    ChannelError
        If something is no channel.
    """
    _check_choice("mode", mode, [str(known) for known in Mode])
    _check_choice("count", count, ["events", "channels"])
    _check_choice("require", require, ["all", "any"])
    return CoincidenceDefinition(
        mode=Mode(mode),
        window_ps=_in_ps("window_ns", window_ns),
        before_ps=_in_ps("before_ns", before_ns),
        trigger=choose_channels(trigger),
        min_multiplicity=min_multiplicity,
        max_multiplicity=max_multiplicity,
        count_channels=count == "channels",
        required=_required(required),
        require_all=require == "all",
        veto=choose_channels(veto),
        reference=choose_channels(reference),
        delays_ps=tuple(
            (channels, _in_ps(f"delays_ns of {name}", delay))
            for name, delay in (delays_ns or {}).items()
            for channels in choose_channels(name)
        ),
        max_events=max_events,
    )


def build_coincidences(
    events: Events,
    *,
    definition: CoincidenceDefinition | None = None,
    **parameters: object,
) -> Coincidences:
    """Find the coincidences of a table of events.

    Parameters
    ----------
    events
        Events in the order of their times. Those that ``late`` marks may be out of
        order: they are in no coincidence.
    definition
        What a coincidence is; or else
    **parameters
        As for `define_coincidences`.

    Returns
    -------
    Coincidences
        The coincidences. No event is copied.

    Raises
    ------
    EventsError
        If a column is missing.
    CoincidenceError, ChannelError
        As for `define_coincidences`, and if events are out of order.

    Examples
    --------
    >>> from pixie_pipe.events import Events
    >>> events = Events({"time_ps": [0, 90_000, 95_000], "energy": [7, 8, 9]})
    >>> coincidences = build_coincidences(events, window_ns=20)
    >>> coincidences
    <Coincidences: 1 of 3 events; 2 events each>
    >>> coincidences.events(0).energy
    array([8, 9], dtype=uint16)
    """
    if definition is None:
        definition = define_coincidences(**parameters)  # type: ignore[arg-type]
    elif parameters:
        raise CoincidenceError(
            f"a definition was given, and {', '.join(parameters)} beside it; give one "
            f"or the other"
        )
    found = find_coincidences(events, definition)
    return Coincidences(
        events,
        found.first,
        found.multiplicity,
        found.reference,
        members=found.members,
        times_ps=found.times_ps,
    )


def _check_choice(name: str, value: object, known: list[str]) -> None:
    if value not in known:
        raise CoincidenceError(
            f"{name} is {value!r}, expected one of {', '.join(map(repr, known))}"
        )


def _required(items: Iterable[ChannelChoice]) -> tuple[Channels, ...]:
    if isinstance(items, str):
        items = [items]
    return tuple(choose_channels(item) for item in items)


def _in_ps(name: str, value_ns: float) -> int:
    try:
        return round(float(value_ns) * _PS_PER_NS)
    except (TypeError, ValueError, OverflowError) as error:
        raise CoincidenceError(
            f"{name} is {value_ns!r}, expected a number of ns"
        ) from error
