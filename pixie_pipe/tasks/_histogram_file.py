"""The file of spectra that `FillHistograms` writes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from pixie_pipe.storage.atomic import new_file

if TYPE_CHECKING:
    from pixie_pipe.kernels.histogram import ChannelHistograms

FORMAT = "pixie_pipe histograms"
FORMAT_VERSION = 1

_CHANNEL = np.dtype([("crate", "u1"), ("slot", "u1"), ("channel", "u1")])


def write_histograms(path: Path, histograms: ChannelHistograms, events: int) -> None:
    """Write all spectra to an HDF5 file, in place of an older one.

    Parameters
    ----------
    path
        The file; at every moment it is whole, the old one or the new one.
    histograms
        The spectra.
    events
        Events that were filled.

    Raises
    ------
    OutputPathError, OSError
        If it cannot be written.
    """
    order = sorted(range(len(histograms.channels)), key=histograms.channels.__getitem__)
    channels = [histograms.channels[row] for row in order]
    with new_file(path, force=True) as opened, h5py.File(opened.path, "w") as file:
        file.attrs.update(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "events": events,
            }
        )
        counts = file.create_dataset(
            "counts",
            data=histograms.counts[order],
            # One spectrum is one chunk; most bins of most spectra are zero.
            chunks=(1, histograms.bins) if order else None,
            compression="gzip" if order else None,
            compression_opts=1 if order else None,
            shuffle=bool(order),
        )
        counts.attrs["axes"] = ["channel", "energy"]
        counts.attrs["description"] = "Events by channel and energy"
        edges = np.arange(histograms.bins + 1, dtype=np.int64) << histograms.shift
        energy = file.create_dataset("energy", data=edges)
        energy.attrs["units"] = "ADC units"
        energy.attrs["description"] = "Edges of the bins; the upper one is not inside"
        table = file.create_dataset("channel", data=np.array(channels, _CHANNEL))
        table.attrs["description"] = "Channel of each spectrum"
        overflow = file.create_dataset("overflow", data=histograms.overflow[order])
        overflow.attrs["description"] = "Events of each channel above the last bin"
