"""Coincidences in plain Python, by their definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition, Mode

if TYPE_CHECKING:
    from pixie_pipe.events import Events


@dataclass
class Plain:
    """Rows of the members and of the reference of each coincidence."""

    members: list[list[int]] = field(default_factory=list)
    references: list[int] = field(default_factory=list)
    full: int = 0


def is_of(channel, ranges) -> bool:
    return any(
        channel[:2] == (crate, slot) and first <= channel[2] <= last
        for crate, slot, first, last in ranges
    )


def delay_of(channel, definition: CoincidenceDefinition) -> int:
    delay = 0
    for channels, value in definition.delays_ps:
        if is_of(channel, [channels]):
            delay = value
    return delay


def plain_coincidences(events: Events, definition: CoincidenceDefinition) -> Plain:
    channels = list(
        zip(
            events.crate.tolist(),
            events.slot.tolist(),
            events.channel.tolist(),
            strict=True,
        )
    )
    late = events.late.tolist() if "late" in events.columns else [False] * len(events)
    times = [
        time + delay_of(channel, definition)
        for time, channel in zip(events.time_ps.tolist(), channels, strict=True)
    ]
    rows = sorted(
        (row for row in range(len(events)) if not late[row]),
        key=lambda row: (times[row], row),
    )
    plain = Plain()
    if definition.mode is Mode.TRIGGER:
        groups = _around_triggers(rows, times, channels, definition, plain)
    else:
        groups = [
            (group, group[0]) for group in _in_turn(rows, times, definition, plain)
        ]
    for group, reference in groups:
        if not _is_good([channels[row] for row in group], definition):
            continue
        named = [row for row in group if is_of(channels[row], definition.reference)]
        plain.members.append(group)
        plain.references.append(named[0] if named else reference)
    return plain


def _in_turn(rows, times, definition, plain):
    groups: list[list[int]] = []
    for row in rows:
        if groups:
            group = groups[-1]
            start = group[-1] if definition.mode is Mode.GAP else group[0]
            if times[row] - times[start] <= definition.window_ps:
                if len(group) < definition.max_events:
                    group.append(row)
                    continue
                plain.full += 1
        groups.append([row])
    return groups


def _around_triggers(rows, times, channels, definition, plain):
    groups: list[tuple[list[int], int]] = []
    left = list(rows)
    while True:
        triggers = [
            k for k, r in enumerate(left) if is_of(channels[r], definition.trigger)
        ]
        if not triggers:
            return groups
        at = triggers[0]
        trigger = left[at]
        before = [
            row
            for row in left[:at]
            if times[trigger] - times[row] <= definition.before_ps
        ]
        room = definition.max_events - 1
        if len(before) > room:
            plain.full += 1
            before = before[len(before) - room :]
        group = [*before, trigger]
        behind = left[at + 1 :]
        while behind and times[behind[0]] - times[trigger] <= definition.window_ps:
            if len(group) == definition.max_events:
                plain.full += 1
                break
            group.append(behind.pop(0))
        groups.append((group, trigger))
        left = behind


def _is_good(channels, definition) -> bool:
    multiplicity = len(set(channels)) if definition.count_channels else len(channels)
    if multiplicity < definition.min_multiplicity:
        return False
    highest = definition.max_multiplicity
    if highest is not None and multiplicity > highest:
        return False
    if any(is_of(channel, definition.veto) for channel in channels):
        return False
    there = [
        any(is_of(channel, group) for channel in channels)
        for group in definition.required
    ]
    return not there or (all(there) if definition.require_all else any(there))
