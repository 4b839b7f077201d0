"""SimulatedDigitizer: a crate for those who have none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pixie_pipe.drivers.digitizer import Digitizer
from pixie_pipe.drivers.simulated import SimulatedDigitizer
from pixie_pipe.testing.digitizer_tests import DigitizerTests


class TestSimulated(DigitizerTests):
    """Two modules of different clocks."""

    @pytest.fixture
    def digitizer(self) -> Iterator[Digitizer]:
        found = SimulatedDigitizer(["0/2:500/34688", "0/3:250/34688"])
        yield found
        found.close()


class TestSimulatedFast(TestSimulated):
    """The same, from templates."""

    @pytest.fixture
    def digitizer(self) -> Iterator[Digitizer]:
        found = SimulatedDigitizer(
            ["0/2:500/34688", "0/3:100/34688"], mode="fast", rate_hz=50_000
        )
        yield found
        found.close()
