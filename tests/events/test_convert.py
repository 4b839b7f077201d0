"""Events to and from pandas, Arrow and Awkward."""

from __future__ import annotations

import builtins
import importlib

import numpy as np
import pytest

from pixie_pipe._extras import MissingExtraError, optional_import
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.events import COLUMNS, Block, Events, EventsError


@pytest.fixture
def events():
    rng = np.random.default_rng(3)
    count = 5
    columns = {
        column.name: rng.integers(0, 2 if column.dtype.kind == "b" else 200, count * 8)[
            : count * column.width
        ]
        .astype(column.dtype)
        .reshape(column.shape(count))
        for column in COLUMNS
        if column.name != "trace_length"
    }
    columns["timestamp"][0] = 2**63 + 1
    columns["time_ps"][0] = -(2**62) - 1
    columns["baseline"][1] = np.nan
    columns["trace_offsets"] = np.array([0, 3, 3, 4, 4, 9])
    columns["trace_samples"] = np.arange(65527, 65536).astype("u2")
    columns["trace_length"] = np.array([3, 0, 1, 0, 5], dtype="u2")
    return Events(columns)


def test_pandas_has_a_column_per_column(events):
    frame = events.to_pandas()
    assert len(frame) == 5
    assert frame["timestamp"].dtype == np.uint64
    assert frame["timestamp"][0] == 2**63 + 1
    assert frame["time_ps"].tolist() == events.time_ps.tolist()
    assert frame["pileup"].dtype == bool
    for k in range(8):
        assert frame[f"qdc_{k}"].tolist() == events.qdc[:, k].tolist()
    assert "qdc" not in frame
    assert "trace_offsets" not in frame
    assert frame["trace"].dtype == object
    for i in range(5):
        assert frame["trace"][i].tolist() == events.trace(i).tolist()
    assert np.shares_memory(frame["trace"][0], events.trace_samples)


def test_pandas_keeps_traces_of_equal_length_apart():
    events = Events({"trace_offsets": [0, 2, 4], "trace_samples": [1, 2, 3, 4]})
    assert [trace.tolist() for trace in events.to_pandas()["trace"]] == [[1, 2], [3, 4]]


def test_arrow_round_trip_is_exact(events):
    table = events.to_arrow()
    assert table.num_rows == 5
    back = Events.from_arrow(table)
    assert back.equals(events)
    assert {name: back[name].dtype for name in back.columns} == {
        name: events[name].dtype for name in events.columns
    }


def test_arrow_types_and_metadata(events):
    pa = pytest.importorskip("pyarrow")
    schema = events.to_arrow().schema
    assert schema.field("qdc").type == pa.list_(pa.uint32(), 8)
    assert schema.field("trace").type == pa.large_list(pa.uint16())
    assert schema.field("cfd_forced").type == pa.bool_()
    assert schema.field("time_ps").metadata[b"unit"] == b"ps"
    assert b"CFD" in schema.field("time_ps").metadata[b"description"]
    assert schema.field("trace").metadata[b"unit"] == b"ADC units"


def test_arrow_views_columns_and_traces(events):
    table = events.to_arrow()
    samples = table.column("trace").chunk(0).values.to_numpy()
    assert np.shares_memory(samples, events.trace_samples)
    energy = table.column("energy").chunk(0).to_numpy()
    assert np.shares_memory(energy, events.energy)


def test_arrow_slices_and_chunks_come_back(events):
    pa = pytest.importorskip("pyarrow")
    table = events.to_arrow()
    assert Events.from_arrow(table.slice(2, 2)).equals(events[2:4])
    assert Events.from_arrow(table.slice(5)).equals(events[5:])
    chunked = pa.concat_tables([table.slice(3), table.slice(0, 2)])
    assert Events.from_arrow(chunked).equals(
        Events.concatenate([events[3:], events[:2]])
    )


def test_events_of_arrow_can_be_chosen_from(events):
    # Arrow's memory is read-only, and the kernel that gathers traces takes it.
    back = Events.from_arrow(events.to_arrow())
    assert not back.trace_samples.flags.writeable
    assert np.shares_memory(back.trace_samples, events.trace_samples)
    assert back[[4, 0]].equals(events[[4, 0]])


