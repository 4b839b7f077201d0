"""Run docs/tutorial.md as it stands, and make its figures anew.

    python scripts/make_tutorial.py             # writes docs/figures/na22-*.png
    python scripts/make_tutorial.py --keep DIR  # leaves the run and all files there

The commands and the lines of Python are those of the page, in its order, in a directory
of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
FIGURES = ROOT / "docs" / "figures"

_BLOCK = re.compile(r"^```(sh|py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_page(directory: Path) -> dict[str, Any]:
    """Run what the page tells to.

    Parameters
    ----------
    directory
        An empty directory; what the page makes is left in it.

    Returns
    -------
    dict
        The variables of its Python.
    """
    shutil.copytree(ROOT / "configs", directory / "configs")
    (directory / "figures").mkdir()
    variables: dict[str, Any] = {"__name__": "__tutorial__"}
    with contextlib.chdir(directory):
        for language, code in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            if language == "sh":
                _run_commands(code)
            else:
                exec(compile(code, str(PAGE), "exec"), variables)  # noqa: S102 - our own page
    return variables


def _run_commands(code: str) -> None:
    """Run the commands with the pixie-pipe of this Python."""
    for line in code.strip().splitlines():
        command, *arguments = line.split()
        assert command == "pixie-pipe", f"{line}: expected a command of pixie-pipe"
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-m", "pixie_pipe", *arguments],
            check=True,
            env=environment,
        )


def main() -> None:
    """Run the page and copy its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="leave everything in this directory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        run_page(directory)
        FIGURES.mkdir(exist_ok=True)
        for path in sorted((directory / "figures").glob("*.png")):
            shutil.copy(path, FIGURES)
            print(f"{FIGURES / path.name} is written")


if __name__ == "__main__":
    main()
