"""Answers of XIA's library, beside the recorded data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def parameter_steps(real_data: Path) -> list[dict[str, Any]]:
    """Return what the library made of values that were written, in their order."""
    path = real_data.parent / "vectors" / "xia_parameters.json"
    if not path.is_file():
        pytest.skip(f"published vectors are not there: {path} is missing")
    steps: list[dict[str, Any]] = json.loads(path.read_text())["steps"]
    return steps
