"""Tables of events one behind the other, with the union of their blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events._validate import RAGGED, EventsError
from pixie_pipe.events.schema import (
    COLUMN,
    TRACE_OFFSETS,
    TRACE_SAMPLES,
    VALIDITY,
    Block,
)

if TYPE_CHECKING:
    from pixie_pipe.events.table import Events


def joined_columns(parts: Sequence[Events]) -> dict[str, NDArray[Any]]:
    """Join the columns of several tables.

    Parameters
    ----------
    parts
        Tables, in the order of their rows in the result.

    Returns
    -------
    dict
        Columns by name. The rows of a part without an optional block are zero
        there, and the block's validity is False; those of a part without a derived
        column have its fill.

    Raises
    ------
    EventsError
        If a part lacks a core column that others have, has only some columns of
        a block that others have, or lacks a block whose validity was not kept.
    """
    names = [name for name in COLUMN if any(name in part.columns for part in parts)]
    for number, part in enumerate(parts):
        _check_part(number, part, names)
    joined = {
        name: np.concatenate([_rows_of(part, name) for part in parts])
        for name in names
        if name not in RAGGED
    }
    if TRACE_OFFSETS.name in names:
        joined |= _joined_traces(parts)
    return joined


def _check_part(number: int, part: Events, names: Sequence[str]) -> None:
    for block in Block:
        expected = [
            name
            for name in names
            if COLUMN[name].block == block and not COLUMN[name].is_derived
        ]
        absent = [name for name in expected if name not in part.columns]
        if not absent:
            continue
        advice = "drop them from the other parts with .without(...)"
        if block == Block.CORE or len(absent) < len(expected):
            raise EventsError(
                f"cannot concatenate: part {number} has no column "
                f"{', '.join(map(repr, absent))}, which other parts have; {advice}"
            )
        if VALIDITY[block] not in expected:
            raise EventsError(
                f"cannot concatenate: part {number} has no block {block.value!r}, and "
                f"the other parts have no {VALIDITY[block]!r} to mark that; {advice}"
            )


def _rows_of(part: Events, name: str) -> NDArray[Any]:
    if name in part.columns:
        return part[name]
    return COLUMN[name].absent(len(part))


def _joined_traces(parts: Sequence[Events]) -> dict[str, NDArray[Any]]:
    offsets = [np.zeros(1, dtype=TRACE_OFFSETS.dtype)]
    samples = [np.empty(0, dtype=TRACE_SAMPLES.dtype)]
    total = 0
    for part in parts:
        if TRACE_OFFSETS.name in part.columns:
            offsets.append(part.trace_offsets[1:] + total)
            samples.append(part.trace_samples)
            total += len(part.trace_samples)
        else:
            offsets.append(np.full(len(part), total, dtype=TRACE_OFFSETS.dtype))
    return {
        TRACE_OFFSETS.name: np.concatenate(offsets),
        TRACE_SAMPLES.name: np.concatenate(samples),
    }
