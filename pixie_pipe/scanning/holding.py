"""Signals that have to wait until something is done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_HELD: Final[tuple[int, ...]] = (signal.SIGINT, signal.SIGTERM)

_PATIENCE: Final = 3
"""Whoever presses Ctrl-C so often means it."""


@contextmanager
def held_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait, up to the third; the last one is handled then.

    Outside of the main thread, nothing is to be held.
    """
    came: list[tuple[int, FrameType | None]] = []
    previous: dict[int, Any] = {}

    def hold(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))
        if len(came) >= _PATIENCE:
            _hand_on(previous[number], number, frame)

    try:
        for held in _HELD:
            previous[held] = signal.signal(held, hold)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for held, handler in previous.items():
            # None: one that Python did not set, and cannot set again.
            signal.signal(held, signal.SIG_DFL if handler is None else handler)
    # An error is on its way otherwise, which says more than the signal.
    if came and len(came) < _PATIENCE:
        _hand_on(previous[came[-1][0]], *came[-1])


def _hand_on(
    handler: Any,  # noqa: ANN401 - as `signal.signal` has it
    number: int,
    frame: FrameType | None,
) -> None:
    """Do what a signal does without us."""
    if callable(handler):
        handler(number, frame)
    elif handler == signal.SIG_DFL:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
