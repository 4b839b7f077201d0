"""Events of a file as a table that is read when it is asked for, and no more of it."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, overload

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import COLUMN, Block, Events
from pixie_pipe.events.schema import TRACE_SAMPLES
from pixie_pipe.storage import _row_ranges
from pixie_pipe.storage.reader import EventReadError, open_reader
from pixie_pipe.storage.time_index import (
    STRETCH_ROWS,
    UNITS,
    TimeIndexBuilder,
    TimeUnit,
    picoseconds,
)
from pixie_pipe.storage.writer import with_traces

if TYPE_CHECKING:
    from typing import SupportsIndex

    from pixie_pipe.storage.provenance import Provenance
    from pixie_pipe.storage.raw import PathLike
    from pixie_pipe.storage.reader import EventReader

BATCH_ROWS: Final = 1 << 17
BATCH_BYTES: Final = 64 << 20

# Rows between two ranges that are rather read and left out than skipped: reading costs
# some 0.1 ms a column, whatever its size.
_WIDEST_GAP: Final = 4096


class EventTable:
    """Events that stay in their file until they are asked for.

    ``len(table)``, ``table.columns``; ``table[10:20]`` and ``table[7]`` are `Events`,
    ``table["energy"]`` is a whole column, and ``table[["energy", "time_ps"]]`` a table
    with fewer columns. Rows are in the order of the file.

    Parameters
    ----------
    reader
        Reads the rows. The table closes it.

    See Also
    --------
    open_events : makes one from a file.
    """

    # Makes iter() and ``in`` raise TypeError instead of reading event after event.
    __iter__: ClassVar[None] = None

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self._columns: tuple[str, ...] | None = None
        self._ranges: NDArray[np.int64] | None = None
        self._index: list[NDArray[np.void]] = []

    def _like(
        self,
        columns: tuple[str, ...] | None = None,
        ranges: NDArray[np.int64] | None = None,
    ) -> EventTable:
        """Return a table of the same file with other columns or rows."""
        table = EventTable(self._reader)
        table._columns = self._columns if columns is None else columns
        table._ranges = self._ranges if ranges is None else ranges
        # Shared: whoever makes the index first makes it for all.
        table._index = self._index
        return table

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read afterwards."""
        self._reader.close()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the schema."""
        return self._reader.columns if self._columns is None else self._columns

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks of which at least one column is there."""
        present = {COLUMN[name].block for name in self.columns}
        return tuple(block for block in Block if block in present)

    @property
    def name(self) -> str:
        """What the events are read from."""
        return self._reader.name

    @property
    def size(self) -> int:
        """Size of what they are read from in bytes."""
        return self._reader.size

    @property
    def provenance(self) -> Provenance:
        """Where the events come from."""
        return self._reader.provenance

    def __len__(self) -> int:
        if self._ranges is None:
            return len(self._reader)
        return _row_ranges.count(self._ranges)

    def __bool__(self) -> bool:
        return len(self) > 0

    @overload
    def __getitem__(self, key: str) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: SupportsIndex | slice) -> Events: ...

    @overload
    def __getitem__(self, key: list[str] | tuple[str, ...]) -> EventTable: ...

    def __getitem__(self, key: Any) -> Any:
        """Read what an index means.

        Parameters
        ----------
        key
            A slice, or the number of one event; the name of a column; or names of
            several columns.

        Returns
        -------
        Events, ndarray or EventTable
            The events; the column, whole; a table with these columns.

        Raises
        ------
        EventReadError
            If there is no such column.
        IndexError
            If there is no such event.
        TypeError
            If the key is none of these.
        """
        if isinstance(key, str):
            self._check_columns([key])
            return self._read(0, len(self), (key,))[key]
        if isinstance(key, slice):
            first, behind, step = key.indices(len(self))
            if step == 1:
                return self._read(first, max(first, behind), self.columns)
            # The rows that are meant, and those between them.
            wanted = range(first, behind, step)
            if not wanted:
                return self._read(0, 0, self.columns)
            low = min(wanted[0], wanted[-1])
            read = self._read(low, max(wanted[0], wanted[-1]) + 1, self.columns)
            return read[np.arange(first, behind, step) - low]
        if isinstance(key, (list, tuple)) and all(isinstance(k, str) for k in key):
            return self.keep(*key)
        row = operator.index(key)
        if not -len(self) <= row < len(self):
            raise IndexError(
                f"event {row} is out of range: there are {len(self)} events"
            )
        row %= len(self)
        return self._read(row, row + 1, self.columns)

    def keep(self, *columns: str) -> EventTable:
        """Return a table with none but some columns; the others are never read.

        Parameters
        ----------
        *columns
            Their names. ``trace_offsets`` and ``trace_samples`` come together, and with
            ``trace_length``.

        Raises
        ------
        EventReadError
            If there is no such column, or none was named.
        """
        self._check_columns(columns)
        asked = with_traces(columns)
        return self._like(tuple(name for name in self.columns if name in asked))

    def between(
        self,
        start: float | None = None,
        stop: float | None = None,
        *,
        unit: TimeUnit = "s",
    ) -> EventTable:
        """Return the events of a range of time, still in the order of the file.

        Exact in any file: late events are found wherever they are, and rows need not be
        sorted at all. Files of pixie_pipe tell the limits of time of each 131 072 rows;
        others, and raw files, are read through once for that. Only ``time_ps`` of the
        rows at the limits is read now.

        Parameters
        ----------
        start, stop
            Limits of ``time_ps``, which counts from the reset of the modules' clocks;
            the latter is not inside. None is no limit. In ps, integers are exact.
        unit
            Of the limits: ``"s"``, ``"ms"``, ``"us"``, ``"ns"`` or ``"ps"``.

        Raises
        ------
        EventReadError
            If the unit is unknown, or there is no column ``time_ps``.
        """
        if unit not in UNITS:
            raise EventReadError(
                f"the unit {unit!r} is unknown, expected {', '.join(UNITS)}"
            )
        limits = np.iinfo(np.int64)
        first = limits.min if start is None else picoseconds(start, unit)
        behind = limits.max + 1 if stop is None else picoseconds(stop, unit)
        parts = []
        for row, rows, earliest, latest in self._stretches().tolist():
            if latest < first or earliest >= behind:
                continue
            if earliest >= first and latest < behind:
                parts.append(_row_ranges.whole(rows) + row)
                continue
            time_ps = self._reader.read(row, row + rows, ("time_ps",)).time_ps
            is_inside = time_ps >= max(first, limits.min)
            is_inside &= time_ps <= min(behind - 1, limits.max)
            parts.append(_row_ranges.of_mask(is_inside, row))
        ranges = _row_ranges.joined(parts)
        if self._ranges is not None:
            ranges = _row_ranges.common(self._ranges, ranges)
        return self._like(ranges=ranges)

    def batches(
        self, rows: int = BATCH_ROWS, *, most_bytes: int = BATCH_BYTES
    ) -> Iterator[Events]:
        """Read the events batch after batch, in memory that does not grow.

        Parameters
        ----------
        rows
            Most events of a batch.
        most_bytes
            Most bytes of a batch, unless a single event has more.

        Yields
        ------
        Events
            Never empty.
        """
        if rows < 1:
            raise EventReadError(f"batches of {rows} rows are none, expected 1 or more")
        columns = self.columns
        row_bytes = sum(
            COLUMN[name].width * COLUMN[name].dtype.itemsize
            for name in columns
            if name != TRACE_SAMPLES.name
        )
        rows = max(1, min(rows, most_bytes // max(row_bytes, 1)))
        for first in range(0, len(self), rows):
            behind = min(first + rows, len(self))
            for begin, end in self._cuts(first, behind, row_bytes, most_bytes):
                yield self._read(begin, end, columns)

    def select(
        self,
        *,
        crate: int | Iterable[int] | None = None,
        slot: int | Iterable[int] | None = None,
        channel: int | Iterable[int] | None = None,
    ) -> Events:
        """Read the events of some crates, slots and channels; as `Events.select`."""
        criteria = {"crate": crate, "slot": slot, "channel": channel}
        asked = {
            name: wanted if isinstance(wanted, int) else tuple(wanted)
            for name, wanted in criteria.items()
            if wanted is not None
        }
        self._check_columns(asked, self._reader.columns)
        more = [name for name in asked if name not in self.columns]
        with_identifiers = {*self.columns, *more}
        columns = tuple(name for name in COLUMN if name in with_identifiers)
        found = [
            batch.select(**asked).without(*more)
            for batch in self._like(columns).batches()
        ]
        return Events.concatenate(found) if found else self[:0]

    def read(self) -> Events:
        """Read all events into memory."""
        return self[:]

    def time_limits_ps(self) -> tuple[int, int] | None:
        """Return the earliest and latest time of the whole file in ps, None if empty.

        A file that does not tell them is read through once.

        Raises
        ------
        EventReadError
            If there is no column ``time_ps``.
        """
        index = self._stretches()
        if len(index) == 0:
            return None
        return int(index["min_ps"].min()), int(index["max_ps"].max())

    @property
    def known_span_ps(self) -> int | None:
        """Time from the earliest to the latest event, if that is known by now."""
        if self._ranges is not None or "time_ps" not in self._reader.columns:
            return None
        if not self._index and self._reader.time_index is None:
            return None
        limits = self.time_limits_ps()
        return None if limits is None else limits[1] - limits[0]

    def __repr__(self) -> str:
        from pixie_pipe.storage import event_display

        return event_display.text(self)

    def _repr_html_(self) -> str:
        from pixie_pipe.storage import event_display

        return event_display.html(self)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.columns)

    def _check_columns(
        self, names: Iterable[str], known: Sequence[str] | None = None
    ) -> None:
        known = self.columns if known is None else known
        asked = list(names)
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise EventReadError(
                f"{self.name}: has no column {', '.join(map(repr, unknown))}; columns: "
                f"{', '.join(known)}"
            )

    def _stretches(self) -> NDArray[np.void]:
        """Return the limits of time of the file; find them if it does not tell."""
        self._check_columns(["time_ps"], self._reader.columns)
        if not self._index:
            index = self._reader.time_index
            if index is None:
                builder = TimeIndexBuilder()
                for first in range(0, len(self._reader), STRETCH_ROWS):
                    behind = min(first + STRETCH_ROWS, len(self._reader))
                    part = self._reader.read(first, behind, ("time_ps",))
                    builder.add(part.time_ps)
                index = builder.finish()
            self._index.append(index)
        return self._index[0]

    def _cuts(
        self, first: int, behind: int, row_bytes: int, most_bytes: int
    ) -> Iterator[tuple[int, int]]:
        """Cut rows so that their traces fit into memory."""
        if TRACE_SAMPLES.name not in self.columns:
            yield first, behind
            return
        lengths = self._read(first, behind, ("trace_length",)).trace_length
        sizes = lengths.astype(np.int64) * TRACE_SAMPLES.dtype.itemsize + row_bytes
        ends = np.cumsum(sizes)
        begin = 0
        while begin < len(ends):
            before = ends[begin] - sizes[begin]
            end = int(np.searchsorted(ends, before + most_bytes, side="right"))
            end = max(end, begin + 1)
            yield first + begin, first + end
            begin = end

    def _read(self, first: int, behind: int, columns: Sequence[str]) -> Events:
        if self._ranges is None:
            return self._reader.read(first, behind, columns)
        wanted = _row_ranges.rows(self._ranges, first, behind)
        if len(wanted) == 0:
            return self._reader.read(0, 0, columns)
        parts = []
        for group in _row_ranges.grouped(wanted, _WIDEST_GAP):
            start, end = int(group[0, 0]), int(group[-1, 1])
            events = self._reader.read(start, end, columns)
            if len(group) > 1:
                rows = [np.arange(*pair) for pair in (group - start).tolist()]
                events = events[np.concatenate(rows)]
            parts.append(events)
        return Events.concatenate(parts)


def open_events(path: PathLike) -> EventTable:
    """Open a file of events: HDF5, LH5, Parquet, ROOT or CSV, by its ending.

    Parameters
    ----------
    path
        A file that pixie_pipe made.

    Returns
    -------
    EventTable
        A context manager that closes the file.

    Raises
    ------
    EventReadError
        If the ending is that of no format.
    PixiePipeError
        If the file is none of events.
    MissingExtraError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> with open_events("runs/0042/events.h5") as events:  # doctest: +SKIP
    ...     energy = events.between(10, 20)["energy"]
    """
    return EventTable(open_reader(path))
