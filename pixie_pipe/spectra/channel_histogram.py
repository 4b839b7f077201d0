"""Spectra and rates: a histogram for each channel that has sent an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.events import COLUMN, Events
from pixie_pipe.kernels.histogram import (
    MOST_QUICK_PLACES,
    ChannelRows,
    first_bins,
    place_all,
    place_in_rows,
)
from pixie_pipe.spectra.axis import Axis
from pixie_pipe.spectra.channels import channel_name, parse_channel, parse_channels
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.spectra.histogram import BLOCK, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from boost_histogram import Histogram as BoostHistogram
    from hist import Hist

    from pixie_pipe.spectra.declaration import Declaration
    from pixie_pipe.spectra.memory import Memory

    Calibration = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_SECONDS_PER_PS: Final = 1e-12


class ChannelHistogram(Histogram):
    """One histogram for each channel, with the same bins.

    See `Histogram`. `counts` has the shape (channels, bins + 2): the first bin of each
    channel has what is below the range, the last one what is above it, and NaN.

    Examples
    --------
    >>> from pixie_pipe.spectra import Declaration
    >>> declaration = Declaration.from_dict(
    ...     {"kind": "spectrum", "bins": 4, "range": [0, 8]}
    ... )
    >>> histogram = ChannelHistogram(declaration)
    >>> histogram.fill(
    ...     Events(
    ...         {
    ...             "crate": [0] * 3,
    ...             "slot": [2] * 3,
    ...             "channel": [5] * 3,
    ...             "energy": [1, 6, 9],
    ...         }
    ...     )
    ... )
    >>> histogram.channels
    ['c0-s02-ch05']
    >>> histogram["c0-s02-ch05"]
    array([1, 0, 0, 1])
    """

    kinds = ("spectrum", "rate")

    def __init__(
        self,
        declaration: Declaration,
        memory: Memory | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(declaration, memory, number)
        names = declaration.channels
        self._wanted = [parse_channels(name) for name in names] if names else None
        self._table = ChannelRows(self._wanted)
        # Made anew when there are more channels.
        self._known_rows = -1
        self._first_of = np.zeros((0, 0), np.int32)

    def _make_axes(self) -> tuple[Axis, ...]:
        declared = self.declaration
        if declared.kind == "rate":
            return (Axis("time_s", "Time (s)", declared.bins, *declared.range),)
        column = COLUMN[declared.column]
        unit = f" ({column.unit})" if column.unit else ""
        label = f"{column.name.removesuffix('_kev').capitalize()}{unit}"
        is_whole = column.dtype.kind in "iu"
        return (Axis(column.name, label, declared.bins, *declared.range, is_whole),)

    @property
    def axis(self) -> Axis:
        """The axis of all channels."""
        return self.axes[0]

    @property
    def channels(self) -> list[str]:
        """Names of the channels that have sent an event, in the order of their rows."""
        return [channel_name(*channel) for channel in self._table.channels]

    @property
    def _rows(self) -> int:
        return len(self._table.channels)

    def __getitem__(self, channel: str) -> NDArray[np.int64]:
        """Return the counts of a channel in the range, shape (bins,): a view."""
        return self.counts[self.row(channel), 1:-1]

    def _ipython_key_completions_(self) -> list[str]:
        return self.channels

    def row(self, channel: str) -> int:
        """Return the row of a channel in `counts`.

        Raises
        ------
        SpectraError
            If it has sent nothing.
        """
        wanted = parse_channel(channel)
        if wanted not in self._table.channels:
            known = ", ".join(sorted(self.channels)) or "none"
            raise SpectraError(
                f"{self.name!r} has no events of {channel}; channels: {known}"
            )
        return self._table.channels.index(wanted)

    def boost(
        self,
        channel: str | None = None,
        *,
        rebin: int = 1,
        calibration: Calibration | None = None,
    ) -> BoostHistogram:
        """Return a copy as a `boost_histogram.Histogram`.

        Parameters
        ----------
        channel
            Name of one channel; None: all, on an axis of their own, which is the first.
        rebin
            How many bins are added up to one.
        calibration
            What turns a value, such as an energy in ADC units, into another one, such
            as an energy in keV; rising over the whole range.

        Raises
        ------
        SpectraError
            If the channel has sent nothing, or the calibration does not rise.
        """
        from pixie_pipe.spectra.uhi import Bins, boost_histogram

        axis = Bins.of(self.axis, calibration)
        if channel is not None:
            return boost_histogram([axis], self.counts[self.row(channel)], rebin)
        order = sorted(range(self._rows), key=self._table.channels.__getitem__)
        names = Bins("channel", "Channel", names=tuple(self.channels[n] for n in order))
        return boost_histogram([names, axis], self.counts[order], rebin)

    def hist(
        self,
        channel: str | None = None,
        *,
        rebin: int = 1,
        calibration: Calibration | None = None,
    ) -> Hist:
        """Return a copy as a `hist.Hist`, with names and labels; see `boost`.

        Raises
        ------
        MissingExtraError
            If hist is not installed.
        """
        from pixie_pipe.spectra.uhi import as_hist

        return as_hist(self.boost(channel, rebin=rebin, calibration=calibration))

    def state(self) -> dict[str, Any]:
        """Return the channels, in the order of their rows."""
        return {"channels": [list(channel) for channel in self._table.channels]}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the counts of the memory."""
        self._table = ChannelRows(self._wanted)
        self._known_rows = -1
        for crate, slot, channel in state["channels"]:
            self._table.add((crate, slot, channel))
        self._array.grow(self._rows)

    def _fill(self, events: Events, gate: NDArray[np.bool_]) -> None:
        for first in range(0, len(events), BLOCK):
            rows = slice(first, first + BLOCK)
            self._fill_block(events, rows, gate[rows])

    def _fill_block(self, events: Events, rows: slice, gate: NDArray[np.bool_]) -> None:
        crate, slot, channel = (
            read_only(events[name][rows]) for name in ("crate", "slot", "channel")
        )
        values, shift = self._values(events, rows)
        places = self._array.room(crate.size)
        table, axis = self._table, self.axis
        if shift >= 0 and not gate.size and self._is_quick:
            are_known = place_all(
                crate, slot, channel, read_only(values), table.module_rows,
                self._first_bins(), np.int32(axis.low), np.int32(axis.bins),
                np.int32(shift), places,
            )  # fmt: skip
            if are_known:
                self._array.add(crate.size)
                return
        done = filled = 0
        while True:
            done, filled = place_in_rows(
                crate, slot, channel, read_only(values), read_only(gate), done,
                table.module_rows, table.rows, axis.low, axis.span, axis.bins, shift,
                places, filled,
            )  # fmt: skip
            if done == crate.size:
                break
            if table.add((int(crate[done]), int(slot[done]), int(channel[done]))):
                self._array.grow(self._rows)
        self._array.add(filled)

    @property
    def _is_quick(self) -> bool:
        """Whether places can be found with numbers of 32 bits, and for all events."""
        most = max(abs(self.axis.low), (self._rows + 1) * (self.axis.bins + 2))
        return self._wanted is None and most <= MOST_QUICK_PLACES

    def _first_bins(self) -> NDArray[np.int32]:
        if self._known_rows != self._rows:
            self._known_rows = self._rows
            self._first_of = first_bins(self._table.rows, self.axis.bins)
        return self._first_of

    def _values(self, events: Events, rows: slice) -> tuple[NDArray[Any], int]:
        if self.declaration.kind == "rate":
            return events.time_ps[rows] * _SECONDS_PER_PS, -1
        values = events[self.declaration.column][rows]
        if values.dtype == np.uint16 and self.axis.shift >= 0:
            return values, self.axis.shift
        return values.astype(np.float64), -1

    def _add(self, other: ChannelHistogram) -> None:
        rows = []
        for channel in other._table.channels:
            self._table.add(channel)
            rows.append(self._table.channels.index(channel))
        self._array.grow(self._rows)
        self._array.counts[rows] += other._array.counts[: len(rows)]

    def put(self, channels: list[tuple[int, int, int]], counts: NDArray[Any]) -> None:
        """Take counts from elsewhere, shape (channels, bins + 2), instead of none."""
        for channel in channels:
            self._table.add(channel)
        self._array.grow(self._rows)
        self._array.counts[: self._rows] = counts
