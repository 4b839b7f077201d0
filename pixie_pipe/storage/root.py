"""Events as a TTree in ROOT files, by uproot: no ROOT is needed.

A branch for each column, with ROOT's type of the same width and sign; ``qdc`` as an
array of eight, traces as a branch ``trace`` of variable length with its counter
``ntrace``. A tree must know its branches before the first event, so by default it has
all columns of the schema, those that no event has with nothing in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import boost_histogram as bh
import numpy as np

from pixie_pipe._extras import optional_import
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.convert import TRACE
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import NotedWriter
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.file_notes import FileNotes
from pixie_pipe.storage.writer import check_compression, chosen_columns, filled

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike

TREE: Final = "events"
NOTES: Final = "pixie_pipe"
"""Name of the text in the file with what it says beside the events, as JSON."""

# A basket of each branch is written when so much waits.
BASKET_ROWS: Final = 1 << 17
BASKET_BYTES: Final = 32 << 20

_LEVELS: Final = {"zlib": 1, "lz4": 4, "zstd": 3}
_CORE_COLUMNS: Final = frozenset(Events.empty().columns)
_RAGGED: Final = (TRACE_OFFSETS.name, TRACE_SAMPLES.name)


class RootError(PixiePipeError, ValueError):
    """A ROOT file that holds no events of pixie_pipe, or not those asked for."""


class RootWriter(NotedWriter):
    """Writes events to a ROOT file, batch after batch.

    A context manager like `Hdf5Writer`. Needs the extra ``root``.

    Parameters
    ----------
    path
        The file to make.
    compression
        ``"zlib"`` (the default: any ROOT), ``"lz4"``, ``"zstd"`` or ``"none"``.
    force
        Replace a file that exists.
    columns
        Names of the columns that the tree has; by default all of the schema.

    Raises
    ------
    MissingExtraError
        If uproot or Awkward Array are not installed.
    OutputError
        If there is no such compression or column.
    OutputExistsError, OutputPathError
        On entering or leaving the context, as for `new_file`.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        compression: str | None = None,
        force: bool = False,
        columns: Iterable[str] | None = None,
    ) -> None:
        self._path = Path(path)
        self._compression = check_compression(self._path, compression, ".root")
        self._force = force
        self._uproot = optional_import("uproot", "root")
        self._awkward = optional_import("awkward", "root")
        self._chosen = chosen_columns(self._path, columns)
        self._was_chosen = columns is not None
        self._seen: set[str] = set()
        self._notes = FileNotes()
        self._waiting: list[Events] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._opened = stack.enter_context(new_file(self._path, force=self._force))
            stream = stack.enter_context(self._opened.path.open("r+b"))
            self._file = stack.enter_context(
                self._uproot.recreate(stream, compression=self._compressor())
            )
            self._tree = self._file.mktree(TREE, self._branches(), title="Events")
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def write(self, events: Events) -> None:
        """Append events.

        Raises
        ------
        OutputError
            If a column of a block is missing.
        """
        self._seen.update(events.columns)
        self._waiting.append(filled(self._path, events, self._chosen))
        self._waiting_rows += len(events)
        self._waiting_bytes += self._waiting[-1].nbytes
        if self._waiting_rows >= BASKET_ROWS or self._waiting_bytes >= BASKET_BYTES:
            self._write_waiting()

    def write_histogram(self, name: str, histogram: bh.Histogram) -> None:
        """Add a histogram, as TH1D or TH2D with its counts below and above the range.

        Parameters
        ----------
        name
            Its name in the file; ``/`` makes directories.
        histogram
            Of boost-histogram or hist, of counts. ROOT has them as doubles, which are
            exact up to 9e15.
        """
        # uproot does not write the 64-bit integers of boost-histogram.
        doubles = bh.Histogram(*histogram.axes, storage=bh.storage.Double())
        doubles.view(flow=True)[...] = histogram.view(flow=True)
        self._file[name] = doubles

    def _compressor(self) -> Any:  # noqa: ANN401 - uproot has no types
        if self._compression == "none":
            return None
        name = self._compression.upper()
        return getattr(self._uproot, name)(_LEVELS[self._compression])

    def _branches(self) -> dict[str, Any]:
        branches: dict[str, Any] = {}
        for name, column in COLUMN.items():
            if name not in self._chosen or name in _RAGGED:
                continue
            shape = () if column.width == 1 else (column.width,)
            branches[name] = np.dtype((column.dtype, shape))
        if TRACE_OFFSETS.name in self._chosen:
            branches[TRACE] = f"var * {TRACE_SAMPLES.dtype.name}"
        return branches

    def _write_waiting(self) -> None:
        events = Events.concatenate(self._waiting)
        self._waiting = []
        self._waiting_rows = self._waiting_bytes = 0
        self._rows += len(events)
        values: dict[str, Any] = {
            name: events[name] for name in events.columns if name not in _RAGGED
        }
        if TRACE_OFFSETS.name in self._chosen:
            contents = self._awkward.contents
            offsets = self._awkward.index.Index64(events.trace_offsets)
            values[TRACE] = self._awkward.Array(
                contents.ListOffsetArray(
                    offsets, contents.NumpyArray(events.trace_samples)
                )
            )
        self._tree.extend(values)
        self._opened.send_to_disk()

    def _finish(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        if self._waiting_rows:
            self._write_waiting()
        used = self._chosen
        if not self._was_chosen:
            used &= self._seen | _CORE_COLUMNS
        names = [name for name in COLUMN if name in used]
        document = self._notes.document(
            "uproot",
            columns=names,
            events=self._rows,
            units={name: COLUMN[name].unit for name in names if COLUMN[name].unit},
            descriptions={name: COLUMN[name].description for name in names},
        )
        self._file[NOTES] = json.dumps(document)
