"""What every test can ask for: recorded data, and how hard Hypothesis searches."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REAL_DATA_VARIABLE = "PIXIE_PIPE_REAL_DATA"

# A kernel that is compiled inside a test makes its first example slow: no deadline.
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=100,
    derandomize=True,  # the same examples every time: a red run means a change
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly",
    deadline=None,
    max_examples=2000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_configure() -> None:
    """Let Ctrl-C interrupt, as everywhere.

    The processes in which pytest-xdist runs tests side by side are told to ignore it,
    and so would be the programs that tests start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for `real_data`, so that `-m real_data` finds them."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real_data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the directory with headers.bin and traces.bin, or skip the test."""
    value = os.environ.get(REAL_DATA_VARIABLE)
    if not value:
        pytest.skip(
            f"recorded data are switched off: set {REAL_DATA_VARIABLE} to the "
            "directory that holds headers.bin and traces.bin (see tests/README.md)"
        )
    directory = Path(value)
    missing = [
        name
        for name in ("headers.bin", "traces.bin")
        if not (directory / name).is_file()
    ]
    if missing:
        pytest.fail(
            f"{REAL_DATA_VARIABLE} is {value!r}, but {' and '.join(missing)} cannot be "
            "found there (see tests/README.md)"
        )
    return directory
