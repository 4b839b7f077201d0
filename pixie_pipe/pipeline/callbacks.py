"""Calls the user's callbacks, one at a time, in a thread of their own.

A callback may take its time and may give commands to the pipeline: nobody waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


class Callbacks:
    """A queue of calls, and the thread that makes them.

    Parameters
    ----------
    targets
        What to call, by name.
    """

    def __init__(self, targets: dict[str, Callable[..., None]]) -> None:
        self._targets = targets
        self._calls: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None]
        self._calls = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._asked = 0
        self._made = 0
        self._seen = 0
        self._thread = threading.Thread(
            target=self._work, name="pixie_pipe callbacks", daemon=True
        )
        self._thread.start()

    def call(self, name: str, *arguments: Any) -> None:
        """Ask for a call; return at once."""
        with self._changed:
            self._asked += 1
        self._calls.put((name, arguments))

    def wait_for_news(self, seconds: float) -> bool:
        """Wait until a call was made since the last time; tell whether one was."""
        with self._changed:
            self._changed.wait_for(lambda: self._made > self._seen, seconds)
            news = self._made > self._seen
            self._seen = self._made
            return news

    def settle(self, seconds: float) -> bool:
        """Wait until all calls that were asked for are made."""
        if threading.current_thread() is self._thread:
            return True
        with self._changed:
            asked = self._asked
            return self._changed.wait_for(lambda: self._made >= asked, seconds)

    def close(self) -> None:
        """Make what is asked for, then end the thread."""
        self._calls.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            name, arguments = call
            try:
                self._targets[name](*arguments)
            except Exception:
                logger.exception("the callback handle_%s failed", name)
            with self._changed:
                self._made += 1
                self._changed.notify_all()
