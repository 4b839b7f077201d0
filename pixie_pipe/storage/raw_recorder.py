"""Recording raw words: files that are readable at every moment, and checksummed."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.storage._sealing import (
    CHECKSUMS,
    FileKeeper,
    OpenFile,
    RecordingError,
)

__all__ = [
    "CHECKSUMS",
    "RawRecorder",
    "RecordedFile",
    "RecorderUseError",
    "RecordingError",
    "split_file_name",
]

_WORD_BYTES = 4
_STREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FILE_NAME = re.compile(r"(.+)-([0-9]{4,})\.bin")


class RecorderUseError(PixiePipeError, ValueError):
    """The recorder was asked for what it cannot do; nothing was written."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of raw words.

    Attributes
    ----------
    name
        Its name in the directory of raw files.
    stream
        The stream that its words belong to.
    words
        Number of whole words.
    bytes
        Its size in bytes; up to three more than those of the words.
    sha256
        Its checksum in hexadecimal digits; empty until the file is closed and on the
        disk.
    first_offset
        Which word of the stream its first one is, counted from 0.
    """

    name: str
    stream: str
    words: int
    bytes: int
    sha256: str = ""
    first_offset: int = 0

    @property
    def trailing_bytes(self) -> int:
        """Number of bytes behind the last whole word."""
        return self.bytes - _WORD_BYTES * self.words


def split_file_name(name: str) -> tuple[str, int]:
    """Return the stream and the place in it (0, 1, ...) that a file's name tells.

    A name that the recorder does not give is taken for that of a stream of one file.
    """
    match = _FILE_NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else (name.removesuffix(".bin"), 0)


@dataclass(slots=True)
class _Stream:
    files: int = 0
    words: int = 0
    current: OpenFile | None = None
    ended: bool = False


class RawRecorder:
    """Records the words of several streams, each in a sequence of files.

    The words of the stream ``c0-s02`` go to ``c0-s02-0000.bin``, ``c0-s02-0001.bin``
    and so on, little-endian. When `write` returns they are the system's: they survive
    the death of this process, and may be read at once. They survive a power failure
    `sync_seconds` later. A file that is complete is synced and gets a line in
    ``SHA256SUMS``, which ``sha256sum -c`` understands; threads of the recorder do
    this, and no call waits for them unless the checksums are 256 MiB behind.

    Use it as a context manager and from one thread. After a `RecordingError` of
    `write` the file ends with a whole word, the last one that `words` counts, and
    recording may go on with the words that are missing.

    Parameters
    ----------
    directory
        An existing directory for the files. None of them may be there yet.
    rotate_bytes
        Largest size of a file in bytes. One `write` is never split: a larger one
        makes a larger file.
    rotate_seconds
        The first `write` to a file of this age in seconds goes to the next file
        instead. None: files are not changed for their age.
    sync_seconds
        Longest time in seconds for which words are not sent to the disk.
    clock
        What times are measured with: returns seconds.

    Attributes
    ----------
    write_s, slowest_write_s
        Time that all calls of `write` took, and the longest one, in seconds.

    Raises
    ------
    RecorderUseError
        If a number is not positive.
    RecordingError
        If there is no such directory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        rotate_bytes: int = 1 << 30,
        rotate_seconds: float | None = None,
        sync_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = {"rotate_bytes": rotate_bytes, "sync_seconds": sync_seconds}
        if rotate_seconds is not None:
            limits["rotate_seconds"] = rotate_seconds
        for name, value in limits.items():
            if not value > 0:
                raise RecorderUseError(f"{name} is {value}, expected more than 0")
        self._directory = Path(directory)
        if not self._directory.is_dir():
            raise RecordingError(
                f"{directory}: is no directory, expected one for raw files; make it "
                f"first"
            )
        self._rotate_bytes = rotate_bytes
        self._rotate_seconds = rotate_seconds
        self._clock = clock
        self._keeper = FileKeeper(self._directory, sync_seconds)
        self._streams: dict[str, _Stream] = {}
        self._files: list[OpenFile] = []
        self._closed = False
        self.write_s = 0.0
        self.slowest_write_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return (
            f"RawRecorder({str(self._directory)!r}, {state}, {len(self._streams)} "
            f"streams, {len(self._files)} files, {self.total_words} words)"
        )

    @property
    def files(self) -> list[RecordedFile]:
        """The files so far, in the order in which they were begun."""
        return [
            RecordedFile(
                name=file.path.name,
                stream=file.stream,
                words=file.words,
                bytes=file.bytes,
                sha256=file.sha256,
                first_offset=file.first_offset,
            )
            for file in self._files
        ]

    @property
    def slowest_sync_s(self) -> float:
        """Longest time that the system took to send a file to the disk, in seconds."""
        return self._keeper.slowest_sync_s

    @property
    def total_words(self) -> int:
        """Number of words recorded, of all streams."""
        return sum(stream.words for stream in self._streams.values())

    def words(self, name: str) -> int:
        """Return how many words of a stream are recorded, 0 if it is unknown."""
        return self._streams[name].words if name in self._streams else 0

    def write(self, name: str, words: NDArray[np.uint32]) -> None:
        """Append words to a stream.

        Parameters
        ----------
        name
            The stream: letters, digits, ``.``, ``_`` and ``-``, the first of them a
            letter or digit. Its first file is made with its first words.
        words
            A chunk: what one file shall hold together, one-dimensional. The memory
            may be used again after the call.

        Raises
        ------
        RecorderUseError
            If the name or the array is not as said, or the stream or the recorder
            is closed.
        RecordingError
            If not all words could be written, or an earlier word may not be on the
            disk; `words_written` tells how many of this call are in the file.
        """
        data = _bytes_of(words)
        begin = self._clock()
        try:
            stream = self._stream(name)
            if data:
                self._append(self._file(name, stream, len(data)), stream, data)
        finally:
            seconds = self._clock() - begin
            self.write_s += seconds
            self.slowest_write_s = max(self.slowest_write_s, seconds)

    def write_trailing(self, name: str, trailing: bytes) -> None:
        """End a stream with the bytes that are no whole word.

        Parameters
        ----------
        name
            The stream, as for `write`.
        trailing
            Up to three bytes; they are not counted as words.

        Raises
        ------
        RecorderUseError
            As for `write`, and if there are more than three bytes.
        RecordingError
            As for `write`.
        """
        if len(trailing) >= _WORD_BYTES:
            raise RecorderUseError(
                f"{name}: {len(trailing)} bytes were given as trailing, expected at "
                f"most {_WORD_BYTES - 1}; write whole words as words"
            )
        stream = self._stream(name)
        if trailing:
            file = stream.current or self._begin(name, stream)
            self._append(file, stream, memoryview(trailing))
        stream.ended = True

    def close(self) -> None:
        """Close all files and wait until they are on the disk, with their checksums.

        Raises
        ------
        RecordingError
            If that failed for one of them; all are closed nevertheless.
        """
        if self._closed:
            return
        self._closed = True
        for stream in self._streams.values():
            self._end_file(stream)
        self._keeper.close()

    def _stream(self, name: str) -> _Stream:
        if self._closed:
            raise RecorderUseError(
                f"{name}: the recorder of {self._directory} is closed"
            )
        stream = self._streams.get(name)
        if stream is None:
            if not _STREAM_NAME.fullmatch(name):
                raise RecorderUseError(
                    f"{name!r} cannot name a stream, expected letters, digits, '.', "
                    f"'_' and '-', the first of them a letter or digit, as in 'c0-s02'"
                )
            stream = self._streams[name] = _Stream()
        if stream.ended:
            raise RecorderUseError(
                f"{name}: the stream was ended by its trailing bytes; write them last"
            )
        self._keeper.check()
        return stream

    def _file(self, name: str, stream: _Stream, size: int) -> OpenFile:
        """Return the file that the next `size` bytes go to."""
        file = stream.current
        if file is None:
            return self._begin(name, stream)
        is_full = file.bytes + size > self._rotate_bytes
        is_old = (
            self._rotate_seconds is not None
            and self._clock() - file.opened >= self._rotate_seconds
        )
        if file.bytes and (is_full or is_old):
            self._end_file(stream)
            return self._begin(name, stream)
        return file

    def _begin(self, name: str, stream: _Stream) -> OpenFile:
        path = self._directory / f"{name}-{stream.files:04d}.bin"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileExistsError as error:
            raise RecordingError(
                f"{path}: exists already and is left as it is; record into a new "
                f"directory"
            ) from error
        except OSError as error:
            raise RecordingError(
                f"{path}: cannot be made: {error.strerror}; no word of this call is "
                f"on the disk; check the directory, and who may write there"
            ) from error
        file = OpenFile(path, name, stream.words, descriptor, self._clock())
        stream.files += 1
        stream.current = file
        self._files.append(file)
        self._keeper.add(file)
        return file

    def _append(self, file: OpenFile, stream: _Stream, data: memoryview) -> None:
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(file.descriptor, data[done:], file.bytes + done)
        except OSError as error:
            words = done // _WORD_BYTES
            raise RecordingError(
                f"{file.path}: cannot be written at byte {file.bytes + done}: "
                f"{error.strerror}; {words} of the {len(data) // _WORD_BYTES} words of "
                f"this call are on the disk; make room or check the disk",
                words,
            ) from error
        finally:
            whole = len(data) if done == len(data) else done - done % _WORD_BYTES
            if whole < len(data):
                # The next write begins there, whether or not this succeeds.
                with contextlib.suppress(OSError):
                    os.ftruncate(file.descriptor, file.bytes + whole)
            file.bytes += whole
            file.words += whole // _WORD_BYTES
            stream.words += whole // _WORD_BYTES
        self._keeper.written(file)

    def _end_file(self, stream: _Stream) -> None:
        if stream.current is not None:
            self._keeper.seal(stream.current)
            stream.current = None


def _bytes_of(words: NDArray[np.uint32]) -> memoryview:
    given: Any = words
    if not isinstance(given, np.ndarray) or given.ndim != 1:
        shape = getattr(given, "shape", type(given).__name__)
        raise RecorderUseError(
            f"words were given as {shape}, expected an array of one dimension"
        )
    if given.dtype.kind != "u" or given.itemsize != _WORD_BYTES:
        raise RecorderUseError(
            f"words were given as {given.dtype}, expected uint32; give bytes as "
            f"np.frombuffer(data, '<u4')"
        )
    return np.ascontiguousarray(given, "<u4").view(np.uint8).data
