"""The file of histograms of a run: ``histograms.h5``.

``docs/hdf5.md`` describes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from pixie_pipe.spectra.channel_histogram import ChannelHistogram
from pixie_pipe.spectra.channels import parse_channel
from pixie_pipe.spectra.collection import Spectra
from pixie_pipe.spectra.declaration import Declaration
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.storage.atomic import new_file

if TYPE_CHECKING:
    from pixie_pipe.spectra.histogram import Histogram

SPECTRA_NAME: Final = "histograms.h5"
"""Name of the file in the directory of a run."""

FORMAT: Final = "pixie_pipe histograms"
FORMAT_VERSION: Final = 2

_CHANNEL: Final = np.dtype([("crate", "u1"), ("slot", "u1"), ("channel", "u1")])

# Most bins of most histograms are empty: the fastest level is good enough.
_COMPRESSION: Final[Mapping[str, Any]] = {
    "compression": "gzip",
    "compression_opts": 1,
    "shuffle": True,
}

_MOST_CHUNK: Final = 1 << 17
"""Counts of a chunk: 1 MiB."""


def write_spectra(path: str | Path, spectra: Spectra, *, force: bool = False) -> Path:
    """Write all histograms to an HDF5 file.

    Parameters
    ----------
    path
        The file; at every moment it is whole, the old one or the new one.
    spectra
        The histograms.
    force
        Replace a file that exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError, OutputPathError, OSError
        If it exists, or cannot be written.
    """
    path = Path(path)
    with new_file(path, force=force) as opened, h5py.File(opened.path, "w") as file:
        file.attrs.update(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "events": spectra.events,
                "runs": np.array(spectra.runs, np.int64),
            }
        )
        for number, histogram in enumerate(spectra):
            group = file.create_group(histogram.name)
            group.attrs["number"] = number
            _write(group, histogram)
    return path


def _write(group: h5py.Group, histogram: Histogram) -> None:
    declared = histogram.declaration
    group.attrs["kind"] = declared.kind
    group.attrs["declaration"] = json.dumps(declared.to_dict())
    group.attrs["left_out"] = histogram.left_out
    counts, names = histogram.counts, [axis.name for axis in histogram.axes]
    if isinstance(histogram, ChannelHistogram):
        numbers = [parse_channel(name) for name in histogram.channels]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        counts = counts[order]
        table = np.array([numbers[row] for row in order], _CHANNEL)
        dataset = group.create_dataset("channel", data=table)
        dataset.attrs["description"] = "Channel of each row of the counts"
        names = ["channel", *names]
    dataset = group.create_dataset(
        "counts", data=counts, chunks=_chunks(counts.shape), **_options(counts.size)
    )
    dataset.attrs["axes"] = names
    dataset.attrs["description"] = (
        "Counts; on each axis but that of channels the first bin is below the range, "
        "the last one above it"
    )
    for axis in histogram.axes:
        edges = group.create_dataset(axis.name, data=axis.edges)
        edges.attrs["label"] = axis.label
        edges.attrs["description"] = "Edges of the bins; the upper one is not inside"


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return chunks of whole rows, or parts of one."""
    if 0 in shape:
        return None
    last = min(shape[-1], _MOST_CHUNK)
    if len(shape) == 1:
        return (last,)
    return (max(1, min(shape[0], _MOST_CHUNK // last)), last)


def _options(size: int) -> Mapping[str, Any]:
    return _COMPRESSION if size else {}


def read_spectra(path: str | Path, names: Iterable[str] | None = None) -> Spectra:
    """Read the histograms of a run.

    Parameters
    ----------
    path
        The file, or the directory of the run.
    names
        Names of the histograms that are wanted; by default all.

    Returns
    -------
    Spectra
        The histograms, in the memory of this process.

    Raises
    ------
    SpectraError
        If there is no such file, it is none of histograms, it is of a version that is
        not known, or it is damaged.
    """
    path = Path(path)
    if path.is_dir():
        path /= SPECTRA_NAME
    if not path.is_file():
        raise SpectraError(
            f"{path}: there is no such file; the task FillHistograms writes it"
        )
    try:
        with h5py.File(path) as file:
            return _read(path, file, None if names is None else list(names))
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, SpectraError):
            raise
        raise SpectraError(
            f"{path}: cannot be read as a file of histograms: {error}"
        ) from error


def _read(path: Path, file: h5py.File, names: list[str] | None) -> Spectra:
    if file.attrs.get("format") != FORMAT:
        raise SpectraError(
            f"{path}: its format is {file.attrs.get('format')!r}, expected {FORMAT!r}"
        )
    version = int(file.attrs["format_version"])
    if version != FORMAT_VERSION:
        raise SpectraError(
            f"{path}: its version is {version}, this pixie_pipe reads {FORMAT_VERSION}"
        )
    known = sorted(file, key=lambda name: int(file[name].attrs["number"]))
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise SpectraError(
            f"{path}: there is no histogram {unknown[0]!r}; known: {', '.join(known)}"
        )
    chosen = [name for name in known if names is None or name in names]
    spectra = Spectra(
        [
            Declaration.from_dict(json.loads(file[name].attrs["declaration"]))
            for name in chosen
        ]
    )
    for name in chosen:
        _take(path, file[name], spectra[name])
    spectra.events = int(file.attrs["events"])
    spectra.runs = tuple(int(run) for run in file.attrs["runs"])
    return spectra


def _take(path: Path, group: h5py.Group, histogram: Any) -> None:  # noqa: ANN401 - of any kind
    counts = group["counts"][:]
    shape = tuple(axis.bins + 2 for axis in histogram.axes)
    if isinstance(histogram, ChannelHistogram):
        channels = [(row[0], row[1], row[2]) for row in group["channel"][:].tolist()]
        shape = (len(channels), *shape)
    if counts.shape != shape or counts.dtype.kind not in "iu":
        raise SpectraError(
            f"{path}: the counts of {histogram.name!r} have the shape {counts.shape} "
            f"and the type {counts.dtype}, expected whole numbers of shape {shape}"
        )
    if isinstance(histogram, ChannelHistogram):
        histogram.put(channels, counts)
    else:
        histogram.put(counts)
