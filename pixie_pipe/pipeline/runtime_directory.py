"""The private directory of a pipeline: sockets, shared memory, states of tasks.

It is made for one pipeline, closed to other users, and removed at its end. What a
killed pipeline left is removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from pixie_pipe.storage._processes import (
    ProcessIdentity,
    is_gone,
    this_host,
    this_process,
)

PREFIX: Final = "pixie_pipe-"

# A path of a socket may have 107 bytes on Linux (unix(7)); names of tasks need room.
_LONGEST: Final = 60

# A file system in memory, where Linux has one for everybody.
_MEMORY: Final = "/dev/shm"  # noqa: S108 - as above

_OWNER: Final = "owner"


def make_runtime_directory() -> Path:
    """Make a private directory for sockets, and remove what others left behind.

    Returns
    -------
    Path
        A new directory that only this user can enter.
    """
    parent = _parent()
    remove_stale(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    mine = this_process()
    fields = (mine.pid, mine.start_ticks, mine.boot, mine.namespace, this_host())
    (path / _OWNER).write_text(" ".join(map(str, fields)))
    return path


def _parent() -> Path:
    for wanted in (os.environ.get("XDG_RUNTIME_DIR"), _MEMORY, tempfile.gettempdir()):
        if wanted and len(wanted) <= _LONGEST:
            path = Path(wanted)
            if path.is_dir() and os.access(path, os.W_OK):
                return path
    return Path("/tmp")  # noqa: S108 - mkdtemp makes it private


def remove_stale(parent: Path) -> None:
    """Remove the directories of pipelines that are gone."""
    for path in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            mine = status.st_uid == os.getuid() and stat.S_ISDIR(status.st_mode)
            if mine and _is_stale(path):
                remove(path)


def _is_stale(path: Path) -> bool:
    try:
        pid, ticks, boot, namespace, host = (path / _OWNER).read_text().split(" ")
        owner = ProcessIdentity(int(pid), int(ticks), boot, namespace)
    except (OSError, ValueError):
        # Just being made, or none of ours.
        return False
    return is_gone(owner, host)


def remove(path: Path) -> None:
    """Remove a private directory with all that is in it."""
    shutil.rmtree(path, ignore_errors=True)


def remove_orphaned(path: Path) -> None:
    """Remove a directory whose pipeline is gone, if it is a private one."""
    if path.name.startswith(PREFIX):
        remove(path)
