"""HDF5 files: what goes in comes out, and h5py alone can read it."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from pixie_pipe.events import COLUMN, Block, Events
from pixie_pipe.listmode.result import REJECTED, RejectReason
from pixie_pipe.storage import Hdf5Writer, OutputError, read_hdf5, read_hdf5_metadata
from pixie_pipe.storage._bitshuffle import chunk_compressor
from pixie_pipe.storage.hdf5 import CHUNK_ROWS
from pixie_pipe.storage.hdf5_reader import Hdf5Error
from tests.storage.runs import (
    MIXED,
    some_events,
    with_coincidences,
    with_derived,
    with_late,
    written,
)

COMPRESSIONS = ["bitshuffle-lz4", "gzip", "none"]


def stored(path: Path, *batches: Events, compression: str | None = None) -> Path:
    with Hdf5Writer(path, compression=compression) as writer:
        for batch in batches:
            writer.write(batch)
    return path


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_round_trip_of_all_blocks(tmp_path, compression) -> None:
    events = with_coincidences(with_late(some_events(3000, **MIXED)))
    events = with_derived(events)
    path = stored(tmp_path / "a.h5", events[:1000], events[1000:])
    again = stored(tmp_path / "b.h5", events, compression=compression)
    assert set(events.blocks) == set(Block)
    assert read_hdf5(path).equals(events)
    assert read_hdf5(again).equals(events)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_round_trip_of_several_chunks(tmp_path, compression) -> None:
    events = some_events(2 * CHUNK_ROWS + 77, header_lengths=(4, 12))
    cuts = [0, 10, 20, CHUNK_ROWS + 5, len(events)]
    batches = [events[a:b] for a, b in pairwise(cuts)]
    path = stored(tmp_path / "a.h5", *batches, compression=compression)
    assert read_hdf5(path).equals(events)
    rows = slice(CHUNK_ROWS - 3, 2 * CHUNK_ROWS + 9)
    assert read_hdf5(path, rows).equals(events[rows])


@pytest.mark.parametrize("dtype", ["?", "u1", "u2", "u4", "i8", "f4"])
def test_chunks_are_what_the_filter_reads(tmp_path, dtype) -> None:
    values = np.random.default_rng(3).integers(0, 90, (CHUNK_ROWS, 3)).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        filters = dict(hdf5plugin.Bitshuffle())
        made = file.create_dataset(
            "x", values.shape, values.dtype, chunks=values.shape, **filters
        )
        made.id.write_direct_chunk((0, 0), chunk_compressor()(values))
        made.id.refresh()
        np.testing.assert_array_equal(made[:], values)


def test_a_block_that_appears_late_is_zero_before(tmp_path) -> None:
    bare = some_events(CHUNK_ROWS + 9, seed=2)
    full = some_events(50, seed=3, header_lengths=(16, 18), trace_lengths=(8, 9))
    batches = [bare, full, bare[:7]]
    found = read_hdf5(stored(tmp_path / "a.h5", *batches))
    assert found.equals(Events.concatenate(batches))
    assert "late" not in found.columns
    assert not found.qdc_valid[: len(bare)].any()
    assert found.qdc_valid[len(bare) : len(bare) + 50].all()
    assert found.trace(len(bare) + 3).tolist() == full.trace(3).tolist()


def test_events_are_not_late_where_nothing_says_so(tmp_path) -> None:
    events = some_events(30)
    path = stored(tmp_path / "a.h5", events, with_late(events), events)
    expected = [False] * 30 + [i % 3 == 1 for i in range(30)] + [False] * 30
    assert read_hdf5(path).late.tolist() == expected


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_derived_columns_have_their_fill_where_batches_lack_them(
    tmp_path, compression
) -> None:
    bare = some_events(CHUNK_ROWS + 9, seed=2)
    full = with_derived(bare[:50])
    few = bare[:20].with_columns(trace_energy=np.arange(20, dtype="f4"))
    batches = [bare, few, full, bare[:7], few, bare]
    path = stored(tmp_path / "a.h5", *batches, compression=compression)
    assert read_hdf5(path).equals(Events.concatenate(batches))
    only_few = stored(tmp_path / "b.h5", bare, few, compression=compression)
    assert read_hdf5(only_few).columns == few.columns
    with h5py.File(only_few) as file:
        assert np.isnan(file["events/trace_energy"][: len(bare)]).all()
        assert np.isnan(file["events/trace_energy"].fillvalue)
        assert file["events/energy"].fillvalue == 0


def test_no_events(tmp_path) -> None:
    path = stored(tmp_path / "a.h5")
    assert len(read_hdf5(path)) == 0
    assert read_hdf5(path).time_ps.dtype == np.int64
    assert len(read_hdf5(stored(tmp_path / "b.h5", some_events(0)))) == 0


@pytest.mark.parametrize(
    "rows",
    [slice(0), slice(3, 10), slice(-5, None), slice(90, 500), slice(50, 20), slice(7)],
)
def test_rows(tmp_path, rows) -> None:
    events = some_events(100, **MIXED)
    found = read_hdf5(stored(tmp_path / "a.h5", events), rows)
    assert len(found) == len(range(100)[rows])
    assert found.equals(events[rows])


def test_columns(tmp_path) -> None:
    events = some_events(100, **MIXED)
    path = stored(tmp_path / "a.h5", events)
    found = read_hdf5(path, columns=["energy", "trace_offsets"])
    assert found.columns == tuple(
        name for name in events.columns if name == "energy" or name.startswith("trace_")
    )
    assert np.array_equal(found.trace_length, events.trace_length)
    assert found.trace(40).tolist() == events.trace(40).tolist()
    with pytest.raises(Hdf5Error, match=r"has no column 'enrgy'; columns: .*energy"):
        read_hdf5(path, columns=["enrgy"])
    with pytest.raises(Hdf5Error, match="rows have a step of 2, expected 1"):
        read_hdf5(path, slice(None, None, 2))


def test_plain_h5py_sees_columns_units_and_descriptions(tmp_path) -> None:
    events = some_events(100, **MIXED)
    with h5py.File(stored(tmp_path / "a.h5", events, compression="gzip")) as file:
        assert file.attrs["format"] == "pixie_pipe events"
        assert file.attrs["format_version"] == 1
        assert set(file["events"]) == set(events.columns)
        for name, dataset in file["events"].items():
            assert dataset.dtype == events[name].dtype, name
            assert np.array_equal(dataset[:], events[name]), name
            assert dataset.attrs["units"] == COLUMN[name].unit, name
            assert dataset.attrs["description"] == COLUMN[name].description, name
            assert dataset.compression == "gzip"
        assert file["events/time_ps"].attrs["units"] == "ps"


def test_rejected_words(tmp_path) -> None:
    table = np.array([(5, 2, RejectReason.CUT), (90, 1, RejectReason.MODULE)], REJECTED)
    with Hdf5Writer(tmp_path / "a.h5") as writer:
        writer.write_rejected(table, stream=1, source=np.array([2, 3]))
        writer.write_rejected(table[:1])
    found = read_hdf5_metadata(tmp_path / "a.h5").rejected
    assert found.tolist() == [(1, 2, 5, 2, 5), (1, 3, 90, 1, 4), (0, 0, 5, 2, 5)]
    with h5py.File(tmp_path / "a.h5") as file:
        reasons = json.loads(file["rejected"].attrs["reasons"])
    assert reasons[str(int(found["reason"][0]))] == RejectReason.CUT.description


def test_what_is_no_file_of_events(tmp_path) -> None:
    with pytest.raises(Hdf5Error, match=r"a\.h5: there is no such file$"):
        read_hdf5(tmp_path / "a.h5")
    with pytest.raises(Hdf5Error, match=r"b\.h5: cannot be opened as HDF5: "):
        read_hdf5(written(tmp_path / "b.h5", b"no"))
    h5py.File(tmp_path / "c.h5", "w").close()
    with pytest.raises(
        Hdf5Error,
        match=r"c\.h5: format and version are None and None, expected "
        r"'pixie_pipe events' and 1$",
    ):
        read_hdf5_metadata(tmp_path / "c.h5")


def test_a_missing_column_is_refused_and_nothing_is_left(tmp_path) -> None:
    events = some_events(4)
    less = Events({n: events[n] for n in events.columns if n != "energy"})
    with pytest.raises(OutputError, match="the events have no column 'energy'"):
        stored(tmp_path / "a.h5", less)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_compression(tmp_path) -> None:
    with pytest.raises(
        OutputError,
        match=r"there is no compression 'zip' for \.h5 files, expected "
        r"bitshuffle-lz4, gzip, none$",
    ):
        Hdf5Writer(tmp_path / "a.h5", compression="zip")


PAGE = Path(__file__).parents[2] / "docs" / "hdf5.md"


def test_the_page_names_every_column_and_table(tmp_path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    path = stored(tmp_path / "a.h5", with_late(some_events(20, **MIXED)))
    with h5py.File(path) as file:
        names = {*file["events"], *(f"/{name}" for name in file)}
        for name in ("sources", "balance", "modules", "rejected"):
            names.update(file[name].dtype.names)
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_the_examples_of_the_page(tmp_path, monkeypatch, capsys) -> None:
    stored(tmp_path / "events.h5", some_events(20, **MIXED))
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        exec(example, {})
    assert "ps Timestamp" in capsys.readouterr().out
