"""Spectra from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.drivers import fake_crate


def test_spectra_as_plot_numbers_and_peaks(run, crate, tmp_path):
    files = [tmp_path / name for name in ("s.png", "s.csv", "s.npz")]
    outputs = [part for path in files for part in ("-o", path)]
    code, out, err = run("mca", "10", *crate, "-m", "0", "-n", "0,1", *outputs)
    assert (code, err) == (0, "")
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert files[1].read_text().startswith("bin,c0-s02 ch 00,c0-s02 ch 01\n0,")
    with np.load(files[2]) as arrays:
        assert arrays["counts"].shape == (2, fake_crate.BINS)
    rows = out.splitlines()
    assert len(rows) == 1 + 2 * 2
    assert rows[1].startswith("c0-s02 ch 00")
    # In the order of the energy, the channel named once.
    assert float(rows[2].split("(")[0]) == pytest.approx(2000, abs=1)
    assert rows[2].startswith(" ")


def test_json(run, crate):
    code, out, err = run("mca", "10", *crate, "-n", "2", "--json", "--peaks", "1")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["seconds"] == 10
    for channel in found["channels"]:
        (peak,) = channel["peaks"]
        assert peak["position"] == pytest.approx(2200, abs=5 * peak["position_error"])
        assert channel["output_hz"] == pytest.approx(fake_crate.output_rate(50, 2))
        assert channel["dead_percent"] == pytest.approx(15.4, abs=0.1)


def test_a_range(run, crate):
    out = run("mca", "10", *crate, "-n", "0", "-m", "0", "--range", "900:1100")[1]
    assert len(out.splitlines()) == 2
    assert float(out.split()[-4].split("(")[0]) == pytest.approx(1000, abs=1)
    out = run("mca", "10", *crate, "-n", "0", "-m", "0", "--range", "3000:3200")[1]
    assert out.splitlines()[1].split()[-1] == "none"


def test_without_peaks_none_are_told(run, crate):
    code, out, err = run("mca", "10", *crate, "-m", "0", "--peaks", "0")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["Channel", "Counts", "Output", "rate"]
    assert "none" not in out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["1", "--rebin", "4"], "--rebin says what is drawn: name a picture"),
        (["1", "--scale", "linear", "-o", "s.csv"], "--scale says what is drawn"),
        (["0"], "0.0"),
        (["1", "--range", "5"], "no range of bins"),
        (["1", "--range", "0:9999"], "within the 4096 bins"),
        (
            ["1", "-o", "s.root"],
            "ends in .png, .svg, .pdf, .html, .csv (text), .npz (arrays)",
        ),
    ],
)
def test_wrong_arguments(run, crate, arguments, text):
    code, out, err = run("mca", *arguments, *crate)
    assert (code, out) == (2, "")
    assert text in " ".join(err.split())


def test_a_driver_without_spectra_says_so(run, sample_file):
    options = [f"files={sample_file}", "frequency=500", "revision=34688"]
    given = [part for option in options for part in ("--option", option)]
    code, _, err = run("mca", "1", "--driver", "recorded", *given)
    assert code == 1
    assert "RecordedDigitizer cannot make spectra" in err
