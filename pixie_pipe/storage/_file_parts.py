"""What readers and writers of files of events share, whatever their format."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.storage.file_notes import FileNotes, provenance_of
from pixie_pipe.storage.writer import with_traces

if TYPE_CHECKING:
    from contextlib import ExitStack

    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.errors import PixiePipeError
    from pixie_pipe.storage.provenance import Provenance


class StackWriter:
    """The part of a writer that ends with its context."""

    _stack: ExitStack

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, traceback)


class NotedWriter(StackWriter):
    """The part of a writer that takes notes."""

    _notes: FileNotes

    def write_rejected(
        self,
        rejected: NDArray[np.void],
        *,
        stream: int = 0,
        source: NDArray[np.int64] | int = 0,
    ) -> None:
        """Append rejected words; see `Hdf5Writer.write_rejected`.

        The file lists the first 100 000 stretches; all are counted.
        """
        self._notes.reject(rejected, stream, source)

    def describe(self, provenance: Provenance) -> None:
        """Tell where the events come from; the last call counts."""
        self._notes.describe(provenance)


class PathReader:
    """The part of a reader that knows its file."""

    _path: Path

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(self._path)

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self._path.stat().st_size


class NotedReader(PathReader):
    """The part of a reader that looks at the notes, and checks what is asked for."""

    _error: ClassVar[type[PixiePipeError]]
    _document: dict[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the schema."""
        return tuple(self._document["columns"])

    @cached_property
    def provenance(self) -> Provenance:
        """Where the events come from."""
        return provenance_of(self._document)

    @property
    def time_index(self) -> None:
        """None: it is not kept."""
        return

    def _wanted(self, columns: Iterable[str]) -> frozenset[str]:
        """Return the columns that are asked for, with those that they come with."""
        wanted = with_traces(columns)
        unknown = sorted(wanted.difference(self.columns))
        if unknown:
            raise self._error(
                f"{self._path}: has no column {', '.join(map(repr, unknown))}; "
                f"columns: {', '.join(self.columns)}"
            )
        return wanted
