"""The state of spectra as bytes, for a task that is restarted."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.kernels.histogram import ChannelHistograms


class _Spectrum(msgspec.Struct, array_like=True, frozen=True):
    first: int
    dtype: str
    counts: bytes
    # Bins of the counts behind the first one; empty: one after the other.
    bins: bytes = b""


class _State(msgspec.Struct, array_like=True, frozen=True):
    events: int
    bins: int
    shift: int
    channels: list[tuple[int, int, int]]
    overflow: list[int]
    spectra: list[_Spectrum]


def pack_state(histograms: ChannelHistograms, events: int) -> bytes:
    """Return the spectra as bytes: of each, the bins that have counts."""
    state = _State(
        events,
        histograms.bins,
        histograms.shift,
        histograms.channels,
        histograms.overflow.tolist(),
        [_packed(counts) for counts in histograms.counts],
    )
    return msgspec.msgpack.encode(state)


def unpack_state(data: bytes) -> tuple[ChannelHistograms, int]:
    """Return the spectra that `pack_state` packed, and the number of events."""
    state = msgspec.msgpack.decode(data, type=_State)
    counts = np.zeros((len(state.channels), state.bins), np.int64)
    for row, spectrum in zip(counts, state.spectra, strict=True):
        values = np.frombuffer(spectrum.counts, spectrum.dtype)
        bins = np.frombuffer(spectrum.bins, np.uint16)
        if bins.size:
            row[spectrum.first + bins.astype(np.intp)] = values
        else:
            row[spectrum.first : spectrum.first + values.size] = values
    stored: dict[str, Any] = {
        "shift": state.shift,
        "channels": np.array(state.channels, np.uint8).reshape(-1, 3),
        "counts": counts,
        "overflow": np.array(state.overflow, np.int64),
    }
    return ChannelHistograms.from_dict(stored), state.events


def _packed(counts: NDArray[np.int64]) -> _Spectrum:
    filled = np.flatnonzero(counts)
    if not filled.size:
        return _Spectrum(0, "u1", b"")
    first, last = int(filled[0]), int(filled[-1])
    part = counts[first : last + 1]
    dtype = np.min_scalar_type(int(part.max()))
    if (dtype.itemsize + 2) * filled.size < dtype.itemsize * part.size:
        bins = (filled - first).astype(np.uint16)
        values = counts[filled].astype(dtype)
        return _Spectrum(first, dtype.str, values.tobytes(), bins.tobytes())
    return _Spectrum(first, dtype.str, part.astype(dtype).tobytes())
