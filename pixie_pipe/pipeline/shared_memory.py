"""Memory that a process shares with the consumers of its data.

Each process owns one file in the private directory of the pipeline, on a file system
that is kept in memory. The arrays that it makes lie in this file, so that a consumer
on the same host reads them where they are; only their places travel. Whether an array
is still needed is not decided here: an array keeps its part of the file until the last
view of it is gone, and a link holds the views of what is not acknowledged.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.pipeline.messages import Error

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_BYTES: Final = 1 << 30
"""Most memory of one process. Address space only, until it is used."""

SUFFIX: Final = ".memory"


class SharedMemoryError(Error):
    """A place in shared memory that is not there."""


def is_in_memory(directory: Path) -> bool:
    """Tell whether the files of a directory are kept in memory."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return False
    path = str(directory.resolve())
    holder, kind = "", ""
    for line in lines:
        # Device, where it is mounted, type, and more: proc(5).
        point, name = line.split(" ")[1:3]
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(holder):
            holder, kind = point, name
    return kind in ("tmpfs", "ramfs")


def memory_file(address: str) -> Path:
    """Return the file of the process whose socket for data has this address."""
    return Path(address.removeprefix("ipc://")).with_suffix(SUFFIX)


class SharedMemory:
    """The memory that one process owns and its consumers read.

    Parameters
    ----------
    path
        The file; made anew.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.ftruncate(self._file, LIMIT_BYTES)
            self._map = mmap.mmap(self._file, LIMIT_BYTES)
        except OSError:
            os.close(self._file)
            path.unlink()
            raise
        self._start = np.frombuffer(self._map, np.uint8).ctypes.data
        self._used = 0
        self._free: defaultdict[int, list[int]] = defaultdict(list)
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """Bytes that were ever lent; they are lent again, and never given back."""
        return self._used

    def allocate(self, size: int) -> NDArray[np.uint8] | None:
        """Return memory that comes back when its last view is gone.

        Parameters
        ----------
        size
            Bytes, of a size that is often asked for: parts are used again for the
            same size only.

        Returns
        -------
        ndarray or None
            With any content, shape (size,); None if there is no more.
        """
        place = self._find(size)
        if place is None:
            return None
        memory = np.frombuffer(self._map, np.uint8, size, place)
        weakref.finalize(memory, self._free[size].append, place).atexit = False
        return memory

    def _find(self, size: int) -> int | None:
        with self._lock:
            if self._free[size]:
                return self._free[size].pop()
            place = self._used
            if place + size > LIMIT_BYTES:
                return None
            try:
                # A page that is not there when it is touched would kill the process.
                os.posix_fallocate(self._file, place, size)
            except OSError:
                return None
            self._used = -(-(place + size) // mmap.PAGESIZE) * mmap.PAGESIZE
            return place

    def place_of(self, array: NDArray[Any]) -> int | None:
        """Return where a contiguous array lies in this memory; None: elsewhere."""
        place = array.__array_interface__["data"][0] - self._start
        if place >= 0 and place + array.nbytes <= LIMIT_BYTES:
            return int(place)
        return None

    def close(self) -> None:
        """Close the file; memory that is lent stays valid."""
        os.close(self._file)


class SharedViews:
    """What a process reads of the memory of others.

    Parameters
    ----------
    directory
        Where the files are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._maps: dict[str, mmap.mmap] = {}

    def views(
        self, name: str, places: Sequence[int], sizes: Sequence[int]
    ) -> tuple[NDArray[np.uint8], list[memoryview]]:
        """Return parts of the memory of another process, to be read only.

        Parameters
        ----------
        name
            Name of its file.
        places, sizes
            Where the parts begin, and their bytes; at least one.

        Returns
        -------
        tuple
            An array from the first to the last of them, which lives as long as
            anything that is made of the parts; and the parts.

        Raises
        ------
        SharedMemoryError
            If there is no such memory, or no such part.
        """
        if len(places) != len(sizes) or not places:
            raise SharedMemoryError(f"{len(places)} places for {len(sizes)} arrays")
        source = self._maps.get(name)
        if source is None:
            source = self._maps[name] = self._open(name)
        for place, size in zip(places, sizes, strict=True):
            if place < 0 or size < 0 or place + size > len(source):
                raise SharedMemoryError(
                    f"bytes {place} to {place + size} of {name} do not exist: it has "
                    f"{len(source)}"
                )
        ends = [place + size for place, size in zip(places, sizes, strict=True)]
        first = min(places)
        span = np.frombuffer(source, np.uint8, max(ends) - first, first)
        part = span.data
        return span, [
            part[place - first : end - first]
            for place, end in zip(places, ends, strict=True)
        ]

    def forget(self) -> None:
        """Read the files anew; views that are there stay valid."""
        self._maps = {}

    def _open(self, name: str) -> mmap.mmap:
        if Path(name).name != name or not name.endswith(SUFFIX):
            raise SharedMemoryError(f"{name!r} is no name of shared memory")
        try:
            with (self._directory / name).open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SharedMemoryError(f"cannot read {name}: {error}") from error
