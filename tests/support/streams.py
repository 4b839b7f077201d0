"""Events and streams for the tests of the list-mode format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout
from pixie_pipe.testing.generators import random_events, time_of
from tests.support.listmode_oracle import GENERATIONS, HEADER_LENGTHS, Format

if TYPE_CHECKING:
    from pixie_pipe.events import Events

SDK_LAYOUTS = [(row[0], row[1]) for row in GENERATIONS]
"""First revision of each of the SDK's twelve layouts."""


def header_lengths_of(layout: Layout) -> list[int]:
    """Return the header lengths that firmware with this layout writes."""
    return [
        length
        for length, blocks in HEADER_LENGTHS.items()
        if layout.external_timestamps or "x" not in blocks
    ]


def newest_revision(frequency: int, first: int) -> int:
    """Return the last revision of a layout, which has external timestamps if any."""
    for row in GENERATIONS:
        if row[:2] == (frequency, first):
            return first + 1000 if row[2] is None else row[2] - 1
    raise LookupError(first)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Draw one of the SDK's layouts, at its first or its last revision."""
    frequency, first = draw(st.sampled_from(SDK_LAYOUTS))
    last = newest_revision(frequency, first)
    return Layout.find(frequency, draw(st.sampled_from([first, last])))


def extreme(limit: int) -> st.SearchStrategy[int]:
    """Draw a number up to `limit`, often the smallest or the largest."""
    return st.one_of(st.sampled_from([0, limit]), st.integers(0, limit))


@st.composite
def event_tables(draw: st.DrawFn, layout: Layout, most: int = 8) -> Events:
    """Draw events with extreme values in every field."""
    count = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    slots = st.integers(*layout.slots)
    crates = extreme(layout.crate.mask)
    longest = (layout.event_length.mask - 18) * 2
    events = random_events(
        layout,
        count,
        rng,
        header_lengths=header_lengths_of(layout),
        trace_lengths=draw(
            st.lists(
                st.one_of(
                    st.sampled_from([0, 1, 2, 3, 4, 5, min(longest, 32767)]),
                    st.integers(0, 60),
                ),
                min_size=1,
                max_size=4,
            )
        ),
        modules=draw(st.lists(st.tuples(crates, slots), min_size=1, max_size=3)),
        channels=layout.channel.mask + 1,
        # So that some streams wrap at 48 bits.
        first_timestamp=draw(extreme((1 << 48) - 1)),
    )

    def column(limit: int, dtype: str) -> NDArray[Any]:
        values = draw(st.lists(extreme(limit), min_size=count, max_size=count))
        return np.array(values, dtype)

    changed: dict[str, NDArray[Any]] = {
        "energy": column(layout.energy.mask, "u2"),
        "timestamp": column((1 << 48) - 1, "u8"),
        "cfd_fraction": column(layout.cfd_fraction.mask, "u2"),
        "cfd_source": column(layout.cfd_source.mask, "u1"),
        "cfd_forced": column(layout.cfd_forced.mask, "u1").astype(np.bool_),
    }
    if layout.cfd_failed_source is not None:
        changed["cfd_forced"] = changed["cfd_source"] == layout.cfd_failed_source
    changed["time_ps"] = time_of(layout, changed)
    return events.with_columns(**changed)


def format_of(layout: Layout, **restrictions: Any) -> Format:
    """Return the oracle for a layout."""
    return Format(layout.frequency, layout.revision, **restrictions)


def rows(events: Events) -> list[dict[str, Any]]:
    """Return events as the oracle describes them."""
    names = [name for name in events.columns if not name.startswith("trace_")]
    table = []
    for i in range(len(events)):
        row = {name: events[name][i].tolist() for name in names}
        for flag, columns in _BLOCKS.items():
            if not row.setdefault(flag, False):
                for name in columns:
                    assert not np.any(row.pop(name, 0)), name
        if "baseline" in row:
            row["baseline_bits"] = int(events.baseline.view(np.uint32)[i])
            del row["baseline"]
        has_traces = "trace_samples" in events.columns
        row["trace_length"] = int(events.trace_length[i]) if has_traces else 0
        row["trace"] = events.trace(i).tolist() if has_traces else []
        table.append(row)
    return table


_BLOCKS = {
    "esum_valid": ("esum_trailing", "esum_leading", "esum_gap", "baseline"),
    "qdc_valid": ("qdc",),
    "external_timestamp_valid": ("external_timestamp",),
}
