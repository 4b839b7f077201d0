"""Addback: energies that one quantum left in neighbouring detectors, summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._extras import optional_import
from pixie_pipe.coincidences.build import define_coincidences
from pixie_pipe.coincidences.channels import ChannelChoice, choose_channels
from pixie_pipe.events import Events, EventsError
from pixie_pipe.kernels._building_order import BuildingOrder
from pixie_pipe.kernels.channel_table import ChannelError, ChannelTable
from pixie_pipe.kernels.summing import sum_groups

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Addback:
    """Sums of energies as columns, in the order of their times.

    A sum has the channel and the time of its event with the largest energy, of the
    first one of several: as a rule it was hit first, and its time is the best.

    Attributes
    ----------
    group
        Number of the group of channels, from 0.
    energy
        Sum of the energies, in the unit of the column.
    multiplicity
        Number of events in the sum.
    row
        Row of the event with the largest energy.
    crate, slot, channel
        Its channel.
    time_ps
        Its time in ps.
    """

    group: NDArray[np.int64]
    energy: NDArray[np.float64]
    multiplicity: NDArray[np.int64]
    row: NDArray[np.int64]
    crate: NDArray[np.uint8]
    slot: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    time_ps: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.row.size)

    def __repr__(self) -> str:
        return f"<Addback: {len(self)} sums of {int(self.multiplicity.sum())} events>"

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row for each sum.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        pandas = optional_import("pandas", "pandas")
        return pandas.DataFrame(
            {field.name: getattr(self, field.name) for field in fields(self)}
        )


def addback(
    events: Events,
    groups: Sequence[ChannelChoice],
    *,
    window_ns: float,
    column: str = "energy",
) -> Addback:
    """Sum the energies of each group of channels within a window.

    Parameters
    ----------
    events
        Events in the order of their times. Each of those that ``late`` marks stands
        alone.
    groups
        Groups of channels, such as the crystals of each clover:
        ``["0/2/0-3", "0/2/4-7"]``.
    window_ns
        An event is added if it is at most so long after the first one of the sum, in
        ns.
    column
        The energy: ``"energy"`` in ADC units, or another column of the events, such as
        a calibrated one. If one of them is NaN, the sum is.

    Returns
    -------
    Addback
        The sums; an event of a group without company is a sum of its own, events of no
        group are left out.

    Raises
    ------
    ChannelError
        If something is no channel, or a channel is in two groups.
    CoincidenceError
        If the window is out of range, or events are out of order.
    EventsError
        If a column is missing.
    """
    if column not in events.columns or events[column].ndim > 1:
        raise EventsError(
            f"the events have no column {column!r} with one energy each; columns: "
            f"{', '.join(events.columns)}"
        )
    definition = define_coincidences(window_ns=window_ns)
    BuildingOrder(definition).add(events, 0)  # for its checks
    late = events.late if "late" in events.columns else np.zeros(len(events), np.bool_)
    sums = sum_groups(
        events.time_ps,
        events[column].astype(np.float64),
        _groups_of(events, groups),
        late,
        window_ps=definition.window_ps,
        count=len(groups),
    )
    order = np.argsort(events.time_ps[sums.row], kind="stable")
    rows = sums.row[order]
    return Addback(
        sums.group[order],
        sums.energy[order],
        sums.multiplicity[order],
        rows,
        events.crate[rows],
        events.slot[rows],
        events.channel[rows],
        events.time_ps[rows],
    )


def _groups_of(events: Events, groups: Sequence[ChannelChoice]) -> NDArray[np.int64]:
    """Return the number of each event's group from 1 on, 0 for none."""
    table = ChannelTable(np.int64)
    for number, group in enumerate(groups):
        for channels in choose_channels(group):
            row = table.row(channels.crate, channels.slot)
            part = row[channels.first : channels.last + 1]
            if part.any():
                raise ChannelError(
                    f"channels {channels} are in group {number} and, some of them, in "
                    f"group {int(part.max()) - 1}; expected each channel in one group"
                )
            part[:] = number + 1
    found = np.zeros(len(events), np.int64)
    table.look_up(events, found)
    return found
