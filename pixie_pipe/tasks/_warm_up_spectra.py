"""Call each kernel that calibrates energies and fills histograms once."""

from __future__ import annotations

import numpy as np

from pixie_pipe.kernels.calibration import calibrate
from pixie_pipe.kernels.histogram import ChannelRows
from pixie_pipe.spectra import Spectra
from pixie_pipe.tasks._warm_up_events import read_only, some_events


def warm_up_spectra() -> None:
    """Fill histograms of all kinds."""
    events = read_only(some_events())
    events = events.with_columns(coincidence=np.ones(len(events), np.int64))
    pair = ["c0-s02-ch00", "c0-s03-ch00"]
    spectra = Spectra(
        [
            {"kind": "spectrum"},
            {"kind": "rate"},
            {"kind": "time_difference", "channels": pair},
            {"kind": "matrix"},
        ]
    )
    spectra.fill(events)
    spectra.finish()
    table = ChannelRows()
    calibrate(
        events.crate, events.slot, events.channel, events.energy, events.timestamp,
        table.module_rows, table.rows, np.zeros((1, 4)), False, 1,
        np.zeros(len(events), np.float32),
    )  # fmt: skip
