"""Whether the process that took a run is still there."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")

# Where the start time is, counted from the field behind the name of the program.
_START_FIELD = 19


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What tells a process from all others, also from later ones with its number.

    Attributes
    ----------
    pid
        Its number.
    start_ticks
        When it started, in clock ticks since the boot: unlike the time of day, this
        does not change when somebody sets the clock.
    boot
        Identifier of the boot of the machine.
    namespace
        Which processes it sees: those of a container are counted on their own.
    """

    pid: int
    start_ticks: int
    boot: str
    namespace: str = ""


def this_host() -> str:
    """Return the name of this machine."""
    return platform.node()


def this_process() -> ProcessIdentity:
    """Return the identity of the process that asks."""
    pid = os.getpid()
    return ProcessIdentity(pid, _start_ticks(pid) or 0, _boot(), _namespace())


def is_gone(process: ProcessIdentity, host: str) -> bool:
    """Return whether a process has certainly ended; False if that cannot be told.

    Parameters
    ----------
    process
        Who it was.
    host
        Name of the machine that it was on.
    """
    if process.boot != _boot():
        return host == this_host()
    if process.namespace != _namespace():
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    ticks = _start_ticks(process.pid)
    return ticks is not None and ticks != process.start_ticks


def _start_ticks(pid: int) -> int | None:
    """Return the start of a process, None if nothing can be learnt about it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name is in parentheses and may hold any character.
    return int(text.rpartition(")")[2].split()[_START_FIELD])


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(_NAMESPACE.readlink())
    except OSError:
        return ""
