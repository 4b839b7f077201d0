"""What can be wrong when a run is opened."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class RunNotFoundError(PixiePipeError, LookupError):
    """There is no such run."""


class RunContentError(PixiePipeError, LookupError):
    """A run that does not have what was asked for."""
