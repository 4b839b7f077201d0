"""Something that is done again and again while a run goes on, beside all else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pixie_pipe.errors import PixiePipeError

_log = logging.getLogger(__name__)


class Periodic:
    """Calls a function in a thread of its own, until it is closed.

    An error of this project that it raises is told in the log, once; it is called again
    all the same.

    Parameters
    ----------
    seconds
        Time from one call to the next.
    call
        What is called.
    """

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._repeat, name="pixie_pipe periodic", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread soon."""
        self._closing.set()

    def _repeat(self) -> None:
        has_told = False
        while not self._closing.wait(self._seconds):
            try:
                self._call()
            except PixiePipeError as error:
                if not has_told:
                    _log.warning("%s", error)
                has_told = True
