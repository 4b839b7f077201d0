"""Time offsets of modules and channels: added to the times of events, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._channel_names import read_place
from pixie_pipe._jit import jit, read_only
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import EventsError
from pixie_pipe.kernels._merging import merged
from pixie_pipe.kernels._module_times import MODULES, module_number
from pixie_pipe.kernels._parts import Part
from pixie_pipe.kernels._tables import POOL
from pixie_pipe.kernels.time_order import reordering

if TYPE_CHECKING:
    from pixie_pipe.events import Events

Place = tuple[int, ...]
"""(crate, slot) of a module, or (crate, slot, channel)."""

_PS_PER_NS: Final = 1000
_CHANNELS: Final = 256
_LIMITS: Final = np.iinfo(np.int64)
_NEEDED: Final = ("crate", "slot", "channel", "time_ps")


class TimeOffsetError(PixiePipeError, ValueError):
    """Offsets that cannot be, or times that they would bring out of their range."""


class TimeOffsets:
    """What is added to the times of events, by module and by channel.

    The offset of an event is that of its module and that of its channel together;
    what is not named has none.

    Parameters
    ----------
    offsets_ps
        Offsets in ps by (crate, slot) and by (crate, slot, channel).

    Raises
    ------
    TimeOffsetError
        If a number is not from 0 to 255, or an offset is no whole number of ps, or
        out of the range of 64 bits.

    Examples
    --------
    >>> offsets = TimeOffsets.from_ns({"0/2": 12.5, "0/2/5": -3})
    >>> offsets.to_dict()
    {'0/2': 12500, '0/2/5': -3000}
    """

    def __init__(self, offsets_ps: Mapping[Place, int]) -> None:
        self._offsets = {
            _checked_place(place): _checked_offset(place, offset)
            for place, offset in sorted(offsets_ps.items())
        }
        modules = sorted({place[:2] for place in self._offsets})
        # Row 0 is for modules that are not named.
        self._row = np.zeros(MODULES, np.int32)
        self._table = np.zeros((1 + len(modules), _CHANNELS), np.int64)
        for row, (crate, slot) in enumerate(modules, 1):
            self._row[module_number(crate, slot)] = row
            own = self._offsets.get((crate, slot), 0)
            for channel in range(_CHANNELS):
                total = own + self._offsets.get((crate, slot, channel), 0)
                place = (crate, slot, channel)
                self._table[row, channel] = _checked_offset(place, total)

    @classmethod
    def from_ns(cls, offsets_ns: Mapping[str, Any]) -> Self:
        """Make offsets of what people write.

        Parameters
        ----------
        offsets_ns
            Offsets in ns by ``"crate/slot"`` and by ``"crate/slot/channel"``. Three
            decimals are exact; what is beyond is rounded to whole ps, a half to the
            even one.

        Raises
        ------
        TimeOffsetError
            If a name or a number cannot be read, or is out of range.
        """
        offsets: dict[Place, int] = {}
        for name, value in offsets_ns.items():
            place = _read_place(name)
            if place in offsets:
                raise TimeOffsetError(f"the offset of {_name(place)} stands twice")
            offsets[place] = _read_ns(name, value)
        return cls(offsets)

    def to_dict(self) -> dict[str, int]:
        """Return the offsets in ps, by the names that `from_ns` takes."""
        return {_name(place): offset for place, offset in self._offsets.items()}

    def __bool__(self) -> bool:
        return any(self._offsets.values())

    def __add__(self, other: TimeOffsets) -> TimeOffsets:
        """Return offsets that do what both do, one after the other."""
        places = {*self._offsets, *other._offsets}
        return TimeOffsets(
            {
                place: self._offsets.get(place, 0) + other._offsets.get(place, 0)
                for place in places
            }
        )

    @property
    def disorder_ps(self) -> int:
        """How much farther apart the events of one module can come to be, in ps.

        A window that was wide enough before must be so much wider.
        """
        spread = self._table.max(axis=1).astype(object) - self._table.min(axis=1)
        return int(max(spread))

    def shift(self, events: Events) -> Events:
        """Return the events with their offsets added to ``time_ps``.

        Parameters
        ----------
        events
            Events with crate, slot, channel and time, in any order.

        Returns
        -------
        Events
            A table that shares all other columns; without offsets, the same.

        Raises
        ------
        EventsError
            If a column is missing that is needed.
        TimeOffsetError
            If a time would leave the range of 64 bits.
        """
        if not self or not events:
            return events
        columns = {name: events[name] for name in events.columns}
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            raise EventsError(
                f"events without {', '.join(missing)} cannot be given time offsets; "
                f"columns: {', '.join(columns)}"
            )
        shifted = POOL.take_array(len(events), np.int64)
        crate, slot, channel, time_ps = (read_only(columns[name]) for name in _NEEDED)
        bad = _add_offsets(
            crate, slot, channel, time_ps, self._row, self._table, shifted
        )
        if bad >= 0:
            place = f"{crate[bad]}/{slot[bad]}/{channel[bad]}"
            raise TimeOffsetError(
                f"event {bad} of channel {place} has the time {time_ps[bad]} ps: with "
                f"its offset it leaves the range of 64 bits; give smaller offsets"
            )
        columns["time_ps"] = shifted
        return type(events)._trusted(columns, len(events))  # noqa: SLF001  # own package


def shift_and_sort(
    events: Events, offsets: TimeOffsets | Mapping[str, float] | None = None
) -> Events:
    """Add time offsets to events, and bring them into the order of their times.

    What the task SortEvents does to a stream, done to a table.

    Parameters
    ----------
    events
        Events of any modules, in any order.
    offsets
        What is added to their times; a mapping as for `TimeOffsets.from_ns`.

    Returns
    -------
    Events
        The events in order; equal times keep theirs.

    Raises
    ------
    EventsError
        If a column is missing that is needed.
    TimeOffsetError
        If the offsets cannot be read, or a time would leave the range of 64 bits.

    Examples
    --------
    >>> events = Events(
    ...     {"crate": [0, 0], "slot": [2, 3], "channel": [5, 5], "time_ps": [7, 8]}
    ... )
    >>> shift_and_sort(events, {"0/2": 0.005}).time_ps
    array([ 8, 12])
    """
    if offsets is not None and not isinstance(offsets, TimeOffsets):
        offsets = TimeOffsets.from_ns(offsets)
    shifted = events if offsets is None else offsets.shift(events)
    if "time_ps" not in shifted.columns:
        raise EventsError(
            f"events without time_ps cannot be sorted; columns: "
            f"{', '.join(shifted.columns) or 'none'}"
        )
    rows = reordering(shifted.time_ps)
    if rows is None:
        return shifted
    return merged([Part(shifted, rows, shifted.time_ps[rows], shifted.nbytes)])


def _checked_place(place: Place) -> Place:
    if len(place) not in (2, 3) or not all(0 <= number <= 255 for number in place):
        raise TimeOffsetError(
            f"a time offset is for {place}, expected (crate, slot) or (crate, slot, "
            f"channel), numbers from 0 to 255"
        )
    return place


def _checked_offset(place: Place, offset: int) -> int:
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer):
        raise TimeOffsetError(
            f"the time offset of {_name(place)} is {offset!r}, expected whole ps"
        )
    if not _LIMITS.min <= offset <= _LIMITS.max:
        raise TimeOffsetError(
            f"the time offset of {_name(place)} is {offset} ps, expected a number of "
            f"64 bits, which is less than 107 days"
        )
    return int(offset)


def _read_place(name: object) -> Place:
    place = read_place(name) if isinstance(name, str) else None
    if place is None or len(place) > 3:
        raise TimeOffsetError(
            f"a time offset is for {name!r}, expected crate/slot or "
            f"crate/slot/channel, such as 0/2 or 0/2/5, numbers from 0 to 255"
        )
    return place


def _read_ns(name: str, value: object) -> int:
    """Return a number of ns as whole ps; decimals as they are written are exact."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise TypeError
        ps = Decimal(str(value)) * _PS_PER_NS
        return int(ps.to_integral_value())
    except (TypeError, ValueError, OverflowError, InvalidOperation):
        raise TimeOffsetError(
            f"the time offset of {name} is {value!r}, expected a number in ns"
        ) from None


def _name(place: Place) -> str:
    return "/".join(map(str, place))


@jit
def _add_offsets(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    time_ps: NDArray[np.int64],
    row_of_module: NDArray[np.int32],
    table: NDArray[np.int64],
    shifted: NDArray[np.int64],
) -> int:
    """Add the offsets; return the first event whose time left its range, or -1."""
    left = np.int64(0)
    for i in range(time_ps.size):
        row = row_of_module[np.int64(crate[i]) << 8 | np.int64(slot[i])]
        time, offset = time_ps[i], table[row, channel[i]]
        # Without signs, adding goes round; with them, compilers take it not to.
        total = np.int64(np.uint64(time) + np.uint64(offset))
        shifted[i] = total
        # Negative if two numbers of one sign gave one of the other.
        left |= (time ^ total) & (offset ^ total)
    if left < 0:
        for i in range(time_ps.size):
            row = row_of_module[np.int64(crate[i]) << 8 | np.int64(slot[i])]
            offset = table[row, channel[i]]
            if (time_ps[i] ^ shifted[i]) & (offset ^ shifted[i]) < 0:
                return i
    return -1
