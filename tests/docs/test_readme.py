"""The examples in the README and in docs/ run as they are pasted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (page, code) of all fenced blocks in a language."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        (page.name, code)
        for page in PAGES
        for code in pattern.findall(page.read_text())
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the examples read."""
    folder = tmp_path_factory.mktemp("examples")
    arguments = ["-m", "pixie_pipe", "sample", "sample.bin"]
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True)
    arguments = ["convert", "sample.bin", "-o", "events.h5"]
    layout = ["--frequency", "500", "--revision", "34688"]
    subprocess.run(
        [sys.executable, "-m", "pixie_pipe", *arguments, *layout],
        cwd=folder,
        check=True,
    )
    return folder


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python(folder: Path, page: str, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}:\n{done.stderr}"
    assert done.stdout, f"{page}: the example shows nothing"


def test_there_are_examples() -> None:
    assert blocks("python")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
