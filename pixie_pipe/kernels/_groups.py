"""Which events of a sequence belong together, and which groups are coincidences.

A *sequence* is events in the order in which coincidences are built: their times, and
their labels, which tell their channels. Each group is a stretch of it: a first place, a
number of places, and the place of its reference. What is found in a sequence does not
change when more events follow, and is found again, the same, if the sequence is cut in
front of its first open place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit, read_only
from pixie_pipe.kernels._tables import POOL
from pixie_pipe.kernels.channel_table import (
    KEY_BITS,
    ChannelTable,
    channel_keys,
)
from pixie_pipe.kernels.coincidence_definition import CoincidenceDefinition, Mode

if TYPE_CHECKING:
    from pixie_pipe.events import Events

i64 = np.int64
u64 = np.uint64

Places = NDArray[np.int64]
Times = NDArray[np.int64]
Labels = NDArray[np.uint64]
"""Crate, slot and channel of each event, and the bits above, shape (n,)."""

_KEY: Final = u64((1 << KEY_BITS) - 1)
_TRIGGER: Final = u64(1 << KEY_BITS)
_VETO: Final = u64(2 << KEY_BITS)
_REFERENCE: Final = u64(4 << KEY_BITS)
_FIRST_REQUIRED: Final = KEY_BITS + 3

NO_LABELS: Final = np.zeros(0, np.uint64)
_NO_COUNTS: Final = np.zeros(0, np.int32)
_LAST_STAMP: Final = (1 << 31) - 1
_NO_LIMIT: Final = 1 << 62


class Groups(NamedTuple):
    """Groups of a sequence that are coincidences.

    Attributes
    ----------
    first, count, reference
        First place, number of places, and place of the reference of each.
    open_from
        First place of which it is not decided yet where it belongs.
    full
        How often a group was cut because it had the most events that it may have.
    """

    first: Places
    count: Places
    reference: Places
    open_from: int
    full: int


class GroupFinder:
    """Finds the groups of sequences.

    Parameters
    ----------
    definition
        What a coincidence is.
    """

    def __init__(self, definition: CoincidenceDefinition) -> None:
        self._definition = definition
        self._bits = ChannelTable(np.uint64)
        self._bits.mark(definition.trigger, int(_TRIGGER))
        self._bits.mark(definition.veto, int(_VETO))
        self._bits.mark(definition.reference, int(_REFERENCE))
        required = 0
        for number, channels in enumerate(definition.required):
            bit = 1 << (_FIRST_REQUIRED + number)
            self._bits.mark(channels, bit)
            required |= bit
        self._required = u64(required)
        # The number of the group in which a channel was seen last, by its key. Pages
        # of channels that do not exist are never touched.
        self._stamps = _NO_COUNTS
        if definition.count_channels:
            self._stamps = np.zeros(1 << KEY_BITS, np.int32)
        self._stamp = 0

    def labels(self, events: Events) -> Labels:
        """Return the labels of events, or nothing if channels do not matter."""
        if not self._definition.needs_channels:
            return NO_LABELS
        labels: Labels = POOL.take_array(len(events), np.uint64)
        channel_keys(events, labels)
        self._bits.look_up(events, labels)
        return labels

    def find(self, times: Times, labels: Labels, *, is_all: bool) -> Groups:
        """Return the coincidences of a sequence.

        Parameters
        ----------
        times
            Times in ps, shape (n,), in order.
        labels
            As `labels` returned them.
        is_all
            Whether nothing follows: then nothing stays open.
        """
        times, labels = read_only(times), read_only(labels)
        found = self._candidates(times, labels, is_all)
        return self._chosen(labels, found)

    def _candidates(self, times: Times, labels: Labels, is_all: bool) -> Groups:
        definition = self._definition
        window, most = u64(definition.window_ps), definition.max_events
        first, count, reference = (
            POOL.take_array(times.size + 1, np.int64) for _ in range(3)
        )
        if definition.mode is Mode.TRIGGER:
            before = u64(definition.before_ps)
            groups, open_from, full = _find_triggered(
                times, labels, before, window, most, is_all, first, count, reference
            )
            return Groups(
                first[:groups], count[:groups], reference[:groups], open_from, full
            )
        # Most groups are single events: they are left out where they are found.
        least = 1 if definition.count_channels else definition.min_multiplicity
        if definition.mode is Mode.GAP and least > 1:
            near = reference
            groups, open_from, largest = _find_neighbours(
                times, window, is_all, near, first, count
            )
            if largest <= most:
                reference[:groups] = first[:groups]
                return Groups(
                    first[:groups], count[:groups], reference[:groups], open_from, 0
                )
        find = _find_by_gap if definition.mode is Mode.GAP else _find_by_first
        starts = reference
        groups, full = find(times, window, most, starts)
        if times.size and is_all:
            groups += 1
            starts[groups] = times.size
        open_from = int(starts[groups])
        kept = _of_size(starts, groups, least, first, count)
        reference[:kept] = first[:kept]
        return Groups(first[:kept], count[:kept], reference[:kept], open_from, full)

    def _chosen(self, labels: Labels, found: Groups) -> Groups:
        """Return those that are coincidences."""
        definition = self._definition
        groups = found.first.size
        highest = definition.max_multiplicity or _NO_LIMIT
        if self._stamp + groups > _LAST_STAMP:
            self._stamps[:] = 0
            self._stamp = 0
        kept = _choose(
            labels,
            self._required,
            definition.require_all,
            definition.min_multiplicity,
            highest,
            bool(definition.reference),
            self._stamps,
            self._stamp,
            found.first,
            found.count,
            found.reference,
        )
        self._stamp += groups if definition.count_channels else 0
        return found._replace(
            first=found.first[:kept],
            count=found.count[:kept],
            reference=found.reference[:kept],
        )


@jit
def _find_neighbours(
    times: Times,
    window: np.uint64,
    is_all: bool,
    near: Places,
    first: Places,
    count: Places,
) -> tuple[int, int, int]:
    """Write the groups of two events or more, where the gap between events decides.

    Single events leave no trace: where most are single, this takes half the time of
    `_find_by_gap`. `near` is for places of events that are near the one before.

    Returns
    -------
    tuple
        Number of closed groups, the first open place, and the most events of a group,
        be it open or closed.
    """
    found = 0
    for i in range(1, times.size):
        # Written in any case, and kept if it is counted: nothing to be predicted.
        near[found] = i
        found += i64(u64(times[i]) - u64(times[i - 1]) <= window)
    groups = 0
    last = -1
    for j in range(found):
        # As above; the place behind a group is written anew by each of its events.
        is_new = i64(near[j] != last + 1)
        last = near[j]
        first[groups] = last - 1
        groups += is_new
        # Without a sign: numba would look whether it is counted from the end.
        count[np.uintp(groups - 1)] = last + 1
    largest = 0
    for k in range(groups):
        count[k] -= first[k]
        largest = max(largest, count[k])
    if is_all or times.size == 0:
        return groups, times.size, largest
    if last == times.size - 1 and groups:
        return groups - 1, first[groups - 1], largest
    return groups, times.size - 1, largest


@jit
def _find_by_gap(
    times: Times, window: np.uint64, most: int, starts: Places
) -> tuple[int, int]:
    """Write where groups start; return how many are closed, and how many were full.

    The start behind the last closed group is that of the open one.
    """
    groups = largest = begin = 0
    starts[0] = 0
    for i in range(1, times.size):
        # Written in any case, and kept if it is counted: nothing to be predicted.
        starts[groups + 1] = i
        groups += i64(u64(times[i]) - u64(times[i - 1]) > window)
    for k in range(groups):
        largest = max(largest, starts[k + 1] - starts[k])
    if times.size:
        largest = max(largest, times.size - starts[groups])
    if largest <= most:
        return groups, 0
    groups = full = 0
    for i in range(1, times.size):
        is_apart = u64(times[i]) - u64(times[i - 1]) > window
        if is_apart or i - begin >= most:
            groups += 1
            full += i64(not is_apart)
            begin = i
            starts[groups] = i
    return groups, full


@jit
def _find_by_first(
    times: Times, window: np.uint64, most: int, starts: Places
) -> tuple[int, int]:
    """Do what `_find_by_gap` does, with times counted from the first event."""
    groups = full = begin = 0
    starts[0] = 0
    start = u64(times[0]) if times.size else u64(0)
    for i in range(1, times.size):
        time = u64(times[i])
        is_apart = i64(time - start > window)
        is_full = i64(i - begin >= most)
        is_new = is_apart | is_full
        starts[groups + 1] = i
        groups += is_new
        full += is_full & ~is_apart
        begin += is_new * (i - begin)
        start += u64(is_new) * (time - start)
    return groups, full


@jit
def _find_triggered(
    times: Times,
    labels: Labels,
    before: np.uint64,
    after: np.uint64,
    most: int,
    is_all: bool,
    first: Places,
    count: Places,
    reference: Places,
) -> tuple[int, int, int]:
    """Write the groups around triggers.

    Returns
    -------
    tuple
        Number of closed groups, the first open place, and how often a group was cut.
    """
    groups = full = free = 0
    trigger = -1
    for i in range(times.size):
        time = u64(times[i])
        if trigger >= 0:
            is_within = time - u64(times[trigger]) <= after
            if is_within and i - first[groups] < most:
                continue
            full += i64(is_within)
            count[groups] = i - first[groups]
            groups += 1
            free = i
            trigger = -1
        if labels[i] & _TRIGGER:
            while time - u64(times[free]) > before:
                free += 1
            if i - free > most - 1:
                full += 1
                free = i - (most - 1)
            trigger = i
            first[groups] = free
            reference[groups] = i
    if trigger >= 0:
        if not is_all:
            return groups, first[groups], full
        count[groups] = times.size - first[groups]
        return groups + 1, times.size, full
    if is_all or times.size == 0:
        return groups, times.size, full
    # A trigger that may follow is at the last time or later.
    last = u64(times[times.size - 1])
    while free < times.size and last - u64(times[free]) > before:
        free += 1
    # One more than such a trigger can take: it must see that there were too many.
    return groups, max(free, times.size - most), full


@jit
def _of_size(
    starts: Places, groups: int, least: int, first: Places, count: Places
) -> int:
    """Keep the groups that have so many events at least; return how many there are."""
    kept = 0
    for k in range(groups):
        first[kept] = starts[k]
        count[kept] = starts[k + 1] - starts[k]
        kept += i64(count[kept] >= least)
    return kept


@jit
def _choose(
    labels: Labels,
    required: np.uint64,
    require_all: bool,
    least: int,
    highest: int,
    has_reference: bool,
    stamps: NDArray[np.int32],
    stamp: int,
    first: Places,
    count: Places,
    reference: Places,
) -> int:
    """Keep the groups that are coincidences, in place; return how many there are."""
    kept = 0
    for k in range(first.size):
        begin, size, place = first[k], count[k], reference[k]
        multiplicity = size
        is_good = True
        if labels.size:
            seen = u64(0)
            channels = 0
            number = np.int32(stamp + k + 1)
            for i in range(begin, begin + size):
                if has_reference and labels[i] & _REFERENCE and not seen & _REFERENCE:
                    place = i
                seen |= labels[i]
                if stamps.size:
                    key = labels[i] & _KEY
                    channels += i64(stamps[key] != number)
                    stamps[key] = number
            if stamps.size:
                multiplicity = channels
            there = seen & required
            is_good = not seen & _VETO
            if require_all:
                is_good = is_good and there == required
            else:
                is_good = is_good and (there != 0 or required == 0)
        first[kept] = begin
        count[kept] = size
        reference[kept] = place
        kept += i64(is_good and least <= multiplicity <= highest)
    return kept
