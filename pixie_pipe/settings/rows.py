"""What is shown as a table and read as a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, overload

Row_co = TypeVar("Row_co", covariant=True)


class Rows(Sequence[Row_co]):
    """Rows that cannot be changed. Their text is a table; so is that in IPython."""

    def __init__(self, rows: Iterable[Row_co]) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Row_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row_co]: ...
    def __getitem__(self, index: int | slice) -> Row_co | list[Row_co]:
        """Return a row, or some of them as a list."""
        if isinstance(index, slice):
            return list(self._rows[index])
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row_co]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return str(self)