def test_parquet_round_trip_is_exact(events, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for part in (events, events[:0]):
        parquet.write_table(part.to_arrow(), tmp_path / "events.parquet")
        table = parquet.read_table(tmp_path / "events.parquet")
        assert Events.from_arrow(table).equals(part)


def test_arrow_lists_of_other_writers_are_read(events):
    pa = pytest.importorskip("pyarrow")
    plain = pa.table({"trace": pa.array([[1, 2], []], pa.list_(pa.uint16()))})
    assert Events.from_arrow(plain).trace_offsets.tolist() == [0, 2, 2]


def test_arrow_tables_that_do_not_fit_are_refused():
    pa = pytest.importorskip("pyarrow")
    cases = [
        ({"energy": pa.array([1, None], pa.uint16())}, "'energy'.*1 nulls"),
        ({"energy": pa.array([1], pa.int64())}, "'energy'.*int64"),
        ({"enrgy": pa.array([1], pa.uint16())}, "'enrgy'"),
        ({"qdc": pa.array([[1] * 7], pa.list_(pa.uint32(), 7))}, "'qdc'.*of 8"),
        ({"qdc": pa.array([None], pa.list_(pa.uint32(), 8))}, "'qdc'.*1 nulls"),
        ({"trace": pa.array([1], pa.uint16())}, "'trace'.*uint16"),
        ({"trace": pa.array([None], pa.large_list(pa.uint16()))}, "'trace'.*1 nulls"),
        ({"trace": pa.array([[None]], pa.large_list(pa.uint16()))}, "1 nulls"),
        ({"trace": pa.array([[1]], pa.large_list(pa.int32()))}, "'trace_samples'"),
    ]
    for columns, words in cases:
        with pytest.raises(EventsError, match=words):
            Events.from_arrow(pa.table(columns))


def test_awkward_is_ragged_and_shares_memory(events):
    ak = pytest.importorskip("awkward")
    array = events.to_awkward()
    assert len(array) == 5
    assert array.trace.tolist() == [events.trace(i).tolist() for i in range(5)]
    assert array.qdc.tolist() == events.qdc.tolist()
    assert str(ak.type(array.qdc)) == "5 * 8 * uint32"
    assert array.timestamp.tolist() == events.timestamp.tolist()
    assert np.shares_memory(ak.flatten(array.trace).to_numpy(), events.trace_samples)
    assert np.shares_memory(array.energy.to_numpy(), events.energy)
    assert set(array.fields) == {
        *set(events.columns) - {"trace_offsets", "trace_samples"},
        "trace",
    }


@pytest.mark.parametrize("method", ["to_pandas", "to_arrow", "to_awkward"])
def test_zero_events_convert(method):
    for events in (Events.empty(list(Block)), Events.empty(), Events({})):
        assert len(getattr(events, method)()) == 0
    assert Events.from_arrow(Events.empty(list(Block)).to_arrow()).equals(
        Events.empty(list(Block))
    )


@pytest.mark.parametrize(
    ("method", "package", "extra"),
    [
        ("to_pandas", "pandas", "pandas"),
        ("to_arrow", "pyarrow", "parquet"),
        ("to_awkward", "awkward", "awkward"),
    ],
)
def test_missing_packages_name_the_extra(monkeypatch, method, package, extra):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtraError) as caught:
        getattr(Events.empty(), method)()
    assert f"pip install 'pixie-pipe[{extra}]'" in str(caught.value)
    assert package in str(caught.value)
    assert isinstance(caught.value, PixiePipeError)
    assert isinstance(caught.value, ImportError)


def test_a_package_that_is_installed_but_broken_raises_its_own_error(
    monkeypatch, tmp_path
):
    (tmp_path / "broken_package.py").write_text("import absent_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="absent_dependency") as caught:
        optional_import("broken_package", "extra")
    assert not isinstance(caught.value, MissingExtraError)
    with pytest.raises(MissingExtraError, match=r"\[extra\]"):
        optional_import("absent_package.part", "extra")
    assert optional_import("builtins", "extra") is builtins
