"""A crate without hardware, and time that costs none."""

from __future__ import annotations

import pytest

from pixie_pipe.scanning import Pace, scan
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


@pytest.fixture
def run(crate, pace):
    def run(*arguments, **options):
        return scan(crate, *arguments, **{"channels": [0, 1], "pace": pace, **options})

    return run


@pytest.fixture
def untouched(crate):
    """Check at the end that all parameters have their old values."""
    before = dict(crate.values)
    yield
    assert crate.values == before
