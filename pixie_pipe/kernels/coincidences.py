"""Building coincidences: groups of events in a time window.

Coincidences are built in the order of times, equal ones in the order of rows; where
channels have delays, in that of the delayed times. Late events, which are out of this
order, are in none. In this order, the events of a coincidence are neighbours, so that a
first place and a count tell them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.events.schema import TRACE_OFFSETS
from pixie_pipe.kernels._building_order import BuildingOrder, Delays
from pixie_pipe.kernels._group_rows import (
    Numbered,
    no_numbers,
    number_rows,
    whole_rows,
)
from pixie_pipe.kernels._groups import NO_LABELS, GroupFinder, Groups
from pixie_pipe.kernels._held import copied
from pixie_pipe.kernels._tables import POOL
from pixie_pipe.kernels.coincidence_definition import (
    CoincidenceDefinition,
    CoincidenceError,
)

# A frame costs some 0.1 ms (docs/performance.md), and so does copying this much.
_JOINED_BYTES: Final = 1 << 18

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Found:
    """Coincidences of a table of events.

    Attributes
    ----------
    first, multiplicity
        Members of coincidence i are the rows from ``first[i]`` on, as many as its
        multiplicity; shape (coincidences,). If there are `members`, they are
        ``members[first[i] : first[i] + multiplicity[i]]``.
    reference
        Row of the reference of each coincidence.
    members
        Rows in the order of building; None if that is the order of the table.
    times_ps
        Times with delays, shape (events,); None if there are no delays.
    late_count
        Late events.
    full_count
        How often a coincidence was closed for having the most events.
    """

    first: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    reference: NDArray[np.int64]
    members: NDArray[np.int64] | None
    times_ps: NDArray[np.int64] | None
    late_count: int
    full_count: int


def find_coincidences(events: Events, definition: CoincidenceDefinition) -> Found:
    """Find the coincidences of a table.

    Parameters
    ----------
    events
        Events in the order of their times, but for late ones.
    definition
        What a coincidence is.

    Returns
    -------
    Found
        The coincidences; no event is copied.

    Raises
    ------
    EventsError
        If a column is missing.
    CoincidenceError
        If an event that is not late is earlier than the one before.
    """
    order = BuildingOrder(definition)
    times, rows = order.add(events, 0)
    if rows is not None:
        rest, more = order.finish()
        times, rows = np.concatenate([times, rest]), np.concatenate([rows, more])
    finder = GroupFinder(definition)
    labels = _at(finder.labels(events), rows)
    groups = finder.find(times, labels, is_all=True)
    delays = Delays(definition)
    return Found(
        # The arrays of the finder have room for more: these have not.
        groups.first.copy(),
        groups.count.copy(),
        groups.reference.copy() if rows is None else rows[groups.reference],
        rows,
        delays.times(events) if delays else None,
        order.late_count,
        groups.full,
    )


@dataclass(slots=True)
class _Last:
    """A batch that waits for the next one, as it came.

    Attributes
    ----------
    events
        Its events, but for those that were passed on.
    numbered
        What is known of them: nothing yet from the first open row on.
    first_open
        This row.
    """

    events: Events
    numbered: Numbered
    first_open: int


class CoincidenceBuilder:
    """Builds coincidences of events that come batch after batch.

    What it returns is the events that came, in their order, with the columns
    ``coincidence`` and ``coincidence_reference``, cut into batches so that each
    coincidence is whole in one of them. What is in them does not depend on how the
    events came.

    Parameters
    ----------
    definition
        What a coincidence is.

    Notes
    -----
    A batch waits for the next one: where no coincidence goes over the border of the
    two, it is returned as it came, and nothing is copied. Otherwise the events are
    copied that those to come may join. They are at most `max_events` of the definition,
    and as many as come within the difference of the largest and the smallest delay.

    Examples
    --------
    >>> builder = CoincidenceBuilder(CoincidenceDefinition(window_ps=10))
    >>> builder.add(Events({"time_ps": [0, 50]}))
    []
    >>> some = builder.add(Events({"time_ps": [55, 90]}))
    >>> [part.coincidence for part in some]
    [array([0]), array([1, 1])]
    >>> [part.coincidence for part in builder.finish()]
    [array([0])]
    """

    def __init__(self, definition: CoincidenceDefinition) -> None:
        self._order = BuildingOrder(definition)
        self._finder = GroupFinder(definition)
        self._reach = max(definition.window_ps, definition.before_ps)
        self._least = definition.min_multiplicity
        self._last: _Last | None = None
        # What is left of batches that came before, if it was copied.
        self._held: Events | None = None
        # Of the open events: labels, and what was decided of some already.
        self._labels = NO_LABELS
        self._numbered = no_numbers()
        # The sequence from its first open place on. Without rows, it is just the
        # open events.
        self._times = np.zeros(0, np.int64)
        self._rows: NDArray[np.int64] | None = None
        self._count = self._members = self._full = 0
        self._finished = False

    @property
    def count(self) -> int:
        """Number of coincidences found so far."""
        return self._count

    @property
    def member_count(self) -> int:
        """Number of events in them."""
        return self._members

    @property
    def late_count(self) -> int:
        """Number of late events so far; they are in no coincidence."""
        return self._order.late_count

    @property
    def full_count(self) -> int:
        """How often a coincidence was closed for having the most events."""
        return self._full

    @property
    def held_events(self) -> int:
        """Number of events that came and were not returned yet."""
        last = 0 if self._last is None else len(self._last.events)
        return last + (0 if self._held is None else len(self._held))

    def add(self, events: Events) -> list[Events]:
        """Take a batch of events.

        Parameters
        ----------
        events
            Events in the order of their times, but for late ones. Their memory must
            not change.

        Returns
        -------
        list of Events
            Batches of events with whole coincidences.

        Raises
        ------
        EventsError
            If a column is missing.
        CoincidenceError
            If an event that is not late is earlier than the one before, or after
            `finish`.
        """
        if self._finished:
            raise CoincidenceError(
                "events came after finish(); begin anew with a new CoincidenceBuilder"
            )
        if not events:
            return []
        is_apart = self._is_apart(events)
        held = 0 if is_apart else self._open_events
        times, rows = self._order.add(events, held)
        found = self._close_last() if is_apart else self.release()
        self._labels = _joined(self._labels, self._finder.labels(events))
        self._extend(times, rows, held)
        total = held + len(events)
        groups = self._find(is_all=False)
        numbered = self._number(groups, total)
        border, cut = self._cuts(groups, numbered, held, total)
        found += self._pass_on(events, numbered, border, cut)
        self._forget(groups.open_from, numbered, cut)
        return found

    def release(self) -> list[Events]:
        """Return what is decided, instead of waiting for the next batch."""
        last, self._last = self._last, None
        if last is None:
            return []
        cut = last.first_open
        if cut < len(last.events):
            # A view would keep the memory of the whole batch.
            self._held = copied(last.events[cut:], slice(None))
        return [_numbered(last.events[:cut], last.numbered)] if cut else []

    def finish(self) -> list[Events]:
        """Return the events that are left, and take no more."""
        self._finished = True
        times, rows = self._order.finish()
        if self._last is not None:
            return self._close_last()
        held, self._held = self._held, None
        if held is None:
            return []
        if self._rows is not None:
            self._extend(times, rows, 0)
        groups = self._find(is_all=True)
        return [_numbered(held, self._number(groups, len(held)))]

    @property
    def _open_events(self) -> int:
        """Number of events that those to come may join."""
        if self._last is not None:
            return len(self._last.events) - self._last.first_open
        return self.held_events

    def _is_apart(self, events: Events) -> bool:
        """Tell whether no coincidence has events of the last batch and of this one."""
        last = self._last
        if last is None or "time_ps" not in events.columns:
            return False
        if "late" in events.columns and events.late[0]:
            return False
        gap = int(events.time_ps[0]) - int(last.events.time_ps[-1])
        return gap > self._reach

    def _close_last(self) -> list[Events]:
        """Return the last batch as it came: nothing joins its open events any more."""
        last, self._last = self._last, None
        if last is None:
            return []
        first = last.first_open
        count = len(last.events) - first
        # Mostly it is one event, for which there is nothing to be found.
        if count >= self._least:
            numbered = self._number(self._find(is_all=True), count)
            last.numbered.numbers[first:] = numbered.numbers
            last.numbered.references[first:] = numbered.references
        self._times, self._labels = self._times[:0], self._labels[:0]
        self._numbered = no_numbers()
        return [_numbered(last.events, last.numbered)]

    def _extend(
        self, times: NDArray[np.int64], rows: NDArray[np.int64] | None, held: int
    ) -> None:
        """Lengthen the sequence."""
        if self._rows is not None or rows is not None:
            before = np.arange(held) if self._rows is None else self._rows
            behind = np.arange(held, held + times.size) if rows is None else rows
            self._rows = np.concatenate([before, behind])
        self._times = _joined(self._times, times)

    def _find(self, *, is_all: bool) -> Groups:
        labels = _at(self._labels, self._rows)
        return self._finder.find(self._times, labels, is_all=is_all)

    def _number(self, groups: Groups, total: int) -> Numbered:
        numbered = number_rows(
            groups, self._count, total, rows=self._rows, known=self._numbered
        )
        self._count += groups.first.size
        self._members += int(groups.count.sum())
        self._full += groups.full
        return numbered

    def _cuts(
        self, groups: Groups, numbered: Numbered, held: int, total: int
    ) -> tuple[int, int]:
        """Return the first and the last row in front of which all are whole.

        The first one is behind those that are held.
        """
        cut = groups.open_from
        if self._rows is not None:
            unsure = (self._rows[cut:], self._order.waiting)
            decided = min(int(rows.min()) if rows.size else total for rows in unsure)
            return whole_rows(numbered.numbers, decided, held)
        border = held
        k = int(np.searchsorted(groups.first, np.int64(held))) - 1
        if k >= 0:
            border = max(border, int(groups.first[k] + groups.count[k]))
        return min(border, cut), cut

    def _pass_on(
        self, events: Events, numbered: Numbered, border: int, cut: int
    ) -> list[Events]:
        """Return what is decided, and hold the rest."""
        held, self._held = self._held, None
        before = 0 if held is None else len(held)
        if events.nbytes < _JOINED_BYTES:
            border = cut
        found = []
        if held is not None and cut < before:
            found.append(_numbered(held[:cut], numbered))
            self._held = _behind(held[cut:], events)
            return [part for part in found if part]
        start = 0
        if held is not None:
            start = border
            joined = _behind(held, events[: border - before])
            found.append(_numbered(joined, numbered))
        rest = events[start - before :] if start > before else events
        is_whole = self._rows is None and start < cut
        if is_whole and cut < before + len(events):
            own = Numbered(numbered.numbers[start:], numbered.references[start:])
            self._last = _Last(rest, own, cut - start)
            return found
        if cut > start:
            found.append(_numbered(rest[: cut - start], numbered, start))
        if cut < before + len(events):
            # A view would keep the memory of the whole batch.
            self._held = copied(rest[cut - start :], slice(None))
        return found

    def _forget(self, open_from: int, numbered: Numbered, cut: int) -> None:
        """Keep of the sequence what is open, and of the rows those that are held."""
        self._times = self._times[open_from:].copy()
        if self._labels.size:
            self._labels = self._labels[cut:].copy()
        self._numbered = numbered.rows(cut, numbered.numbers.size)
        if self._rows is None:
            return
        self._rows = self._rows[open_from:] - cut
        self._order.forget(cut)
        if self._rows.size == self.held_events and bool(
            (self._rows == np.arange(self._rows.size)).all()
        ):
            self._rows = None


def _behind(held: Events, events: Events) -> Events:
    """Return two tables one behind the other, in memory of their own."""
    names = held._columns.keys()  # noqa: SLF001  # within the package
    if names != events._columns.keys() or TRACE_OFFSETS.name in names:  # noqa: SLF001
        return Events.concatenate([held, events])
    # The same with less ado: most batches have the same columns and no traces.
    columns = {name: np.concatenate([held[name], events[name]]) for name in names}
    return Events._trusted(columns, len(held) + len(events))  # noqa: SLF001


def _numbered(events: Events, numbered: Numbered, start: int = 0) -> Events:
    """Return events with the two columns, from a row on."""
    columns = dict(events._columns)  # noqa: SLF001  # within the package
    behind = start + len(events)
    columns["coincidence"] = numbered.numbers[start:behind]
    columns["coincidence_reference"] = numbered.references[start:behind]
    return Events._trusted(columns, len(events))  # noqa: SLF001


def _at(
    labels: NDArray[np.uint64], rows: NDArray[np.int64] | None
) -> NDArray[np.uint64]:
    return labels if rows is None or not labels.size else labels[rows]


def _joined(first: NDArray[Scalar], second: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return two arrays one behind the other, in memory that is used again."""
    if not first.size:
        return second
    joined: NDArray[Scalar] = POOL.take_array(first.size + second.size, first.dtype)
    joined[: first.size] = first
    joined[first.size :] = second
    return joined
