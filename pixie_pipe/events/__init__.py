"""Events as columns: the container from decoder to disk."""

from __future__ import annotations

from pixie_pipe.events.schema import (
    COLUMN,
    COLUMNS,
    DECODED,
    VALIDITY,
    Block,
    Column,
    columns_of,
)
from pixie_pipe.events.table import Events, EventsError

__all__ = [
    "COLUMN",
    "COLUMNS",
    "DECODED",
    "VALIDITY",
    "Block",
    "Column",
    "Events",
    "EventsError",
    "columns_of",
]


def __dir__() -> list[str]:
    return __all__
