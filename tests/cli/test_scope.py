"""Traces from the command line."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.drivers import fake_crate


def test_traces_as_plot_and_numbers(run, crate, tmp_path):
    picture, numbers = tmp_path / "t.svg", tmp_path / "t.npy"
    options = ("-m", "0", "-n", "0-2", "--auto", "--count", "2")
    code, out, err = run("scope", *crate, *options, "-o", picture, "-o", numbers)
    assert (code, err) == (0, "")
    found = np.load(numbers)
    assert found.shape == (3, 2, fake_crate.SAMPLES)
    assert (found.max(axis=2) > 1500).all()
    assert picture.read_text().startswith("<?xml")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0][:2] == ["Channel", "Traces"]
    assert [row[:3] for row in rows[1:]] == [
        ["c0-s02", "ch", f"0{number}"] for number in range(3)
    ]
    assert [row[-1] for row in rows[1:]] == ["2"] * 3
    assert {row[5] for row in rows[1:]} == {"0.08"}


def test_persistence(run, crate, tmp_path):
    picture, numbers = tmp_path / "p.svg", tmp_path / "p.npy"
    options = ("-m", "0", "-n", "0,1", "--auto", "--persistence", "4", "--align")
    more = ("--span", "-5:20", "-o", picture, "-o", numbers)
    code, out, err = run("scope", *crate, *options, *more)
    assert (code, err) == (0, "")
    assert np.load(numbers).shape == (2, 4, fake_crate.SAMPLES)
    assert [row.split()[3] for row in out.splitlines()[1:]] == ["4", "4"]
    assert "<image" in picture.read_text()


def test_the_traces_that_come_first(run, crate):
    code, out, err = run("scope", *crate, "-m", "c0-s03", "--channel", "1")
    assert (code, err) == (0, "")
    (row,) = out.splitlines()[1:]
    assert row.startswith("c0-s03 ch 01")
    assert row.split()[-1] == "0"


def test_no_pulse_at_all_is_a_failure_but_the_noise_is_written(run, crate, tmp_path):
    path = tmp_path / "noise.npz"
    options = ("-n", "3", "--auto", "--timeout", "0.05", "-o", path)
    code, out, err = run("scope", *crate, *options)
    assert code == 1
    assert "no pulse was seen within 0.05 s" in err
    assert out
    assert path.exists()


def test_channels_without_pulses_are_noted(run, crate):
    options = ("-m", "0", "--auto", "--timeout", "0.1")
    code, _, err = run("scope", *crate, *options)
    assert code == 0
    assert "too few pulses within 0.1 s: c0-s02 ch 03" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-m", "7"], "no module 7; known: 0 (c0-s02), 1 (c0-s03)"),
        (["-n", "9"], "no channel 9 in module c0-s02, expected 0 to 3"),
        (["-n", "a"], "'a' is no number"),
        (["-o", "t.jpg"], "ends in .png, .svg, .pdf, .html, .npy (one array), .npz"),
        (["-o", "none/t.png"], "the directory none does not exist"),
        (["--count", "0"], "--count"),
        (["--filters"], "--filters says what is drawn: name a picture with -o"),
        (["--overlaid", "-o", "t.npy"], "--overlaid says what is drawn"),
        (["--filters", "--overlaid"], "--filters and --overlaid do not go together"),
        (["--align", "-o", "t.png"], "--align: only with --persistence"),
        (["--persistence", "9", "--count", "3", "-o", "t.png"], "give one"),
        (["--persistence", "9", "--span", "2:1", "-o", "t.png"], "FIRST before LAST"),
        (["--timeout", "3"], "--timeout goes with --auto"),
    ],
)
def test_wrong_arguments(run, crate, arguments, text):
    code, out, err = run("scope", *crate, *arguments)
    assert (code, out) == (2, "")
    assert text in " ".join(err.split())


def test_files_are_not_replaced_unless_asked_for(run, crate, tmp_path):
    path = tmp_path / "t.npy"
    path.write_text("mine")
    code, out, err = run("scope", *crate, "-o", path)
    assert (code, out) == (1, "")
    assert "exists already" in err
    assert path.read_text() == "mine"
    assert run("scope", *crate, "-o", path, "--force")[0] == 0
    assert np.load(path).shape == (8, 1, fake_crate.SAMPLES)


def test_a_driver_without_signals_says_so(run, sample_file):
    options = [f"files={sample_file}", "frequency=500", "revision=34688"]
    given = [part for option in options for part in ("--option", option)]
    code, out, err = run("scope", "--driver", "recorded", *given)
    assert (code, out) == (1, "")
    assert "RecordedDigitizer cannot take ADC traces" in err
    assert "Signals" in err


def test_matplotlib_is_missing(run, crate, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = run("scope", *crate, "-o", tmp_path / "t.png")
    assert (code, out) == (1, "")
    assert "pip install 'pixie-pipe[plot]'" in " ".join(err.split())
    assert run("scope", *crate, "-o", tmp_path / "t.npy")[0] == 0
