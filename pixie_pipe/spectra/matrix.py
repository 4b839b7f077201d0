"""Energies of the events of a coincidence, one against the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import COLUMN
from pixie_pipe.kernels.histogram import bins_of, place_pairs
from pixie_pipe.spectra.axis import Axis
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.spectra.histogram import BLOCK, SingleHistogram, channel_mask

if TYPE_CHECKING:
    from boost_histogram import Histogram as BoostHistogram
    from hist import Hist

    from pixie_pipe.events import Events
    from pixie_pipe.spectra.declaration import Declaration
    from pixie_pipe.spectra.memory import Memory

MOST_MEMBERS: Final = 64
"""Events of one coincidence that are paired; the pairs grow with the square."""


class Matrix(SingleHistogram):
    """Energies of all pairs of different events of a coincidence.

    A pair counts if one event is of a channel of the axis `x`, the other of one of the
    axis `y`; if both are of both, it counts twice, and the matrix is symmetric. The
    events come coincidence after coincidence (column ``coincidence``, rising); those of
    an earlier one, and beyond the first 64 of one, are left out. How the events are
    parted into batches makes no difference.

    See `Histogram`. `counts` has the shape (bins + 2, bins + 2).
    """

    kinds = ("matrix",)

    def __init__(
        self,
        declaration: Declaration,
        memory: Memory | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(declaration, memory, number)
        self._members = np.zeros((MOST_MEMBERS, 2), np.int64)
        # Number of the last coincidence, its members, events that were left out.
        self._state = np.zeros(3, np.int64)

    def _make_axes(self) -> tuple[Axis, ...]:
        declared = self.declaration
        column = COLUMN[declared.column]
        unit = f" ({column.unit})" if column.unit else ""
        is_whole = column.dtype.kind in "iu"
        return tuple(
            Axis(name, f"Energy {name}{unit}", declared.bins, *declared.range, is_whole)
            for name in ("x", "y")
        )

    @property
    def left_out(self) -> int:
        """Events of an earlier coincidence, or beyond the 64th of one."""
        return int(self._state[2])

    def boost(self, *, rebin: int = 1) -> BoostHistogram:
        """Return a copy as a `boost_histogram.Histogram`; see `ChannelHistogram`."""
        from pixie_pipe.spectra.uhi import Bins, boost_histogram

        bins = [Bins.of(axis) for axis in self.axes]
        return boost_histogram(bins, self.counts, rebin)

    def hist(self, *, rebin: int = 1) -> Hist:
        """Return a copy as a `hist.Hist`; see `ChannelHistogram`."""
        from pixie_pipe.spectra.uhi import as_hist

        return as_hist(self.boost(rebin=rebin))

    def gated(self, low: float, high: float, *, on: str = "y") -> NDArray[np.int64]:
        """Return what is seen on one axis with events of a range on the other.

        Parameters
        ----------
        low, high
            The range; bins that are partly in it count whole.
        on
            The axis that the range is on: ``x`` or ``y``.

        Returns
        -------
        ndarray
            Counts on the other axis, shape (bins,).

        Raises
        ------
        SpectraError
            If there is no such axis, or nothing in the range.
        """
        if on not in ("x", "y"):
            raise SpectraError(f"there is no axis {on!r}, expected 'x' or 'y'")
        axis = self.axes[on == "y"]
        first = max(int(np.searchsorted(axis.edges, low, "right")) - 1, 0)
        last = min(int(np.searchsorted(axis.edges, high, "left")), axis.bins)
        if first >= last:
            raise SpectraError(
                f"the gate from {low:g} to {high:g} is empty, expected a range in "
                f"{axis.low:g} to {axis.high:g}"
            )
        counts = self.counts[1:-1, 1:-1]
        part = counts[first:last] if on == "x" else counts[:, first:last]
        summed: NDArray[np.int64] = part.sum(axis=0 if on == "x" else 1)
        return summed

    def state(self) -> dict[str, Any]:
        """Return the members of the last coincidence."""
        members = self._members[: self._state[1]]
        return {"state": self._state.tolist(), "members": members.tolist()}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the counts of the memory, and the last coincidence."""
        self._array.grow(1)
        self._state[:] = state["state"]
        if state["members"]:
            self._members[: len(state["members"])] = state["members"]

    def _fill(self, events: Events, gate: NDArray[np.bool_]) -> None:
        is_meant = events.coincidence > 0
        if gate.size:
            is_meant &= gate
        rows = np.flatnonzero(is_meant)
        numbers = events.coincidence[rows]
        values = events[self.declaration.column][rows].astype(np.float64)
        x, y = (
            self._bins(axis, names, events, rows, values)
            for axis, names in zip(
                self.axes, (self.declaration.x, self.declaration.y), strict=True
            )
        )
        done = 0
        while done < rows.size:
            places = self._array.room(max(BLOCK, 2 * MOST_MEMBERS))
            done, filled = place_pairs(
                numbers, x, y, self.axes[1].bins + 2, self._members, self._state,
                done, places, 0,
            )  # fmt: skip
            self._array.add(filled)

    def _bins(
        self,
        axis: Axis,
        names: tuple[str, ...],
        events: Events,
        rows: NDArray[np.intp],
        values: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        """Return the bin of each event on an axis, -1 if it is not on it."""
        found = np.empty(rows.size, np.uint32)
        bins_of(values, axis.low, axis.span, axis.bins, found)
        bins = found.astype(np.int64)
        if names:
            bins[~channel_mask(events, names)[rows]] = -1
        return bins
