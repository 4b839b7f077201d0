"""Call each kernel of simulated modules once, as the driver `simulated` does."""

from __future__ import annotations

from pixie_pipe.drivers.simulated import SimulatedDigitizer

_MODULES = ("0/2:500/34688", "0/3:250/34688")
"""One with the CFD of 500 MSPS, one with that of the filter."""

_STEP_S = 0.06
"""More than a block of simulated time, so that times are shifted behind the pause."""
_PAUSE_S = 1.0


class _Clock:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def warm_up_simulation() -> None:
    """Load the kernels, or compile them."""
    clock = _Clock()
    digitizer = SimulatedDigitizer(
        _MODULES,
        clock=clock,
        trace_samples=20,
        energy_sums=True,
        qdc=True,
        external_timestamps=True,
    )
    with digitizer:
        digitizer.start_run()
        digitizer.pause_run()
        clock.now += _PAUSE_S
        digitizer.resume_run()
        clock.now += _STEP_S
        digitizer.stop_run()
        for number in range(len(_MODULES)):
            digitizer.read(number, 1 << 20)
            digitizer.statistics(number)
