"""Tables of events that are read when they are asked for: the same as in memory."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.listmode import encode
from pixie_pipe.storage import (
    DataWarning,
    EventReadError,
    EventTable,
    Hdf5Writer,
    ParquetWriter,
    RawFileError,
    assign_streams,
    hdf5,
    open_events,
    parquet,
    read_raw,
    time_index,
)
from pixie_pipe.storage import _row_ranges as row_ranges
from pixie_pipe.storage import raw as raw_files
from pixie_pipe.storage.raw_reader import RawReader
from pixie_pipe.storage.streams import Stream
from pixie_pipe.storage.time_index import TimeIndexBuilder
from tests.storage.runs import LAYOUT, MIXED, some_events, with_late, written

COUNT = 1000


def shuffled(events: Events) -> Events:
    """Put some events out of time order: near their place, and far from it."""
    rows = np.arange(len(events))
    rng = np.random.default_rng(7)
    for start in range(0, len(rows), 40):
        rng.shuffle(rows[start : start + 9])
    rows[[5, 700, 701]] = rows[[701, 5, 700]]
    return events[rows]


EVENTS = with_late(shuffled(some_events(COUNT, **MIXED)))
RAW = shuffled(some_events(COUNT, seed=2, **MIXED))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return tables of the same events in files with short stretches."""
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5, "CHUNK_ROWS", 100)
        patch.setattr(time_index, "STRETCH_ROWS", 100)
        patch.setattr(TimeIndexBuilder.__init__, "__defaults__", (100,))
        patch.setattr(parquet, "ROW_GROUP_ROWS", 200)
        for writer, name in ((Hdf5Writer, "a.h5"), (ParquetWriter, "a.parquet")):
            with writer(folder / name) as file:
                for first in range(0, COUNT, 130):
                    file.write(EVENTS[first : first + 130])
        with Hdf5Writer(folder / "old.h5") as file:
            file.write(EVENTS)
    with h5py.File(folder / "old.h5", "a") as file:
        del file["time_index"]
    found = {
        name: open_events(folder / name) for name in ("a.h5", "a.parquet", "old.h5")
    }
    yield {name: (table, EVENTS) for name, table in found.items()} | {
        "raw": (raw_table(folder), RAW)
    }
    for table in found.values():
        table.close()


def raw_table(folder: Path) -> EventTable:
    data = encode(RAW, LAYOUT).tobytes()
    paths = []
    for number, first in enumerate(range(0, len(data), 9001)):
        paths.append(written(folder / f"{number}.bin", data[first : first + 9001]))
    return EventTable(RawReader(assign_streams(paths, LAYOUT)))


KINDS = pytest.mark.parametrize("kind", ["a.h5", "a.parquet", "old.h5", "raw"])


@KINDS
def test_a_table_is_what_was_written(tables, kind) -> None:
    table, events = tables[kind]
    assert len(table) == COUNT
    assert table.columns == events.columns
    assert table.blocks == events.blocks
    assert table.read().equals(events)
    assert table["qdc"].shape == (COUNT, 8)
    assert table.time_limits_ps() == (events.time_ps.min(), events.time_ps.max())
    assert f"{events.span_ps / 1e9:.1f} ms" in repr(table)
    assert "esum_valid" in table._repr_html_()


@KINDS
@settings(max_examples=15)
@given(
    rows=st.slices(COUNT),
    limits=st.tuples(*[st.integers(-50, 1100)] * 2),
    names=st.lists(st.sampled_from(EVENTS.columns), min_size=1, max_size=3),
)
def test_rows_times_and_columns_are_those_of_the_events(
    tables, kind, rows, limits, names
) -> None:
    table, events = tables[kind]
    names = [name for name in names if name in events.columns] or ["energy"]
    assert table[rows].equals(events[rows])
    start, stop = (number * 10_000_000 for number in limits)
    is_inside = (events.time_ps >= start) & (events.time_ps < stop)
    some = table.between(start, stop, unit="ps")
    assert len(some) == is_inside.sum()
    assert some.read().equals(events[is_inside])
    assert some[rows].equals(events[is_inside][rows])
    kept = some[names]
    assert set(names) <= set(kept.columns)
    for name in kept.columns:
        np.testing.assert_array_equal(kept[name], events[is_inside][name])
    later = some.between(start + 5_000_000_000, unit="ps")
    assert later.read().equals(events[is_inside & (events.time_ps >= start + 5e9)])


