"""Numbers of the list-mode format that the kernels and their callers share."""

from __future__ import annotations

from typing import Final

import numpy as np

CORE_WORDS: Final = 4
"""Words that every header has."""

HEADER_LENGTHS: Final = (4, 6, 8, 10, 12, 14, 16, 18)
EXTERNAL_TIME_LENGTHS: Final = (6, 10, 14, 18)
"""Header lengths that end with an external timestamp."""

MAX_EVENT_LENGTH: Final = (1 << 14) - 1
"""Longest event that any layout can state, in words."""

RESYNC_EVENTS: Final = 3
"""Plausible consecutive events that bring the decoder back after damage."""

TIMESTAMP_BITS: Final = 48

WORD: Final = np.dtype("<u4")

# Optional blocks as bits, in the order of their columns.
ENERGY_SUMS: Final = 1
QDC: Final = 2
EXTERNAL_TIME: Final = 4
TRACE: Final = 8

# Reasons of a rejection; described in `RejectReason`.
HEADER_LENGTH: Final = 1
EVENT_LENGTH: Final = 2
TOO_LONG: Final = 3
MODULE: Final = 4
CUT: Final = 5
