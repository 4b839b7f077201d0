"""A file of events that is called complete only when it is."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.storage.atomic import OutputExistsError
from pixie_pipe.storage.writer import OutputFailedError, open_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.events import Events
    from pixie_pipe.storage.provenance import Provenance

RejectedTable = tuple["NDArray[np.void]", int, "NDArray[np.int64]"]
"""Rejected words, the number of their stream, and those of their files."""


_HDF5_ERRNO = re.compile(r"errno = (\d+)")


def _cause(error: OSError | RuntimeError) -> str:
    """Return what the system said."""
    found = _HDF5_ERRNO.search(str(error))
    number = int(found[1]) if found else getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).splitlines()[0]


def incomplete_path(path: Path) -> Path:
    """Return the name of a file that has not got all events."""
    return path.with_name(f"{path.stem}-incomplete{path.suffix}")


class EventFile:
    """Writes events; the file gets its name at the end.

    Parameters
    ----------
    path
        The file; its ending chooses the format.
    compression
        As for `open_writer`.
    force
        Replace a file that exists.

    Raises
    ------
    OutputExistsError
        If the file exists, or the one of an incomplete run, and `force` is not set.
    OutputError, OutputPathError, MissingExtraError
        As for `open_writer`, and if no file can be made there.
    """

    def __init__(self, path: Path, *, compression: str | None, force: bool) -> None:
        self.path = path
        self._draft = incomplete_path(path)
        self._force = force
        if os.path.lexists(path) and not force:
            raise OutputExistsError(path)
        self._error: BaseException | None = None
        self._writer = open_writer(self._draft, compression=compression, force=force)
        self._writer.__enter__()

    def write(self, events: Events) -> None:
        """Append events. After an error, nothing will remain of the file.

        Raises
        ------
        OutputFailedError
            If the system could not.
        """
        try:
            with self._clear_errors():
                self._writer.write(events)
        except BaseException as error:
            self._error = error
            raise

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Say what the system could not do; HDF5 hides it in a long text."""
        try:
            yield
        except PixiePipeError:
            raise
        except (OSError, RuntimeError) as error:
            raise OutputFailedError(
                f"{self._draft}: cannot be written: {_cause(error)}; make room or "
                f"check the disk; the events are in the raw files, from which "
                f"`pixie-pipe replay` makes the file again"
            ) from error

    def finish(
        self,
        provenance: Provenance,
        rejected: Iterable[RejectedTable],
        *,
        complete: bool,
    ) -> Path | None:
        """Complete the file.

        Parameters
        ----------
        provenance
            Where the events come from.
        rejected
            Rejected words.
        complete
            Whether it has all events of the run; if not, its name tells.

        Returns
        -------
        Path or None
            The file, on the disk; None if it could not be written before.

        Raises
        ------
        OutputFailedError
            If it cannot be written now; nothing remains of it.
        """
        error = self._error
        if error is not None:
            # The first error says most; that HDF5 cannot close the file comes of it.
            with contextlib.suppress(Exception):
                self._writer.__exit__(type(error), error, error.__traceback__)
            return None
        with self._clear_errors(), contextlib.ExitStack() as stack:
            stack.push(self._writer.__exit__)
            for rows, stream, source in rejected:
                self._writer.write_rejected(rows, stream=stream, source=source)
            self._writer.describe(provenance)
        if not complete:
            return self._draft
        self._rename()
        return self.path

    def discard(self) -> None:
        """Let nothing remain of the file."""
        nothing = GeneratorExit()
        self._writer.__exit__(type(nothing), nothing, None)

    def _rename(self) -> None:
        if not self._force:
            # Renaming would replace a file that appeared meanwhile; linking refuses.
            try:
                self.path.hardlink_to(self._draft)
            except FileExistsError as error:
                raise OutputExistsError(self.path) from error
            except OSError:
                # A file system without hard links.
                if os.path.lexists(self.path):
                    raise OutputExistsError(self.path) from None
            else:
                self._draft.unlink()
                return
        self._draft.replace(self.path)
