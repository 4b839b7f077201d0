"""A crate without hardware, and time that costs none."""

from __future__ import annotations

import pytest

from pixie_pipe.scanning import Pace
from tests.support.drivers.fake_crate import FakeCrateDigitizer


@pytest.fixture
def crate():
    with FakeCrateDigitizer() as digitizer:
        yield digitizer


@pytest.fixture
def pace():
    """Time that goes on by a hundredth of a second at each look, and by sleeping."""
    now = [0.0]

    def clock():
        now[0] += 0.01
        return now[0]

    def sleep(seconds):
        assert seconds >= 0
        now[0] += seconds

    return Pace(clock=clock, sleep=sleep)