@KINDS
def test_batches_are_bounded_and_whole(tables, kind) -> None:
    table, events = tables[kind]
    batches = list(table.batches(300, most_bytes=8000))
    assert Events.concatenate(batches).equals(events)
    assert all(len(batch) == 1 or batch.nbytes < 9000 for batch in batches)
    assert len(list(table.keep("energy").batches(300))) == 4
    some = table.between(1e-3, 8e-3)
    found = list(some.batches(70))
    assert Events.concatenate(found).equals(some.read())
    assert [len(batch) for batch in found[:-1]] == [70] * (len(found) - 1)


@KINDS
def test_channels(tables, kind) -> None:
    table, events = tables[kind]
    assert table.select(channel=[3, 5]).equals(events.select(channel=[3, 5]))
    energy = table.keep("energy").select(slot=2, channel=3)
    assert energy.columns == ("energy",)
    assert np.array_equal(energy.energy, events.select(channel=3).energy)
    assert len(table.select(crate=9)) == 0


def test_units_of_time(tables) -> None:
    table, events = tables["a.h5"]
    limit = int(np.median(events.time_ps))
    later = int((events.time_ps >= limit).sum())
    for unit, factor in (("ps", 1), ("ns", 1e3), ("us", 1e6), ("ms", 1e9), ("s", 1e12)):
        value = limit if unit == "ps" else limit / factor
        assert len(table.between(value, unit=unit)) == later
    assert len(table.between(np.int64(0), np.int64(10))) == COUNT
    with pytest.raises(
        EventReadError, match="unit 'min' is unknown, expected s, ms, us"
    ):
        table.between(1, unit="min")


def test_only_what_is_asked_for_is_read(tables, monkeypatch) -> None:
    table, events = tables["a.h5"]
    asked = []
    read = table._reader.read

    def reading(first, behind, columns):
        asked.append((first, behind, tuple(columns)))
        return read(first, behind, columns)

    monkeypatch.setattr(table._reader, "read", reading)
    some = table.keep("energy").between(int(events.time_ps[850]), unit="ps")
    # Row 5 is as late as row 700, the others of its stretch are not.
    assert {columns for *_, columns in asked} == {("time_ps",)}
    assert sum(behind - first for first, behind, _ in asked) <= 200
    asked.clear()
    assert len(some.read()) == (events.time_ps >= events.time_ps[850]).sum()
    assert {columns for *_, columns in asked} == {("energy",)}
    assert min(first for first, *_ in asked) >= 700


def test_what_cannot_be_read(tables, tmp_path) -> None:
    table, _ = tables["a.h5"]
    with pytest.raises(
        EventReadError, match=r"a\.h5: has no column 'enrgy'; columns: "
    ):
        table["enrgy"]
    with pytest.raises(IndexError, match="event 1000 is out of range"):
        table[1000]
    with pytest.raises(TypeError):
        iter(table)
    with pytest.raises(EventReadError, match="has no column 'time_ps'"):
        EventTable(open_events_without_time(tmp_path)).between(0, 1)
    with pytest.raises(EventReadError, match=r"the ending '\.txt' is no format"):
        open_events(tmp_path / "a.txt")


def open_events_without_time(folder: Path):
    with Hdf5Writer(folder / "a.h5", columns=["energy"]) as writer:
        writer.write(EVENTS)
    return open_events(folder / "a.h5")._reader


