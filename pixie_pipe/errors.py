"""The base class of every error that pixie_pipe raises on purpose."""

from __future__ import annotations


class PixiePipeError(Exception):
    """Something that the user can understand and mend.

    The text says what was wrong and where, what was expected, and what to do.
    The command line prints it without a traceback.
    """
