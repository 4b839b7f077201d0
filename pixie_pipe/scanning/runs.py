"""Short runs whose words nobody keeps: for spectra, and to count."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning.errors import ChoiceError
from pixie_pipe.scanning.targets import spectra_of

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import Digitizer

_PATIENCE_S: Final = 10.0
"""How much later than expected a run may end."""

_READ_WORDS: Final = 131_072
"""Words read at once: as many as the FIFO of a Pixie-16 holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How time is measured and spent.

    Attributes
    ----------
    clock
        Returns seconds.
    sleep
        Waits for some seconds.
    poll_s
        Pause between two looks at modules.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    poll_s: float = 0.02


REAL_TIME: Final = Pace()


def check_seconds(seconds: float) -> float:
    """Return how long a run lasts.

    Raises
    ------
    ChoiceError
        If it is not positive.
    """
    if not 0 < seconds < float("inf"):
        raise ChoiceError(f"the time is {seconds} s, expected a positive number")
    return seconds


def histogram_run(digitizer: Digitizer, seconds: float, pace: Pace = REAL_TIME) -> None:
    """Let the modules fill their spectra for some time. An exception ends the run.

    Raises
    ------
    DriverError
        If the driver has no spectra, or the run does not end.
    """
    spectra = spectra_of(digitizer, "make spectra")
    spectra.start_histogram_run(check_seconds(seconds))
    try:
        until = pace.clock() + seconds + _PATIENCE_S
        while digitizer.is_running:
            if pace.clock() > until:
                raise DriverError(
                    f"a run of {seconds:g} s for spectra still went on {_PATIENCE_S:g} "
                    f"s after its end"
                )
            pace.sleep(pace.poll_s)
    finally:
        digitizer.stop_run()


def list_mode_run(digitizer: Digitizer, seconds: float, pace: Pace = REAL_TIME) -> None:
    """Take list-mode data for some time, and throw them away.

    The modules are read as in a real run, for a full FIFO would stop them. It ends
    early where the modules do.

    Raises
    ------
    DriverError
        If the modules do not stop.
    """
    check_seconds(seconds)
    digitizer.start_run()
    try:
        until = pace.clock() + seconds
        while digitizer.is_running and pace.clock() < until:
            if not discard_words(digitizer):
                pace.sleep(min(pace.poll_s, max(until - pace.clock(), 0.0)))
    finally:
        end_run(digitizer, pace)


def discard_words(digitizer: Digitizer) -> int:
    """Read each module once, and return how many words there were."""
    return sum(
        digitizer.read(number, _READ_WORDS).size
        for number in range(len(digitizer.modules))
    )


def end_run(digitizer: Digitizer, pace: Pace = REAL_TIME) -> None:
    """End a run, and wait until it is over.

    Raises
    ------
    DriverError
        If the modules do not stop.
    """
    digitizer.stop_run()
    until = pace.clock() + _PATIENCE_S
    while digitizer.is_running:
        if pace.clock() > until:
            raise DriverError(
                f"the modules were still running {_PATIENCE_S:g} s after they were "
                f"told to stop"
            )
        if not discard_words(digitizer):
            pace.sleep(pace.poll_s)
