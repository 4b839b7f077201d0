"""Facts about the filters of the firmware, for its settings and its simulation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LONGEST_FILTER: Final = 127
"""Most steps of rise time and flat top of a filter together (PixieSDK, defs.hpp)."""

PEAK_BEFORE: Final[Mapping[int, int]] = MappingProxyType(
    {1: 3, 2: 2, 3: 2, 4: 1, 5: 0, 6: 1}
)
"""How many steps PeakSample is before PeakSep, by SlowFilterRange (PixieSDK 5.3.0)."""
