"""What a task reads and writes: kinds of data, and columns of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pixie_pipe.events.schema import COLUMN
from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.parameters import suggestion

CORE_COLUMNS = frozenset(
    name for name, column in COLUMN.items() if column.block.value == "core"
)


class Category(StrEnum):
    """Where a task stands in the palette."""

    SOURCE = "source"
    TRANSFORM = "transform"
    SINK = "sink"
    MONITOR = "monitor"


class Role(StrEnum):
    """What the end of a task means for the run."""

    ESSENTIAL = "essential"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Port:
    """One kind of data that a task reads or writes.

    Attributes
    ----------
    kind
        The kind.
    columns
        Columns of events that it needs, or that it surely writes. A task that
        writes no more than it reads leaves them as they are.
    optional_columns
        Columns that it uses, or writes, if they are there.
    optional
        Whether a reader can do without this kind.
    """

    kind: Kind
    columns: frozenset[str] = frozenset()
    optional_columns: frozenset[str] = frozenset()
    optional: bool = False

    def __str__(self) -> str:
        names = ", ".join(sorted(self.columns))
        return f"{self.kind}({names})" if names else str(self.kind)


def port(
    kind: Kind | str,
    columns: Iterable[str] = (),
    *,
    optional_columns: Iterable[str] = (),
    optional: bool = False,
) -> Port:
    """Declare one kind of data that a task reads or writes.

    Parameters
    ----------
    kind
        The kind, or its name.
    columns
        Columns of events that it needs, or that it surely writes.
    optional_columns
        Columns that it uses, or writes, if they are there.
    optional
        Whether a reader can do without this kind.

    Raises
    ------
    ValueError
        If there is no such kind or column.
    """
    try:
        known = Kind(kind)
    except ValueError:
        raise ValueError(
            f"there is no kind of data {kind!r}{suggestion(kind, Kind)} "
            f"(known: {', '.join(Kind)})"
        ) from None
    for name in (*columns, *optional_columns):
        if name not in COLUMN:
            raise ValueError(
                f"events have no column {name!r}{suggestion(name, COLUMN)}"
            )
    return Port(known, frozenset(columns), frozenset(optional_columns), optional)
