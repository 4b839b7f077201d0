"""What is compiled before tasks need it, in processes of their own.

The kernels of all tasks are compiled by the server of processes (`preload`). Those that
only some parameters of a task need are compiled here, while its process starts: the
task then finds them in the cache, and is not silent for as long as compiling takes.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

TELL_SECONDS: Final = 3.0
"""What takes longer is told of: to load what is compiled takes about one second."""

_POLL_SECONDS: Final = 0.05


class Preparation(NamedTuple):
    """Something to be done once in a process, before a task works.

    Attributes
    ----------
    function
        What does it: a function at the top level of a file.
    told
        What people are told if it takes long.
    """

    function: Callable[[], None]
    told: str


class Preparations:
    """Does what tasks have to have prepared, once in the life of a pipeline.

    Parameters
    ----------
    tell
        Called with what takes long.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._done: set[Preparation] = set()
        self._running: dict[Preparation, BaseProcess] = {}

    def start(self, wanted: Iterable[Preparation]) -> None:
        """Begin what was not done yet, each in a process of its own.

        The server of processes must have been started.
        """
        context = multiprocessing.get_context("forkserver")
        for preparation in wanted:
            if preparation in self._done or preparation in self._running:
                continue
            process = context.Process(target=preparation.function, daemon=True)
            process.start()
            self._running[preparation] = process

    def wait(self, seconds: float) -> None:
        """Wait until all is done. What fails, or takes longer, is left to the task."""
        begun = time.monotonic()
        told: set[str] = set()
        while self._running and (passed := time.monotonic() - begun) < seconds:
            for preparation, process in list(self._running.items()):
                if not process.is_alive():
                    self._forget(preparation)
                elif passed > TELL_SECONDS and preparation.told not in told:
                    told.add(preparation.told)
                    self._tell(preparation.told)
            time.sleep(_POLL_SECONDS if self._running else 0)
        for preparation, process in list(self._running.items()):
            process.kill()
            self._forget(preparation)

    def _forget(self, preparation: Preparation) -> None:
        process = self._running.pop(preparation)
        process.join()
        process.close()
        self._done.add(preparation)


class ToldIfSlow:
    """Tells of what takes long while it is done; a context manager.

    Parameters
    ----------
    tell
        Called with the text, in a thread of its own.
    text
        What takes so long.
    """

    def __init__(self, tell: Callable[[str], None], text: str) -> None:
        self._timer = threading.Timer(TELL_SECONDS, tell, [text])
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
