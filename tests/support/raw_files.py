"""Raw files for the tests of the storage: events with all blocks, cut and damaged."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode import Layout, encode
from pixie_pipe.testing.generators import random_events

LAYOUT = Layout.find(frequency=500, revision=34688)
WIDE = Layout.find(frequency=250, revision=46540, hardware="H")


def words_of(
    count: int,
    *,
    seed: int = 1,
    layout: Layout = LAYOUT,
    modules: Sequence[tuple[int, int]] = ((0, 2),),
    mixed: bool = False,
) -> NDArray[np.uint32]:
    """Return the words of random events; `mixed` ones have all blocks and traces."""
    kinds: dict[str, Any] = {}
    if mixed:
        kinds = {"header_lengths": (4, 8, 12, 18), "trace_lengths": (0, 31, 200)}
    rng = np.random.default_rng(seed)
    return encode(random_events(layout, count, rng, modules=modules, **kinds), layout)


def late_blocks(before: int = 300, after: int = 200) -> NDArray[np.uint32]:
    """Return words of bare events, of mixed ones, and of bare ones again."""
    return np.concatenate(
        [words_of(before), words_of(60, seed=2, mixed=True), words_of(after, seed=3)]
    )


def cut(folder: Path, data: bytes, places: Sequence[int]) -> list[Path]:
    """Write `data` to files that end at these bytes."""
    edges = [0, *sorted(places), len(data)]
    paths = []
    for number, (first, behind) in enumerate(itertools.pairwise(edges)):
        paths.append(folder / f"part_{number}.bin")
        paths[-1].write_bytes(data[first:behind])
    return paths
