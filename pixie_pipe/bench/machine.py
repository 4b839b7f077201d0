"""Where and with what it was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_LIBRARIES = ("numpy", "numba", "pyzmq", "h5py", "hdf5plugin")


def description(command: str) -> dict[str, str]:
    """Return date, machine, versions and command.

    Parameters
    ----------
    command
        What was typed.
    """
    versions = [f"pixie_pipe {metadata.version('pixie_pipe')}"]
    versions.append(f"Python {platform.python_version()}")
    versions += [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {_cores()}, {_memory()}",
        "system": f"{platform.system()} {platform.release()}",
        "versions": ", ".join(versions),
        "command": command,
    }


def cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _cores() -> str:
    count = len(cores())
    return f"{count} core{'s' if count > 1 else ''}"


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return f"{int(value.split()[0]) / 1e6:.0f} GB of memory"
    return "unknown memory"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
