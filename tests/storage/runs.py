"""Events, raw files and streams for the tests of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixie_pipe.events import COLUMNS
from pixie_pipe.listmode import Layout, encode
from pixie_pipe.testing.generators import random_events

if TYPE_CHECKING:
    from pixie_pipe.events import Events

LAYOUT = Layout.find(500, 34688)
OTHER = Layout.find(250, 46540)
"""A layout in which no word of the first decodes, and the other way round."""

RECORDED = Layout.find(500, 34688)
"""Layout of the recorded data."""

MIXED: dict[str, Any] = {
    "header_lengths": (4, 8, 12, 16, 18),
    "trace_lengths": (0, 0, 12, 61),
}


def some_events(
    count: int, seed: int = 1, layout: Layout = LAYOUT, **kinds: Any
) -> Events:
    return random_events(layout, count, np.random.default_rng(seed), **kinds)


def with_late(events: Events) -> Events:
    """Mark every third event as out of time order."""
    return events.with_columns(late=np.arange(len(events)) % 3 == 1)


def with_derived(events: Events, first: int = 0, behind: int | None = None) -> Events:
    """Give events all derived columns; rows outside `first:behind` have no values."""
    columns = {}
    for column in COLUMNS:
        if column.is_derived:
            values = column.absent(len(events)).copy()
            some = values[first:behind]
            some[:] = np.arange(some.size).reshape(some.shape) % 100
            columns[column.name] = values
    return events.with_columns(**columns)


def with_coincidences(events: Events) -> Events:
    """Let every two of three events be in coincidence."""
    places = np.arange(len(events))
    return events.with_columns(
        coincidence=np.where(places % 3 == 2, 0, places // 3 + 1),
        coincidence_reference=places % 3 == 0,
    )


def raw_bytes(events: Events, layout: Layout = LAYOUT) -> bytes:
    return encode(events, layout).tobytes()


def written(path: Path, data: bytes | Events, layout: Layout = LAYOUT) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else raw_bytes(data, layout))
    return path
