"""Recorded files in the place of the sources of a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pixie_pipe import decode
from pixie_pipe.storage import read_hdf5
from pixie_pipe.testing.sample import LAYOUT

DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"


def test_the_files_are_read_and_not_recorded_again(run, tmp_path, sample_file):
    code, out, err = run(
        "replay", DEMO, sample_file, "--runs", tmp_path / "runs", "--json"
    )
    assert code == 0, err
    summary = json.loads(out)
    assert summary["complete"]
    assert summary["events"] == 5000
    assert summary["balance"]["words_read"] * 4 == sample_file.stat().st_size
    assert "words_recorded" not in summary["balance"]
    directory = tmp_path / "runs" / "0001"
    assert not list((directory / "raw").glob("*.bin"))
    record = yaml.safe_load((directory / "run.yaml").read_text())
    assert record["configuration"]["replay"] == [str(sample_file)]
    written = read_hdf5(directory / "events.h5")
    expected = decode(sample_file.read_bytes(), LAYOUT).events
    order = np.argsort(expected.time_ps, kind="stable")
    assert np.array_equal(written.time_ps, expected.time_ps[order])


def test_a_recorded_run_gives_the_same_events_again(run, tmp_path):
    runs = tmp_path / "runs"
    events = "tasks.DummyData.events=5000"
    assert run("run", DEMO, "--runs", runs, "--set", events, "-q")[0] == 0
    (raw,) = (runs / "0001" / "raw").glob("*.bin")
    code, _, err = run("replay", DEMO, raw, "--runs", runs, "-q")
    assert code == 0, err
    first, again = (read_hdf5(runs / n / "events.h5") for n in ("0001", "0002"))
    assert len(first) == 5000
    assert first.equals(again)


def test_a_dry_run_shows_the_files_as_the_source(run, sample_file):
    code, out, err = run("replay", DEMO, sample_file, "--dry-run")
    assert (code, err) == (0, "")
    assert "LoadFiles" in out
    assert "DummyData" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DEMO,), "no files were given"),
        ((DEMO, "absent.bin"), "absent.bin: is no file"),
        ((DEMO, DEMO.parent), "is no file"),
    ],
)
def test_wrong_usage(run, arguments, message):
    code, out, err = run("replay", *arguments)
    assert (code, out) == (2, "")
    assert message in err
