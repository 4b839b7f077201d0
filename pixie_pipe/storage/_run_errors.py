"""The error of the directories of runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pixie_pipe.errors import PixiePipeError


class RunDirectoryError(PixiePipeError, OSError):
    """The directory of a run cannot be made, written or changed."""


@contextlib.contextmanager
def clear_errors(path: Path, what: str, advice: str = "") -> Iterator[None]:
    """Say where it was and what could not be done if the system refuses something.

    Parameters
    ----------
    path, what
        Where it was, and what could not be done.
    advice
        What to do, if that can be told.
    """
    try:
        yield
    except PixiePipeError:
        raise
    except OSError as error:
        reason = error.strerror or error
        advice = advice and f"; {advice}"
        raise RunDirectoryError(f"{path}: {what}: {reason}{advice}") from error
