from __future__ import annotations

import json

import pytest

from pixie_pipe.calibration import read_calibrations
from pixie_pipe.cli import main
from pixie_pipe.storage import write_spectra
from tests.calibration.made_up import CO60, GAIN, NA22, made_up_spectra


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    for run, lines in [(12, NA22), (13, CO60)]:
        path = runs / f"{run:04d}"
        path.mkdir()
        write_spectra(path / "histograms.h5", made_up_spectra(lines, run, run=run))
    return runs


def test_a_table_a_file_and_a_plot(runs, tmp_path, capsys):
    written = tmp_path / "c.yaml", tmp_path / "c.png"
    arguments = ["--runs", str(runs), "-s", "Na-22", "-s", "Co-60"]
    outputs = [word for path in written for word in ("-o", str(path))]
    assert main(["calibrate", "12", "13", *arguments, *outputs]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["Channel", "Line,", "keV"]
    assert [line[-75:].split()[0] for line in lines[2:5]] == [
        "1173.23",
        "1274.54",
        "1332.49",
    ]
    assert "c0-s02-ch00: keV = " in out
    found = read_calibrations(written[0]).at(run=500)
    assert found.runs == (12, 13)
    coefficients = found["c0-s02-ch00"].polynomial.coefficients
    assert coefficients[1] == pytest.approx(GAIN, rel=1e-3)
    assert written[1].read_bytes().startswith(b"\x89PNG")
    assert main(["calibrate", "12", "13", *arguments, *outputs]) == 1
    assert "exists already" in capsys.readouterr().err


def test_json_of_runs_that_are_added(runs, capsys):
    path = str(runs / "0012" / "histograms.h5")
    arguments = [path, path, "-s", "Na-22", "--channels", "c0-s02-ch01", "--json"]
    assert main(["calibrate", *arguments, "--valid", "7:9"]) == 0
    document = json.loads(capsys.readouterr().out)
    (channel,) = document["channels"]
    assert channel["channel"] == "c0-s02-ch01"
    assert [line["kev"] for line in channel["lines"]] == [510.99895, 1274.537]
    assert channel["lines"][0]["counts"] == pytest.approx(24_000, rel=0.05)
    assert document["problems"] == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["12"], "--source"),
        (["-s", "Na-22"], "no run is given"),
        (["99", "-s", "Na-22"], "there is no run 99 in"),
        (["12", "-s", "Na-22", "-s", "Co-60"], "2 sources for 1 runs"),
        (["12", "-s", "Na-22", "--valid", "3"], "--valid 3: expected runs"),
        (["12", "-s", "Na-22", "-o", "c.txt"], "c.txt"),
    ],
)
def test_wrong_arguments(runs, capsys, arguments, words):
    assert main(["calibrate", *arguments, "--runs", str(runs)]) == 2
    assert words in capsys.readouterr().err


def test_sources_that_are_none(runs, capsys):
    assert main(["calibrate", "12", "-s", "Na-23", "--runs", str(runs)]) == 1
    assert "there is no source 'Na-23'; did you mean Na-22?" in capsys.readouterr().err
