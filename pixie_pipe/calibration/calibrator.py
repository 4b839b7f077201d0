"""Energies in keV for events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe._jit import read_only
from pixie_pipe.kernels.calibration import calibrate
from pixie_pipe.kernels.histogram import ChannelRows
from pixie_pipe.spectra import parse_channel

if TYPE_CHECKING:
    from pixie_pipe.calibration.energy import ChannelCalibration
    from pixie_pipe.events import Events

_COEFFICIENTS: Final = 4


class Calibrator:
    """Adds the column ``energy_kev`` to events.

    Parameters
    ----------
    channels
        Calibrations by name of the channel. Events of others get NaN.
    spread
        Spread energies evenly over their ADC unit.
    seed
        Which random numbers `spread` takes: the same ones for the same events.
    """

    def __init__(
        self,
        channels: Mapping[str, ChannelCalibration],
        *,
        spread: bool = False,
        seed: int = 1,
    ) -> None:
        self._spread = spread
        self._seed = seed
        self._table = ChannelRows()
        self._coefficients = np.zeros((len(channels), _COEFFICIENTS))
        for row, (name, one) in enumerate(channels.items()):
            self._table.add(parse_channel(name))
            found = one.polynomial.coefficients
            self._coefficients[row, : len(found)] = found

    def apply(self, events: Events) -> Events:
        """Return events with the column; the other ones are not copied.

        Raises
        ------
        EventsError
            If a column is missing: crate, slot, channel, energy, timestamp.
        """
        crate, slot, channel = (
            read_only(events[name]) for name in ("crate", "slot", "channel")
        )
        kev = np.empty(len(events), np.float32)
        calibrate(
            crate, slot, channel, read_only(events["energy"]),
            read_only(events["timestamp"]), self._table.module_rows, self._table.rows,
            self._coefficients, self._spread, self._seed, kev,
        )  # fmt: skip
        return events.with_columns(energy_kev=kev)
