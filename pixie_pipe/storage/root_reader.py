"""Events of a ROOT file that `RootWriter` made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.events.convert import TRACE
from pixie_pipe.events.schema import TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.storage._file_parts import NotedReader
from pixie_pipe.storage.file_notes import FORMAT, FORMAT_VERSION
from pixie_pipe.storage.root import NOTES, TREE, RootError

if TYPE_CHECKING:
    from pixie_pipe.storage.raw import PathLike


class RootReader(NotedReader):
    """Reads a ROOT file of events; an `EventReader`.

    Parameters
    ----------
    path
        A file that `RootWriter` made.

    Raises
    ------
    MissingExtraError
        If uproot or Awkward Array are not installed.
    RootError
        If the file is none of events, or none that pixie_pipe made.
    """

    _error = RootError

    def __init__(self, path: PathLike) -> None:
        self._path = Path(path)
        uproot = optional_import("uproot", "root")
        self._awkward = optional_import("awkward", "root")
        if not self._path.is_file():
            raise RootError(f"{path}: there is no such file")
        try:
            # As a dict, or a colon in the path would begin the name of an object.
            self._file = uproot.open({str(self._path): None}, array_cache=None)
        except (OSError, ValueError) as error:
            raise RootError(f"{path}: cannot be opened as ROOT: {error}") from error
        names = set(self._file.keys(cycle=False))
        if not {TREE, NOTES} <= names:
            self._file.close()
            raise RootError(
                f"{path}: has no {TREE!r} and {NOTES!r} side by side: only ROOT files "
                f"of pixie_pipe are read"
            )
        self._document: dict[str, Any] = json.loads(str(self._file[NOTES]))
        found = self._document.get("format"), self._document.get("format_version")
        if found != (FORMAT, FORMAT_VERSION):
            self._file.close()
            raise RootError(
                f"{path}: format and version are {found[0]!r} and {found[1]}, expected "
                f"{FORMAT!r} and {FORMAT_VERSION}"
            )
        self._tree = self._file[TREE]

    def __len__(self) -> int:
        return int(self._tree.num_entries)

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows; see `EventReader.read`. Baskets are read whole.

        Raises
        ------
        RootError
            If there is no such column.
        """
        wanted = self._wanted(columns)
        found: dict[str, NDArray[Any]] = {}
        for name in COLUMN:
            if name not in wanted or name in (TRACE_OFFSETS.name, TRACE_SAMPLES.name):
                continue
            column = COLUMN[name]
            array = self._branch(name, first, behind, "np")
            # Big-endian in the file.
            found[name] = array.astype(column.dtype).reshape(
                column.shape(behind - first)
            )
        if TRACE_OFFSETS.name in wanted:
            found |= self._traces(first, behind)
        return Events(found)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _branch(self, name: str, first: int, behind: int, library: str) -> Any:  # noqa: ANN401 - uproot has no types
        return self._tree[name].array(
            entry_start=first, entry_stop=behind, library=library
        )

    def _traces(self, first: int, behind: int) -> dict[str, NDArray[Any]]:
        ragged = self._branch(TRACE, first, behind, "ak")
        lengths = np.asarray(self._awkward.num(ragged, axis=1))
        offsets = np.zeros(behind - first + 1, TRACE_OFFSETS.dtype)
        np.cumsum(lengths, out=offsets[1:])
        samples = np.asarray(self._awkward.flatten(ragged, axis=1))
        return {
            TRACE_OFFSETS.name: offsets,
            TRACE_SAMPLES.name: samples.astype(TRACE_SAMPLES.dtype),
        }
