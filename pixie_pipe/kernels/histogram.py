"""Energy spectra of all channels, filled batch after batch."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import jit
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Events, EventsError

MOST_BINS = 1 << 16
"""An energy has 16 bits."""

_NEEDED = ("crate", "slot", "channel", "energy")
_CHANNELS = 256
_FIRST_ROWS = 16


class HistogramError(PixiePipeError, ValueError):
    """Histograms of which something does not fit: a parameter, a part, stored data."""


class ChannelHistograms:
    """One energy spectrum for each channel that has sent an event.

    Parameters
    ----------
    bins
        Number of bins of each spectrum, from 1 to 65536.
    shift
        A bin is ``2**shift`` ADC units wide: event by event, the bin is
        ``energy >> shift``. From 0 to 15.

    Raises
    ------
    HistogramError
        If a parameter is out of range.

    Examples
    --------
    >>> histograms = ChannelHistograms(4, shift=1)
    >>> histograms.fill(
    ...     Events(
    ...         {
    ...             "crate": [0] * 3,
    ...             "slot": [2] * 3,
    ...             "channel": [5] * 3,
    ...             "energy": [1, 6, 9],
    ...         }
    ...     )
    ... )
    >>> histograms.channels
    [(0, 2, 5)]
    >>> histograms.counts
    array([[1, 0, 0, 1]])
    >>> histograms.overflow
    array([1])
    """

    def __init__(self, bins: int = 1 << 15, *, shift: int = 0) -> None:
        for name, value, least, most in (
            ("bins", bins, 1, MOST_BINS),
            ("shift", shift, 0, 15),
        ):
            if not least <= value <= most:
                raise HistogramError(
                    f"{name} is {value}, expected a whole number from {least} to {most}"
                )
        self._shift = shift
        self._channels: list[tuple[int, int, int]] = []
        # Row of each module in _rows plus one, by ``crate << 8 | slot``; 0 if it has
        # sent nothing. In _rows, the same for the channels of a module.
        self._module_rows = np.zeros(1 << 16, np.int32)
        self._rows = np.zeros((0, _CHANNELS), np.int32)
        self._counts = np.zeros((0, bins), np.int64)
        self._overflow = np.zeros(0, np.int64)

    @property
    def bins(self) -> int:
        """Number of bins of each spectrum."""
        return self._counts.shape[1]

    @property
    def shift(self) -> int:
        """A bin is ``2**shift`` ADC units wide."""
        return self._shift

    @property
    def channels(self) -> list[tuple[int, int, int]]:
        """Crate, slot and channel of each spectrum, in the order of first events."""
        return list(self._channels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Events in each bin, shape (channels, bins): a view, until a new channel."""
        return self._counts[: len(self._channels)]

    @property
    def overflow(self) -> NDArray[np.int64]:
        """Events beyond the last bin, shape (channels,): a view like `counts`."""
        return self._overflow[: len(self._channels)]

    def fill(self, events: Events) -> None:
        """Add events to the spectra.

        Parameters
        ----------
        events
            With the columns ``crate``, ``slot``, ``channel`` and ``energy``.

        Raises
        ------
        EventsError
            If one of these columns is missing.
        """
        missing = [name for name in _NEEDED if name not in events.columns]
        if missing:
            raise EventsError(
                f"events without {', '.join(missing)} cannot be put into histograms; "
                f"columns: {', '.join(events.columns) or 'none'}"
            )
        crate, slot, channel = events.crate, events.slot, events.channel
        done = 0
        while True:
            done = _fill(
                crate,
                slot,
                channel,
                events.energy,
                done,
                self._module_rows,
                self._rows,
                self._counts,
                self._overflow,
                self._shift,
            )
            if done == len(events):
                return
            self._row(int(crate[done]), int(slot[done]), int(channel[done]))

    def merge(self, other: ChannelHistograms) -> None:
        """Add the counts of other histograms to these.

        Parameters
        ----------
        other
            Histograms with the same bins, of any channels.

        Raises
        ------
        HistogramError
            If the bins are not the same.
        """
        if (other.bins, other.shift) != (self.bins, self.shift):
            raise HistogramError(
                f"cannot merge: the other histograms have {other.bins} bins and shift "
                f"{other.shift}, expected {self.bins} and {self.shift}"
            )
        rows = [self._row(*channel) for channel in other.channels]
        self._counts[rows] += other.counts
        self._overflow[rows] += other.overflow

    def to_dict(self) -> dict[str, Any]:
        """Return all that is needed to make these histograms again.

        Returns
        -------
        dict
            ``shift``, an int, and copies as arrays: ``channels`` (u1, shape
            (channels, 3)), ``counts`` (i8, shape (channels, bins)) and
            ``overflow`` (i8, shape (channels,)).
        """
        return {
            "shift": self._shift,
            "channels": np.array(self._channels, np.uint8).reshape(-1, 3),
            "counts": self.counts.copy(),
            "overflow": self.overflow.copy(),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Make histograms of what `to_dict` returned.

        Parameters
        ----------
        stored
            The dict, or one with the same values, read from a file perhaps.

        Returns
        -------
        ChannelHistograms
            The same histograms, with memory of their own.

        Raises
        ------
        HistogramError
            If a key is missing, or an array has a wrong type or shape.
        """
        missing = {"shift", "channels", "counts", "overflow"}.difference(stored)
        if missing:
            raise HistogramError(
                f"stored histograms have no {', '.join(sorted(missing))}; expected "
                f"what to_dict() returns"
            )
        channels, counts, overflow = (
            np.asarray(stored[name]) for name in ("channels", "counts", "overflow")
        )
        expected = {
            "channels": (channels, (len(overflow), 3)),
            "counts": (counts, (len(overflow), *counts.shape[-1:])),
            "overflow": (overflow, (len(overflow),)),
        }
        for name, (array, shape) in expected.items():
            if array.shape != shape or array.dtype.kind not in "iu":
                raise HistogramError(
                    f"stored {name} have shape {array.shape} and type {array.dtype}, "
                    f"expected integers of shape {shape}"
                )
        histograms = cls(counts.shape[1], shift=int(stored["shift"]))
        rows = [histograms._row(*map(int, channel)) for channel in channels]
        if len(set(rows)) != len(rows):
            raise HistogramError("stored channels have one twice, expected each once")
        histograms.counts[:] = counts
        histograms.overflow[:] = overflow
        return histograms

    def _row(self, crate: int, slot: int, channel: int) -> int:
        """Return the row of a channel, a new one if need be."""
        module = crate << 8 | slot
        if not self._module_rows[module]:
            self._rows = np.concatenate(
                [self._rows, np.zeros((1, _CHANNELS), np.int32)]
            )
            self._module_rows[module] = len(self._rows)
        rows = self._rows[self._module_rows[module] - 1]
        if not rows[channel]:
            self._channels.append((crate, slot, channel))
            rows[channel] = len(self._channels)
            self._make_room()
        return int(rows[channel]) - 1

    def _make_room(self) -> None:
        had = len(self._counts)
        if len(self._channels) > had:
            # Twice as much each time: on average, every row is copied once.
            room = max(_FIRST_ROWS, 2 * had)
            counts, overflow = (
                np.zeros((room, self.bins), np.int64),
                np.zeros(room, np.int64),
            )
            counts[:had], overflow[:had] = self._counts, self._overflow
            self._counts, self._overflow = counts, overflow


@jit
def _fill(
    crate: NDArray[np.uint8],
    slot: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    energy: NDArray[np.uint16],
    start: int,
    module_rows: NDArray[np.int32],
    rows: NDArray[np.int32],
    counts: NDArray[np.int64],
    overflow: NDArray[np.int64],
    shift: int,
) -> int:
    """Add the events from `start` on.

    Returns
    -------
    int
        The first event that was not added: the number of events, or one whose
        module or channel has no row. The caller makes one and calls again.
    """
    bins = counts.shape[1]
    for i in range(start, energy.size):
        module = np.int64(crate[i]) << 8 | np.int64(slot[i])
        module_row = np.int64(module_rows[module]) - 1
        if module_row < 0:
            return i
        row = np.int64(rows[module_row, channel[i]]) - 1
        if row < 0:
            return i
        k = np.int64(energy[i]) >> shift
        if k < bins:
            counts[row, k] += 1
        else:
            overflow[row] += 1
    return energy.size
