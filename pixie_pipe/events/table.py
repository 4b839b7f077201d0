"""The table of events: one array per column, and ragged traces."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Self,
    SupportsIndex,
    TypeGuard,
    overload,
)

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events._channels import count_channels, matches
from pixie_pipe.events._columns import ColumnTable
from pixie_pipe.events._combine import joined_columns
from pixie_pipe.events._rows import row_number, row_numbers
from pixie_pipe.events._validate import RAGGED, EventsError, check_name, suggestion
from pixie_pipe.events.schema import (
    COLUMN,
    TRACE_OFFSETS,
    TRACE_SAMPLES,
    Block,
    columns_of,
)

if TYPE_CHECKING:
    import awkward as ak
    import pandas as pd
    import pyarrow as pa

__all__ = ["Events", "EventsError"]

PS_PER_SECOND = 10**12


class Events(ColumnTable):
    """List-mode events as columns: NumPy arrays, and ragged traces.

    Columns are attributes (``events.time_ps``) and items
    (``events["time_ps"]``); both hand out the stored arrays, not copies. Which
    columns there are depends on the data and on what was kept. Slicing gives
    views, masks and arrays of integers give copies; traces follow their events.

    Parameters
    ----------
    columns
        Arrays by column name, any subset of the schema, each of shape
        (events,); ``qdc`` of shape (events, 8); ``trace_offsets`` of shape
        (events + 1,) together with ``trace_samples``. C-contiguous arrays of
        the right type are kept without copying. ``trace_length`` is derived
        from the offsets if it is not given.

    Raises
    ------
    EventsError
        If a name is unknown, a type or shape does not fit, lengths differ, or
        the offsets do not describe the samples.

    Notes
    -----
    The set of columns and the number of events are fixed; `with_columns` and
    `without` make new tables that share the other columns. There is no object
    per event, and therefore no iteration over events: compute on columns.

    Examples
    --------
    >>> events = Events({"channel": [3, 5], "time_ps": [1_000, 41_000]})
    >>> events.time_ps
    array([ 1000, 41000])
    >>> len(events[events.channel == 5])
    1
    """

    __slots__ = ()

    # Makes iter() and ``in`` raise TypeError instead of trying events[0], ...
    __iter__: ClassVar[None] = None

    @classmethod
    def empty(cls, blocks: Iterable[Block | str] = ()) -> Self:
        """Return a table of zero events.

        Parameters
        ----------
        blocks
            Optional blocks to have beside the core block.

        Returns
        -------
        Events
            Zero events with all columns of these blocks.

        Raises
        ------
        EventsError
            If there is no block of that name.
        """
        wanted = {Block.CORE, *map(_block, blocks)}
        columns: dict[str, NDArray[Any]] = {
            column.name: np.empty(column.shape(0), column.dtype)
            for block in wanted
            for column in columns_of(block)
        }
        if Block.TRACE in wanted:
            columns[TRACE_OFFSETS.name] = np.zeros(1, TRACE_OFFSETS.dtype)
            columns[TRACE_SAMPLES.name] = np.empty(0, TRACE_SAMPLES.dtype)
        return cls._trusted(columns, 0)

    @classmethod
    def concatenate(cls, parts: Iterable[Events]) -> Events:
        """Join tables one behind the other.

        Parameters
        ----------
        parts
            Tables in the order of their rows. Optional blocks may differ.

        Returns
        -------
        Events
            All rows, with the union of the optional blocks. Rows of a part
            without a block are zero there, and the validity of the block is
            False; those of a part without a derived column have its fill, NaN
            for floats. A single part is returned unchanged, none gives `empty`.

        Raises
        ------
        EventsError
            If a part lacks a core column that others have, has only some of the
            columns of a block that others have, or lacks a block while the
            column that tells the block's validity was not kept.
        """
        tables = list(parts)
        if not tables:
            return cls.empty()
        if len(tables) == 1:
            return tables[0]
        return cls._trusted(joined_columns(tables), sum(map(len, tables)))

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Events:
        """Make a table from what `to_arrow` made.

        Parameters
        ----------
        table : pyarrow.Table
            Columns as `to_arrow` names them.

        Returns
        -------
        Events
            The events, exactly as they were.

        Raises
        ------
        EventsError
            If a column is unknown, has nulls, or has another type.
        """
        from pixie_pipe.events import convert

        return convert.from_arrow(table)

    # Rows

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return self._count > 0

    @overload
    def __getitem__(self, key: str) -> NDArray[Any]: ...

    @overload
    def __getitem__(
        self,
        key: SupportsIndex
        | slice
        | Sequence[int]
        | NDArray[np.bool_]
        | NDArray[np.integer[Any]],
    ) -> Self: ...

    def __getitem__(self, key: Any) -> NDArray[Any] | Self:
        """Return a column by its name, or the events that an index means.

        Parameters
        ----------
        key
            Name of a column; or a slice (views of the columns if its step is
            1); or a mask of shape (events,), or integers (copies); or one
            integer (a table of one event).

        Returns
        -------
        ndarray or Events
            The stored column, or a table of the chosen events.

        Raises
        ------
        KeyError
            If there is no such column.
        IndexError
            If an event is out of range, or the mask has another length.
        TypeError
            If the key is none of these.
        """
        if isinstance(key, str):
            if key not in self._columns:
                raise KeyError(self._absence(key))
            return self._columns[key]
        if isinstance(key, slice):
            start, stop, step = key.indices(self._count)
            if step == 1:
                return self._range(start, max(start, stop))
            return self._take(np.arange(start, stop, step))
        if _is_integer(key):
            row = row_number(key, self._count)
            return self._range(row, row + 1)
        return self._take(row_numbers(key, self._count))

    def _range(self, start: int, stop: int) -> Self:
        columns = {
            name: array[start:stop]
            for name, array in self._columns.items()
            if name not in RAGGED
        }
        if TRACE_OFFSETS.name in self._columns:
            offsets = self.trace_offsets[start : stop + 1]
            first, last = offsets[0], offsets[-1]
            columns[TRACE_OFFSETS.name] = offsets - first if first else offsets
            columns[TRACE_SAMPLES.name] = self.trace_samples[first:last]
        return self._trusted(columns, stop - start)

    def _take(self, rows: NDArray[np.intp]) -> Self:
        columns = {
            name: array.take(rows, axis=0)
            for name, array in self._columns.items()
            if name not in RAGGED
        }
        if TRACE_OFFSETS.name in self._columns:
            # Numba is imported only here, where there are traces to copy.
            from pixie_pipe.events._ragged import gather_traces

            columns[TRACE_OFFSETS.name], columns[TRACE_SAMPLES.name] = gather_traces(
                self.trace_offsets, self.trace_samples, rows
            )
        return self._trusted(columns, rows.size)

    def select(
        self,
        *,
        crate: SupportsIndex | Iterable[SupportsIndex] | None = None,
        slot: SupportsIndex | Iterable[SupportsIndex] | None = None,
        channel: SupportsIndex | Iterable[SupportsIndex] | None = None,
    ) -> Self:
        """Return the events of some crates, slots and channels.

        Parameters
        ----------
        crate, slot, channel
            One number or several; None means all. An event must match all three.

        Returns
        -------
        Events
            A copy of the events that match, in their order; without criteria,
            this table.

        Raises
        ------
        EventsError
            If a number is not from 0 to 255, or the column is not there.
        """
        criteria = {"crate": crate, "slot": slot, "channel": channel}
        masks = [
            matches(name, self._needed(name), wanted)
            for name, wanted in criteria.items()
            if wanted is not None
        ]
        if not masks:
            return self
        return self._take(np.flatnonzero(np.logical_and.reduce(masks)))

    def sort(self, by: str = "time_ps") -> Self:
        """Return the events in the order of a column, whole rows with traces.

        Parameters
        ----------
        by
            Column with one value per event.

        Returns
        -------
        Events
            A sorted copy; equal values keep their order. Events that are in
            order already are returned as they are.

        Raises
        ------
        EventsError
            If there is no such column, or it has no order.
        """
        check_name(by, COLUMN)
        keys = self._needed(by)
        if by in RAGGED or keys.ndim > 1:
            raise EventsError(
                f"cannot sort by {by!r}, expected a column with one value per event"
            )
        if bool((keys[1:] >= keys[:-1]).all()):
            return self
        return self._take(np.argsort(keys, kind="stable"))

    def trace(self, i: SupportsIndex) -> NDArray[np.uint16]:
        """Return the trace of one event.

        Parameters
        ----------
        i
            Number of the event; negative ones count from the end.

        Returns
        -------
        ndarray of uint16
            View of its samples in ADC units; empty if it carried no trace.

        Raises
        ------
        EventsError
            If these events have no traces.
        IndexError
            If there is no such event.
        """
        offsets = self._needed(TRACE_OFFSETS.name)
        row = row_number(i, self._count)
        return self.trace_samples[offsets[row] : offsets[row + 1]]

    def equals(self, other: Events) -> bool:
        """Tell whether both tables have the same columns with the same values.

        Parameters
        ----------
        other
            The table to compare with.

        Returns
        -------
        bool
            True if everything is equal. Floats are compared by their bits: NaN
            equals NaN of the same bits, and 0.0 differs from -0.0.
        """
        return (
            len(self) == len(other)
            and self.columns == other.columns
            and all(
                np.array_equal(_bits(array), _bits(other[name]))
                for name, array in self._columns.items()
            )
        )

    # Physics at a glance

    @property
    def cfd_valid(self) -> NDArray[np.bool_]:
        """Whether the CFD is on and has found its crossing, shape (events,).

        Raises
        ------
        EventsError
            If the CFD columns are not there.
        """
        is_on = (self._needed("cfd_fraction") != 0) | (self._needed("cfd_source") != 0)
        valid: NDArray[np.bool_] = is_on & ~self._needed("cfd_forced")
        return valid

    @property
    def span_ps(self) -> int:
        """Time from the earliest to the latest event in ps; 0 without events.

        Raises
        ------
        EventsError
            If the column ``time_ps`` is not there.
        """
        time_ps = self._needed("time_ps")
        return int(time_ps.max()) - int(time_ps.min()) if self else 0

    @property
    def rate_hz(self) -> float:
        """Mean rate of events over their span in Hz; NaN if the span is 0.

        Raises
        ------
        EventsError
            If the column ``time_ps`` is not there.
        """
        span_ps = self.span_ps
        return (self._count - 1) * PS_PER_SECOND / span_ps if span_ps else math.nan

    def channels(self) -> NDArray[np.void]:
        """Count the events of each channel.

        Returns
        -------
        ndarray
            One row per channel with the fields ``crate``, ``slot``, ``channel``
            (u1) and ``count`` (i8), sorted by the three identifiers.

        Raises
        ------
        EventsError
            If one of the three columns is not there.
        """
        return count_channels(
            self._needed("crate"), self._needed("slot"), self._needed("channel")
        )

    # Other forms

    def __repr__(self) -> str:
        from pixie_pipe.events import display

        return display.text(self)

    def _repr_html_(self) -> str:
        from pixie_pipe.events import display

        return display.html(self)

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas DataFrame; see `pixie_pipe.events.convert.to_pandas`."""
        from pixie_pipe.events import convert

        return convert.to_pandas(self)

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table; see `pixie_pipe.events.convert.to_arrow`."""
        from pixie_pipe.events import convert

        return convert.to_arrow(self)

    def to_awkward(self) -> ak.Array:
        """Return an Awkward array; see `pixie_pipe.events.convert.to_awkward`."""
        from pixie_pipe.events import convert

        return convert.to_awkward(self)


def _block(name: Block | str) -> Block:
    try:
        return Block(name)
    except ValueError:
        raise EventsError(
            f"unknown block {name!r}{suggestion(name, Block)}; "
            f"known are: {', '.join(Block)}"
        ) from None


def _is_integer(key: object) -> TypeGuard[SupportsIndex]:
    # True is an integer to Python, but hardly meant as an event number.
    if isinstance(key, bool) or not isinstance(key, SupportsIndex):
        return False
    try:
        operator.index(key)
    except TypeError:  # an array of several values, or of floats
        return False
    return True


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "f" else array
