"""The scripts that users start from run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pixie_pipe.storage import RunDirectory

ROOT = Path(__file__).parents[2]


def run_script(name: str, *arguments: object, cwd: Path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_acquisition(tmp_path):
    out = run_script(
        "acquire.py",
        ROOT / "configs" / "demo.yaml",
        *("--count", 2, "--seconds", 0.5, "--runs", tmp_path / "runs"),
        cwd=tmp_path,
    )
    assert len(out.splitlines()) == 2
    runs = [RunDirectory.open(tmp_path / "runs" / name) for name in ("0001", "0002")]
    assert [run.title for run in runs] == ["Run 1 of 2", "Run 2 of 2"]
    assert [run.state for run in runs] == ["complete", "complete"]
    assert all(run.balance["events_written"] > 0 for run in runs)


def test_interactive_session(tmp_path):
    out = run_script("interactive_session.py", cwd=tmp_path)
    assert "DOES NOT CLOSE" not in out
    for name in ("0001", "0002"):
        run = RunDirectory.open(tmp_path / "runs" / name)
        assert (run.state, run.reasons) == ("complete", ())
        assert {"events.h5", "histograms.h5"} <= {
            path.name for path in run.path.iterdir()
        }


def test_rate_of_the_simulation(tmp_path):
    out = run_script(
        "simulated_rate.py", "--seconds", 0.01, "--rate", 1e5, cwd=tmp_path
    )
    assert [line.split()[0] for line in out.splitlines()] == ["physics", "fast"]
    assert out.count("of memcpy") == 2
