#!/usr/bin/env python3
"""Check that a wheel holds the package's files in git, all of them and no others.

Usage: python scripts/check_wheel.py WHEEL [REPOSITORY]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "pixie_pipe"


def tracked_files(repository: Path) -> set[str]:
    """Return the package's files that git knows, as they are called in the wheel."""
    listing = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-z", "--", PACKAGE],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name for name in listing.split("\0") if name}


def wheel_files(wheel: Path) -> set[str]:
    """Return what the wheel installs, without its own metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    return {name for name in names if not name.split("/", 1)[0].endswith(".dist-info")}


def differences(wheel: set[str], tracked: set[str]) -> list[str]:
    """Return one line for each thing that is wrong with the wheel's list of files."""
    lines = []
    if not tracked:
        lines.append(f"git knows no file of {PACKAGE}/ (git add them first)")
    if f"{PACKAGE}/py.typed" not in wheel:
        lines.append(
            f"missing from the wheel: {PACKAGE}/py.typed (type checkers need it)"
        )
    lines += [
        f"missing from the wheel: {name} (is it hidden by .gitignore?)"
        for name in sorted(tracked - wheel)
    ]
    lines += [
        f"in the wheel, but not in git: {name} (git add it, or remove it)"
        for name in sorted(wheel - tracked)
    ]
    return lines


def main() -> int:
    """Compare, print what differs, and return the exit code."""
    description, _, usage = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(description=description, epilog=usage.strip())
    parser.add_argument("wheel", type=Path)
    parser.add_argument("repository", type=Path, nargs="?", default=Path())
    arguments = parser.parse_args()
    if not arguments.wheel.is_file():
        parser.error(f"{arguments.wheel} is no file")
    wheel = wheel_files(arguments.wheel)
    wrong = differences(wheel, tracked_files(arguments.repository))
    for line in wrong:
        print(f"{arguments.wheel.name}: {line}", file=sys.stderr)
    if wrong:
        return 1
    print(f"{arguments.wheel.name}: {len(wheel)} files, the same as in git")
    return 0


if __name__ == "__main__":
    sys.exit(main())
