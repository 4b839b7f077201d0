"""Encode events as the words that a module would have sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Block, Events
from pixie_pipe.listmode._constants import (
    CORE_WORDS,
    MAX_EVENT_LENGTH,
    TIMESTAMP_BITS,
    WORD,
)
from pixie_pipe.listmode.errors import EncodeError
from pixie_pipe.listmode.layout import BitField, Layout


def encode(events: Events, layout: Layout) -> NDArray[np.uint32]:
    """Return the words of `events`: what `decode` reads, it writes.

    ``time_ps`` is not written: it follows from the timestamp and the CFD columns.

    Parameters
    ----------
    events
        Events with at least the core columns other than ``time_ps``.
    layout
        Layout of the module.

    Returns
    -------
    ndarray of uint32
        The events one after the other, shape (n,).

    Raises
    ------
    EncodeError
        If a value does not fit its field in the layout, naming the column, the
        event, the value and the limit.
    """
    _check_columns(events)
    header_length = _header_lengths(events, layout)
    trace_length, offsets, samples = _traces(events)
    event_length = header_length + trace_length // 2
    longest = min(layout.event_length.mask, MAX_EVENT_LENGTH)
    _check("event length in words", event_length, longest, layout)
    positions = np.cumsum(event_length) - event_length
    words = np.zeros(int(event_length.sum()), WORD)
    # Imported here: numba takes longer to import than the rest.
    from pixie_pipe.listmode._encode_kernel import (
        EventParts,
        write_events,
    )

    parts = EventParts(
        core=_core_words(events, layout, header_length, event_length, trace_length),
        header_length=header_length,
        sums=_energy_sums(events),
        qdc=_column_or_empty(events, "qdc", (0, 8), "u4"),
        external=_column_or_empty(events, "external_timestamp", (0,), "u8"),
        trace_offsets=offsets,
        sample_pairs=samples.view(np.uint32),
    )
    write_events(parts, positions, words)
    return words


_Put: TypeAlias = Callable[[str, BitField, NDArray[Any]], None]

_NEEDED = (
    "crate",
    "slot",
    "channel",
    "energy",
    "timestamp",
    "cfd_fraction",
    "cfd_source",
    "cfd_forced",
    "pileup",
    "out_of_range",
)


def _check_columns(events: Events) -> None:
    missing = [name for name in _NEEDED if name not in events.columns]
    if missing:
        raise EncodeError(
            f"events without {', '.join(missing)} cannot be encoded; all core columns "
            f"but time_ps are needed"
        )


def _check(name: str, values: NDArray[Any], limit: int, layout: Layout) -> None:
    """Raise EncodeError for the first value above `limit`."""
    above = np.flatnonzero(values > limit)
    if above.size:
        row = int(above[0])
        raise EncodeError(
            f"event {row}: {name} is {values[row]}, but layout {layout.name} holds at "
            f"most {limit} ({above.size} such events)"
        )


def _header_lengths(events: Events, layout: Layout) -> NDArray[np.int64]:
    lengths = np.full(len(events), CORE_WORDS, np.int64)
    if Block.ENERGY_SUMS in events.blocks:
        lengths += 4 * events.esum_valid
    if Block.QDC in events.blocks:
        lengths += 8 * events.qdc_valid
    if Block.EXTERNAL_TIME in events.blocks:
        valid = events.external_timestamp_valid
        if valid.any() and not layout.external_timestamps:
            raise EncodeError(
                f"event {int(valid.argmax())} has an external timestamp, but layout "
                f"{layout.name} at revision {layout.revision} has none"
            )
        lengths += 2 * valid
    return lengths


def _traces(
    events: Events,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
    """Return trace length, offsets and samples; offsets are empty without traces."""
    if Block.TRACE not in events.blocks:
        none = np.zeros(0, np.int64)
        return np.zeros(len(events), np.int64), none, np.zeros(0, np.uint16)
    length = events.trace_length.astype(np.int64)
    stored = np.diff(events.trace_offsets)
    wrong = np.flatnonzero(stored != length // 2 * 2)
    if wrong.size:
        row = int(wrong[0])
        raise EncodeError(
            f"event {row}: trace_length is {length[row]}, but there are {stored[row]} "
            f"samples; expected {length[row] // 2 * 2} (an odd length has one sample "
            f"fewer)"
        )
    return length, events.trace_offsets, np.ascontiguousarray(events.trace_samples)


def _core_words(
    events: Events,
    layout: Layout,
    header_length: NDArray[np.int64],
    event_length: NDArray[np.int64],
    trace_length: NDArray[np.int64],
) -> NDArray[np.uint32]:
    """Return the first four words of every event, shape (n, 4)."""
    core = np.zeros((len(events), CORE_WORDS), np.uint32)

    def put(name: str, field: BitField, values: NDArray[Any]) -> None:
        _check(name, values, field.mask, layout)
        core[:, field.word] |= values.astype(np.uint32) << np.uint32(field.shift)

    put("channel", layout.channel, events.channel)
    put("slot", layout.slot, events.slot)
    put("crate", layout.crate, events.crate)
    put("header length", BitField(0, 12, 5), header_length)
    put("event length", layout.event_length, event_length)
    put("pileup", BitField(0, 31, 1), events.pileup)
    put("out_of_range", layout.out_of_range, events.out_of_range)
    put("energy", layout.energy, events.energy)
    put("trace_length", layout.trace_length, trace_length)
    put("cfd_fraction", layout.cfd_fraction, events.cfd_fraction)
    put("cfd_source", layout.cfd_source, events.cfd_source)
    _put_forced(events, layout, put)
    _check("timestamp", events.timestamp, (1 << TIMESTAMP_BITS) - 1, layout)
    core[:, 1] = (events.timestamp & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    core[:, 2] |= (events.timestamp >> np.uint64(32)).astype(np.uint32)
    return core


def _put_forced(events: Events, layout: Layout, put: _Put) -> None:
    """Write the forced flag where the layout has it, as a bit or as a source."""
    failed = np.zeros(len(events), np.bool_)
    if layout.cfd_failed_source is not None:
        failed = events.cfd_source == layout.cfd_failed_source
        lost = np.flatnonzero(failed & ~events.cfd_forced)
        if lost.size:
            raise EncodeError(
                f"event {int(lost[0])}: cfd_source {layout.cfd_failed_source} means a "
                f"forced CFD in layout {layout.name}, but cfd_forced is not set"
            )
    put("cfd_forced", layout.cfd_forced, events.cfd_forced & ~failed)


def _energy_sums(events: Events) -> NDArray[np.uint32]:
    if Block.ENERGY_SUMS not in events.blocks:
        return np.zeros((0, 4), np.uint32)
    return np.stack(
        [
            events.esum_trailing,
            events.esum_leading,
            events.esum_gap,
            np.ascontiguousarray(events.baseline).view(np.uint32),
        ],
        axis=1,
    )


def _column_or_empty(
    events: Events, name: str, shape: tuple[int, ...], dtype: str
) -> NDArray[Any]:
    if name in events.columns:
        return np.ascontiguousarray(events[name])
    return np.zeros(shape, dtype)
