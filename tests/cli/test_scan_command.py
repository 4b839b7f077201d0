"""Scans from the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from pixie_pipe.scanning import load_scan
from tests.support.drivers import fake_crate

SHORT = ("--seconds", "0.5", "--measure", "input_rate", "-m", "0", "-n", "0,1")
SCAN = ("scan", "TRIGGER_THRESHOLD", "10:50:20")


def test_a_scan_gives_a_file_a_table_and_a_plot(run, crate, tmp_path):
    path, picture = tmp_path / "s.jsonl", tmp_path / "s.png"
    code, out, err = run(*SCAN, *crate, *SHORT, "-o", path, "--plot", picture)
    assert (code, err) == (0, "")
    rows = out.splitlines()
    assert len(rows) == 2 + 3 * 2
    assert rows[2].split()[0] == "10"
    result = load_scan(path)
    assert result.is_complete
    assert result.values()[1, 2] == pytest.approx(fake_crate.input_rate(50, 1))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_two_parameters_and_two_measures(run, crate, tmp_path):
    path = tmp_path / "s.jsonl"
    options = ("--measure", "baseline_noise", "-o", path, "--plot", tmp_path / "p.svg")
    second = ("ENERGY_RISETIME", "2,4")
    code, out, err = run(*SCAN, *second, *crate, *SHORT, *options, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert len(found["points"]) == 6
    assert found["points"][1]["values"] == [10, 4]
    assert [channel["channel"] for channel in found["channels"]] == [0, 1]
    pictures = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert pictures == ["p-baseline_noise.svg", "p-input_rate.svg"]


def test_a_dry_run_opens_nothing(run, tmp_path):
    path = tmp_path / "s.jsonl"
    code, out, err = run(
        *("scan", "VOFFSET", "-1.5:1.5:0.5", "TAU", "1,2"),
        *("--measure", "resolution", "-o", path, "--seconds", "10", "--dry-run"),
    )
    assert (code, err) == (0, "")
    assert "VOFFSET (V): 7 values from -1.5 to 1.5" in out
    assert "14 points, 140.0 s at least" in out
    assert not path.exists()


def test_negative_values_are_no_options(run, crate, tmp_path):
    path = tmp_path / "s.jsonl"
    scan = ("scan", "VOFFSET", "-1.5:-0.5:0.5")
    assert run(*scan, *crate, *SHORT, "-o", path, "--quiet") == (0, "", "")
    assert load_scan(path).scan.axes[0].values == (-1.5, -1, -0.5)


def test_another_scan_in_the_file_is_refused(run, crate, tmp_path):
    path = tmp_path / "s.jsonl"
    run(*SCAN, *crate, *SHORT, "-o", path)
    content = path.read_bytes()
    other = ("scan", "TRIGGER_THRESHOLD", "10:50:10")
    code, out, err = run(*other, *crate, *SHORT, "-o", path)
    assert (code, out) == (1, "")
    assert "another scan" in err
    assert "axes" in err
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["TAU", "1:2"], "no range of values"),
        (["TAU", "1", "Gain"], "Gain has no values"),
        (["TAU", "-1"], "TAU is -1.0: expected 0 to"),
        (["NOTHING", "1"], "there is no parameter 'NOTHING'"),
        (["Polarity", "up"], "Polarity is 'up': expected positive or negative"),
        (["TAU", "1", "--measure", "inputrate"], "did you mean 'input_rate'"),
        (["TAU", "1", "--range", "9:1"], "range of bins"),
        (["TAU", "1", "--plot", "p.gif"], "ends in .png, .svg, .pdf"),
        (["TAU", "1", "-n", "9"], "no channel 9"),
        (["TAU"], "VALUES"),
    ],
)
def test_wrong_arguments(run, crate, tmp_path, arguments, text):
    options = ("-m", "0", "--measure", "dead_time", "-o", tmp_path / "s.jsonl")
    code, out, err = run("scan", *arguments, *crate, *options)
    assert (code, out) == (2, "")
    assert text in " ".join(err.split())
    assert not (tmp_path / "s.jsonl").exists()


def test_the_output_must_be_named(run, crate):
    code, _, err = run("scan", "TAU", "1", *crate, "--measure", "dead_time")
    assert code == 2
    assert "--output" in err


def test_bits_are_scanned_and_told_by_their_words(run, crate, tmp_path):
    path = tmp_path / "s.jsonl"
    scan = ("scan", "GoodChannel", "on,off", *SHORT, "-o", path)
    code, out, _ = run(*scan, "--dry-run")
    assert (code, out.splitlines()[0]) == (0, "GoodChannel: on, off")
    code, out, err = run(*scan, *crate, "--plot", tmp_path / "s.svg")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["on"] * 2 + [
        "off"
    ] * 2


def test_what_else_changes_is_noted(run, crate, tmp_path):
    scan = ("scan", "TRIGGER_RISETIME", "0.1", *crate, *SHORT)
    code, _, err = run(*scan, "-o", tmp_path / "s.jsonl", "--quiet")
    assert code == 0
    assert "set TRIGGER_THRESHOLD, too" in " ".join(err.split())


def test_a_driver_without_parameters(run, sample_file, tmp_path):
    options = [f"files={sample_file}", "frequency=500", "revision=34688"]
    given = [part for option in options for part in ("--option", option)]
    recorded = ("--driver", "recorded", *given)
    code, _, err = run("scan", "TAU", "1", *recorded, *SHORT, "-o", tmp_path / "r")
    assert code == 1
    assert "cannot set parameters" in err


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_scan_that_is_interrupted_goes_on(
    run, command, crate, tmp_path, number, code
):
    path = tmp_path / "s.jsonl"
    arguments = ("scan", "TAU", "1:8:1", *crate, *SHORT, "--settle", "0.15", "-o", path)
    process = subprocess.Popen(**command(*arguments), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(lines_of(path)) < 4:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "Traceback" not in told
    records = [json.loads(line)["record"] for line in lines_of(path)]
    assert records[-1] == "end"
    if number == signal.SIGINT:
        assert "the old values are back" in told
    done = records.count("point")
    assert 2 <= done < 8
    assert run(*arguments)[0] == 0
    records = [json.loads(line)["record"] for line in lines_of(path)]
    assert records.count("point") == 8
    assert load_scan(path).is_complete
