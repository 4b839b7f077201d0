"""The latest time of each module in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit

if TYPE_CHECKING:
    from pixie_pipe.events import Events

MODULES = 1 << 16
"""Modules that can be told apart: the crate and the slot have eight bits each."""


def module_number(crate: int, slot: int) -> int:
    """Return the number of a module, from 0 to 65535."""
    return crate << 8 | slot


class ModuleTimes:
    """Finds the modules of a batch and the latest time of each."""

    def __init__(self) -> None:
        self._latest = np.zeros(MODULES, np.int64)
        self._seen = np.zeros(MODULES, np.bool_)
        self._found = np.zeros(MODULES, np.int64)

    def latest(self, events: Events) -> dict[int, int]:
        """Return the latest time of each module in ps, by its number.

        Parameters
        ----------
        events
            At least one event, in any order.
        """
        crate, slot, time_ps = events.crate, events.slot, events.time_ps
        # Most batches are of one module, which is told much faster than which.
        if (crate == crate[0]).all() and (slot == slot[0]).all():
            return {module_number(int(crate[0]), int(slot[0])): int(time_ps.max())}
        count = _find_latest(
            crate, slot, time_ps, self._latest, self._seen, self._found
        )
        numbers = self._found[:count]
        return dict(zip(numbers.tolist(), self._latest[numbers].tolist(), strict=True))


@jit
def _find_latest(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    time_ps: NDArray[np.int64],
    latest: NDArray[np.int64],
    seen: NDArray[np.bool_],
    found: NDArray[np.int64],
) -> int:
    """Find the modules of events; return how many there are.

    `seen` is False everywhere, before and afterwards.
    """
    count = 0
    for i in range(time_ps.size):
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        if not seen[module]:
            seen[module] = True
            found[count] = module
            count += 1
            latest[module] = time_ps[i]
        latest[module] = max(latest[module], time_ps[i])
    for k in range(count):
        seen[found[k]] = False
    return count