def test_an_empty_file(tmp_path) -> None:
    for writer, name in ((Hdf5Writer, "a.h5"), (ParquetWriter, "a.parquet")):
        with writer(tmp_path / name):
            pass
        with open_events(tmp_path / name) as table:
            assert len(table.read()) == len(table.between(0, 1)) == 0
            assert list(table.batches()) == []
            assert table.time_limits_ps() is None
            assert "0 events" in repr(table)


@pytest.mark.parametrize("writer", [Hdf5Writer, ParquetWriter])
def test_chosen_columns_are_there_and_no_others(tmp_path, writer) -> None:
    path = tmp_path / ("a.h5" if writer is Hdf5Writer else "a.parquet")
    bare = some_events(20)
    with writer(path, columns=["time_ps", "esum_gap", "trace_samples"]) as file:
        file.write(bare)
        file.write(EVENTS[:30])
    with open_events(path) as table:
        found = table.read()
    whole = Events.concatenate([bare, EVENTS[:30]])
    assert found.columns == (
        "time_ps",
        "esum_gap",
        "trace_length",
        "trace_offsets",
        "trace_samples",
    )
    for name in found.columns:
        np.testing.assert_array_equal(found[name], whole[name])


@settings(max_examples=20)
@given(data=st.data())
def test_raw_files_are_decoded_alike_from_any_place(tmp_path_factory, data) -> None:
    folder = tmp_path_factory.mktemp("raw")
    words = encode(RAW[:200], LAYOUT)
    for place in data.draw(st.lists(st.integers(0, words.size - 1), max_size=6)):
        words[place] ^= data.draw(st.integers(1, 2**32 - 1))
    raw = words.tobytes()[: data.draw(st.integers(0, 4 * words.size))]
    cut = data.draw(st.integers(0, len(raw)))
    paths = [written(folder / "0", raw[:cut]), written(folder / "1", raw[cut:])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            raw_files.PieceReader.__init__,
            "__kwdefaults__",
            {"piece_bytes": 1000, "checksums": False},
        )
        reader = RawReader([Stream(tuple(paths), LAYOUT)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            whole = EventTable(reader).read()
    decoded = read_raw(paths, LAYOUT)
    assert whole.equals(decoded.events)
    (stream,) = reader.provenance.streams
    assert stream.balance == decoded.balance
    first = data.draw(st.integers(0, len(whole)))
    behind = data.draw(st.integers(first, len(whole)))
    assert reader.read(first, behind, whole.columns).equals(whole[first:behind])


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=8), st.data()
)
def test_ranges_of_rows(pairs, data) -> None:
    first, ranges = 0, []
    for gap, length in pairs:
        ranges.append((first + gap, first + gap + length))
        first += gap + length
    table = row_ranges.joined([np.array(ranges, np.int64).reshape(-1, 2)])
    rows = [row for pair in ranges for row in range(*pair)]
    assert row_ranges.count(table) == len(rows)
    low = data.draw(st.integers(0, len(rows)))
    high = data.draw(st.integers(low, len(rows)))
    some = row_ranges.rows(table, low, high)
    assert [r for pair in some.tolist() for r in range(*pair)] == rows[low:high]
    mask = np.array(data.draw(st.lists(st.booleans(), max_size=60)), bool)
    other = row_ranges.of_mask(mask, 5)
    others = (np.flatnonzero(mask) + 5).tolist()
    assert [r for pair in other.tolist() for r in range(*pair)] == others
    both = row_ranges.common(table, other)
    assert [r for pair in both.tolist() for r in range(*pair)] == sorted(
        set(rows) & set(others)
    )


def test_raw_files_that_become_shorter_are_told(tmp_path) -> None:
    table = raw_table(tmp_path)
    assert len(table) == COUNT
    (tmp_path / "1.bin").write_bytes(b"")
    with pytest.raises(RawFileError, match=r"events that were there before; the files"):
        table.read()
