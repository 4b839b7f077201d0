"""Columns by name: the part of ``Events`` that does not look at rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Never, Self

from numpy.typing import ArrayLike, NDArray

from pixie_pipe.events._validate import (
    RAGGED,
    EventsError,
    check_columns,
    check_name,
    suggestion,
)
from pixie_pipe.events.schema import COLUMN, TRACE_OFFSETS, VALIDITY, Block

if TYPE_CHECKING:
    import numpy as np


class ColumnTable:
    """Columns of the schema as attributes and items, with one number of rows.

    The base of `Events`, which adds all that concerns rows.

    Parameters
    ----------
    columns
        Arrays by column name.

    Raises
    ------
    EventsError
        If the columns do not fit the schema or one another.
    """

    __slots__ = ("_columns", "_count", "_names")

    _columns: dict[str, NDArray[Any]]
    _count: int
    _names: tuple[str, ...]

    crate: NDArray[np.uint8]
    """Crate number."""
    slot: NDArray[np.uint8]
    """Slot of the module in its crate."""
    channel: NDArray[np.uint8]
    """Channel of the module."""
    energy: NDArray[np.uint16]
    """Energy from the slow filter, in ADC units."""
    timestamp: NDArray[np.uint64]
    """48-bit counter of the module's clock, in ticks."""
    time_ps: NDArray[np.int64]
    """Timestamp in ps, with the CFD correction where the CFD is valid."""
    cfd_fraction: NDArray[np.uint16]
    """CFD fractional time as in the header."""
    cfd_source: NDArray[np.uint8]
    """CFD trigger source bits as in the header."""
    cfd_forced: NDArray[np.bool_]
    """CFD was forced or failed: `time_ps` has no CFD correction."""
    pileup: NDArray[np.bool_]
    """Event is piled up (finish code)."""
    out_of_range: NDArray[np.bool_]
    """Trace left the ADC's range."""
    esum_valid: NDArray[np.bool_]
    """Event carried energy filter sums."""
    esum_trailing: NDArray[np.uint32]
    """Energy filter sum over the earliest samples, in ADC units."""
    esum_leading: NDArray[np.uint32]
    """Energy filter sum over the latest samples, in ADC units."""
    esum_gap: NDArray[np.uint32]
    """Energy filter sum over the gap between the two, in ADC units."""
    baseline: NDArray[np.float32]
    """Baseline of the energy filter, in ADC units."""
    qdc_valid: NDArray[np.bool_]
    """Event carried QDC sums."""
    qdc: NDArray[np.uint32]
    """The eight QDC sums, shape (events, 8), in ADC units."""
    external_timestamp_valid: NDArray[np.bool_]
    """Event carried an external timestamp."""
    external_timestamp: NDArray[np.uint64]
    """External timestamp, in ticks of the external clock."""
    late: NDArray[np.bool_]
    """Event came after later ones had been passed on: it is out of time order."""
    coincidence: NDArray[np.int64]
    """Number of the event's coincidence in the run, from 1; 0 if it is in none."""
    coincidence_reference: NDArray[np.bool_]
    """Times in the event's coincidence count from this event."""
    trace_length: NDArray[np.uint16]
    """Trace length that the header states, in samples."""
    trace_baseline: NDArray[np.float32]
    """Mean of the samples before the pulse, in ADC units."""
    trace_noise: NDArray[np.float32]
    """Standard deviation of the samples before the pulse, in ADC units."""
    trace_height: NDArray[np.float32]
    """Height of the pulse: its largest sample above the baseline, in ADC units."""
    trace_time_ns: NDArray[np.float64]
    """Time of the pulse by a CFD in ns, from the first sample of the trace."""
    trace_rise_ns: NDArray[np.float32]
    """Rise time of the pulse from 10 % to 90 % of its height, in ns."""
    trace_tau_ns: NDArray[np.float32]
    """Decay time of the pulse, in ns."""
    trace_pulses: NDArray[np.int16]
    """Pulses that the fast filter finds in the trace; -1 where it was not used."""
    trace_energy: NDArray[np.float32]
    """Energy by the energy filter over the trace, in ADC units, not rounded."""
    trace_charge: NDArray[np.float32]
    """Sum of the samples above the baseline in the long window, in ADC units."""
    trace_psd: NDArray[np.float32]
    """Part of `trace_charge` that is behind the short window."""
    trace_status: NDArray[np.uint8]
    """What kept values of the trace from being computed: bits of `TraceStatus`."""
    esum_energy: NDArray[np.float32]
    """Energy from the energy filter sums, in ADC units, not rounded."""
    energy_kev: NDArray[np.float32]
    """Calibrated energy in keV; NaN where the channel has no calibration."""
    wall_time_ns: NDArray[np.int64]
    """Time in ns since 1970-01-01 UTC; -2**63 where it is not known."""
    trace_offsets: NDArray[np.int64]
    """Where traces begin and end in `trace_samples`, shape (events + 1,)."""
    trace_samples: NDArray[np.uint16]
    """Samples of all traces, in ADC units."""

    def __init__(self, columns: Mapping[str, ArrayLike]) -> None:
        arrays, count = check_columns(columns)
        object.__setattr__(self, "_columns", arrays)
        object.__setattr__(self, "_count", count)

    @classmethod
    def _trusted(cls, columns: dict[str, NDArray[Any]], count: int) -> Self:
        """Make a table of columns that are known to be right, without checks.

        For the decoder and other code of this package that made the columns
        itself. The caller promises what ``Events(columns)`` would check: names,
        types, C order, `count` rows, and offsets that describe the samples,
        with ``trace_length`` beside them. The dict is kept, not copied.

        Parameters
        ----------
        columns
            Arrays by column name.
        count
            Number of events.

        Returns
        -------
        Events
            A table of these arrays.
        """
        events = cls.__new__(cls)
        object.__setattr__(events, "_columns", columns)
        object.__setattr__(events, "_count", count)
        return events

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns present, in the order of the schema."""
        try:
            return self._names
        except AttributeError:
            names = tuple(name for name in COLUMN if name in self._columns)
            object.__setattr__(self, "_names", names)
            return names

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks of which at least one column is present."""
        present = {COLUMN[name].block for name in self._columns}
        return tuple(block for block in Block if block in present)

    @property
    def nbytes(self) -> int:
        """Size of all columns in bytes."""
        return sum(array.nbytes for array in self._columns.values())

    if not TYPE_CHECKING:  # the annotations above tell type checkers more

        def __getattr__(self, name: str) -> NDArray[Any]:
            # Private names must fail plainly: copy and pickle look for some
            # before _columns exists.
            if not name.startswith("_"):
                array = self._columns.get(name)
                if array is not None:
                    return array
                message = self._absence(name)
            else:
                message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(
            f"columns of Events cannot be assigned; "
            f"make a new table with events.with_columns({name}=...)"
        )

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(
            f"columns of Events cannot be deleted; "
            f"make a new table with events.without({name!r})"
        )

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self._columns})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._trusted, (self._columns, self._count)

    def _absence(self, name: str) -> str:
        """Say that there is no column `name`, and which there are."""
        column = COLUMN.get(name)
        if column is None:
            known = [item for item in dir(self) if not item.startswith("_")]
            reason = f"Events have no {name!r}{suggestion(name, known)}"
        elif column.block in self.blocks:
            reason = f"these events have no column {name!r} (it was not kept)"
        else:
            reason = (
                f"these events have no column {name!r}: the data have no block "
                f"{column.block.value!r}, or it was not kept"
            )
        return f"{reason}; columns: {', '.join(self.columns) or 'none'}"

    def _needed(self, name: str) -> NDArray[Any]:
        """Return a column that an operation needs.

        Its absence is an EventsError, not an AttributeError: the latter, raised
        in a property, would make Python say that there is no such property.
        """
        array = self._columns.get(name)
        if array is None:
            raise EventsError(self._absence(name))
        return array

    def with_columns(self, **columns: ArrayLike) -> Self:
        """Return a table with columns replaced or added.

        Parameters
        ----------
        **columns
            Arrays by column name, as for ``Events(...)``. If ``trace_offsets``
            are given without ``trace_length``, that is derived anew.

        Returns
        -------
        Events
            A table that shares the other columns with this one.

        Raises
        ------
        EventsError
            As for ``Events(...)``.
        """
        merged: dict[str, ArrayLike] = {**self._columns, **columns}
        if TRACE_OFFSETS.name in columns and "trace_length" not in columns:
            merged.pop("trace_length", None)
        return type(self)(merged)

    def without(self, *names: Block | str) -> Self:
        """Return a table without some columns or blocks.

        Parameters
        ----------
        *names
            Blocks or columns; ``"qdc"`` means the block. Those that are not
            present are passed over. ``trace_offsets`` and ``trace_samples`` go
            together.

        Returns
        -------
        Events
            A table that shares the remaining columns with this one.

        Raises
        ------
        EventsError
            If there is no such block or column in the schema, or if
            ``trace_length`` would go while the traces stay.
        """
        dropped: set[str] = set()
        for name in names:
            check_name(name, [*Block, *COLUMN])
            if name in set(Block):
                dropped |= {key for key in COLUMN if COLUMN[key].block == name}
            else:
                dropped |= set(RAGGED) if name in RAGGED else {str(name)}
        kept = {key: self._columns[key] for key in self.columns if key not in dropped}
        if TRACE_OFFSETS.name in kept and VALIDITY[Block.TRACE] in dropped:
            raise EventsError(
                "traces need the column 'trace_length'; "
                "drop both with events.without('trace')"
            )
        return self._trusted(kept, self._count)
