"""Make events that a module could have sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.timing import corrected_time_ps

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout

_BLOCKS_OF_HEADER_LENGTH = {
    4: (False, False, False),
    6: (False, False, True),
    8: (True, False, False),
    10: (True, False, True),
    12: (False, True, False),
    14: (False, True, True),
    16: (True, True, False),
    18: (True, True, True),
}
"""Energy sums, QDC sums and external timestamp by header length in words."""


def random_events(
    layout: Layout,
    count: int,
    rng: np.random.Generator,
    *,
    header_lengths: Sequence[int] = (4,),
    trace_lengths: Sequence[int] = (0,),
    modules: Sequence[tuple[int, int]] = ((0, 2),),
    channels: int = 16,
    first_timestamp: int = 0,
    mean_ticks: float = 1000.0,
) -> Events:
    """Return events with random values in every field.

    Parameters
    ----------
    layout
        Layout that the values must fit.
    count
        Number of events.
    rng
        Source of all randomness.
    header_lengths, trace_lengths
        Each event draws one of these, in words and in samples.
    modules
        (crate, slot) of the modules; each event draws one.
    channels
        Number of channels of a module.
    first_timestamp
        Timestamp of the first event in ticks. The counter wraps at 48 bits.
    mean_ticks
        Mean time between events in ticks; the gaps are exponential.
    """
    header_length = rng.choice(np.asarray(header_lengths), count)
    trace_length = rng.choice(np.asarray(trace_lengths), count).astype(np.uint16)
    module = np.asarray(modules, np.uint8)[rng.integers(0, len(modules), count)]
    columns: dict[str, NDArray[np.generic]] = {
        "crate": module[:, 0],
        "slot": module[:, 1],
        "channel": rng.integers(0, channels, count, dtype=np.uint8),
        "energy": rng.integers(0, layout.energy.mask + 1, count).astype(np.uint16),
        "timestamp": _timestamps(count, rng, first_timestamp, mean_ticks),
        "pileup": rng.random(count) < 0.05,
        "out_of_range": rng.random(count) < 0.05,
    }
    columns |= _cfd(layout, count, rng)
    columns["time_ps"] = time_of(layout, columns)
    columns |= _optional_blocks(header_length, rng)
    if trace_length.any():
        columns |= _traces(trace_length, rng)
    return Events(columns)


def time_of(
    layout: Layout, columns: dict[str, NDArray[np.generic]]
) -> NDArray[np.int64]:
    """Return ``time_ps`` for timestamp and CFD columns in the clock of `layout`."""
    return corrected_time_ps(
        columns["timestamp"].astype(np.uint64),
        columns["cfd_fraction"].astype(np.uint16),
        columns["cfd_source"].astype(np.uint8),
        columns["cfd_forced"].astype(np.bool_),
        tick_ps=layout.tick_ps,
        cfd_unit_ps=layout.cfd_unit_ps,
        fraction_bits=layout.cfd_fraction.width,
        source_step=layout.cfd_source_step,
        source_offset=layout.cfd_source_offset,
    )


def _timestamps(
    count: int, rng: np.random.Generator, first: int, mean_ticks: float
) -> NDArray[np.uint64]:
    gaps = rng.exponential(mean_ticks, count).astype(np.int64)
    return ((first + np.cumsum(gaps)) % (1 << 48)).astype(np.uint64)


def _cfd(
    layout: Layout, count: int, rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    fraction = rng.integers(0, layout.cfd_fraction.mask + 1, count).astype(np.uint16)
    source = rng.integers(0, layout.cfd_source.mask + 1, count).astype(np.uint8)
    forced = (rng.random(count) < 0.1) & bool(layout.cfd_forced.width)
    # A forced CFD has no fraction, and neither has one that is off.
    off = forced | (rng.random(count) < 0.1)
    fraction[off] = 0
    if layout.cfd_failed_source is not None:
        forced = source == layout.cfd_failed_source
    return {"cfd_fraction": fraction, "cfd_source": source, "cfd_forced": forced}


def _optional_blocks(
    header_length: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    table = np.zeros((19, 3), np.bool_)
    for length, flags in _BLOCKS_OF_HEADER_LENGTH.items():
        table[length] = flags
    sums, qdc, external = table[header_length].T
    count = header_length.size
    columns: dict[str, NDArray[np.generic]] = {}
    if sums.any():
        columns["esum_valid"] = sums
        for name in ("esum_trailing", "esum_leading", "esum_gap"):
            values = rng.integers(0, 1 << 32, count, dtype=np.uint32)
            columns[name] = np.where(sums, values, 0).astype(np.uint32)
        baseline = rng.normal(0, 1e4, count).astype(np.float32)
        columns["baseline"] = np.where(sums, baseline, 0).astype(np.float32)
    if qdc.any():
        columns["qdc_valid"] = qdc
        values = rng.integers(0, 1 << 32, (count, 8), dtype=np.uint32)
        columns["qdc"] = np.where(qdc[:, None], values, 0).astype(np.uint32)
    if external.any():
        columns["external_timestamp_valid"] = external
        stamps = rng.integers(0, 1 << 64, count, dtype=np.uint64)
        columns["external_timestamp"] = np.where(external, stamps, 0).astype(np.uint64)
    return columns


def _traces(
    trace_length: NDArray[np.uint16], rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    stored = trace_length.astype(np.int64) // 2 * 2
    offsets = np.concatenate([[0], np.cumsum(stored)])
    # The noise of a 14-bit ADC around its baseline.
    samples = rng.integers(380, 450, int(offsets[-1]), dtype=np.uint16)
    return {
        "trace_length": trace_length,
        "trace_offsets": offsets,
        "trace_samples": samples,
    }
