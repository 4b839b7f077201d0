"""Baselines, decay times and offsets from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pixie_pipe.settings import SettingsAccess, read_json
from tests.support.drivers import fake_crate

SIMULATED = ("--driver", "simulated", "--option", "channels=2")


def test_a_table_of_baselines_a_plot_and_numbers(run, crate, tmp_path):
    picture, numbers = tmp_path / "b.png", tmp_path / "b.npz"
    options = ("-m", "0", "-n", "0,1", "-o", picture, "-o", numbers)
    code, out, err = run("baselines", *crate, *options)
    assert (code, err) == (0, "")
    rows = [line.split("  ") for line in out.splitlines()]
    assert out.splitlines()[0].split() == [
        *("Channel", "Baselines", "Mean", "Spread", "Noise")
    ]
    assert len(rows) == 3
    assert rows[1][0] == "c0-s02 ch 00"
    count, mean, spread, noise = (cell.strip() for cell in rows[1][1:] if cell.strip())
    assert count == "4000"
    assert float(mean.replace(" ", "")) == pytest.approx(1000, abs=0.2)
    assert float(spread) == pytest.approx(fake_crate.noise(4.0), rel=0.1)
    assert float(noise) == pytest.approx(fake_crate.noise(4.0), rel=0.1)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with np.load(numbers) as arrays:
        assert arrays["c0-s02 ch 01"].shape == (4000,)


def test_baselines_as_json(run, crate):
    code, out, err = run("baselines", *crate, "-n", "2", "--json")
    assert (code, err) == (0, "")
    first, second = json.loads(out)["channels"]
    assert (first["name"], second["name"]) == ("c0-s02", "c0-s03")
    assert first["count"] == 4000


def test_decay_times_beside_tau(run, crate, tmp_path):
    picture = tmp_path / "tau.svg"
    code, out, err = run("tau", *crate, "-m", "0", "-n", "0,3", "--plot", picture)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[1] == ["c0-s02", "ch", "00", "42", "50", "-16.0"]
    assert rows[2] == ["c0-s02", "ch", "03", "-", "50", "-"]
    assert picture.exists()


def test_decay_times_go_to_a_settings_file(run, tmp_path):
    before, path = tmp_path / "before.json", tmp_path / "new.json"
    assert run("offsets", *SIMULATED, "--settings", before)[0] == 0
    code, out, err = run("tau", *SIMULATED, "-n", "0-2", "--settings", path, "--json")
    assert code == 0
    text = " ".join(err.split())
    assert "TAU was set to what was found in 2 of 3 channels" in text
    assert "BLCUT" in text
    found = [channel["tau_us"] for channel in json.loads(out)["channels"]]
    assert found[2] is None
    new, old = (SettingsAccess(read_json(file)) for file in (path, before))
    for channel, expected in enumerate(found[:2]):
        got = new.read_channel("TAU", 2, channel)
        assert got == pytest.approx(expected, rel=1e-6)
        assert got != old.read_channel("TAU", 2, channel)
    assert new.read_channel("TAU", 2, 2) == old.read_channel("TAU", 2, 2)
    code, _, err = run("tau", *SIMULATED, "--settings", path)
    assert code == 1
    assert "exists already" in err


def test_without_any_pulse_tau_stays(run, crate):
    code, out, err = run("tau", *crate, "-n", "3", "--set")
    assert code == 0
    assert out.splitlines()[1].split()[-3:] == ["-", "50", "-"]
    assert "no decay time was found: TAU is as it was" in " ".join(err.split())


def test_offsets_before_and_after(run, crate):
    code, out, err = run("offsets", *crate, "-m", "c0-s03")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert len(rows) == 5
    after = f"{fake_crate.volts(10):.4f}"
    assert rows[1] == ["c0-s03", "ch", "00", "0.0000", after, "6.1", "10.0", "10.0"]


def test_offsets_that_do_not_help_are_noted(run, crate):
    broken = ("--option", "adjusts=false", "-m", "0")
    code, out, err = run("offsets", *crate, *broken, "--json")
    assert code == 0
    rows = json.loads(out)["channels"]
    assert [row["after_percent"] for row in rows] == pytest.approx([6.1] * 4, abs=0.1)
    text = " ".join(err.split())
    assert "away from BASELINE_PERCENT: c0-s02 ch 00, c0-s02 ch 01, c0" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["baselines", "-o", "b.npy"], "ends in .png, .svg, .pdf, .html, .csv (text)"),
        (["baselines", "-n", "9"], "no channel 9"),
        (["tau", "--plot", "t.csv"], "ends in .png, .svg, .pdf"),
        (["tau", "--settings", "new.set"], "ends in .json, for settings in XIA's"),
        (["offsets", "--settings", "none/new.json"], "the directory none does not"),
        (["offsets", "-m", "7"], "no module 7"),
        (["offsets", "-n", "1"], "-n"),
    ],
)
def test_wrong_arguments(run, crate, arguments, text):
    code, out, err = run(arguments[0], *crate, *arguments[1:])
    assert (code, out) == (2, "")
    assert text in " ".join(err.split())


@pytest.mark.parametrize("command", ["baselines", "tau", "offsets"])
def test_a_driver_without_signals_says_so(run, sample_file, command):
    options = [f"files={sample_file}", "frequency=500", "revision=34688"]
    given = [part for option in options for part in ("--option", option)]
    code, _, err = run(command, "--driver", "recorded", *given)
    assert code == 1
    assert "RecordedDigitizer cannot" in err


def test_a_driver_without_settings_files_says_so(run, crate, tmp_path):
    path = tmp_path / "new.json"
    code, out, err = run("offsets", *crate, "--settings", path)
    assert (code, out) == (1, "")
    assert "lacks the part SettingsFiles" in " ".join(err.split())
    assert not path.exists()
