"""Periodic: calls again and again, whatever comes of it, until it is closed."""

from __future__ import annotations

import logging
import threading

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.periodic import Periodic


def test_errors_are_told_once_and_end_nothing(caplog):
    calls: list[None] = []
    enough = threading.Event()

    def call() -> None:
        calls.append(None)
        if len(calls) == 5:
            enough.set()
        raise PixiePipeError("the disk is full")

    with caplog.at_level(logging.WARNING):
        periodic = Periodic(0.001, call)
        assert enough.wait(60)
        periodic.close()
        periodic._thread.join(60)
    assert not periodic._thread.is_alive()
    assert caplog.text.count("the disk is full") == 1
