"""Joining and reordering in memory that is used again gives what Events gives."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.kernels._tables import concatenated, reordered
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.testing.generators import random_events

LAYOUT = Layout.find(500, 34688)
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "qdc": {"header_lengths": (12, 18)},
    "traces": {"trace_lengths": (0, 20)},
}


def some(count: int, kind: str = "plain", seed: int = 1) -> Events:
    return random_events(LAYOUT, count, np.random.default_rng(seed), **KINDS[kind])


@pytest.mark.parametrize("counts", [(7,), (3, 4), (9000,), (4000, 1, 5000)])
@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_the_same_columns(kind, counts):
    tables = [some(count, kind, seed) for seed, count in enumerate(counts)]
    joined = concatenated(tables)
    assert joined.equals(Events.concatenate(tables))
    rows = np.random.default_rng(1).permutation(len(joined))
    assert reordered(joined, rows).equals(joined[rows])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moved", [0, 2, 2248, 2250, 2252, 9000])
def test_few_rows_that_move_and_many(kind, moved):
    table = some(9000, kind)
    rows = np.arange(9000)
    rows[5 : 5 + moved] = np.roll(rows[5 : 5 + moved], 1)
    assert reordered(table, rows).equals(table[rows])


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_other_columns(kind):
    tables = [some(9000), some(9000, kind).with_columns(late=np.ones(9000, bool))]
    assert concatenated(tables).equals(Events.concatenate(tables))


@pytest.mark.parametrize("kind", KINDS)
def test_tables_in_use_are_not_overwritten(kind):
    tables = [some(9000, kind, seed) for seed in range(20)]
    rows = np.arange(18_000)[::-1]
    pairs = list(pairwise(tables))
    found = [reordered(concatenated(pair), rows) for pair in pairs]
    for pair, table in zip(pairs, found, strict=True):
        assert table.equals(Events.concatenate(pair)[::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_used_again(kind):
    tables = [some(9000, kind), some(9000, kind)]

    def address() -> int:
        address: int = concatenated(tables).crate.ctypes.data
        return address

    assert len({address() for _ in range(20)}) < 5
