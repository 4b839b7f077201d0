"""Parquet files: what goes in comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode.result import REJECTED, RejectReason
from pixie_pipe.storage import (
    OutputError,
    ParquetWriter,
    read_parquet,
    read_parquet_metadata,
)
from pixie_pipe.storage.parquet import ParquetError
from tests.storage.runs import (
    MIXED,
    some_events,
    with_coincidences,
    with_derived,
    with_late,
    written,
)

pq = pytest.importorskip("pyarrow.parquet")


def stored(path: Path, *batches: Events, compression: str | None = None) -> Path:
    with ParquetWriter(path, compression=compression) as writer:
        for batch in batches:
            writer.write(batch)
    return path


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_round_trip_of_all_blocks(tmp_path, compression) -> None:
    events = with_coincidences(with_late(some_events(2000, **MIXED)))
    events = with_derived(events)
    path = stored(
        tmp_path / "a.parquet", events[:700], events[700:], compression=compression
    )
    assert read_parquet(path).equals(events)


def test_blocks_that_no_event_has_are_left_out(tmp_path) -> None:
    events = some_events(30)
    found = read_parquet(stored(tmp_path / "a.parquet", events))
    assert found.equals(events)
    assert "qdc" not in found.columns
    assert "late" not in found.columns


def test_derived_columns_have_their_fill_where_batches_lack_them(tmp_path) -> None:
    bare = some_events(30)
    few = bare.with_columns(trace_energy=np.arange(30, dtype="f4"))
    batches = [bare, few, with_derived(bare, 5, 8), bare]
    found = read_parquet(stored(tmp_path / "a.parquet", *batches))
    assert found.equals(Events.concatenate(batches))
    few_found = read_parquet(stored(tmp_path / "b.parquet", bare, few))
    assert few_found.columns == few.columns
    assert np.isnan(few_found.trace_energy[:30]).all()


def test_derived_columns_without_a_value_are_left_out(tmp_path) -> None:
    events = some_events(30)
    found = read_parquet(stored(tmp_path / "a.parquet", with_derived(events, 0, 0)))
    assert found.equals(events)


def test_events_are_not_late_where_nothing_says_so(tmp_path) -> None:
    events = some_events(30)
    path = stored(tmp_path / "a.parquet", events, with_late(events))
    expected = [False] * 30 + [i % 3 == 1 for i in range(30)]
    assert read_parquet(path).late.tolist() == expected


def test_a_file_that_is_older_than_the_column_late(tmp_path) -> None:
    events = some_events(30, **MIXED)
    with pq.ParquetFile(stored(tmp_path / "a.parquet", events)) as file:
        table, metadata = file.read().drop_columns(["late"]), file.metadata.metadata
    old = table.replace_schema_metadata({b"pixie_pipe": metadata[b"pixie_pipe"]})
    pq.write_table(old, tmp_path / "old.parquet")
    assert read_parquet(tmp_path / "old.parquet").equals(events)


def test_a_block_in_a_later_row_group(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("pixie_pipe.storage.parquet.ROW_GROUP_ROWS", 40)
    batches = [
        some_events(50),
        some_events(50, header_lengths=(18,), trace_lengths=(9,)),
        some_events(5),
    ]
    path = stored(tmp_path / "a.parquet", *batches)
    assert pq.ParquetFile(path).num_row_groups == 3
    assert read_parquet(path).equals(Events.concatenate(batches))


def test_no_events(tmp_path) -> None:
    assert len(read_parquet(stored(tmp_path / "a.parquet"))) == 0


def test_columns(tmp_path) -> None:
    events = some_events(60, **MIXED)
    path = stored(tmp_path / "a.parquet", events)
    found = read_parquet(path, columns=["energy", "trace_samples"])
    assert found.columns == tuple(
        name for name in events.columns if name == "energy" or name.startswith("trace_")
    )
    assert np.array_equal(found.trace_length, events.trace_length)
    assert found.trace(7).tolist() == events.trace(7).tolist()
    with pytest.raises(ParquetError, match="has no column 'enrgy'; columns: "):
        read_parquet(path, columns=["enrgy"])


def test_rejected_words_are_listed_up_to_a_limit_and_all_counted(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("pixie_pipe.storage.file_notes.MOST_REJECTIONS", 3)
    table = np.array([(5, 2, RejectReason.CUT), (90, 1, RejectReason.MODULE)], REJECTED)
    with ParquetWriter(tmp_path / "a.parquet") as writer:
        writer.write_rejected(table, stream=1, source=np.array([2, 3]))
        writer.write_rejected(table)
    found = read_parquet_metadata(tmp_path / "a.parquet")
    assert found["rejections"] == 4
    assert found["rejected"] == [[1, 2, 5, 2, 5], [1, 3, 90, 1, 4], [0, 0, 5, 2, 5]]
    assert found["reasons"]["5"] == RejectReason.CUT.description
    assert found["versions"]["pyarrow"]


def test_what_is_no_file_of_events(tmp_path) -> None:
    import pyarrow as pa

    with pytest.raises(ParquetError, match=r"a\.parquet: there is no such file$"):
        read_parquet(tmp_path / "a.parquet")
    with pytest.raises(ParquetError, match="cannot be opened as Parquet"):
        read_parquet(written(tmp_path / "b.parquet", b"no"))
    pq.write_table(pa.table({"x": [1]}), tmp_path / "c.parquet")
    with pytest.raises(ParquetError, match="is a Parquet file, but holds no events"):
        read_parquet(tmp_path / "c.parquet")


def test_an_error_leaves_nothing(tmp_path) -> None:
    events = some_events(4)
    less = Events({n: events[n] for n in events.columns if n != "energy"})
    with pytest.raises(OutputError, match="the events have no column 'energy'"):
        stored(tmp_path / "a.parquet", events, less)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match=r"expected zstd, gzip, none$"):
        ParquetWriter(tmp_path / "a.parquet", compression="bitshuffle-lz4")
