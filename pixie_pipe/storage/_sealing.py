"""What happens to recorded files behind the recorder's back: checksums and syncing."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from hashlib import _Hash

CHECKSUMS = "SHA256SUMS"
"""Name of the file of checksums."""

_PIECE_BYTES = 1 << 20
# Far more than a hiccup of the second thread, and still in the page cache.
_LARGEST_LAG_BYTES = 256 << 20


class RecordingError(PixiePipeError, OSError):
    """Words could not be recorded, or may not be on the disk.

    Attributes
    ----------
    words_written
        How many words of the failed call are in the file; the others are not.
    """

    def __init__(self, text: str, words_written: int = 0) -> None:
        super().__init__(text)
        self.words_written = words_written


@dataclass(slots=True, eq=False)
class OpenFile:
    """A file that is recorded; `bytes` are those that belong to it.

    The recorder's thread alone changes `words` and `bytes`, the helpers' threads what
    comes behind them.
    """

    path: Path
    stream: str
    first_offset: int
    descriptor: int
    opened: float
    words: int = 0
    bytes: int = 0
    to_hash: int = 0

    hashed: int = 0
    synced: int = -1
    sha256: str = ""
    checksum: _Hash = field(default_factory=hashlib.sha256)


class FileKeeper:
    """Hashes, syncs and seals files in threads of its own.

    The checksum is computed from what the system says is in the file, read again
    while it is in the page cache: nobody has to keep the words for it.

    Parameters
    ----------
    directory
        Where the files are.
    sync_seconds
        Longest time in seconds for which what was written is not sent to the disk.

    Attributes
    ----------
    slowest_sync_s
        Longest time that the system took to send a file to the disk, in seconds.
    """

    def __init__(self, directory: Path, sync_seconds: float) -> None:
        self._directory = directory
        self._sync_seconds = sync_seconds
        self._buffer = memoryview(bytearray(_PIECE_BYTES))
        self._open: list[OpenFile] = []
        self._hashing: deque[tuple[int, Future[None]]] = deque()
        self._lag = 0
        self._to_seal: queue.SimpleQueue[tuple[OpenFile, Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._failure = ""
        self.slowest_sync_s = 0.0
        self._hasher = ThreadPoolExecutor(1, "checksums")
        # Not the thread of the checksums: a disk may take seconds to sync.
        self._syncer = threading.Thread(target=self._run, name="sync", daemon=True)

    def check(self) -> None:
        """Raise what went wrong in the threads, if anything did.

        Raises
        ------
        RecordingError
            If a file could not be synced, read again or given its checksum.
        """
        if self._failure:
            raise RecordingError(self._failure)

    def add(self, file: OpenFile) -> None:
        """Take care of a file from now on."""
        if self._syncer.ident is None:
            self._syncer.start()
        self._open.append(file)

    def written(self, file: OpenFile) -> None:
        """Take note that a file has grown, and wait if the checksums lag far behind."""
        if file.bytes - file.to_hash >= _PIECE_BYTES:
            self._hash_soon(file)
        while self._hashing and (
            self._hashing[0][1].done() or self._lag > _LARGEST_LAG_BYTES
        ):
            size, hashing = self._hashing.popleft()
            self._lag -= size
            hashing.result()

    def seal(self, file: OpenFile) -> None:
        """Sync a file, add its checksum to the list and close it, all of it soon."""
        self._open.remove(file)
        self._to_seal.put((file, self._hash_soon(file)))

    def close(self) -> None:
        """Wait until every file is sealed.

        Raises
        ------
        RecordingError
            As for `check`.
        """
        if self._syncer.ident is not None:
            self._to_seal.put(None)
            self._syncer.join()
        self._hasher.shutdown()
        self.check()

    def _hash_soon(self, file: OpenFile) -> Future[None]:
        size = file.bytes - file.to_hash
        file.to_hash = file.bytes
        hashing = self._hasher.submit(self._hash, file, file.bytes)
        self._hashing.append((size, hashing))
        self._lag += size
        return hashing

    def _hash(self, file: OpenFile, end: int) -> None:
        try:
            while file.hashed < end:
                piece = self._buffer[: end - file.hashed]
                count = os.preadv(file.descriptor, [piece], file.hashed)
                if not count:
                    self._fail(file.path, f"has been cut to {file.hashed} bytes")
                    return
                file.checksum.update(piece[:count])
                file.hashed += count
        except OSError as error:
            self._fail(file.path, f"cannot be read again: {error.strerror}")

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self._fail(self._directory, f"syncing has ended: {error!r}")
            raise

    def _serve(self) -> None:
        due = time.monotonic() + self._sync_seconds
        while True:
            try:
                job = self._to_seal.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                self._sync_all()
                due = time.monotonic() + self._sync_seconds
                continue
            if job is None:
                return
            self._seal(*job)

    def _sync_all(self) -> None:
        files = [file for file in list(self._open) if file.synced < file.bytes]
        for file in files:
            self._sync(file)
        if files:
            self._sync_directory()

    def _sync(self, file: OpenFile) -> None:
        size = file.bytes
        begin = time.monotonic()
        try:
            os.fsync(file.descriptor)
        except OSError as error:
            self._fail(file.path, f"may not be on the disk: {error.strerror}")
        self.slowest_sync_s = max(self.slowest_sync_s, time.monotonic() - begin)
        file.synced = size

    def _seal(self, file: OpenFile, hashing: Future[None]) -> None:
        hashing.result()
        self._sync(file)
        os.close(file.descriptor)
        if file.hashed != file.bytes:
            return
        digits = file.checksum.hexdigest()
        try:
            self._append(f"{digits}  {file.path.name}\n".encode())
        except OSError as error:
            reason = error.strerror or str(error)
            self._fail(self._directory / CHECKSUMS, f"cannot be written: {reason}")
            return
        self._sync_directory()
        file.sha256 = digits

    def _append(self, line: bytes) -> None:
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._directory / CHECKSUMS, flags, 0o666)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("its last line is not whole")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _sync_directory(self) -> None:
        try:
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._fail(self._directory, f"may not be on the disk: {error.strerror}")

    def _fail(self, path: Path, what: str) -> None:
        # The first failure says most.
        self._failure = self._failure or f"{path}: {what}; check the disk"
