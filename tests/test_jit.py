"""Compiled kernels: kept on disk, safe when several processes start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import numpy as np
from pixie_pipe import Layout, decode
words = np.array([0x00084020, 1000, 0, 5] * 3, np.uint32)
print(decode(words, Layout.find(500, 34688)).events.energy.tolist())
"""


def start(cache: Path, program: str = PROGRAM) -> subprocess.Popen[str]:
    environment = os.environ | {"PIXIE_PIPE_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_several_processes_may_start_with_an_empty_cache(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(3)]
    for process in processes:
        output, errors = process.communicate(timeout=240)
        assert (process.returncode, output, errors) == (0, "[5, 5, 5]\n", "")
    (directory,) = tmp_path.iterdir()
    compiled = {path.name for path in directory.rglob("*.nbc")}
    assert compiled
    # All is there now: nothing is compiled anew.
    output, _ = start(tmp_path).communicate(timeout=240)
    assert output == "[5, 5, 5]\n"
    assert {path.name for path in directory.rglob("*.nbc")} == compiled


def test_the_directory_carries_versions_and_the_state_of_the_sources(
    tmp_path: Path,
) -> None:
    program = "from pixie_pipe._jit import cache_directory; print(cache_directory())"
    output, errors = start(tmp_path, program).communicate(timeout=60)
    assert errors == ""
    directory = Path(output.strip())
    assert directory.parent == tmp_path
    name = directory.name
    assert name.startswith("kernels-")
    assert "-numba" in name
    assert f"-py{sys.version_info.major}{sys.version_info.minor}" in name


def test_without_a_place_for_the_cache_it_still_works(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    program = (
        "import logging; logging.basicConfig()\n"
        "from pixie_pipe._jit import jit\n"
        "@jit\ndef double(x): return 2 * x\n"
        "print(double(21))"
    )
    output, errors = start(blocked, program).communicate(timeout=60)
    assert output == "42\n"
    assert "set PIXIE_PIPE_CACHE_DIR to a writable directory" in errors
