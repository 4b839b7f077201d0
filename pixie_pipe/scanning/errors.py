"""The errors of scans and of looking at modules."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class ScanningError(PixiePipeError, RuntimeError):
    """Something could not be looked at, or a scan could not be done."""


class ChoiceError(ScanningError, ValueError):
    """What was asked for makes no sense, or is not there."""


class ScanFileError(ScanningError):
    """A file with results is of another scan, is in use, or is damaged."""
