"""Errors of the command line itself."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class UsageError(PixiePipeError, ValueError):
    """The arguments are wrong or incomplete."""
