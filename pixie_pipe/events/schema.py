"""The columns of ``Events``: names, types, units and descriptions, in one place.

The decoder, the files, the documentation and the plots all read this table.
A column belongs to a *block*. The ``core`` block is in every event; the other
blocks are there only when the data have them, and then a flag (``esum_valid``,
``qdc_valid``, ``external_timestamp_valid``; for traces a ``trace_length`` of
zero) tells for each event whether it carried the block. The block ``order`` is
nothing but such a flag, and comes from sorting, not from a module; the block
``coincidence`` comes from building coincidences, and there a number of zero means
that an event is in none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np


class Block(StrEnum):
    """A group of columns that is present or absent as a whole."""

    CORE = "core"
    ENERGY_SUMS = "energy_sums"
    QDC = "qdc"
    EXTERNAL_TIME = "external_time"
    ORDER = "order"
    COINCIDENCE = "coincidence"
    TRACE = "trace"


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
    """

    name: str
    dtype: np.dtype[np.generic]
    unit: str
    description: str
    block: Block
    width: int = 1

    def shape(self, count: int) -> tuple[int, ...]:
        """Shape of the column for `count` events."""
        return (count,) if self.width == 1 else (count, self.width)


def _column(  # noqa: PLR0917  # rows of a table, read by position
    block: Block, name: str, dtype: str, unit: str, description: str, width: int = 1
) -> Column:
    return Column(name, np.dtype(dtype), unit, description, block, width)


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
