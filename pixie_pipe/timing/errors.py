"""The error of times."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class TimingError(PixiePipeError, ValueError):
    """Times that cannot be, or that do not go together."""
