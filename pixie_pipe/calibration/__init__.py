"""Calibrations of energies and times.

from pixie_pipe.calibration import calibrate_spectra, read_calibrations

calibration = calibrate_spectra([(spectra, ["Na-22"])])
kev = read_calibrations("calibration.yaml").at(run=42)["c0-s02-ch03"]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixie_pipe.calibration.energy import (
        ChannelCalibration,
        MeasuredLine,
        Resolution,
        calibrate_channel,
        measure_lines,
    )
    from pixie_pipe.calibration.errors import CalibrationError
    from pixie_pipe.calibration.file import (
        Calibrations,
        EnergyCalibration,
        Validity,
        read_calibrations,
        write_calibrations,
        write_time_offsets,
    )
    from pixie_pipe.calibration.lines import LINES, KnownLine, find_lines
    from pixie_pipe.calibration.polynomial import Polynomial, fit_polynomial
    from pixie_pipe.calibration.spectra import CalibrationResult, calibrate_spectra
    from pixie_pipe.calibration.time_offsets import (
        TimeDifference,
        TimeOffsets,
        align,
        measure_difference,
    )

_HOMES = {
    "LINES": "lines",
    "CalibrationError": "errors",
    "CalibrationResult": "spectra",
    "Calibrations": "file",
    "ChannelCalibration": "energy",
    "EnergyCalibration": "file",
    "KnownLine": "lines",
    "MeasuredLine": "energy",
    "Polynomial": "polynomial",
    "Resolution": "energy",
    "TimeDifference": "time_offsets",
    "TimeOffsets": "time_offsets",
    "Validity": "file",
    "align": "time_offsets",
    "calibrate_channel": "energy",
    "calibrate_spectra": "spectra",
    "find_lines": "lines",
    "fit_polynomial": "polynomial",
    "measure_difference": "time_offsets",
    "measure_lines": "energy",
    "read_calibrations": "file",
    "write_calibrations": "file",
    "write_time_offsets": "file",
}

__all__ = [
    "LINES",
    "CalibrationError",
    "CalibrationResult",
    "Calibrations",
    "ChannelCalibration",
    "EnergyCalibration",
    "KnownLine",
    "MeasuredLine",
    "Polynomial",
    "Resolution",
    "TimeDifference",
    "TimeOffsets",
    "Validity",
    "align",
    "calibrate_channel",
    "calibrate_spectra",
    "find_lines",
    "fit_polynomial",
    "measure_difference",
    "measure_lines",
    "read_calibrations",
    "write_calibrations",
    "write_time_offsets",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
