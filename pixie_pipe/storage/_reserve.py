"""Room for what is written at the end of a run, even if the disk is full."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

RESERVE: Final = ".reserve"
"""Name of the file that keeps the room, in the directory of the run."""

_BYTES: Final = 1 << 20
"""For the record and the statistics: those of 13 modules of 32 channels have some 50
kB, and the record is written beside the old one."""


def keep_room(directory: Path) -> None:
    """Reserve the room, where the file system can.

    Raises
    ------
    OSError
        If there is no room.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    descriptor = os.open(directory / RESERVE, flags, 0o666)
    try:
        os.posix_fallocate(descriptor, 0, _BYTES)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
    finally:
        os.close(descriptor)


def give_back_room(directory: Path) -> None:
    """Give the room back, if it is kept."""
    with contextlib.suppress(OSError):
        (directory / RESERVE).unlink(missing_ok=True)
