"""What all readers of event files share: the interface, and how one is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.storage.writer import COMPRESSIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.events import Events
    from pixie_pipe.storage.provenance import Provenance
    from pixie_pipe.storage.raw import PathLike


class EventReadError(PixiePipeError, ValueError):
    """Events that cannot be read as asked for."""


class EventReader(Protocol):
    """Reads any rows of a file of events.

    Whoever opens one closes it.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the schema."""

    @property
    def name(self) -> str:
        """What the events are read from, for people."""

    @property
    def size(self) -> int:
        """Size of what they are read from in bytes."""

    @property
    def provenance(self) -> Provenance:
        """Where the events come from."""

    @property
    def time_index(self) -> NDArray[np.void] | None:
        """Limits of time of stretches of rows, of type `STRETCH`; None if not known."""

    def __len__(self) -> int:
        """Return the number of events."""

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows, ``0 <= first <= behind <= len(self)``.

        The columns are among `columns`, with ``trace_length`` beside the ragged ones.
        """

    def close(self) -> None:
        """Give up what is open; nothing can be read afterwards."""


_READERS = {
    ".h5": ("hdf5_reader", "Hdf5Reader"),
    ".hdf5": ("hdf5_reader", "Hdf5Reader"),
    ".parquet": ("parquet_reader", "ParquetReader"),
    ".lh5": ("lh5_reader", "Lh5Reader"),
    ".root": ("root_reader", "RootReader"),
    ".csv": ("csv", "CsvReader"),
}
"""Module and class by the ending of the file; some need packages that may not be
installed."""

assert _READERS.keys() == COMPRESSIONS.keys()


def is_event_file(path: PathLike) -> bool:
    """Tell by its ending whether a file can hold events."""
    return Path(path).suffix.lower() in _READERS


def open_reader(path: PathLike) -> EventReader:
    """Open a file of events; its ending tells the format.

    Parameters
    ----------
    path
        A file that a writer of this package made.

    Raises
    ------
    EventReadError
        If the ending is that of no format.
    PixiePipeError
        If the file is none of events; each format has an error of its own.
    MissingExtraError
        If the format needs a package that is not installed.
    """
    if not is_event_file(path):
        raise EventReadError(
            f"{path}: the ending {Path(path).suffix!r} is no format of events, "
            f"expected {', '.join(_READERS)}"
        )
    home, name = _READERS[Path(path).suffix.lower()]
    reader = getattr(import_module(f"pixie_pipe.storage.{home}"), name)
    opened: EventReader = reader(path)
    return opened
