"""Whether the files of a run are still those that its record tells of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.storage._run_repair import RAW, read_checksums
from pixie_pipe.storage.raw_recorder import CHECKSUMS

if TYPE_CHECKING:
    from pixie_pipe.storage.raw_recorder import RecordedFile
    from pixie_pipe.storage.run_directory import RunDirectory

Advance = Callable[[int], None]
"""Called with the number of bytes that were read since the last call."""

_PIECE_BYTES: Final = 4 << 20


class Finding(StrEnum):
    """What became of a file."""

    GOOD = "good"
    UNCHECKED = "unchecked"
    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file of a run, and what was found.

    Attributes
    ----------
    name
        Its name, relative to the directory of the run.
    finding
        What became of it. ``unchecked`` is one whose size is right, and of which no
        checksum was taken because nobody closed it.
    detail
        What that means, in words; empty if all is good.
    """

    name: str
    finding: Finding
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of a run.

    Attributes
    ----------
    number, path, state
        The run.
    files
        Its files, each with what was found. Empty if the run goes on.
    """

    number: int
    path: Path
    state: str
    files: tuple[CheckedFile, ...]

    @property
    def problems(self) -> tuple[CheckedFile, ...]:
        """The files that are not as the record says."""
        harmless = (Finding.GOOD, Finding.UNCHECKED)
        return tuple(file for file in self.files if file.finding not in harmless)

    def count(self, finding: Finding) -> int:
        """Return the number of files of which this was found."""
        return sum(file.finding is finding for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "number": self.number,
            "path": str(self.path),
            "state": self.state,
            "good": not self.problems,
            "files": [
                {
                    "name": file.name,
                    "finding": str(file.finding),
                    "detail": file.detail,
                }
                for file in self.files
            ],
        }


def bytes_to_read(run: RunDirectory) -> int:
    """Return how many bytes `verify_run` will read, if all files are there."""
    if run.state == "running":
        return 0
    return sum(file.bytes for file in run.files if file.sha256)


def verify_run(run: RunDirectory, advance: Advance | None = None) -> Verification:
    """Compare the files of a run with its record. Nothing is written.

    Raw files are read as a whole, and their checksums compared with those in the
    record and in ``SHA256SUMS``. Other outputs have no checksums: it is looked whether
    they are there. Of a run that goes on nothing is looked at.

    Parameters
    ----------
    run
        The run.
    advance
        Is told how many bytes were read.
    """
    files: list[CheckedFile] = []
    if run.state != "running":
        files += _raw_files(run, advance or _ignore)
        files += _outputs(run)
    return Verification(run.number, run.path, run.state, tuple(files))


def _ignore(_count: int) -> None:
    """Tell nobody."""


def _raw_files(run: RunDirectory, advance: Advance) -> Iterator[CheckedFile]:
    listed = read_checksums(run.raw / CHECKSUMS)
    for file in run.files:
        finding, detail = _compare(run.raw / file.name, file, listed, advance)
        yield CheckedFile(f"{RAW}/{file.name}", finding, detail)
    known = {file.name for file in run.files} | {CHECKSUMS}
    for path in sorted(run.raw.rglob("*")) if run.raw.is_dir() else ():
        name = str(path.relative_to(run.raw))
        if name not in known and not path.is_dir():
            detail = "the record does not tell of it"
            yield CheckedFile(f"{RAW}/{name}", Finding.EXTRA, detail)


def _compare(
    path: Path, file: RecordedFile, listed: dict[str, str], advance: Advance
) -> tuple[Finding, str]:
    """Return what became of a raw file, and what that means."""
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return Finding.CHANGED, f"has {size} bytes, recorded were {file.bytes}"
        if not file.sha256:
            return Finding.UNCHECKED, "no checksum was taken: it was not closed"
        found = _checksum(path, advance)
    except FileNotFoundError:
        return Finding.MISSING, f"{file.bytes} bytes were recorded"
    except OSError as error:
        return Finding.CHANGED, f"cannot be read: {error.strerror}"
    wrong = ""
    if found != file.sha256:
        wrong = f"has the checksum {found[:12]}..., recorded was {file.sha256[:12]}..."
    elif listed.get(file.name, found) != found:
        wrong = f"has another checksum in {CHECKSUMS}"
    return (Finding.CHANGED, wrong) if wrong else (Finding.GOOD, "")


def _checksum(path: Path, advance: Advance) -> str:
    checksum = hashlib.sha256()
    buffer = bytearray(_PIECE_BYTES)
    with path.open("rb", buffering=0) as opened:
        while count := opened.readinto(buffer):
            checksum.update(memoryview(buffer)[:count])
            advance(count)
    return checksum.hexdigest()


def _outputs(run: RunDirectory) -> Iterator[CheckedFile]:
    for name in run.record.outputs:
        # Whoever writes elsewhere may have moved it since.
        if Path(name).is_absolute():
            continue
        if (run.path / name).exists():
            yield CheckedFile(name, Finding.UNCHECKED, "outputs have no checksum")
        else:
            yield CheckedFile(name, Finding.MISSING, "the record tells of it")
