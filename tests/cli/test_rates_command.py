"""Rates from the command line."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time

import pytest

from tests.support.drivers import fake_crate


def test_one_table(run, crate):
    code, out, err = run("rates", *crate, "-m", "0", "--once", "--every", "0.05")
    assert (code, err) == (0, "")
    rows = out.splitlines()
    assert rows[0].split()[:3] == ["Channel", "Input", "(Hz)"]
    assert rows[2] == "c0-s02 ch 01     1 213.1      1 081.8          10.82"
    assert len(rows) == 6
    assert rows[-1].strip().endswith("words/s read")


def test_a_line_of_json_for_each_reading(run, crate):
    options = ("--seconds", "0.2", "--every", "0.05", "--json", "-n", "1")
    code, out, err = run("rates", *crate, *options)
    assert (code, err) == (0, "")
    readings = [json.loads(line) for line in out.splitlines()]
    assert len(readings) == 4
    for reading in readings:
        first, second = reading["channels"]
        assert (first["name"], second["name"]) == ("c0-s02", "c0-s03")
        assert first["input_hz"] == pytest.approx(fake_crate.input_rate(50, 1))


def test_spectra_instead_of_list_mode_data(run, crate):
    options = ("--once", "--every", "0.05", "--json", "--run", "mca")
    (line,) = run("rates", *crate, *options)[1].splitlines()
    assert json.loads(line)["channels"][0]["output_hz"] == pytest.approx(
        fake_crate.output_rate(50, 0)
    )


def test_a_driver_that_tells_only_of_words(run, sample_file):
    options = [f"files={sample_file}", "frequency=500", "revision=34688"]
    given = [part for option in options for part in ("--option", option)]
    code, out, err = run(
        "rates", "--driver", "recorded", *given, "--once", "--every", "0.2"
    )
    assert (code, err) == (0, "")
    rows = out.splitlines()
    assert rows[1].split() == ["c0-s02", "ch", "00", "-", "-", "-"]
    assert not rows[-1].strip().endswith(" 0 words/s read")


def test_a_plot_over_time(run, crate, tmp_path):
    path = tmp_path / "rates.svg"
    options = ("--seconds", "0.2", "--every", "0.05", "--plot", path)
    assert run("rates", *crate, *options)[0] == 0
    assert path.exists()


def test_the_live_table_ends_with_ctrl_c_and_draws(command, crate, tmp_path):
    path = tmp_path / "rates.png"
    arguments = command(
        "rates", *crate, "--every", "0.05", "--plot", path, TERM="xterm"
    )
    # What it shows is a terminal's.
    ours, theirs = pty.openpty()
    process = subprocess.Popen(**arguments, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    until = time.monotonic() + 60
    while shown.count(b"Dead time") < 3:
        assert time.monotonic() < until, shown
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # the other end of the terminal is closed
    assert process.wait(60) == 130, shown
    os.close(ours)
    assert path.exists()
    assert b"Traceback" not in shown


def test_wrong_arguments(run, crate):
    for arguments, text in (
        (["--every", "0"], "--every"),
        (["--run", "both"], "--run"),
        (["-n", "4"], "no channel 4 in module c0-s02"),
        (["--once", "--seconds", "3"], "both say when to end: give one"),
    ):
        code, out, err = run("rates", *crate, *arguments)
        assert (code, out) == (2, "")
        assert text in " ".join(err.split())
