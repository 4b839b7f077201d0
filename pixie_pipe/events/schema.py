"""The columns of ``Events``: names, types, units and descriptions, in one place.

The decoder, the files, the documentation and the plots all read this table.
A column belongs to a *block*. The ``core`` block is in every event; the other
blocks are there only when the data have them, and then a flag (``esum_valid``,
``qdc_valid``, ``external_timestamp_valid``; for traces a ``trace_length`` of
zero) tells for each event whether it carried the block. The block ``order`` is
nothing but such a flag, and comes from sorting, not from a module; the block
``coincidence`` comes from building coincidences, and there a number of zero means
that an event is in none.

*Derived* columns are computed from others, after decoding. Each has a value, its
``fill``, that stands where an event does not have it (NaN for floats), so they need no
flag, and a table may have some derived columns of a block without the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray


class Block(StrEnum):
    """A group of columns that is present or absent as a whole."""

    CORE = "core"
    ENERGY_SUMS = "energy_sums"
    QDC = "qdc"
    EXTERNAL_TIME = "external_time"
    ORDER = "order"
    COINCIDENCE = "coincidence"
    TRACE = "trace"
    TRACE_VALUES = "trace_values"
    SUMS_ENERGY = "sums_energy"
    CALIBRATION = "calibration"
    WALL_TIME = "wall_time"


DECODED: Final = (
    Block.CORE,
    Block.ENERGY_SUMS,
    Block.QDC,
    Block.EXTERNAL_TIME,
    Block.TRACE,
)
"""The blocks that modules send; all others are made on the way."""

VALIDITY: Final = {
    Block.ENERGY_SUMS: "esum_valid",
    Block.QDC: "qdc_valid",
    Block.EXTERNAL_TIME: "external_timestamp_valid",
    Block.ORDER: "late",
    Block.COINCIDENCE: "coincidence",
    Block.TRACE: "trace_length",
}
"""The column that tells whether an event has the block: zero means no. Blocks of
derived columns have none."""


NO_WALL_TIME: Final = -(1 << 63)
"""``wall_time_ns`` of an event that has none: no clock goes back to it, and numpy's
NaT has the same bits, so that ``wall_time_ns.view("datetime64[ns]")`` shows it so."""

NOT_ANALYSED: Final = 128
"""``trace_status`` of an event whose trace nobody has looked at."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``Events``.

    Attributes
    ----------
    name
        Attribute of ``Events`` and dataset name in files.
    dtype
        Type of one value.
    unit
        Unit of the value, empty for pure numbers and flags.
    description
        One line for people.
    block
        The block that the column belongs to.
    width
        Values per event: 1 for a plain column, 8 for the QDC sums.
    fill
        For derived columns, the value where an event does not have it. None for
        others: there it is zero, and the block's flag tells.
    """

    name: str
    dtype: np.dtype[np.generic]
    unit: str
    description: str
    block: Block
    width: int = 1
    fill: float | None = None

    @property
    def is_derived(self) -> bool:
        """Whether it is computed from others, and may be absent by itself."""
        return self.fill is not None

    @property
    def absent_value(self) -> float:
        """What stands where an event does not have it."""
        return 0 if self.fill is None else self.fill

    def absent(self, count: int) -> NDArray[Any]:
        """Return the column of `count` events that do not have it, read-only."""
        value = np.array(self.absent_value, self.dtype)
        return np.broadcast_to(value, self.shape(count))

    def shape(self, count: int) -> tuple[int, ...]:
        """Shape of the column for `count` events."""
        return (count,) if self.width == 1 else (count, self.width)


def _column(  # noqa: PLR0917  # rows of a table, read by position
    block: Block,
    name: str,
    dtype: str,
    unit: str,
    description: str,
    width: int = 1,
    fill: float | None = None,
) -> Column:
    return Column(name, np.dtype(dtype), unit, description, block, width, fill)


COLUMNS: tuple[Column, ...] = (
    _column(Block.CORE, "crate", "u1", "", "Crate number"),
    _column(Block.CORE, "slot", "u1", "", "Slot of the module in its crate"),
    _column(Block.CORE, "channel", "u1", "", "Channel of the module"),
    _column(Block.CORE, "energy", "u2", "ADC units", "Energy from the slow filter"),
    _column(
        Block.CORE, "timestamp", "u8", "ticks", "48-bit counter of the module's clock"
    ),
    _column(
        Block.CORE,
        "time_ps",
        "i8",
        "ps",
        "Timestamp, with the CFD correction where the CFD is valid",
    ),
    _column(
        Block.CORE, "cfd_fraction", "u2", "", "CFD fractional time as in the header"
    ),
    _column(
        Block.CORE, "cfd_source", "u1", "", "CFD trigger source bits as in the header"
    ),
    _column(
        Block.CORE,
        "cfd_forced",
        "?",
        "",
        "CFD was forced or failed: time_ps has no CFD correction",
    ),
    _column(Block.CORE, "pileup", "?", "", "Event is piled up (finish code)"),
    _column(Block.CORE, "out_of_range", "?", "", "Trace left the ADC's range"),
    _column(
        Block.ENERGY_SUMS, "esum_valid", "?", "", "Event carried energy filter sums"
    ),
    _column(
        Block.ENERGY_SUMS,
        "esum_trailing",
        "u4",
        "ADC units",
        "Energy filter sum over the earliest samples",
    ),
    _column(
        Block.ENERGY_SUMS,
        "esum_leading",
        "u4",
        "ADC units",
        "Energy filter sum over the latest samples",
    ),
    _column(
        Block.ENERGY_SUMS,
        "esum_gap",
        "u4",
        "ADC units",
        "Energy filter sum over the gap between the two",
    ),
    _column(
        Block.ENERGY_SUMS,
        "baseline",
        "f4",
        "ADC units",
        "Baseline of the energy filter",
    ),
    _column(Block.QDC, "qdc_valid", "?", "", "Event carried QDC sums"),
    _column(Block.QDC, "qdc", "u4", "ADC units", "The eight QDC sums", width=8),
    _column(
        Block.EXTERNAL_TIME,
        "external_timestamp_valid",
        "?",
        "",
        "Event carried an external timestamp",
    ),
    _column(
        Block.EXTERNAL_TIME,
        "external_timestamp",
        "u8",
        "external ticks",
        "External timestamp, all 64 bits of its two words",
    ),
    _column(
        Block.ORDER,
        "late",
        "?",
        "",
        "Event came after later ones had been passed on: it is out of time order",
    ),
    _column(
        Block.COINCIDENCE,
        "coincidence",
        "i8",
        "",
        "Number of the event's coincidence in the run, from 1; 0 if it is in none",
    ),
    _column(
        Block.COINCIDENCE,
        "coincidence_reference",
        "?",
        "",
        "Times in the event's coincidence count from this event",
    ),
    _column(
        Block.TRACE,
        "trace_length",
        "u2",
        "samples",
        "Trace length that the header states; an odd one has one sample fewer",
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_baseline",
        "f4",
        "ADC units",
        "Mean of the samples before the pulse",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_noise",
        "f4",
        "ADC units",
        "Standard deviation of the samples before the pulse",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_height",
        "f4",
        "ADC units",
        "Height of the pulse: its largest sample above the baseline",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_time_ns",
        "f8",
        "ns",
        "Time of the pulse by a CFD, from the first sample of the trace",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_rise_ns",
        "f4",
        "ns",
        "Rise time of the pulse from 10 % to 90 % of its height",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_tau_ns",
        "f4",
        "ns",
        "Decay time of the pulse",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_pulses",
        "i2",
        "",
        "Pulses that the fast filter finds in the trace; -1 where it was not used",
        fill=-1,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_energy",
        "f4",
        "ADC units",
        "Energy by the energy filter over the trace, not rounded",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_charge",
        "f4",
        "ADC units",
        "Sum of the samples above the baseline in the long window",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_psd",
        "f4",
        "",
        "Part of trace_charge that is behind the short window",
        fill=math.nan,
    ),
    _column(
        Block.TRACE_VALUES,
        "trace_status",
        "u1",
        "",
        "What kept values of the trace from being computed: bits of TraceStatus",
        fill=NOT_ANALYSED,
    ),
    _column(
        Block.SUMS_ENERGY,
        "esum_energy",
        "f4",
        "ADC units",
        "Energy from the energy filter sums, not rounded",
        fill=math.nan,
    ),
    _column(
        Block.CALIBRATION,
        "energy_kev",
        "f4",
        "keV",
        "Calibrated energy; NaN where the channel has no calibration",
        fill=math.nan,
    ),
    _column(
        Block.WALL_TIME,
        "wall_time_ns",
        "i8",
        "ns",
        "Time since 1970-01-01 UTC; -2**63 where it is not known",
        fill=NO_WALL_TIME,
    ),
)

TRACE_OFFSETS = _column(
    Block.TRACE,
    "trace_offsets",
    "i8",
    "samples",
    "The trace of event i is trace_samples[trace_offsets[i]:trace_offsets[i + 1]]",
)
TRACE_SAMPLES = _column(
    Block.TRACE, "trace_samples", "u2", "ADC units", "Samples of all traces"
)

COLUMN: dict[str, Column] = {
    column.name: column for column in (*COLUMNS, TRACE_OFFSETS, TRACE_SAMPLES)
}


@cache
def columns_of(block: Block) -> tuple[Column, ...]:
    """Return the columns of `block` that have one row per event."""
    return tuple(column for column in COLUMNS if column.block == block)
