"""Files of calibrations come back as they were, and each run gets its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from pixie_pipe.calibration import (
    CalibrationError,
    ChannelCalibration,
    EnergyCalibration,
    MeasuredLine,
    Polynomial,
    Validity,
    read_calibrations,
    write_calibrations,
)
from pixie_pipe.storage import OutputExistsError

LINE = MeasuredLine(
    source="Na-22", kev=511.0, position=7300.0, position_error=0.5, fwhm=240.0,
    fwhm_error=2.0, counts=1e4, counts_error=110.0, chi2=90.0, ndf=88,
)  # fmt: skip


def calibration(gain, *, day=1, **valid):
    polynomial = Polynomial(
        coefficients=(0.5, gain), errors=(0.1, 1e-5), chi2=2.0, ndf=1
    )
    one = ChannelCalibration(polynomial=polynomial, lines=(LINE,))
    return EnergyCalibration(
        channels={"c0-s02-ch00": one},
        sources=("Na-22",),
        runs=(3, 4),
        valid=Validity(**valid),
        created=datetime(2026, 5, day, tzinfo=UTC),
    )


def gain_at(calibrations, **when):
    return calibrations.at(**when)["c0-s02-ch00"].polynomial.coefficients[1]


def test_they_come_back(tmp_path):
    written = [
        calibration(0.1, first_run=3, last_run=9),
        calibration(0.2, start=datetime(2026, 5, 2, tzinfo=UTC)),
    ]
    path = write_calibrations(tmp_path / "c.yaml", written)
    found = read_calibrations(path)
    assert list(found.calibrations) == written
    assert repr(found) == f"<Calibrations of {path}: 2>"
    with pytest.raises(OutputExistsError):
        write_calibrations(path, written)


def test_each_run_and_time_gets_the_one_that_begins_latest(tmp_path):
    path = write_calibrations(
        tmp_path / "c.yaml",
        [
            calibration(0.1, first_run=3),
            calibration(0.2, first_run=20, last_run=30),
            calibration(0.25, day=2, first_run=20, last_run=30),
            calibration(0.3, first_run=25, last_run=28),
        ],
    )
    found = read_calibrations(path)
    for run, gain in [
        (3, 0.1),
        (19, 0.1),
        (20, 0.25),
        (26, 0.3),
        (29, 0.25),
        (31, 0.1),
    ]:
        assert gain_at(found, run=run) == gain
    assert gain_at(found) == 0.3
    with pytest.raises(
        CalibrationError,
        match=r"valid for run 2; there are: runs 3 to \.\.\.; runs 20 to 30",
    ):
        found.at(run=2)


def test_times(tmp_path):
    may = [datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2, 3)]
    path = write_calibrations(
        tmp_path / "c.yaml",
        [calibration(0.1, stop=may[1]), calibration(0.2, start=may[1], stop=may[2])],
    )
    found = read_calibrations(path)
    assert gain_at(found, time=may[0]) == 0.1
    assert gain_at(found, time=may[1]) == 0.2
    with pytest.raises(CalibrationError, match="is valid for 2026-05-03"):
        found.at(time=may[2])
    with pytest.raises(CalibrationError, match="expected the first one first"):
        Validity(first_run=3, last_run=2)
    with pytest.raises(CalibrationError, match="no time zone"):
        Validity(start=datetime(2026, 5, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "x"}, "expected a file with 'format: pixie_pipe calibration'"),
        ({"format_version": 2}, "its version is 2, this pixie_pipe reads 1"),
        ({"calibrations": 5}, "calibrations is 5, expected a list"),
        ({"calibrations": [5]}, r"calibrations\[0\]: "),
        ({"quantity": "time"}, r"\[0\]: it is of 'time' in 'keV'"),
        ({"created": None}, r"\[0\]: 'created' is missing"),
        ({"created": "2026-05-01"}, "has no time zone"),
        ({"valid": {"run": 3}}, r"\[0\]: .*unexpected keyword argument 'run'"),
        ({"channels": {"s2": {}}}, "'s2' is no channel"),
        (
            {"channels": {"c0-s02-ch00": {}}},
            "there are 0 coefficients",
        ),
        (
            {"channels": {"c0-s02-ch00": {"coefficients": [0, float("nan")]}}},
            "are not finite",
        ),
        (
            {"channels": {"c0-s02-ch00": {"coefficients": [0, 1], "lines": [{}]}}},
            "missing 10 required keyword-only arguments",
        ),
    ],
)
def test_files_that_are_wrong(tmp_path, change, words):
    path = write_calibrations(tmp_path / "c.yaml", [calibration(0.1)])
    document = yaml.safe_load(path.read_text())
    top = document if set(change) & set(document) else document["calibrations"][0]
    for key, value in change.items():
        if value is None:
            del top[key]
        else:
            top[key] = value
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(CalibrationError, match=words) as caught:
        read_calibrations(path)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_calibrations(tmp_path / "none.yaml")
    path = tmp_path / "bad.yaml"
    path.write_text("{")
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_calibrations(path)
