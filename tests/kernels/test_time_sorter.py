"""What is passed on is what sorting the whole run gives, or what a plain model does."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import Block, Events, EventsError
from pixie_pipe.kernels import _held, _merging, time_sorter
from pixie_pipe.kernels._held import HeldBatch
from pixie_pipe.kernels.time_sorter import LateEventsError, TimeSorter, TimeSorterError
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.testing.generators import random_events

EVER = 10**18
MUCH = 1 << 40


def batch_of(
    times: Any, module: Any = (0, 2), *, first: int = 0, **columns: Any
) -> Events:
    """Make events; their timestamps number them from `first` on."""
    count = len(times)
    modules = np.broadcast_to(np.array(module, np.uint8), (count, 2))
    core: dict[str, Any] = {
        "crate": modules[:, 0],
        "slot": modules[:, 1],
        "timestamp": np.arange(first, first + count, dtype=np.uint64),
        "time_ps": np.array(times, np.int64),
    }
    return Events(core | columns)


def sorter(window: int = 10, **changed: Any) -> TimeSorter:
    arguments: dict[str, Any] = {"max_wait_ps": EVER, "max_bytes": MUCH, "min_rows": 1}
    return TimeSorter(window, **(arguments | changed))


def times_of(events: Events | None) -> list[int] | None:
    return None if events is None else events.time_ps.tolist()


# --- whole runs


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[tuple[int, Events]], int]:
    """Draw batches with their streams, whose modules keep to a window."""
    window = draw(st.integers(0, 30))
    start = draw(st.sampled_from([0, 2_800_000_000_000_000_000, -(2**63) + 99]))
    streams: list[list[Events]] = []
    for stream in range(draw(st.integers(1, 4))):
        slots = draw(st.integers(1, 3))
        steps = st.tuples(
            st.integers(0, slots - 1), st.integers(0, 20), st.integers(0, window)
        )
        latest = [start] * slots
        times, modules = [], []
        for slot, step, back in draw(st.lists(steps, max_size=40)):
            latest[slot] += step
            times.append(latest[slot] - back)
            modules.append((stream, slot))
        events = batch_of(times, np.reshape(modules, (-1, 2)), first=1000 * stream)
        cuts = sorted(draw(st.lists(st.integers(0, len(times)), max_size=6)))
        edges = [0, *cuts, len(times)]
        streams.append([events[a:b] for a, b in pairwise(edges)])
    order = draw(st.permutations([k for k, parts in enumerate(streams) for _ in parts]))
    parts = [iter(stream) for stream in streams]
    return [(stream, next(parts[stream])) for stream in order], window


@given(runs(), st.integers(1, 60), st.lists(st.booleans()))
def test_the_whole_run_is_in_order(run, min_rows, flushes):
    batches, window = run
    merger = sorter(window, min_rows=min_rows)
    for crate in range(4):
        for slot in range(3):
            merger.add_module((crate, slot))
    left = Counter(
        module
        for _, events in batches
        for module in zip(events.crate.tolist(), events.slot.tolist(), strict=True)
    )
    found = []
    for number, (stream, events) in enumerate(batches):
        found.append(merger.add(events, stream=stream))
        assert found[-1] is None or len(found[-1]) >= min_rows
        left.subtract(zip(events.crate.tolist(), events.slot.tolist(), strict=True))
        for crate in range(4):
            for slot in range(3):
                if left[crate, slot] == 0:
                    merger.end_module((crate, slot))
        if number < len(flushes) and flushes[number]:
            found.append(merger.flush())
    found.append(merger.finish())
    assert merger.late_count == 0
    assert merger.held_events == merger.held_bytes == 0
    streams = [
        events for stream in range(4) for which, events in batches if which == stream
    ]
    expected = Events.concatenate(streams).sort()
    whole = Events.concatenate([part for part in found if part])
    assert whole.equals(expected) or len(expected) == 0


def test_large_runs_of_all_blocks_are_in_order():
    rng = np.random.default_rng(1)
    layout = Layout.find(500, 34688)
    kinds: list[dict[str, Any]] = [
        {},
        {"header_lengths": (8, 18), "trace_lengths": (0, 31)},
        {"header_lengths": (4, 12)},
        {"trace_lengths": (100,)},
    ]
    streams = []
    for stream, kind in enumerate(kinds):
        modules = [(0, 2 + stream), (1, 2 + stream)][: 1 + stream % 2]
        events = random_events(layout, 30_000, rng, modules=modules, **kind)
        early = rng.integers(0, 10_000_000, len(events))
        streams.append(events.with_columns(time_ps=np.sort(events.time_ps) - early))
    merger = TimeSorter(20_000_000, max_wait_ps=EVER, max_bytes=MUCH, min_rows=5_000)
    found = []
    for stream in range(4):
        merger.add_module((0, 2 + stream))
        merger.add_module((1, 2 + stream))
    merger.end_module((1, 2))
    merger.end_module((1, 4))
    for first in range(0, 30_000, 3_000):
        for stream, events in enumerate(streams):
            found.append(merger.add(events[first : first + 3_000], stream=stream))
    assert merger.held_events < 20_000
    found.append(merger.finish())
    batches = [part for part in found if part]
    assert len(batches) > 5
    assert Events.concatenate(batches).equals(Events.concatenate(streams).sort())
    assert "late" not in batches[0].columns


# --- what is late, idle or too much: a model that looks at every event every time


@dataclass
class Model:
    window: int
    max_wait: int
    max_rows: float
    drop: bool
    min_rows: int
    held: list[tuple[int, int, int, bool]] = field(default_factory=list)
    heard: dict[int, int] = field(default_factory=dict)
    silent: dict[int, int | None] = field(default_factory=dict)
    latest: int | None = None
    passed: int | None = None
    watermark: int | None = None
    late = dropped = forced = 0

    def add(self, items: list[tuple[int, int]], stream: int, first: int) -> Any:
        for number, (_, time) in enumerate(items):
            is_late = self.passed is not None and time < self.passed
            self.late += is_late
            self.dropped += is_late and self.drop
            if not (is_late and self.drop):
                self.held.append((time, stream, first + number, is_late))
        if not items:
            return None
        if self.latest is None:
            earliest = min(time for _, time in items)
            self.silent = dict.fromkeys(self.silent, earliest)
        for module, time in items:
            self.silent.pop(module, None)
            self.heard[module] = max(time, self.heard.get(module, time))
            self.latest = time if self.latest is None else max(time, self.latest)
        self.advance()
        is_full = len(self.held) > self.max_rows
        unsafe = sorted(item[0] for item in self.held if not self.is_safe(item))
        if len(unsafe) > self.max_rows:
            self.forced += 1
            while len(unsafe) > self.max_rows:
                self.watermark = unsafe[(len(unsafe) - 1) // 2] + 1
                unsafe = [time for time in unsafe if time >= self.watermark]
        safe = sum(map(self.is_safe, self.held))
        return self.flush() if is_full or safe >= self.min_rows else None

    def is_safe(self, item: tuple[int, int, int, bool]) -> bool:
        return self.watermark is not None and item[0] < self.watermark

    def advance(self) -> None:
        if self.latest is None:
            return
        if any(
            self.latest - (since or 0) <= self.max_wait
            for since in self.silent.values()
        ):
            return
        live = [t for t in self.heard.values() if self.latest - t <= self.max_wait]
        allowed = min(live, default=self.latest) - self.window
        if not self.heard and not self.silent:
            allowed = self.latest + 1
        self.watermark = (
            allowed if self.watermark is None else max(self.watermark, allowed)
        )

    def flush(self) -> Any:
        safe = sorted(item for item in self.held if self.is_safe(item))
        self.held = [item for item in self.held if not self.is_safe(item)]
        if not safe:
            return None
        self.passed = max(
            safe[-1][0], safe[-1][0] if self.passed is None else self.passed
        )
        return [(time, number, late) for time, _, number, late in safe]

    def finish(self) -> Any:
        if self.latest is not None:
            self.watermark = max(self.latest + 1, self.watermark or 0)
        return self.flush() or []


def rows_of(events: Events | None) -> Any:
    if events is None:
        return None
    late = events.late if "late" in events.columns else np.zeros(len(events), bool)
    columns = (events.time_ps, events.timestamp, late)
    return list(zip(*(column.tolist() for column in columns), strict=True))


ROW_BYTES = 1 + 1 + 8 + 8
slots = st.integers(0, 3)
calls = st.one_of(
    st.tuples(
        st.just("add"),
        st.integers(0, 2),
        st.lists(st.tuples(slots, st.integers(1, 100)), max_size=12),
    ),
    st.tuples(st.sampled_from(["add_module", "end_module"]), slots),
    st.tuples(st.just("flush")),
)


@given(
    st.lists(calls, max_size=25),
    st.integers(0, 20),
    st.integers(0, 60),
    st.sampled_from([MUCH, 1, 4, 20]),
    st.booleans(),
    st.integers(1, 15),
)
def test_any_calls_do_what_the_model_does(
    actions, window, max_wait, max_rows, drop, min_rows
):
    merger = TimeSorter(
        window,
        max_wait_ps=max_wait,
        # A little more than the rows, less than one more, though flags may be held.
        max_bytes=max_rows * (ROW_BYTES + 1) if drop else MUCH,
        late="drop" if drop else "flag",
        min_rows=min_rows,
    )
    rows = max_rows * (ROW_BYTES + 1) // ROW_BYTES if drop else MUCH
    model = Model(window, max_wait, rows, drop, min_rows)
    number = 0
    for name, *arguments in actions:
        if name == "add":
            stream, items = arguments
            modules = np.reshape([(0, slot) for slot, _ in items], (-1, 2))
            events = batch_of([time for _, time in items], modules, first=number)
            found = rows_of(merger.add(events, stream=stream))
            assert found == model.add(items, stream, number)
            number += len(items)
        elif name == "flush":
            assert rows_of(merger.flush()) == model.flush()
        elif name == "add_module":
            merger.add_module((0, arguments[0]))
            if arguments[0] not in model.heard:
                model.silent.setdefault(arguments[0], model.latest)
        else:
            merger.end_module((0, arguments[0]))
            model.heard.pop(arguments[0], None)
            model.silent.pop(arguments[0], None)
            model.advance()
        assert merger.watermark_ps == model.watermark
        assert merger.held_events == len(model.held)
        assert merger.late_count == model.late
        assert merger.dropped_count == model.dropped
        assert merger.forced == model.forced
    assert rows_of(merger.finish()) == model.finish()
    assert merger.held_bytes == 0


# --- one thing at a time


def test_the_watermark_waits_for_all_modules():
    assert sorter(10).watermark_ps is None
    merger = sorter(10)
    merger.add_module((0, 3))
    assert merger.add(batch_of([0, 100, 200], (0, 2)), stream=0) is None
    assert merger.flush() is None
    assert times_of(merger.add(batch_of([50, 120], (0, 3)), stream=1)) == [0, 50, 100]
    assert merger.watermark_ps == 110
    assert merger.held_events == 2
    # The event exactly at the watermark is not safe.
    assert times_of(merger.add(batch_of([130], (0, 3)), stream=1)) is None
    assert merger.watermark_ps == 120
    merger.end_module((0, 3))
    assert times_of(merger.flush()) == [120, 130]
    assert times_of(merger.finish()) == [200]
    assert len(merger.finish()) == 0


def test_ties_are_in_the_order_of_streams_then_of_arrival():
    merger = sorter(0)
    merger.add_module((0, 4))
    for first, (stream, module) in enumerate([(1, 3), (0, 2), (1, 3), (0, 2)]):
        merger.add(batch_of([5, 5], (0, module), first=10 * first), stream=stream)
    found = merger.finish()
    assert found.timestamp.tolist() == [10, 11, 30, 31, 0, 1, 20, 21]


def test_a_silent_module_is_idle_after_a_while():
    merger = sorter(0, max_wait_ps=100)
    merger.add_module((0, 3))
    assert merger.add(batch_of([1000, 1100]), stream=0) is None
    assert times_of(merger.add(batch_of([1101]), stream=0)) == [1000, 1100]
    # One announced in the run is waited for from then on.
    merger.add_module((0, 4))
    assert merger.add(batch_of([1201]), stream=0) is None
    assert times_of(merger.add(batch_of([1202]), stream=0)) == [1101, 1201]


def test_a_module_that_lags_is_idle_until_it_has_caught_up():
    merger = sorter(0, max_wait_ps=100)
    merger.add(batch_of([1000], (0, 3)), stream=1)
    assert merger.add(batch_of([1100], (0, 2)), stream=0) is None
    assert times_of(merger.add(batch_of([1101], (0, 2)), stream=0)) == [1000, 1100]
    assert times_of(merger.add(batch_of([1050], (0, 3)), stream=1)) == [1050]
    assert merger.late_count == 1
    assert merger.add(batch_of([1150], (0, 2)), stream=0) is None
    assert merger.watermark_ps == 1101
    assert times_of(merger.add(batch_of([1140], (0, 3)), stream=1)) == [1101]
    assert times_of(merger.finish()) == [1140, 1150]


def test_late_events_are_marked_in_their_place():
    merger = sorter(0)
    merger.add(batch_of([10, 20, 30]), stream=0)
    assert merger.watermark_ps == 30
    found = merger.add(
        batch_of([15, 40, 20, 25, 35], late=[False] * 4 + [True]), stream=0
    )
    assert found is not None
    # Those at or behind the last one passed on (20) are in order.
    assert times_of(found) == [15, 20, 25, 30, 35]
    assert found.late.tolist() == [True, False, False, False, True]
    assert merger.late_count == 1
    assert merger.dropped_count == 0
    assert merger.finish().late.tolist() == [False]


def test_passing_on_late_events_makes_none_of_the_next_less_late():
    merger = sorter(0)
    merger.add(batch_of([10, 20, 30]), stream=0)
    assert times_of(merger.add(batch_of([1]), stream=0)) == [1]
    assert times_of(merger.add(batch_of([5]), stream=0)) == [5]
    assert merger.late_count == 2


def test_late_events_can_be_dropped():
    merger = sorter(0, late="drop")
    merger.add(batch_of([10, 20, 30]), stream=0)
    assert merger.add(batch_of([1, 2]), stream=0) is None
    assert times_of(merger.add(batch_of([15, 40]), stream=0)) == [30]
    assert merger.late_count == merger.dropped_count == 3
    assert merger.held_events == 1


def test_late_events_can_be_an_error():
    merger = sorter(0, late="error")
    merger.add(batch_of([10_000_000, 20_000_000, 30_000_000]), stream=0)
    late = batch_of([19_000_000, 40_000_000, 7_750_000], [(0, 2), (0, 2), (1, 5)])
    words = r"2 events .* of module 1/5, is 12\.25 us earlier"
    with pytest.raises(LateEventsError, match=words) as raised:
        merger.add(late, stream=0)
    error = raised.value
    assert (error.module, error.late_ps, error.count) == ((1, 5), 12_250_000, 2)
    assert merger.latest_late == ((1, 5), 12_250_000)
    assert merger.late_count == 2
    assert merger.dropped_count == 0
    # The batch was not taken; the others can still be had.
    assert times_of(merger.finish()) == [30_000_000]


def test_the_latest_of_all_late_events_is_known():
    merger = sorter(0)
    merger.add(batch_of([10, 20, 30]), stream=0)
    merger.add(batch_of([5], (0, 3)), stream=0)
    merger.add(batch_of([12, 15]), stream=0)
    assert merger.latest_late == ((0, 3), 15)
    assert merger.late_count == 3


def test_the_oldest_are_passed_on_when_too_much_is_held():
    merger = sorter(10, max_bytes=10 * ROW_BYTES)
    merger.add_module((0, 9))
    assert merger.add(batch_of(range(10)), stream=0) is None
    assert merger.held_bytes == 10 * ROW_BYTES
    assert times_of(merger.add(batch_of([10]), stream=0)) == list(range(6))
    assert merger.forced == 1
    assert merger.watermark_ps == 6
    assert times_of(merger.add(batch_of(range(11, 60)), stream=0)) == list(range(6, 54))
    assert merger.forced == 2
    assert merger.held_bytes == 6 * ROW_BYTES


def test_what_is_safe_is_passed_on_first_when_too_much_is_held():
    merger = sorter(0, max_bytes=10 * ROW_BYTES, min_rows=1000)
    assert times_of(merger.add(batch_of(range(11)), stream=0)) == list(range(10))
    assert merger.forced == 0


def test_few_events_wait_for_more_or_for_flush():
    merger = sorter(0, min_rows=5)
    assert merger.flush() is None
    assert merger.add(batch_of([1, 2, 3]), stream=0) is None
    assert times_of(merger.flush()) == [1, 2]
    assert merger.flush() is None
    assert merger.add(batch_of([4, 5, 6, 7]), stream=0) is None
    assert times_of(merger.add(batch_of([8]), stream=0)) == [3, 4, 5, 6, 7]


def test_times_at_the_ends_of_their_range():
    low, high = -(2**63), 2**63 - 1
    merger = TimeSorter(2**62, max_wait_ps=2**70, max_bytes=MUCH, min_rows=1)
    assert merger.add(batch_of([low]), stream=0) is None
    assert merger.watermark_ps == low - 2**62
    assert times_of(merger.add(batch_of([high, high - 1]), stream=0)) == [low]
    merger.end_module((0, 2))
    assert merger.watermark_ps == high + 1
    assert times_of(merger.flush()) == [high - 1, high]


def test_modules_may_be_announced_and_ended_again_and_again():
    merger = sorter(0)
    merger.add_module((0, 3))
    merger.add_module((0, 3))
    merger.end_module((0, 3))
    merger.end_module((0, 3))
    merger.add(batch_of([1, 2], (0, 3)), stream=0)
    merger.add_module((0, 3))
    assert times_of(merger.add(batch_of([5], (0, 3)), stream=0)) == [2]


def test_announcing_a_module_that_has_sent_events_changes_nothing():
    merger = sorter(0)
    merger.add(batch_of([2], (0, 2)), stream=1)
    merger.add(batch_of([4], (0, 3)), stream=0)
    merger.add_module((0, 3))
    assert times_of(merger.add(batch_of([9], (0, 2)), stream=1)) == [2]
    assert merger.watermark_ps == 4


def test_derived_columns_follow_their_events():
    plain = batch_of([1, 4, 9], (0, 2))
    derived = batch_of(
        [2, 5, 3], (0, 3), trace_energy=[7.0, 8.0, 9.0], trace_pulses=[1, 2, 3]
    )
    merger = sorter(0)
    merger.add_module((0, 3))
    merger.add(plain, stream=0)
    found = merger.add(derived, stream=1)
    assert found is not None
    assert times_of(found) == [1, 2, 3, 4]
    np.testing.assert_array_equal(found.trace_energy, [np.nan, 7, 9, np.nan])
    assert found.trace_pulses.tolist() == [-1, 1, 3, -1]


def test_blocks_and_traces_follow_their_events():
    plain = batch_of([1, 4, 9], (0, 2))
    traced = batch_of(
        [2, 5, 3],
        (0, 3),
        trace_offsets=[0, 2, 2, 3],
        trace_samples=[7, 8, 9],
        qdc=np.arange(24, dtype=np.uint32).reshape(3, 8),
        qdc_valid=[True, False, True],
    )
    merger = sorter(0)
    merger.add_module((0, 3))
    merger.add(plain, stream=0)
    found = merger.add(traced, stream=1)
    assert found is not None
    assert found.blocks == (Block.CORE, Block.QDC, Block.TRACE)
    assert times_of(found) == [1, 2, 3, 4]
    assert [found.trace(i).tolist() for i in range(4)] == [[], [7, 8], [9], []]
    assert found.qdc[:, 0].tolist() == [0, 0, 16, 0]
    assert merger.held_bytes == ROW_BYTES + ROW_BYTES + 8 + 2 + 32 + 1
    assert merger.finish().trace_offsets.tolist() == [0, 0, 0]
    holder = sorter(0)
    holder.add_module((0, 9))
    holder.add(plain, stream=0)
    holder.add(traced, stream=1)
    # All but the one offset that there is more than events.
    assert holder.held_bytes == plain.nbytes + traced.nbytes - 8


def test_a_batch_that_is_safe_as_a_whole_is_not_copied():
    merger = sorter(0)
    first = batch_of([1, 2, 3])
    merger.add_module((0, 3))
    merger.add(first, stream=0)
    found = merger.finish()
    assert np.shares_memory(found.time_ps, first.time_ps)


def test_few_rows_that_are_left_do_not_keep_the_memory_of_all():
    merger = sorter(0)
    first = batch_of(range(100))
    merger.add(first, stream=0)
    assert not np.shares_memory(merger.finish().time_ps, first.time_ps)


def test_no_events():
    assert merger_columns(sorter().finish()) == merger_columns(Events.empty())
    merger = sorter()
    empty = batch_of([])
    assert merger.add(empty, stream=0) is None
    assert merger.finish().equals(empty)
    assert merger.watermark_ps is None


def merger_columns(events: Events) -> tuple[str, ...]:
    assert len(events) == 0
    return events.columns


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"window": -1}, "window_ps is -1, expected a whole number from 0 on"),
        ({"max_wait_ps": -1}, "max_wait_ps is -1"),
        ({"max_bytes": 0}, "max_bytes is 0, expected a whole number from 1 on"),
        ({"min_rows": 0}, "min_rows is 0"),
        ({"late": "lost"}, "late is 'lost', expected one of flag, drop, error"),
    ],
)
def test_parameters_out_of_range(arguments, words):
    with pytest.raises(TimeSorterError, match=words):
        sorter(**arguments)
    assert issubclass(TimeSorterError, PixiePipeError)
    assert issubclass(TimeSorterError, ValueError)


@pytest.mark.parametrize("module", [(-1, 2), (0, 256)])
def test_modules_out_of_range(module):
    for method in (sorter().add_module, sorter().end_module):
        with pytest.raises(TimeSorterError, match="crate and a slot from 0 to 255"):
            method(module)


def test_batches_that_do_not_fit_are_refused_and_change_nothing():
    merger = sorter(0)
    batch = batch_of([1, 2])
    with pytest.raises(EventsError, match="without crate, time_ps cannot be sorted"):
        merger.add(batch.without("crate", "time_ps"), stream=0)
    merger.add(batch, stream=0)
    with pytest.raises(EventsError, match="'timestamp'"):
        merger.add(batch.without("timestamp"), stream=0)
    with pytest.raises(EventsError, match="'qdc_valid'"):
        merger.add(batch.with_columns(qdc=np.zeros((2, 8), "u4")), stream=0)
    assert times_of(merger.finish()) == [2]
    with pytest.raises(TimeSorterError, match=r"stream 7 came after finish\(\)"):
        merger.add(batch, stream=7)


# --- work


class Work:
    """Counts rows that are touched again after they came, and calls in each `add`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: Counter[str] = Counter()
        merged, copied = _merging.merged, _held.copied
        unsafe = vars(HeldBatch)["unsafe_ps"].fget

        def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                result = function(*arguments)
                self.rows[name] += len(result)
                return result

            return call

        monkeypatch.setattr(time_sorter, "merged", counted("merged", merged))
        monkeypatch.setattr(_held, "copied", counted("copied", copied))
        self._unsafe = counted("unsafe", unsafe)
        monkeypatch.setattr(HeldBatch, "unsafe_ps", property(self._unsafe))

    @staticmethod
    def calls(function: Callable[[], object]) -> int:
        count = 0

        def profile(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            function()
        finally:
            sys.setprofile(None)
        return count


def adding(merger: TimeSorter, batches: Iterator[Events], count: int) -> int:
    """Add batches, and return the median number of functions called for one."""
    calls = [
        Work.calls(lambda: merger.add(next(batches), stream=0)) for _ in range(count)
    ]
    # Python may collect garbage in some of them.
    return sorted(calls)[count // 2]


def steps(rows: int) -> Iterator[Events]:
    """Yield batches whose times rise by one from event to event."""
    first = 0
    while True:
        yield batch_of(np.arange(first, first + rows), first=first)
        first += rows


def test_holding_back_many_batches_costs_nothing(monkeypatch):
    work = Work(monkeypatch)
    merger = sorter(0)
    merger.add_module((0, 9))
    batches = steps(10)
    adding(merger, batches, 10)
    few = adding(merger, batches, 10)
    assert adding(merger, batches, 980) == few
    assert work.rows == {}
    assert merger.held_events == 10_000
    merger.end_module((0, 9))
    merger.finish()
    assert work.rows["merged"] == 10_000
    assert work.rows["copied"] == 0
    assert work.rows["unsafe"] < 100


def test_a_watermark_that_creeps_through_many_batches_costs_little(monkeypatch):
    work = Work(monkeypatch)

    def after(batches_held: int) -> int:
        merger = sorter(10 * batches_held, min_rows=30)
        batches = steps(10)
        adding(merger, batches, batches_held + 20)
        assert merger.held_events >= 10 * batches_held
        return adding(merger, batches, 50)

    few, many = after(10), after(1000)
    assert many <= few + 5
    assert work.rows["copied"] < work.rows["merged"]


def test_rows_are_passed_on_in_small_portions_without_copying_the_rest(monkeypatch):
    work = Work(monkeypatch)
    merger = sorter(0)
    merger.add_module((0, 3))
    merger.add(batch_of(np.arange(100_000)), stream=0)
    for time in range(0, 100_000, 100):
        merger.add(batch_of([time], (0, 3)), stream=1)
    merger.finish()
    assert work.rows["merged"] == 101_000
    assert work.rows["copied"] < 101_000


def test_forcing_out_costs_little_for_each_event(monkeypatch):
    work = Work(monkeypatch)
    merger = sorter(0, max_bytes=1000 * ROW_BYTES)
    merger.add_module((0, 3))
    batches = steps(10)
    for _ in range(1000):
        merger.add(next(batches), stream=0)
    assert 10 < merger.forced < 30
    assert work.rows["unsafe"] < 3 * 10_000
    assert work.rows["merged"] + merger.held_events == 10_000
