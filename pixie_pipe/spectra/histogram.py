"""What histograms of all kinds have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events, EventsError
from pixie_pipe.spectra.channels import parse_channels
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.spectra.memory import Memory, PlainMemory

if TYPE_CHECKING:
    from pixie_pipe.spectra.axis import Axis
    from pixie_pipe.spectra.declaration import Declaration

BLOCK: Final = 1 << 17
"""Events that are looked at at once: the places of their bins stay in the cache."""

ALL: Final = np.zeros(0, np.bool_)
"""A gate that lets all events pass, for the kernels."""


class Histogram:
    """Counts of one declaration.

    Parameters
    ----------
    declaration
        What is counted.
    memory
        Where the counts are kept.
    number
        The number of this histogram in the memory.

    Attributes
    ----------
    axes
        Its axes.
    """

    kinds: ClassVar[Sequence[str]] = ()

    def __init__(
        self,
        declaration: Declaration,
        memory: Memory | None = None,
        number: int = 0,
    ) -> None:
        self.declaration = declaration
        self.axes: tuple[Axis, ...] = self._make_axes()
        width = 1
        for axis in self.axes:
            width *= axis.bins + 2
        self._array = (memory or PlainMemory()).array(number, width)
        self._columns = declaration.columns

    @property
    def name(self) -> str:
        """How it is called."""
        return self.declaration.name

    @property
    def counts(self) -> NDArray[np.int64]:
        """All counts, those below and above the range included."""
        shape = [axis.bins + 2 for axis in self.axes]
        return self._array.counts[: self._rows].reshape(-1, *shape)

    @property
    def total(self) -> int:
        """All counts, those below and above the range included."""
        return int(self._array.counts[: self._rows].sum())

    @property
    def outside(self) -> int:
        """Counts below or above the range of an axis."""
        inside = self.counts[(slice(None), *[slice(1, -1)] * len(self.axes))]
        return self.total - int(inside.sum())

    @property
    def left_out(self) -> int:
        """Events that could not be counted: see the kinds."""
        return 0

    def fill(self, events: Events) -> None:
        """Count events.

        Parameters
        ----------
        events
            With the columns that the declaration needs.

        Raises
        ------
        EventsError
            If one of these columns is missing.
        """
        missing = [name for name in self._columns if name not in events.columns]
        if missing:
            raise EventsError(
                f"the histogram {self.name!r} needs events with the column "
                f"{', '.join(missing)}; columns: {', '.join(events.columns) or 'none'}"
            )
        self._fill(events, gate_mask(events, self.declaration.gate))

    def finish(self) -> None:
        """Count what has waited for later events; there are none."""

    def state(self) -> dict[str, Any]:
        """Return what is needed beside the counts to go on, as plain values."""
        return {}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the counts of the memory, and what `state` returned."""
        raise NotImplementedError

    def add(self, other: Self) -> None:
        """Add the counts of another histogram of the same declaration.

        Raises
        ------
        SpectraError
            If the other one is of another declaration.
        """
        mine, theirs = self.declaration.to_dict(), other.declaration.to_dict()
        for key in mine:
            if mine[key] != theirs.get(key):
                raise SpectraError(
                    f"histograms {self.name!r} do not fit: {key} is {mine[key]!r} in "
                    f"one and {theirs.get(key)!r} in the other"
                )
        self._add(other)

    @property
    def _rows(self) -> int:
        raise NotImplementedError

    def _make_axes(self) -> tuple[Axis, ...]:
        raise NotImplementedError

    def _fill(self, events: Events, gate: NDArray[np.bool_]) -> None:
        raise NotImplementedError

    def _add(self, other: Self) -> None:
        raise NotImplementedError


class SingleHistogram(Histogram):
    """A histogram that has no channels as an axis: one row."""

    def __init__(
        self,
        declaration: Declaration,
        memory: Memory | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(declaration, memory, number)
        self._array.grow(1)

    @property
    def _rows(self) -> int:
        return 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """All counts, those below and above the range included, by axis."""
        counts: NDArray[np.int64] = super().counts[0]
        return counts

    @property
    def outside(self) -> int:
        """Counts below or above the range of an axis."""
        inside = self.counts[(slice(1, -1),) * len(self.axes)]
        return self.total - int(inside.sum())

    def put(self, counts: NDArray[Any]) -> None:
        """Take counts from elsewhere, of the shape of `counts`, instead of none."""
        self._array.counts[0] = counts.ravel()

    def _add(self, other: Self) -> None:
        self._array.counts[:1] += other._array.counts[:1]


def gate_mask(events: Events, gate: Any) -> NDArray[np.bool_]:  # noqa: ANN401 - `Gate`
    """Return which events meet all conditions, shape (events,); empty: all do."""
    mask = ALL
    for name, wanted in gate.items():
        column = events[name]
        if not isinstance(wanted, Sequence):
            met = column == wanted
        else:
            low, high = wanted
            met = np.ones(len(events), np.bool_)
            if low is not None:
                met &= column >= low
            if high is not None:
                met &= column < high
        mask = met if mask is ALL else mask & met
    return mask


def channel_mask(events: Events, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return which events are of these channels or modules, shape (events,)."""
    if not names:
        return np.ones(len(events), np.bool_)
    mask = np.zeros(len(events), np.bool_)
    for name in names:
        crate, slot, *channel = parse_channels(name)
        one = (events.crate == crate) & (events.slot == slot)
        if channel:
            one &= events.channel == channel[0]
        mask |= one
    return mask
