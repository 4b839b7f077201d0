"""Raw list-mode files: paths, opening with clear errors, reading in pieces."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.storage.provenance import SourceFile

PathLike: TypeAlias = str | os.PathLike[str]
Paths: TypeAlias = PathLike | Iterable[PathLike]
"""One path or glob pattern, or several in the order of the stream."""

PIECE_BYTES = 4 << 20
"""Size of the pieces that files are read in: large enough for few calls, small
enough that a piece and its events stay in the cache."""

# The piece that is decoded, and the one before it that may still be hashed.
_BUFFERS = 2

_WORD_BYTES = 4


class RawFileError(PixiePipeError, OSError):
    """A raw file that cannot be read, or that does not hold what was expected."""


class DataWarning(UserWarning):
    """Some of the data are lost, or not what a complete run leaves."""


def expand_paths(paths: Paths) -> list[Path]:
    """Return the files that `paths` name, in order.

    Parameters
    ----------
    paths
        A path, a glob pattern (``"run_0042/*.bin"``), or several of these. The
        files of a pattern are in natural order: ``run_2`` comes before
        ``run_10``. A path that exists is never taken for a pattern.

    Returns
    -------
    list of Path
        At least one file.

    Raises
    ------
    RawFileError
        If there are no paths, or a pattern matches nothing.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    expanded: list[Path] = []
    for path in given:
        text = os.fspath(path)
        if Path(text).exists() or not glob.has_magic(text):
            expanded.append(Path(text))
            continue
        matching = sorted(glob.glob(text), key=_natural)  # noqa: PTH207 - keeps ~ and ..
        if not matching:
            raise RawFileError(f"no file matches the pattern {text!r}")
        expanded += map(Path, matching)
    if not expanded:
        raise RawFileError("no raw files were given, expected at least one path")
    return expanded


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key in which runs of digits count as numbers."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def open_raw(path: Path) -> FileIO:
    """Open a raw file for reading, without a buffer.

    Raises
    ------
    RawFileError
        If it is missing, may not be read, or is no regular file.
    """
    try:
        # Not to wait for a writer, should it be a named pipe.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise RawFileError(f"{path}: there is no such file") from error
    except OSError as error:
        raise RawFileError(f"{path}: cannot be opened: {error.strerror}") from error
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        advice = f"; did you mean {path / '*.bin'}?" if stat.S_ISDIR(mode) else ""
        raise RawFileError(f"{path}: is {kind}, expected a raw list-mode file{advice}")
    return FileIO(number, "rb", closefd=True)


def read_into(path: Path, file: FileIO, buffer: memoryview) -> int:
    """Fill `buffer` from an open file and return how many bytes there were.

    Raises
    ------
    RawFileError
        If the disk fails.
    """
    done = 0
    try:
        while done < len(buffer):
            count = file.readinto(buffer[done:])
            if not count:
                break
            done += count
    except OSError as error:
        raise RawFileError(
            f"{path}: cannot be read at byte {file.tell()}: {error.strerror}"
        ) from error
    return done


def size_of(path: Path) -> int:
    """Return the size of a raw file in bytes.

    Raises
    ------
    RawFileError
        As for `open_raw`.
    """
    with open_raw(path) as file:
        return os.fstat(file.fileno()).st_size


class PieceReader:
    """Reads the files of one stream, one behind the other, in pieces.

    Iterate over it once; each piece is a read-only view of memory that is used
    again for the next piece.

    Parameters
    ----------
    paths
        The files in the order of the stream.
    piece_bytes
        Largest size of a piece. No piece has bytes of two files.
    checksums
        Whether to compute the SHA-256 of each file. A second thread does it, so
        that the reader's thread need not wait.

    Raises
    ------
    RawFileError
        While iterating, if a file cannot be read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        piece_bytes: int = PIECE_BYTES,
        checksums: bool = False,
    ) -> None:
        self._paths = tuple(paths)
        self._piece_bytes = piece_bytes
        self._checksums = checksums
        self._starts: list[int] = []
        self._sources: list[SourceFile] = []
        self.bytes_read = 0

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """The files that were read to their end."""
        return tuple(self._sources)

    def source_of(self, word_offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return in which file (its index) words of the stream begin."""
        return containing_file(self._starts, word_offsets)

    def __iter__(self) -> Iterator[memoryview]:
        buffers = [memoryview(bytearray(self._piece_bytes)) for _ in range(_BUFFERS)]
        if not self._checksums:
            for path in self._paths:
                yield from self._pieces(path, buffers[:1])
            return
        with ThreadPoolExecutor(1, "checksums") as executor:
            for path in self._paths:
                yield from self._hashed_pieces(path, buffers, executor)

    def _hashed_pieces(
        self, path: Path, buffers: list[memoryview], executor: ThreadPoolExecutor
    ) -> Iterator[memoryview]:
        checksum = hashlib.sha256()
        pending: deque[Future[None]] = deque()
        for piece in self._pieces(path, buffers):
            pending.append(executor.submit(checksum.update, piece))
            yield piece
            # The next piece goes to the buffer that was hashed before this one.
            while len(pending) >= len(buffers):
                pending.popleft().result()
        for future in pending:
            future.result()
        self._sources[-1] = self._sources[-1].with_sha256(checksum.hexdigest())

    def _pieces(self, path: Path, buffers: list[memoryview]) -> Iterator[memoryview]:
        self._starts.append(self.bytes_read)
        turn = 0
        with open_raw(path) as file:
            while count := read_into(path, file, buffers[turn]):
                self.bytes_read += count
                yield buffers[turn][:count].toreadonly()
                turn = (turn + 1) % len(buffers)
        self._sources.append(SourceFile(path, self.bytes_read - self._starts[-1]))


def read_pieces(paths: Paths, piece_bytes: int = PIECE_BYTES) -> Iterator[memoryview]:
    """Return the bytes of files, one behind the other, in pieces.

    Parameters
    ----------
    paths
        As for `expand_paths`.
    piece_bytes
        Largest size of a piece.

    Returns
    -------
    iterator of memoryview
        Each is valid until the next one is asked for.

    Raises
    ------
    RawFileError
        If a file cannot be read.
    """
    return iter(PieceReader(expand_paths(paths), piece_bytes=piece_bytes))


def read_whole(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], list[SourceFile]]:
    """Return the bytes of files, one behind the other, and the files' sizes.

    Raises
    ------
    RawFileError
        If a file cannot be read.
    """
    data = np.empty(sum(size_of(path) for path in paths), np.uint8)
    sources: list[SourceFile] = []
    used = 0
    for path in paths:
        with open_raw(path) as file:
            # Not more than there is room for, should the file have grown.
            room = min(os.fstat(file.fileno()).st_size, data.size - used)
            count = read_into(path, file, data.data[used : used + room])
        sources.append(SourceFile(path, count))
        used += count
    return data[:used], sources


def containing_file(
    first_bytes: Sequence[int], word_offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return in which file (its index) words begin.

    Parameters
    ----------
    first_bytes
        Where in the stream each file begins, in bytes.
    word_offsets
        Words, counted from the start of the stream.
    """
    # An empty file begins where the next one does: the last of them has the word.
    found = np.searchsorted(first_bytes, word_offsets * _WORD_BYTES, side="right") - 1
    return found.astype(np.int64, copy=False)
