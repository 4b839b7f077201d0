"""Coincidences beside the table of their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe._units import format_count
from pixie_pipe.coincidences.channels import ChannelChoice, choose_channels
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels._building_order import Delays
from pixie_pipe.kernels.channel_table import ChannelTable, channel_keys

if TYPE_CHECKING:
    import awkward as ak
    import pandas as pd

Integers = NDArray[np.int64]

_NEEDED = ("crate", "slot", "channel")


class Coincidences:
    """Groups of events of one table, which stays as it is.

    The members of a coincidence are in the order in which it was built: that of their
    times with delays. Where these are neighbours in the table, a first row and a
    multiplicity tell them; else (delays, late events between them), an array of rows.

    Parameters
    ----------
    all_events
        The table.
    first
        Row of the first member of each coincidence, or its place in `members`, shape
        (coincidences,).
    multiplicity
        Number of members, shape (coincidences,).
    reference
        Row of the event from which times count, shape (coincidences,).
    members
        Rows of members; None if members are neighbours in the table.
    times_ps
        Times with delays of all events in ps; None: ``all_events.time_ps``.
    numbers
        Number of each coincidence in its run; by default from 1 on.

    Notes
    -----
    Slices, masks and arrays of integers choose coincidences; an integer gives one.
    """

    __slots__ = (
        "_times",
        "all_events",
        "first",
        "members",
        "multiplicity",
        "numbers",
        "reference",
    )

    def __init__(
        self,
        all_events: Events,
        first: Integers,
        multiplicity: Integers,
        reference: Integers,
        *,
        members: Integers | None = None,
        times_ps: Integers | None = None,
        numbers: Integers | None = None,
    ) -> None:
        self.all_events = all_events
        self.first = first
        self.multiplicity = multiplicity
        self.reference = reference
        self.members = members
        self._times = times_ps
        self.numbers = np.arange(1, first.size + 1) if numbers is None else numbers

    @classmethod
    def from_events(
        cls, events: Events, *, delays_ns: Mapping[str, float] | None = None
    ) -> Self:
        """Return the coincidences that the columns of events tell.

        Parameters
        ----------
        events
            With the column ``coincidence``, as the task `BuildCoincidences` sends them
            and files have them, all of them or some, in any order.
        delays_ns
            The delays with which they were built, by channel in ns. They are in no
            column.

        Returns
        -------
        Coincidences
            The same as were built, of those whose events are there. Without the column
            ``coincidence_reference``, the first member is the reference.

        Raises
        ------
        EventsError
            If the column ``coincidence`` is missing.
        """
        if "coincidence" not in events.columns:
            raise EventsError(
                "events without the column 'coincidence' tell no coincidences; build "
                "them with build_coincidences(events, ...)"
            )
        times = _delayed(events, delays_ns)
        rows = np.flatnonzero(events.coincidence > 0)
        numbers = events.coincidence[rows]
        order = np.lexsort((rows, _times_of(events, times)[rows], numbers))
        rows, numbers = rows[order], numbers[order]
        begins = np.flatnonzero(np.diff(numbers, prepend=0))
        counts = np.diff(np.append(begins, rows.size))
        reference = rows[begins]
        if "coincidence_reference" in events.columns:
            named = np.flatnonzero(events.coincidence_reference[rows])[::-1]
            reference[np.searchsorted(begins, named, side="right") - 1] = rows[named]
        inside = np.ones(rows.size, np.bool_)
        inside[begins] = False
        are_neighbours = bool((np.diff(rows, prepend=-2)[inside] == 1).all())
        return cls(
            events,
            rows[begins] if are_neighbours else begins,
            counts,
            reference,
            members=None if are_neighbours else rows,
            times_ps=times,
            numbers=numbers[begins],
        )

    def __len__(self) -> int:
        return int(self.first.size)

    def __getitem__(
        self,
        key: SupportsIndex
        | slice
        | Sequence[int]
        | NDArray[np.bool_]
        | NDArray[np.integer[Any]],
    ) -> Self:
        """Return some of the coincidences, of the same events."""
        rows: Any = slice(None)
        if isinstance(key, slice):
            rows = key
        elif isinstance(key, SupportsIndex) and not np.ndim(key):  # type: ignore[arg-type]
            number = _position(key, len(self))
            rows = slice(number, number + 1)
        else:
            rows = np.asarray(key)
            if rows.size == 0 and rows.dtype.kind == "f":
                rows = rows.astype(np.intp)
        return type(self)(
            self.all_events,
            self.first[rows],
            self.multiplicity[rows],
            self.reference[rows],
            members=self.members,
            times_ps=self._times,
            numbers=self.numbers[rows],
        )

    # Members, one coincidence behind the other

    @property
    def offsets(self) -> Integers:
        """Where members begin and end in `rows` and `dt_ps`, shape (len + 1,)."""
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(self.multiplicity, out=offsets[1:])
        return offsets

    @property
    def rows(self) -> Integers:
        """Rows of the members of all coincidences, shape (members,)."""
        offsets = self.offsets
        places = np.repeat(self.first - offsets[:-1], self.multiplicity)
        places += np.arange(offsets[-1])
        return places if self.members is None else self.members[places]

    @property
    def times_ps(self) -> Integers:
        """Times of all events of the table in ps, with the delays of building."""
        return _times_of(self.all_events, self._times)

    @property
    def dt_ps(self) -> Integers:
        """Time of each member less that of its reference in ps, shape (members,)."""
        times = self.times_ps
        return times[self.rows] - np.repeat(times[self.reference], self.multiplicity)

    @property
    def span_ps(self) -> Integers:
        """Time from the first to the last member in ps, shape (len,)."""
        ends = self.first + self.multiplicity - 1
        first, last = self.first, ends
        if self.members is not None:
            first, last = self.members[first], self.members[last]
        times = self.times_ps
        span: Integers = times[last] - times[first]
        return span

    @property
    def channel_multiplicity(self) -> Integers:
        """Number of channels that have an event, shape (len,)."""
        keys = np.empty(self.rows.size, np.uint64)
        channel_keys(self.member_columns(*_NEEDED), keys)
        group = np.repeat(np.arange(len(self)), self.multiplicity)
        order = np.lexsort((keys, group))
        keys, group = keys[order], group[order]
        is_new = np.ones(keys.size, np.bool_)
        is_new[1:] = (keys[1:] != keys[:-1]) | (group[1:] != group[:-1])
        return np.bincount(group[is_new], minlength=len(self)).astype(np.int64)

    def member_columns(self, *names: str) -> Events:
        """Return copies of some columns of the members, in the order of `rows`.

        Raises
        ------
        EventsError
            If the table has no such column.
        """
        missing = [name for name in names if name not in self.all_events.columns]
        if missing:
            raise EventsError(
                f"the events of these coincidences have no column "
                f"{', '.join(map(repr, missing))}; columns: "
                f"{', '.join(self.all_events.columns)}"
            )
        rows = self.rows
        return Events({name: self.all_events[name][rows] for name in names})

    def has(self, channels: ChannelChoice) -> NDArray[np.bool_]:
        """Tell which coincidences have an event of some channels, shape (len,).

        Parameters
        ----------
        channels
            One channel or several, such as ``"0/2/5"``.

        Raises
        ------
        ChannelError
            If it is no channel.
        """
        table = ChannelTable(np.uint64)
        table.mark(choose_channels(channels), 1)
        found = np.zeros(self.rows.size, np.uint64)
        table.look_up(self.member_columns(*_NEEDED), found)
        group = np.repeat(np.arange(len(self)), self.multiplicity)
        counts = np.bincount(group[found > 0], minlength=len(self))
        return counts > 0

    def events(self, i: SupportsIndex) -> Events:
        """Return the members of one coincidence.

        Parameters
        ----------
        i
            Number of the coincidence among these; negative ones count from the end.

        Returns
        -------
        Events
            Views of the table where members are neighbours, else copies.

        Raises
        ------
        IndexError
            If there is no such coincidence.
        """
        k = _position(i, len(self))
        start = int(self.first[k])
        behind = start + int(self.multiplicity[k])
        if self.members is None:
            return self.all_events[start:behind]
        return self.all_events[self.members[start:behind]]

    # Other forms

    def __repr__(self) -> str:
        count, total = len(self), format_count(len(self.all_events))
        text = f"{format_count(count)} of {total} events"
        if count:
            least, most = int(self.multiplicity.min()), int(self.multiplicity.max())
            sizes = f"{least}" if least == most else f"{least} to {most}"
            text += f"; {sizes} event{'' if most == 1 else 's'} each"
        return f"<Coincidences: {text}>"

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row for each member.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``coincidence`` (its number) and ``member`` (from 0); columns of
            the events and ``dt_ps``.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        pandas = optional_import("pandas", "pandas")
        members = self.all_events[self.rows].without("coincidence")
        frame = members.to_pandas()
        frame["dt_ps"] = self.dt_ps
        numbers = np.repeat(self.numbers, self.multiplicity)
        place = np.arange(numbers.size)
        place -= np.repeat(self.offsets[:-1], self.multiplicity)
        frame.index = pandas.MultiIndex.from_arrays(
            [numbers, place], names=["coincidence", "member"]
        )
        return frame

    def to_awkward(self) -> ak.Array:
        """Return an Awkward array with one record for each coincidence.

        Returns
        -------
        awkward.Array
            Fields ``number``, ``multiplicity``, ``span_ps`` and ``events``: lists of
            the members, with the columns of the events and ``dt_ps``.

        Raises
        ------
        MissingExtraError
            If Awkward Array is not installed.
        """
        awkward = optional_import("awkward", "awkward")
        contents = awkward.contents
        members = self.all_events[self.rows].without("coincidence").to_awkward()
        members = awkward.with_field(members, self.dt_ps, "dt_ps")
        fields = {
            "number": contents.NumpyArray(self.numbers),
            "multiplicity": contents.NumpyArray(self.multiplicity),
            "span_ps": contents.NumpyArray(self.span_ps),
            "events": contents.ListOffsetArray(
                awkward.index.Index64(self.offsets), members.layout
            ),
        }
        return awkward.Array(
            contents.RecordArray(list(fields.values()), list(fields), length=len(self))
        )


def _position(index: SupportsIndex, count: int) -> int:
    number = index.__index__()
    if not -count <= number < count:
        raise IndexError(
            f"coincidence {number} is out of range: there are {count} coincidences"
        )
    return number % count


def _times_of(events: Events, times: Integers | None) -> Integers:
    if times is not None:
        return times
    if "time_ps" not in events.columns:
        raise EventsError(
            f"the events have no column 'time_ps'; columns: {', '.join(events.columns)}"
        )
    return events.time_ps


def _delayed(events: Events, delays_ns: Mapping[str, float] | None) -> Integers | None:
    if not delays_ns:
        return None
    from pixie_pipe.coincidences.build import define_coincidences

    delays = Delays(define_coincidences(delays_ns=delays_ns))
    return delays.times(events)
