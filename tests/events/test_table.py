"""Events: building, columns, rows, joining, against plain-Python oracles."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterable, Sequence
from inspect import get_annotations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import (
    COLUMN,
    COLUMNS,
    DECODED,
    VALIDITY,
    Block,
    Events,
    EventsError,
    columns_of,
)

# --- making tables, and reading them back row by row without using Events' code


def ragged(traces: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
    offsets = np.array([0, *np.cumsum([len(trace) for trace in traces])], dtype="i8")
    samples = np.array([sample for trace in traces for sample in trace], dtype="u2")
    return {"trace_offsets": offsets, "trace_samples": samples}


def numbered(
    count: int,
    *,
    start: int = 0,
    blocks: Iterable[Block] = (),
    traces: Sequence[Sequence[int]] | None = None,
) -> Events:
    """Make events whose every value tells which row it is from."""
    columns: dict[str, NDArray[Any]] = {}
    for column in COLUMNS:
        if column.block in {Block.CORE, *blocks} and column.name != "trace_length":
            values = start + np.arange(count * column.width) % 97
            columns[column.name] = values.astype(column.dtype).reshape(
                column.shape(count)
            )
    if traces is not None:
        columns |= ragged(traces)
    return Events(columns)


def rows_of(events: Events) -> list[dict[str, Any]]:
    """Return each event as a dict of Python values, its trace as a list."""
    names = [name for name in events.columns if not name.startswith("trace_")]
    rows = [
        {name: events[name][i].tolist() for name in names} for i in range(len(events))
    ]
    if "trace_offsets" in events.columns:
        offsets = events.trace_offsets.tolist()
        samples = events.trace_samples.tolist()
        for i, row in enumerate(rows):
            row["trace"] = samples[offsets[i] : offsets[i + 1]]
            row["trace_length"] = int(events.trace_length[i])
    return rows


traces_lists = st.lists(
    st.lists(st.integers(0, 65535), max_size=6), min_size=0, max_size=12
)


# --- building


def test_arrays_of_the_right_type_are_kept_without_copy():
    energy = np.arange(5, dtype="u2")
    samples = np.arange(6, dtype="u2")
    offsets = np.array([0, 0, 2, 2, 5, 6])
    events = Events(
        {"energy": energy, "trace_offsets": offsets, "trace_samples": samples}
    )
    assert events.energy is energy
    assert events["energy"] is energy
    assert events.trace_samples is samples
    assert events.trace_offsets is offsets


def test_strided_columns_become_contiguous():
    events = Events({"energy": np.arange(10, dtype="u2")[::2]})
    assert events.energy.flags.c_contiguous
    assert events.energy.tolist() == [0, 2, 4, 6, 8]


def test_columns_are_in_schema_order_whatever_the_order_given():
    events = Events(
        {"trace_samples": [7], "trace_offsets": [0, 1], "time_ps": [1], "crate": [0]}
    )
    assert events.columns == (
        "crate",
        "time_ps",
        "trace_length",
        "trace_offsets",
        "trace_samples",
    )
    assert events.blocks == (Block.CORE, Block.TRACE)


def test_trace_length_is_derived_only_if_not_given():
    traces = ragged([[1, 2], [], [3]])
    assert Events(traces).trace_length.tolist() == [2, 0, 1]
    assert len(Events(traces)) == 3
    # A header may state an odd length, of which one sample is not stored.
    stated = Events({**traces, "trace_length": [3, 0, 1]})
    assert stated.trace_length.tolist() == [3, 0, 1]


def test_narrower_types_and_other_byte_orders_convert():
    events = Events(
        {"energy": np.array([3], dtype="u1"), "time_ps": np.array([4], dtype=">i8")}
    )
    assert events.energy.dtype == np.uint16
    assert events.time_ps.dtype.isnative
    assert events.time_ps.tolist() == [4]


def test_lists_convert_exactly_where_values_fit():
    events = Events(
        {
            "timestamp": [2**64 - 1, 1],
            "pileup": [True, False],
            "baseline": [1.5, float("nan")],
            "qdc": [[0] * 8, [2**32 - 1] * 8],
        }
    )
    assert events.timestamp.tolist() == [2**64 - 1, 1]
    assert events.pileup.tolist() == [True, False]
    assert events.baseline[0] == 1.5
    assert np.isnan(events.baseline[1])
    assert events.qdc.shape == (2, 8)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"energi": [1]}, ["'energi'", "did you mean 'energy'", "time_ps"]),
        (
            {"energy": np.zeros(2, "i8")},
            ["'energy'", "int64", "expected uint16", ".astype('uint16')"],
        ),
        ({"time_ps": np.zeros(2, "u8")}, ["'time_ps'", "uint64", "expected int64"]),
        ({"energy": np.zeros(2, "f8")}, ["'energy'", "float64"]),
        ({"crate": np.zeros(2, "?")}, ["'crate'", "bool"]),
        ({"pileup": np.zeros(2, "u1")}, ["'pileup'", "uint8", "expected bool"]),
        ({"crate": [0, 256]}, ["'crate'", "256", "uint8"]),
        ({"crate": [-1]}, ["'crate'", "-1", "uint8"]),
        ({"crate": [1.5]}, ["'crate'", "1.5", "float"]),
        ({"crate": [True]}, ["'crate'", "True", "bool"]),
        ({"crate": ["a"]}, ["'crate'", "'a'", "str"]),
        ({"pileup": [1]}, ["'pileup'", "1", "bool"]),
        ({"baseline": [0.1]}, ["'baseline'", "0.1", "not exact", "float32"]),
        ({"baseline": [1e300]}, ["'baseline'", "1e+300"]),
        ({"crate": [[1], [2, 3]]}, ["'crate'", "[1]", "list"]),
        (
            {"qdc": [np.zeros((1, 3)), np.zeros((1, 4))]},
            ["'qdc'", "different lengths"],
        ),
        ({"crate": [1], "slot": [1, 2]}, ["'slot'", "2", "'crate'", "1"]),
        ({"crate": [[1], [2]]}, ["'crate'", "(2, 1)", "(n,)"]),
        ({"crate": 3}, ["'crate'", "()", "(n,)"]),
        ({"qdc": np.zeros(8, "u4")}, ["'qdc'", "(8,)", "(n, 8)"]),
        ({"qdc": np.zeros((2, 7), "u4")}, ["'qdc'", "(2, 7)", "(n, 8)"]),
        ({"trace_offsets": [0, 0]}, ["'trace_offsets'", "'trace_samples'"]),
        ({"trace_samples": [1]}, ["'trace_samples'", "'trace_offsets'"]),
        ({"trace_offsets": [], "trace_samples": []}, ["empty", "start at 0"]),
        ({"trace_offsets": [1, 2], "trace_samples": [1, 2]}, ["start at 1"]),
        (
            {"trace_offsets": [0, 2, 1, 2], "trace_samples": [1, 2]},
            ["from 2 to 1", "event 1"],
        ),
        ({"trace_offsets": [0, 1], "trace_samples": [1, 2]}, ["end at 1", "2"]),
        (
            {"trace_offsets": [0, 1], "trace_samples": [1], "crate": [0, 0]},
            ["'trace_length'", "'crate'"],
        ),
        (
            {"trace_offsets": [0, 65536], "trace_samples": np.zeros(65536, "u2")},
            ["event 0", "65536", "65535"],
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, words):
    with pytest.raises(EventsError) as caught:
        Events(columns)
    for word in words:
        assert word in str(caught.value)


def test_errors_are_of_the_package_and_value_errors():
    assert issubclass(EventsError, PixiePipeError)
    assert issubclass(EventsError, ValueError)


def test_empty_has_the_core_block_and_those_named():
    assert Events.empty().blocks == (Block.CORE,)
    events = Events.empty(["trace", Block.QDC])
    assert events.blocks == (Block.CORE, Block.QDC, Block.TRACE)
    assert events.qdc.shape == (0, 8)
    assert events.trace_offsets.tolist() == [0]
    assert len(events) == 0
    assert not events
    for name in events.columns:
        assert events[name].dtype == COLUMN[name].dtype
    with pytest.raises(EventsError, match=r"'traces' \(did you mean 'trace'"):
        Events.empty(["traces"])


def test_every_schema_column_is_declared_for_editors():
    declared = {name for cls in Events.__mro__ for name in get_annotations(cls)}
    assert set(COLUMN) <= declared


def test_the_block_order_is_its_own_flag():
    assert [column.name for column in columns_of(Block.ORDER)] == ["late"]
    assert VALIDITY[Block.ORDER] == "late"
    events = Events({"energy": [1, 2], "late": [False, True]})
    assert events.blocks == (Block.CORE, Block.ORDER)
    assert events[[1, 0]].late.tolist() == [True, False]
    assert "late" not in events.without(Block.ORDER).columns
    with pytest.raises(EventsError, match=r"'late'.*uint8"):
        events.with_columns(late=np.zeros(2, "u1"))


def test_a_block_has_a_flag_or_only_derived_columns():
    for block in Block:
        derived = [column.is_derived for column in columns_of(block)]
        if block in VALIDITY or block is Block.CORE:
            assert not any(derived), block
        else:
            assert all(derived), block
            assert block not in DECODED


def test_what_stands_for_an_absent_value_is_of_the_type():
    for column in COLUMNS:
        absent = column.absent(3)
        assert absent.dtype == column.dtype
        assert absent.shape == column.shape(3)
        if column.is_derived and column.dtype.kind == "f":
            assert np.isnan(absent).all(), column.name
        else:
            assert (absent == column.absent_value).all()


# --- columns as attributes


def test_missing_columns_say_what_there_is():
    events = numbered(2)
    with pytest.raises(AttributeError, match="no block 'qdc'") as caught:
        _ = events.qdc
    assert "time_ps" in str(caught.value)
    with pytest.raises(AttributeError, match="did you mean 'energy'"):
        _ = events.energi  # type: ignore[attr-defined]
    with pytest.raises(KeyError, match="no block 'qdc'"):
        events["qdc"]
    with pytest.raises(AttributeError, match=r"'slot' \(it was not kept"):
        _ = events.without("slot").slot
    assert not hasattr(events, "qdc")
    assert not hasattr(events, "_private")


def test_columns_cannot_be_assigned_or_deleted():
    events = numbered(2)
    with pytest.raises(AttributeError, match=r"with_columns\(energy=\.\.\.\)"):
        events.energy = np.zeros(2, "u2")
    with pytest.raises(AttributeError, match=r"without\('energy'\)"):
        del events.energy
    with pytest.raises(AttributeError, match="with_columns"):
        events.anything = 1


def test_tab_completion_lists_columns_and_methods():
    events = numbered(2)
    assert {"time_ps", "energy", "sort", "select", "rate_hz"} <= set(dir(events))
    assert "qdc" not in dir(events)
    assert events._ipython_key_completions_() == list(events.columns)


def test_there_is_no_iteration_over_events():
    events = numbered(2)
    with pytest.raises(TypeError, match="not iterable"):
        iter(events)
    with pytest.raises(TypeError):
        _ = "energy" in events  # type: ignore[operator]


def test_tables_can_be_copied():
    events = numbered(3, traces=[[1], [], [2, 3]])
    assert copy.copy(events).time_ps is events.time_ps
    deep = copy.deepcopy(events)
    assert deep.equals(events)
    assert not np.shares_memory(deep.time_ps, events.time_ps)


def test_with_columns_shares_what_is_not_replaced():
    events = numbered(3)
    changed = events.with_columns(energy=[7, 8, 9], **ragged([[1], [], [2, 2]]))
    assert changed.energy.tolist() == [7, 8, 9]
    assert changed.time_ps is events.time_ps
    assert changed.trace_length.tolist() == [1, 0, 2]
    assert "trace_offsets" not in events.columns
    shorter = changed.with_columns(**ragged([[], [], [5]]))
    assert shorter.trace_length.tolist() == [0, 0, 1]
    with pytest.raises(EventsError, match="different lengths"):
        events.with_columns(energy=[1])
    with pytest.raises(EventsError, match="unknown column 'enrgy'"):
        events.with_columns(enrgy=[1, 2, 3])


def test_without_drops_columns_and_blocks():
    events = numbered(3, blocks=[Block.QDC], traces=[[1], [], [2, 3]])
    assert events.without("qdc", "trace").blocks == (Block.CORE,)
    assert events.without(Block.QDC).columns == events.without("qdc").columns
    kept = events.without("energy", "slot")
    assert set(events.columns) - set(kept.columns) == {"energy", "slot"}
    assert kept.time_ps is events.time_ps
    no_samples = events.without("trace_samples")
    assert "trace_offsets" not in no_samples.columns
    assert no_samples.trace_length.tolist() == [1, 0, 2]
    assert events.without("energy_sums").equals(events)
    with pytest.raises(EventsError, match="'trace_length'"):
        events.without("trace_length")
    with pytest.raises(EventsError, match="did you mean 'energy'"):
        events.without("energi")


# --- choosing rows


bounds = st.one_of(st.none(), st.integers(-15, 15))


@given(
    traces=traces_lists,
    start=bounds,
    stop=bounds,
    step=st.one_of(st.none(), st.integers(-4, 4).filter(bool)),
)
def test_slices_choose_rows_as_lists_do(traces, start, stop, step):
    events = numbered(len(traces), blocks=[Block.QDC], traces=traces)
    part = events[start:stop:step]
    assert rows_of(part) == rows_of(events)[start:stop:step]
    assert Events({name: part[name] for name in part.columns}).equals(part)
    assert all(part[name].flags.c_contiguous for name in part.columns)


def test_slices_share_memory():
    events = numbered(6, blocks=[Block.QDC], traces=[[1], [2, 3], [], [4], [5], [6]])
    part = events[1:4]
    for name in set(events.columns) - {"trace_offsets"}:
        assert np.shares_memory(part[name], events[name]), name
    # Rebasing needs new offsets; from the first event on they are right already.
    assert part.trace_offsets.tolist() == [0, 2, 2, 3]
    assert events.trace_offsets.tolist() == [0, 1, 3, 3, 4, 5, 6]
    assert np.shares_memory(events[:4].trace_offsets, events.trace_offsets)


@given(data=st.data(), traces=traces_lists.filter(len))
def test_integer_arrays_gather_rows_and_traces(data, traces):
    count = len(traces)
    events = numbered(count, blocks=[Block.QDC], traces=traces)
    index = data.draw(st.lists(st.integers(-count, count - 1), max_size=20))
    rows = rows_of(events)
    part = events[np.array(index, dtype=np.int64)]
    assert rows_of(part) == [rows[i] for i in index]
    assert rows_of(events[index]) == rows_of(part)
    assert Events({name: part[name] for name in part.columns}).equals(part)


@given(data=st.data(), traces=traces_lists)
def test_masks_gather_rows_and_traces(data, traces):
    count = len(traces)
    events = numbered(count, traces=traces)
    mask = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    part = events[np.array(mask, dtype=bool)]
    assert rows_of(part) == [
        row for row, keep in zip(rows_of(events), mask, strict=True) if keep
    ]


def test_indices_may_be_unsigned_narrow_strided_or_reversed():
    events = numbered(300, traces=[[i] * (i % 3) for i in range(300)])
    rows = rows_of(events)
    assert rows_of(events[np.array([3, 1], dtype="u8")]) == [rows[3], rows[1]]
    assert rows_of(events[np.array([200, -1], dtype="i2")]) == [rows[200], rows[299]]
    assert rows_of(events[np.arange(300)[::-1]]) == rows[::-1]
    assert rows_of(events[np.arange(300)[::7]]) == rows[::7]
    # Every value of an int8 index is in range here, though -count is not an int8.
    assert rows_of(events[np.array([-100], dtype="i1")]) == [rows[200]]


def test_choosing_copies_what_masks_choose():
    events = numbered(3, traces=[[1], [2], [3]])
    part = events[np.array([True, True, True])]
    assert not np.shares_memory(part.energy, events.energy)
    assert not np.shares_memory(part.trace_samples, events.trace_samples)


@pytest.mark.parametrize("index", [0, 2, -1, -3, np.int8(-2), np.array(1)])
def test_an_integer_gives_one_event(index):
    events = numbered(3, traces=[[1], [2, 3], []])
    assert rows_of(events[index]) == [rows_of(events)[int(index)]]


@pytest.mark.parametrize(
    ("index", "error", "words"),
    [
        (3, IndexError, "event 3 .*3 events"),
        (-4, IndexError, "event -4"),
        ([0, 3], IndexError, "event 3"),
        ([0, -4], IndexError, "event -4"),
        (np.array([2**63], dtype="u8"), IndexError, "event 9223372036854775808"),
        ([True, False], IndexError, "mask has 2 values.*3"),
        (np.ones(4, dtype=bool), IndexError, "mask has 4 values.*3"),
        ([], None, ""),
        (True, TypeError, "bool"),
        (np.array(True), TypeError, "bool"),
        (1.0, TypeError, "float"),
        (None, TypeError, "NoneType"),
        ([0.0], TypeError, "float64"),
        ([[0]], TypeError, "one-dimensional"),
        (np.ones((3, 1), dtype=bool), TypeError, "one-dimensional"),
        (np.empty(0), TypeError, "float64"),
        ((0, 1, "a"), TypeError, "tuple"),
    ],
)
def test_odd_indices(index, error, words):
    events = numbered(3, traces=[[1], [2], [3]])
    if error is None:
        assert len(events[index]) == 0
        return
    with pytest.raises(error, match=words):
        events[index]


def test_zero_events_can_be_indexed():
    events = Events.empty(list(Block))
    for part in (events[:], events[::-1], events[[]], events[np.zeros(0, bool)]):
        assert part.equals(events)
    with pytest.raises(IndexError, match="0 events"):
        events[0]


def test_select_matches_all_criteria():
    events = Events(
        {
            "crate": [0, 0, 1, 1, 0],
            "slot": [2, 3, 2, 2, 2],
            "channel": [9, 9, 9, 8, 255],
            "energy": [0, 1, 2, 3, 4],
        }
    )
    assert events.select(crate=0).energy.tolist() == [0, 1, 4]
    assert events.select(slot=2, channel=[8, 9]).energy.tolist() == [0, 2, 3]
    assert events.select(crate={1}, channel=range(9)).energy.tolist() == [3]
    assert events.select(channel=np.array([255, 7])).energy.tolist() == [4]
    assert events.select(channel=np.uint8(255)).energy.tolist() == [4]
    assert events.select(channel=[]).energy.tolist() == []
    assert events.select() is events


@pytest.mark.parametrize("channel", [-1, 256, True, 1.0, "9", [3, -1], [None]])
def test_select_refuses_what_no_channel_can_be(channel):
    with pytest.raises(EventsError, match=r"channel .*0 to 255"):
        numbered(3).select(channel=channel)


def test_trace_views_the_samples_of_one_event():
    events = numbered(3, traces=[[1], [], [2, 3]])
    assert [events.trace(i).tolist() for i in range(3)] == [[1], [], [2, 3]]
    assert events.trace(-1).tolist() == [2, 3]
    assert np.shares_memory(events.trace(2), events.trace_samples)
    with pytest.raises(IndexError, match="event 3"):
        events.trace(3)
    with pytest.raises(EventsError, match="no block 'trace'"):
        numbered(3).trace(0)


# --- order


@given(st.lists(st.tuples(st.integers(-3, 3), st.lists(st.integers(0, 9)))))
def test_sort_is_stable_and_moves_whole_rows(items):
    events = numbered(len(items), traces=[trace for _, trace in items]).with_columns(
        time_ps=np.array([time for time, _ in items], dtype="i8")
    )
    expected = sorted(rows_of(events), key=lambda row: row["time_ps"])
    assert rows_of(events.sort()) == expected


def test_sort_returns_sorted_events_as_they_are():
    events = Events({"time_ps": [1, 1, 2], "energy": [3, 2, 1]})
    assert events.sort() is events
    assert events.sort("energy").time_ps.tolist() == [2, 1, 1]
    empty = Events.empty()
    assert empty.sort() is empty


def test_sort_puts_nan_last():
    events = Events({"baseline": [float("nan"), 1.0], "energy": [1, 2]})
    assert events.sort("baseline").energy.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("qdc", "one value per event"),
        ("trace_samples", "one value per event"),
        ("time", "did you mean"),
        ("esum_gap", "no column 'esum_gap'"),
    ],
)
def test_sort_refuses_columns_without_order(by, words):
    events = numbered(2, blocks=[Block.QDC], traces=[[1], [2]])
    with pytest.raises(EventsError, match=words):
        events.sort(by)


# --- joining


@given(st.lists(traces_lists, min_size=1, max_size=4))
def test_concatenate_undoes_slicing(groups):
    parts = [
        numbered(len(traces), start=number, blocks=[Block.QDC], traces=traces)
        for number, traces in enumerate(groups)
    ]
    joined = Events.concatenate(iter(parts))
    assert rows_of(joined) == [row for part in parts for row in rows_of(part)]
    assert Events({name: joined[name] for name in joined.columns}).equals(joined)


def test_concatenate_marks_blocks_that_parts_lack():
    plain = numbered(2)
    sums = numbered(3, start=1, blocks=[Block.ENERGY_SUMS, Block.EXTERNAL_TIME])
    late = [Block.QDC, Block.ORDER, Block.COINCIDENCE]
    full = numbered(2, start=1, blocks=late, traces=[[5], [6, 7]])
    joined = Events.concatenate([plain, sums, full, plain])
    assert joined.blocks == tuple(
        block for block in Block if block is Block.CORE or block in VALIDITY
    )
    assert len(joined) == 9
    assert joined.energy.tolist() == [0, 1, 1, 2, 3, 1, 2, 0, 1]
    assert joined.esum_valid.tolist() == [False] * 2 + [True] * 3 + [False] * 4
    assert joined.esum_gap.tolist() == [0, 0, 1, 2, 3, 0, 0, 0, 0]
    assert joined.baseline.dtype == np.float32
    assert joined.qdc[5:7].tolist() == full.qdc.tolist()
    assert not joined.qdc[:5].any()
    assert not joined.qdc[7:].any()
    assert joined.external_timestamp_valid.sum() == 3
    assert joined.late.tolist() == [False] * 5 + [True] * 2 + [False] * 2
    assert joined.coincidence.tolist() == [0] * 5 + [1, 2] + [0] * 2
    assert joined.trace_length.tolist() == [0] * 5 + [1, 2] + [0] * 2
    assert [joined.trace(i).tolist() for i in range(9)] == [
        *[[]] * 5,
        [5],
        [6, 7],
        [],
        [],
    ]
    assert Events({name: joined[name] for name in joined.columns}).equals(joined)


@pytest.mark.parametrize(
    "column", [column for column in COLUMNS if column.is_derived], ids=lambda c: c.name
)
def test_concatenate_fills_derived_columns_that_parts_lack(column):
    values = np.arange(3 * column.width).astype(column.dtype).reshape(column.shape(3))
    plain, derived = numbered(2), numbered(3, start=5)
    derived = derived.with_columns(**{column.name: values})
    joined = Events.concatenate([plain, derived, plain])
    assert joined.blocks == (Block.CORE, column.block)
    assert joined.columns == derived.columns
    expected = np.concatenate([column.absent(2), values, column.absent(2)])
    assert joined[column.name].tobytes() == expected.tobytes()
    backwards = joined[::-1]
    assert backwards[column.name].tobytes() == expected[::-1].tobytes()
    assert backwards.energy.tolist() == joined.energy.tolist()[::-1]


def test_parts_may_have_different_derived_columns_of_a_block():
    one, other = numbered(1), numbered(1, start=1)
    joined = Events.concatenate(
        [
            one.with_columns(trace_baseline=[7.0], trace_status=[0]),
            other.with_columns(trace_energy=[9.5]),
        ]
    )
    np.testing.assert_array_equal(joined.trace_baseline, [7, np.nan])
    np.testing.assert_array_equal(joined.trace_energy, [np.nan, 9.5])
    assert joined.trace_status.tolist() == [0, COLUMN["trace_status"].fill]


def test_concatenate_of_none_one_and_empty_parts():
    events = numbered(2)
    assert Events.concatenate([]).equals(Events.empty())
    assert Events.concatenate([events]) is events
    joined = Events.concatenate([Events.empty(["trace"]), events])
    assert len(joined) == 2
    assert joined.trace_offsets.tolist() == [0, 0, 0]


def test_concatenate_refuses_parts_that_lack_columns():
    events = numbered(2, blocks=[Block.QDC, Block.ENERGY_SUMS], traces=[[1], [2]])
    with pytest.raises(EventsError, match="part 1 has no column 'energy'"):
        Events.concatenate([events, events.without("energy")])
    with pytest.raises(EventsError, match="part 0 has no column 'esum_gap'"):
        Events.concatenate([events.without("esum_gap"), events])
    with pytest.raises(EventsError, match="part 1 has no column 'trace_offsets'"):
        Events.concatenate([events, events.without("trace_samples")])
    unmarked = events.without("qdc_valid")
    with pytest.raises(EventsError, match="'qdc_valid' to mark"):
        Events.concatenate([unmarked, numbered(2)])


# --- figures


def test_cfd_is_valid_when_on_and_not_forced():
    events = Events(
        {
            "cfd_fraction": [0, 1, 0, 1, 0],
            "cfd_source": [0, 0, 1, 1, 1],
            "cfd_forced": [False, False, False, True, True],
        }
    )
    assert events.cfd_valid.tolist() == [False, True, True, False, False]
    with pytest.raises(EventsError, match="'cfd_forced'"):
        _ = events.without("cfd_forced").cfd_valid


def test_span_and_rate():
    events = Events({"time_ps": [3 * 10**12, 10**12, 2 * 10**12]})
    assert events.span_ps == 2 * 10**12
    assert type(events.span_ps) is int
    assert events.rate_hz == 1.0
    assert Events({"time_ps": [-(2**63), 2**63 - 1]}).span_ps == 2**64 - 1
    for single in (Events.empty(), Events({"time_ps": [5]})):
        assert single.span_ps == 0
        assert np.isnan(single.rate_hz)
    with pytest.raises(EventsError, match="'time_ps'"):
        _ = Events({"energy": [1]}).span_ps


identifiers = st.tuples(*[st.integers(0, 255)] * 3)
few_identifiers = st.tuples(st.integers(0, 1), st.integers(2, 4), st.integers(0, 15))


@given(st.one_of(st.lists(identifiers), st.lists(few_identifiers)))
def test_channels_are_counted_and_sorted(items):
    columns = np.array(items, dtype="u1").reshape(-1, 3)
    events = Events(
        dict(zip(("crate", "slot", "channel"), columns.T.copy(), strict=True))
    )
    table = events.channels()
    assert table.dtype.names == ("crate", "slot", "channel", "count")
    assert table.dtype["count"] == np.int64
    expected = [(*item, items.count(item)) for item in sorted(set(items))]
    assert table.tolist() == expected


def test_channels_are_counted_across_chunks():
    count = 2_500_000
    zeros = np.zeros(count, dtype="u1")
    channel = (np.arange(count) % 3).astype("u1")
    events = Events({"crate": zeros, "slot": zeros, "channel": channel})
    assert events.channels()["count"].tolist() == [833_334, 833_333, 833_333]


def test_equals_compares_columns_values_and_bits():
    events = numbered(3, blocks=[Block.ENERGY_SUMS], traces=[[1], [], [2]])
    assert events.equals(copy.deepcopy(events))
    assert not events.equals(events[:2])
    assert not events.equals(events.without("energy"))
    assert not events.equals(events.with_columns(energy=[0, 1, 3]))
    assert not events.equals(events.with_columns(trace_samples=[1, 3]))
    bits = np.array([0x7FC00001, 0, 0], dtype="u4")
    nan = events.with_columns(baseline=bits.view("f4"))
    assert nan.equals(copy.deepcopy(nan))
    other = bits + np.array([1, 0, 0], dtype="u4")
    assert not nan.equals(events.with_columns(baseline=other.view("f4")))
    minus_zero = bits | np.array([0, 2**31, 0], dtype="u4")
    assert not nan.equals(events.with_columns(baseline=minus_zero.view("f4")))


def test_nbytes_adds_all_columns():
    events = Events({"energy": [1, 2], **ragged([[1, 2, 3], []])})
    assert events.nbytes == 2 * 2 + 2 * 2 + 3 * 8 + 3 * 2


# --- imports


def test_importing_events_imports_no_heavy_package():
    script = (
        "import sys, pixie_pipe.events as e\n"
        "events = e.Events({'energy': [2, 1], 'time_ps': [2, 1]})\n"
        "repr(events.sort()[[0]])\n"
        "heavy = {'numba', 'pandas', 'pyarrow', 'awkward'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
