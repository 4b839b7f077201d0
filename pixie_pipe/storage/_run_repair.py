"""What is done about runs whose process ended without closing them."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import re
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

from pixie_pipe.storage._processes import is_gone
from pixie_pipe.storage._record_values import RunRecordError
from pixie_pipe.storage._reserve import give_back_room
from pixie_pipe.storage._run_numbers import run_paths
from pixie_pipe.storage.raw import DataWarning
from pixie_pipe.storage.raw_recorder import CHECKSUMS, RecordedFile, split_file_name
from pixie_pipe.storage.run_record import (
    RUN_FILE,
    changing_record,
    read_record,
    write_record,
)

RAW = "raw"
"""Name of the directory of raw files in that of a run."""

REASON = "the process that took it ended without closing it"

_WORD_BYTES = 4

# Hundreds of finished runs are passed by without reading the whole of their records.
_RUNNING = re.compile(rb"""^state: *["']?running\b""", re.MULTILINE)

# What `new_file` leaves when its process is killed.
_LEFTOVER = re.compile(r".+\.[0-9a-f]{8}\.part")
_CHECKSUM_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def repair_all(parent: Path) -> list[Path]:
    """Mark the runs that nobody takes any more, and return their directories.

    A run that cannot be repaired is left, with a `DataWarning`.
    """
    if not parent.is_dir():
        return []
    repaired = []
    for _, path in run_paths(parent):
        try:
            if _is_repaired(path):
                repaired.append(path)
        except (RunRecordError, OSError) as error:
            warnings.warn(f"{path}: not repaired: {error}", DataWarning, stacklevel=3)
    return repaired


def _is_repaired(path: Path) -> bool:
    """Repair a run if it has to be, and return whether it had."""
    run_file = path / RUN_FILE
    if not _RUNNING.search(run_file.read_bytes()):
        return False
    record = read_record(run_file)
    if record.state != "running" or not is_gone(record.process, record.host):
        return False
    with changing_record(run_file):
        # Its process may have finished it just before it ended.
        record = read_record(run_file)
        if record.state != "running":
            return False
        _remove_leftovers(path)
        write_record(
            run_file,
            dataclasses.replace(
                record,
                state="incomplete",
                reasons=(*record.reasons, REASON),
                files=tuple(recorded_files(path / RAW)),
            ),
        )
    return True


def recorded_files(directory: Path) -> Iterator[RecordedFile]:
    """Yield the raw files that are in a directory, stream by stream."""
    checksums = read_checksums(directory / CHECKSUMS)
    words_before: dict[str, int] = {}
    found = [path for path in directory.glob("*.bin") if path.is_file()]
    for path in sorted(found, key=lambda path: split_file_name(path.name)):
        stream, _ = split_file_name(path.name)
        size = path.stat().st_size
        first = words_before.get(stream, 0)
        words = size // _WORD_BYTES
        words_before[stream] = first + words
        checksum = checksums.get(path.name, "")
        yield RecordedFile(path.name, stream, words, size, checksum, first)


def read_checksums(path: Path) -> dict[str, str]:
    """Return the checksums in a ``SHA256SUMS``, by file; none if it is missing."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = map(_CHECKSUM_LINE.fullmatch, lines)
    return {match[2]: match[1] for match in found if match}


def _remove_leftovers(path: Path) -> None:
    give_back_room(path)
    for leftover in path.rglob("*.part"):
        if _LEFTOVER.fullmatch(leftover.name) and not _is_in_use(leftover):
            leftover.unlink(missing_ok=True)


def _is_in_use(path: Path) -> bool:
    """Return whether some process has a file open, one that converts the run say."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        # The system grants a lease on a file only if nobody else has it open. Should
        # somebody open it now, the signal that tells so must be a harmless one.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
