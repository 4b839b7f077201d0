"""Events with any values, by Hypothesis: what no module sends, but a file must keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from pixie_pipe.events import COLUMN, COLUMNS, Block, Events


def _values(name: str, count: int, rng: np.random.Generator) -> Any:
    column = COLUMN[name]
    shape = column.shape(count)
    dtype: Any = column.dtype
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        values = rng.normal(0, 1e4, shape).astype(dtype)
        odd = np.array(
            [np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).tiny], dtype
        )
        is_odd = rng.random(shape) < 0.3
        values[is_odd] = rng.choice(odd, int(is_odd.sum()))
        return values
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    extreme = rng.random(shape) < 0.2
    edges = np.array([limits.min, limits.max], dtype)
    values[extreme] = rng.choice(edges, int(extreme.sum()))
    return values


@st.composite
def any_events(draw: st.DrawFn, *, most: int = 40) -> list[Events]:
    """Draw batches of events: blocks come and go, values are as they can be."""
    blocks = draw(st.sets(st.sampled_from([b for b in Block if b is not Block.CORE])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    channels = draw(st.integers(1, 4))
    batches = []
    for _ in range(draw(st.integers(1, 3))):
        count = draw(st.integers(0, most))
        present = {b for b in blocks if draw(st.booleans())} | {Block.CORE}
        columns = {
            column.name: _values(column.name, count, rng)
            for column in COLUMNS
            if column.block in present
        }
        # Few channels, so that each has events; all numbers are used in time.
        identifiers = rng.integers(0, 256, (channels, 3), np.uint8)
        which = rng.integers(0, channels, count)
        for k, name in enumerate(("crate", "slot", "channel")):
            columns[name] = identifiers[which, k]
        if Block.TRACE in present:
            columns |= _traces(draw, count, rng)
        batches.append(Events(columns))
    return batches


def _traces(draw: st.DrawFn, count: int, rng: np.random.Generator) -> dict[str, Any]:
    length = draw(st.sampled_from([0, 1, 2, 7]))
    lengths = np.full(count, length)
    if draw(st.booleans()):
        lengths = rng.integers(0, 9, count)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    samples = rng.integers(0, 1 << 16, int(offsets[-1])).astype(np.uint16)
    stated = (lengths + rng.integers(0, 2, count)).astype(np.uint16)
    return {
        "trace_offsets": offsets,
        "trace_samples": samples,
        "trace_length": stated,
    }
