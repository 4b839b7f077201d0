"""The energy spectra of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
from numpy.typing import NDArray

from pixie_pipe._units import format_count
from pixie_pipe.runs.errors import RunContentError

if TYPE_CHECKING:
    import os

    import boost_histogram as bh
    import numpy as np

Channel = tuple[int, int, int]
"""(crate, slot, channel)."""

_FORMAT = "pixie_pipe histograms"


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """The energy spectrum of one channel.

    Attributes
    ----------
    counts
        Events in each bin, shape (bins,).
    edges
        Edges of the bins in ADC units, shape (bins + 1,).
    overflow
        Events above the last bin.
    """

    counts: NDArray[np.integer]
    edges: NDArray[np.integer]
    overflow: int

    def to_boost(self) -> bh.Histogram:
        """Return it as a histogram of boost-histogram."""
        import boost_histogram as bh

        axis = bh.axis.Regular(
            len(self.counts), float(self.edges[0]), float(self.edges[-1])
        )
        histogram = bh.Histogram(axis, storage=bh.storage.Double())
        view = histogram.view(flow=True)
        view[1:-1] = self.counts
        view[-1] = self.overflow
        return histogram


class Spectra(Mapping[Channel, Spectrum]):
    """Energy spectra by (crate, slot, channel), in the order of the channels.

    Parameters
    ----------
    spectra
        The spectra.
    """

    def __init__(self, spectra: Mapping[Channel, Spectrum]) -> None:
        self._spectra = {channel: spectra[channel] for channel in sorted(spectra)}

    def __getitem__(self, channel: Channel) -> Spectrum:
        return self._spectra[channel]

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._spectra)

    def __len__(self) -> int:
        return len(self._spectra)

    def __repr__(self) -> str:
        events = sum(
            int(one.counts.sum()) + one.overflow for one in self._spectra.values()
        )
        return f"<Spectra: {len(self)} channels, {format_count(events)} events>"


def read_spectra(path: str | os.PathLike[str]) -> Spectra:
    """Read the spectra that `FillHistograms` wrote.

    Parameters
    ----------
    path
        The file, ``histograms.h5`` of a run.

    Raises
    ------
    RunContentError
        If there is no such file, or it holds no spectra.
    """
    path = Path(path)
    if not path.is_file():
        raise RunContentError(
            f"{path}: there is no such file; the task FillHistograms writes it"
        )
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != _FORMAT:
                raise RunContentError(f"{path}: is a file of something else")
            edges = file["energy"][:]
            rows = zip(
                file["channel"][:].tolist(),
                file["counts"][:],
                file["overflow"][:].tolist(),
                strict=True,
            )
            return Spectra(
                {
                    channel: Spectrum(counts, edges, overflow)
                    for channel, counts, overflow in rows
                }
            )
    except (OSError, KeyError) as error:
        raise RunContentError(f"{path}: cannot be read: {error}") from error
