"""The scripts that users start from run as they are."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def load_script(name: str, monkeypatch) -> Any:
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, script)
    spec.loader.exec_module(script)
    return script


CAMPAIGN = (
    *("--seconds", 1, "--megabytes-per-s", 4, "--channels", 1, "--trace", 20),
    *("--runs", "runs"),
)


def test_a_campaign_with_simulated_data(tmp_path, monkeypatch):
    out = run_script("take_simulated_data.py", *CAMPAIGN, cwd=tmp_path)
    assert out.splitlines()[-1] == "not one word is missing"
    run = RunDirectory.open(tmp_path / "runs" / "0001")
    assert run.state == "complete"
    # It would tell what is missing.
    script = load_script("take_simulated_data", monkeypatch)
    told = json.loads((run.path / "statistics-stop.json").read_text())
    modules = told["TakeData"]["own"]["modules"]
    taken = script.Taken(run, modules, {}, 1.0, "")
    assert script.compare(taken, is_lossy=False).failed == []
    modules["c0-s02"]["words_written"] += 1
    (text,) = script.compare(taken, is_lossy=False).failed
    assert text.startswith("c0-s02: words: sent ")
    modules["c0-s02"]["words_written"] -= 1
    path = run.raw / "c0-s05-0000.bin"
    content = bytearray(path.read_bytes())
    content[4] ^= 1  # the time of its first event
    path.write_bytes(content)
    (text,) = script.compare(taken, is_lossy=False).failed
    assert text.startswith("slot 5 channel ")


def test_a_campaign_that_loses_words(tmp_path):
    lossy = (*CAMPAIGN, "--fifo-words", 3001)
    out = run_script("take_simulated_data.py", *lossy, cwd=tmp_path)
    assert out.splitlines()[-1] == "every lost word was counted"
    run = RunDirectory.open(tmp_path / "runs" / "0001")
    assert run.state == "incomplete"
    assert f"the modules lost {run.balance['words_lost']} words" in run.reasons[0]
