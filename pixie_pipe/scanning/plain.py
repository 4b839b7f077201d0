"""Numbers for JSON."""

from __future__ import annotations

import math


def plain(value: float) -> float | None:
    """Return a number for JSON, which knows no nan and no infinity."""
    return float(value) if math.isfinite(value) else None
