"""Time from the events of one channel to the nearest ones of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.kernels.histogram import bins_of, times_of_channels
from pixie_pipe.spectra.axis import Axis
from pixie_pipe.spectra.channels import parse_channel
from pixie_pipe.spectra.histogram import SingleHistogram

if TYPE_CHECKING:
    from boost_histogram import Histogram as BoostHistogram
    from hist import Hist

    from pixie_pipe.events import Events
    from pixie_pipe.spectra.declaration import Declaration
    from pixie_pipe.spectra.memory import Memory

_PS_PER_NS: Final = 1000
_NEVER: Final = np.iinfo(np.int64).min
_NONE: Final = np.zeros(0, np.int64)


class TimeDifferences(SingleHistogram):
    """Time differences of two channels, of events in order of time.

    Each event of the first channel counts once, with the nearest event of the second
    one (of two that are equally near, the earlier), if there is one in the window. An
    event that comes behind a later one is left out. How the events are parted into
    batches makes no difference.

    See `Histogram`. `counts` has the shape (bins + 2,).
    """

    kinds = ("time_difference",)

    def __init__(
        self,
        declaration: Declaration,
        memory: Memory | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(declaration, memory, number)
        names = declaration.channels
        self._wanted = np.array([parse_channel(name) for name in names], np.uint8)
        self._window = round(declaration.window_ns * _PS_PER_NS)
        # The latest time of all events, and how many were left out.
        self._state = np.array([_NEVER, 0], np.int64)
        # Events of the first channel that may get a nearer partner, and partners.
        self._first = self._second = _NONE

    def _make_axes(self) -> tuple[Axis, ...]:
        declared = self.declaration
        start, stop = declared.channels
        label = f"Time of {stop} after {start} (ns)"
        return (Axis("difference_ns", label, declared.bins, *declared.range),)

    @property
    def left_out(self) -> int:
        """Events of the two channels that came behind a later one."""
        return int(self._state[1])

    def boost(self, *, rebin: int = 1) -> BoostHistogram:
        """Return a copy as a `boost_histogram.Histogram`; see `ChannelHistogram`."""
        from pixie_pipe.spectra.uhi import Bins, boost_histogram

        return boost_histogram([Bins.of(self.axes[0])], self.counts, rebin)

    def hist(self, *, rebin: int = 1) -> Hist:
        """Return a copy as a `hist.Hist`; see `ChannelHistogram`."""
        from pixie_pipe.spectra.uhi import as_hist

        return as_hist(self.boost(rebin=rebin))

    def state(self) -> dict[str, Any]:
        """Return the times that wait."""
        return {
            "state": self._state.tolist(),
            "first": self._first.tobytes(),
            "second": self._second.tobytes(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the counts of the memory, and times that waited."""
        self._array.grow(1)
        self._state[:] = state["state"]
        self._first = np.frombuffer(state["first"], np.int64)
        self._second = np.frombuffer(state["second"], np.int64)

    def finish(self) -> None:
        """Count the last events: no more will come."""
        self._settle(self._first.size)

    def _fill(self, events: Events, gate: NDArray[np.bool_]) -> None:
        first, second = (np.empty(len(events), np.int64) for _ in range(2))
        crate, slot, channel = (
            read_only(events[name]) for name in ("crate", "slot", "channel")
        )
        found = times_of_channels(
            crate, slot, channel, read_only(events.time_ps), read_only(gate),
            self._wanted, self._state, first, second,
        )  # fmt: skip
        self._first = np.concatenate([self._first, first[: found[0]]])
        self._second = np.concatenate([self._second, second[: found[1]]])
        if not self._first.size and not self._second.size:
            return
        # Whoever comes from now on is not earlier than the latest one so far.
        latest = int(self._state[0])
        settled = int(np.searchsorted(self._first, latest - self._window))
        self._settle(settled)
        oldest = int(self._first[0]) if self._first.size else latest
        needed = int(np.searchsorted(self._second, oldest - self._window))
        self._second = self._second[needed:]

    def _settle(self, count: int) -> None:
        """Count the first events that wait."""
        settled, self._first = self._first[:count], self._first[count:]
        differences = nearest(settled, self._second)
        differences = differences[np.abs(differences) <= self._window]
        axis = self.axes[0]
        places = self._array.room(differences.size)
        bins_of(differences / _PS_PER_NS, axis.low, axis.span, axis.bins, places)
        self._array.add(differences.size)


def nearest(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how much later the nearest of other times is.

    Parameters
    ----------
    first, second
        Times, rising, shapes (n,) and (m,).

    Returns
    -------
    ndarray
        For each of `first` the difference to the nearest of `second`, of two that are
        equally near to the earlier one; shape (n,), empty if `second` is.
    """
    if not second.size:
        return _NONE
    later = np.searchsorted(second, first)
    before = second[np.maximum(later - 1, 0)] - first
    behind = second[np.minimum(later, second.size - 1)] - first
    differences: NDArray[np.int64] = np.where(
        np.abs(before) <= np.abs(behind), before, behind
    )
    return differences
