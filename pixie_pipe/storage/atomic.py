"""Output files that appear whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pixie_pipe.errors import PixiePipeError

_SEND_BYTES = 32 << 20


class OutputExistsError(PixiePipeError, FileExistsError):
    """The output exists, and nobody said that it may be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: exists already and is left as it is; choose another name, or "
            f"replace it with --force (force=True)"
        )


class OutputPathError(PixiePipeError, OSError):
    """No file can be written at the place that was given."""


class NewFile:
    """A file that is being written and has not got its name yet.

    Attributes
    ----------
    path
        Its name until then, in the directory of the final one.
    """

    def __init__(self, number: int, path: Path) -> None:
        self._number = number
        self._sent = 0
        self.path = path

    def fileno(self) -> int:
        """Return the file descriptor, open for reading and writing."""
        return self._number

    def send_to_disk(self) -> None:
        """Let what was written so far go to the disk, without waiting for it.

        Called now and then, it keeps the wait at the end short. It does nothing
        until there is enough to make it worth while.
        """
        size = os.fstat(self._number).st_size
        if size - self._sent >= _SEND_BYTES:
            # The system starts to write pages that it is advised to forget.
            os.posix_fadvise(
                self._number, self._sent, size - self._sent, os.POSIX_FADV_DONTNEED
            )
            self._sent = size


@contextlib.contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[NewFile]:
    """Write a file that gets its name when it is complete and on the disk.

    Until then `path` is untouched. After any exception, that of Ctrl-C included,
    nothing is left behind. A process that is killed outright leaves a file
    ``<name>.<digits>.part``, which may be deleted.

    Parameters
    ----------
    path
        The name. If it is a symbolic link, the link is replaced.
    force
        Replace a file that exists.

    Yields
    ------
    NewFile
        Open it by its `path`, write, and close it before leaving the context.

    Raises
    ------
    OutputExistsError
        If there is a file already, or if one appeared meanwhile.
    OutputPathError
        If the directory is missing or may not be written to, or `path` is a
        directory.
    """
    _check_target(path, force=force)
    opened = _open(path)
    try:
        yield opened
        os.fsync(opened.fileno())
        if force:
            opened.path.replace(path)
        else:
            _rename(opened.path, path)
        _sync_directory(path.parent)
    finally:
        os.close(opened.fileno())
        opened.path.unlink(missing_ok=True)


def _check_target(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise OutputPathError(f"{path}: is a directory, expected the name of a file")
    if path.exists() and not path.is_file():
        raise OutputPathError(f"{path}: is no regular file and cannot be replaced")
    if os.path.lexists(path) and not force:
        raise OutputExistsError(path)
    if not path.parent.is_dir():
        raise OutputPathError(
            f"{path}: the directory {path.parent} does not exist; make it first"
        )


def _open(path: Path) -> NewFile:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        return NewFile(os.open(temporary, flags, 0o666), temporary)
    except OSError as error:
        raise OutputPathError(f"{path}: cannot be written: {error.strerror}") from error


def _rename(temporary: Path, path: Path) -> None:
    """Give a file its name, unless another file has taken it meanwhile."""
    try:
        # Renaming would replace that file; linking refuses.
        path.hardlink_to(temporary)
    except FileExistsError as error:
        raise OutputExistsError(path) from error
    except OSError:
        # A file system without hard links: reserve the name, then rename.
        try:
            path.touch(exist_ok=False)
        except FileExistsError as error:
            raise OutputExistsError(path) from error
        temporary.replace(path)


def _sync_directory(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
