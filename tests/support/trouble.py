"""What must hold after trouble, and what was told, for people to read aloud."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pixie_pipe.storage import RunDirectory, list_runs

if TYPE_CHECKING:
    from pixie_pipe.pipeline import Status

CHAIN = ("GatherData", "ConvertToEvents", "WriteEvents")


def last_run(runs: Path) -> RunDirectory:
    """Return the last run."""
    return list(list_runs(runs))[-1]


@dataclass
class Told:
    """What the user was told in each case.

    `check` compares it; `table` has all of it.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)

    def check(self, case: str, text: str, words: Sequence[str]) -> None:
        """Note a message; it must say what, where, and what to do, in these words."""
        self.rows.append((case, text))
        missing = [part for part in words if part not in text]
        assert not missing, f"{case}: {missing} not in: {text}"

    def table(self) -> str:
        """Return all messages, wrapped as on a terminal."""
        lines = []
        for case, text in self.rows:
            lines.append(f"\n{case}")
            for line in text.splitlines():
                lines += textwrap.wrap(
                    line, 88, initial_indent="    ", subsequent_indent="      "
                )
        return "\n".join(lines)


def check_failed(pipeline: Any, runs: Path, *, state: Status) -> RunDirectory:
    """Check the state after a run that failed: one error, a reason, nothing left.

    The errors of the pipeline are forgotten then.
    """
    assert pipeline.state is state
    ((_, error),) = pipeline.errors
    pipeline.errors.clear()
    run = last_run(runs)
    assert run.state == "incomplete"
    # The place in the data and the traceback are no part of the reason.
    cause = str(error).partition(": ")[2].partition(" (at ")[0].splitlines()[0]
    assert cause in run.reasons[0]
    check_nothing_left(run)
    return run


def check_nothing_left(run: RunDirectory) -> None:
    """Check that no file is there that only a run that goes on needs."""
    left = [path for path in run.path.rglob("*") if path.name.startswith(".")]
    assert left + list(run.path.rglob("*.part")) == []
    assert not (run.path / "events.h5").exists() or run.state == "complete"


@contextlib.contextmanager
def unwritable(directory: Path) -> Iterator[None]:
    """Let nobody make files in a directory; files that are open stay so.

    Permission bits do nothing to root, the attribute of immutable files does, where the
    file system has it.
    """
    if os.getuid():
        directory.chmod(0o555)
        yield
        directory.chmod(0o755)
        return
    chattr = shutil.which("chattr")
    if (
        chattr is None
        or subprocess.run([chattr, "+i", directory], check=False).returncode
    ):
        pytest.skip("root writes everywhere: no immutable directories here (chattr +i)")
    try:
        yield
    finally:
        subprocess.run([chattr, "-i", directory], check=True)


def can_mount() -> bool:
    """Tell whether a process can have mounts of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("mount") is None:
        return False
    command = [unshare, "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return not subprocess.run(command, check=False, capture_output=True).returncode
