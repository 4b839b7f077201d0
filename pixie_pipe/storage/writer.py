"""What all writers of events share: the interface, and how one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.events import Events
    from pixie_pipe.storage.provenance import Provenance

COMPRESSIONS: Mapping[str, tuple[str, ...]] = {
    ".h5": ("bitshuffle-lz4", "gzip", "none"),
    ".hdf5": ("bitshuffle-lz4", "gzip", "none"),
    ".parquet": ("zstd", "gzip", "none"),
}
"""Compressions by the ending of the output, the default first."""


class OutputError(PixiePipeError, ValueError):
    """An output that cannot be written as asked for."""


class OutputFailedError(PixiePipeError, OSError):
    """The system could not write an output."""


class EventWriter(Protocol):
    """Writes events to a file that appears when the context is left in peace."""

    def __enter__(self) -> Self:
        """Open the file under a temporary name."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        """Complete the file, or remove it if there was an error."""

    def write(self, events: Events) -> None:
        """Append events."""

    def write_rejected(
        self,
        rejected: NDArray[np.void],
        *,
        stream: int = 0,
        source: NDArray[np.int64] | int = 0,
    ) -> None:
        """Append a table of rejected words."""

    def describe(self, provenance: Provenance) -> None:
        """Tell where the events come from; the last call counts."""


def check_output(path: Path) -> None:
    """Refuse an output with an ending that no writer has.

    Raises
    ------
    OutputError
        If there is none.
    """
    if path.suffix.lower() not in COMPRESSIONS:
        raise OutputError(
            f"{path}: the ending {path.suffix!r} is no format of events, expected "
            f"{', '.join(COMPRESSIONS)}"
        )


def check_compression(path: Path, compression: str | None, suffix: str) -> str:
    """Return the compression to use for a file with this ending.

    Raises
    ------
    OutputError
        If the format has no such compression.
    """
    known = COMPRESSIONS[suffix]
    if compression is None:
        return known[0]
    if compression not in known:
        raise OutputError(
            f"{path}: there is no compression {compression!r} for {suffix} files, "
            f"expected {', '.join(known)}"
        )
    return compression


def open_writer(
    path: Path, *, compression: str | None = None, force: bool = False
) -> EventWriter:
    """Return the writer for the ending of a path.

    Raises
    ------
    OutputError
        If the ending or the compression is unknown.
    MissingExtraError
        If the format needs a package that is not installed.
    """
    check_output(path)
    writer: Any
    if path.suffix.lower() == ".parquet":
        from pixie_pipe.storage.parquet import ParquetWriter

        writer = ParquetWriter
    else:
        from pixie_pipe.storage.hdf5 import Hdf5Writer

        writer = Hdf5Writer
    opened: EventWriter = writer(path, compression=compression, force=force)
    return opened
