"""Runs of the simulated crate by a clock that the test sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pixie_pipe.drivers.simulated import SimulatedDigitizer
from pixie_pipe.listmode import decode

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.events import Events
    from pixie_pipe.simulation.truth import Truth


class StepClock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclasses.dataclass
class SimulatedRun:
    """A run that has ended: the driver, words and events of each module, the truth."""

    digitizer: SimulatedDigitizer
    words: list[NDArray[np.uint32]]
    events: list[Events]
    truth: Truth


def simulated(
    modules: list[str],
    seconds: float,
    *,
    change: Callable[[list[Any]], None] | None = None,
    **options: Any,
) -> SimulatedRun:
    """Run for a time, and read everything at the end; `change` gets the variables."""
    clock = StepClock()
    options = {"fifo_words": 1 << 24, "room_hz": 0.0, "truth": True} | options
    digitizer = SimulatedDigitizer(modules, clock=clock, **options)
    digitizer.open()
    if change is not None:
        change(digitizer.variables)
    digitizer.start_run()
    clock.now += seconds
    digitizer.stop_run()
    words = [digitizer.read(number, 1 << 24) for number in range(len(modules))]
    events = []
    for number, part in enumerate(words):
        decoded = decode(part, digitizer.modules[number].layout)
        assert decoded.balance.rejected == 0
        assert decoded.balance.leftover == 0
        assert decoded.balance.decoded == part.size
        events.append(decoded.events)
    return SimulatedRun(digitizer, words, events, digitizer.truth())
