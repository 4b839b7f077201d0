"""Merging parts of tables gives what concatenating and sorting them gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.kernels import _merging
from pixie_pipe.kernels._held import HeldBatch
from pixie_pipe.kernels._merging import merged
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.testing.generators import random_events

if TYPE_CHECKING:
    from pixie_pipe.kernels._parts import Part

LAYOUT = Layout.find(500, 34688)
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sums": {"header_lengths": (8, 16)},
    "qdc": {"header_lengths": (12, 18)},
    "traces": {"trace_lengths": (0, 20, 7)},
}


def some(times: Any, kind: str = "plain", seed: int = 1) -> Events:
    rng = np.random.default_rng(seed)
    events = random_events(LAYOUT, len(times), rng, **KINDS[kind])
    return events.with_columns(time_ps=np.asarray(times, np.int64))


def part_of(events: Events, skip: int = 0) -> Part:
    """Return all rows of a table but the first ones in time, as the sorter holds it."""
    batch = HeldBatch(events, 0, 0)
    batch.safe = skip
    batch.take_safe()
    batch.safe = len(batch)
    return batch.take_safe()


def check(parts: list[Part]) -> Events:
    """Merge, and compare with the definition."""
    found = merged(parts)
    assert found.equals(Events.concatenate([part.table() for part in parts]).sort())
    assert found.columns == parts[0].events.columns
    return found


@pytest.fixture(params=[0, 1 << 16], ids=["pooled", "by size"], autouse=True)
def pooled_bytes(request, monkeypatch):
    """Small tables go the way of large ones, too."""
    monkeypatch.setattr("pixie_pipe.kernels._tables._POOLED_BYTES", request.param)
    return request.param


TIMES = st.lists(st.integers(0, 60), min_size=1, max_size=40)


@given(
    st.lists(st.tuples(TIMES, st.integers(0, 5)), min_size=1, max_size=5),
    st.sampled_from(sorted(KINDS)),
)
def test_any_parts(tables, kind):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixie_pipe.kernels._tables._POOLED_BYTES", 0)
        check(
            [
                part_of(some(times, kind, seed), min(skip, len(times) - 1))
                for seed, (times, skip) in enumerate(tables)
            ]
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("swap_each", [2, 7, 40, 5000])
def test_order_that_is_disturbed_more_or_less(kind, swap_each):
    times = np.arange(9000)
    times[swap_each::swap_each] -= 2
    check([part_of(some(times, kind))])
    check([part_of(some(times, kind)), part_of(some(times + 8990, kind, 2))])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [1, 3, 100])
def test_parts_that_interleave(kind, step):
    rng = np.random.default_rng(step)
    tables = [np.sort(rng.integers(0, 9000 * step, 3000)) // step for _ in range(5)]
    tables[1] = tables[1][rng.permutation(3000)]
    check([part_of(some(times, kind, seed)) for seed, times in enumerate(tables)])


@pytest.mark.parametrize("kind", KINDS)
def test_parts_one_behind_the_other_in_any_sequence(kind):
    starts = [4000, 0, 8000]
    check([part_of(some(np.arange(4000) + start, kind)) for start in starts])


def test_equal_times_keep_the_sequence_of_the_parts():
    tables = [some(np.repeat([5, 6], 4000), seed=seed) for seed in range(3)]
    check([part_of(table) for table in tables])


def test_parts_of_other_columns():
    late = some(np.arange(9000)).with_columns(late=np.ones(9000, bool))
    assert check([part_of(late), part_of(late)]).late.all()
    found = merged([part_of(late), part_of(some(np.arange(9000), "traces"))])
    assert found.late.sum() == 9000
    assert (np.diff(found.time_ps) >= 0).all()


def test_tables_in_use_are_not_overwritten():
    tables = [some(np.arange(9000)[::-1], "traces", seed) for seed in range(20)]
    found = [merged([part_of(table)]) for table in tables]
    for table, sorted_table in zip(tables, found, strict=True):
        assert sorted_table.equals(table[::-1])


def test_the_memory_is_used_again():
    seen = set()
    for seed in range(20):
        found = merged([part_of(some(np.arange(9000)[::-1], seed=seed))])
        seen.add(found.time_ps.ctypes.data)
        del found
    assert len(seen) < 5


def test_the_way_of_large_tables_is_taken(monkeypatch, pooled_bytes):
    taken = []
    moved = _merging.moved

    def noted(*arguments: Any) -> Events:
        taken.append(1)
        return moved(*arguments)

    monkeypatch.setattr(_merging, "moved", noted)
    check([part_of(some([3, 1, 2]))])
    assert len(taken) == (pooled_bytes == 0)
