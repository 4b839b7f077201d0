"""What can go wrong with a calibration."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class CalibrationError(PixiePipeError, ValueError):
    """A calibration that cannot be made, read or used."""
