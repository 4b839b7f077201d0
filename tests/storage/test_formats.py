"""Every format keeps every value of every column, and tells where events come from."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from pixie_pipe.events import Events
from pixie_pipe.listmode.result import REJECTED, Balance, RejectReason
from pixie_pipe.storage import (
    EventReadError,
    EventTable,
    OutputError,
    Provenance,
    SourceFile,
    StreamRecord,
    _lh5_table,
    export,
    hdf5,
    open_events,
    parquet,
    root,
)
from pixie_pipe.storage.atomic import OutputExistsError
from pixie_pipe.storage.writer import COMPRESSIONS, open_writer
from tests.storage.any_events import any_events
from tests.storage.runs import LAYOUT, MIXED, some_events, with_late, written

ENDINGS = sorted(set(COMPRESSIONS) - {".hdf5"})
FORMATS = pytest.mark.parametrize("ending", ENDINGS)
EVENTS = with_late(some_events(120, modules=((0, 2), (1, 3)), channels=2, **MIXED))
ORIGIN = Provenance(
    (
        StreamRecord(
            LAYOUT,
            ((0, 2), (1, 3)),
            (SourceFile(Path("a.bin"), 40, "ff"),),
            Balance(10, 8, 1, 1, 3),
            events=2,
        ),
    ),
    "a command",
)


def stored(path, *batches, **options):
    with open_writer(path, **options) as writer:
        writer.describe(ORIGIN)
        for batch in batches:
            writer.write(batch)
    return path


@FORMATS
@settings(max_examples=20)
@given(batches=any_events())
def test_what_goes_in_comes_out(tmp_path_factory, ending, batches) -> None:
    whole = Events.concatenate(batches)
    path = tmp_path_factory.mktemp("formats") / f"events{ending}"
    with pytest.MonkeyPatch.context() as patch:
        # Small pieces, so that there are several of them.
        patch.setattr(hdf5, "CHUNK_ROWS", 16)
        patch.setattr(parquet, "ROW_GROUP_ROWS", 32)
        patch.setattr(root, "BASKET_ROWS", 32)
        patch.setattr(_lh5_table, "CHUNK_ROWS", 8)
        stored(path, *batches, columns=whole.columns, compression="none")
    with open_events(path) as table:
        assert len(table) == len(whole)
        assert table.columns == whole.columns
        assert table.read().equals(whole)
        some = slice(len(whole) // 3, 2 * len(whole) // 3)
        assert table[some].equals(whole[some])
        assert Events.concatenate([whole[:0], *table.batches(9)]).equals(whole)


@pytest.mark.parametrize("ending", [".h5", ".lh5", ".parquet", ".root"])
@pytest.mark.parametrize("order", [[0, 1], [1, 0, 1], []])
def test_without_being_told_the_columns(tmp_path, ending, order) -> None:
    parts = [some_events(30, seed=4, channels=2), EVENTS]
    batches = [parts[number] for number in order]
    with open_events(stored(tmp_path / f"a{ending}", *batches)) as table:
        assert table.read().equals(Events.concatenate(batches))


@FORMATS
def test_every_compression(tmp_path, ending) -> None:
    for compression in COMPRESSIONS[ending]:
        path = stored(
            tmp_path / f"{compression}{ending}",
            EVENTS,
            compression=compression,
            columns=EVENTS.columns,
        )
        with open_events(path) as table:
            assert table.read().equals(EVENTS)
    with pytest.raises(
        OutputError, match=f"there is no compression 'zip' for {ending}"
    ):
        open_writer(tmp_path / f"b{ending}", compression="zip")


@FORMATS
def test_where_the_events_come_from(tmp_path, ending) -> None:
    with open_events(stored(tmp_path / f"a{ending}", EVENTS)) as table:
        found = table.provenance
    (stream,) = found.streams
    assert found.command == "a command"
    assert stream.layout == LAYOUT
    assert stream.modules == ((0, 2), (1, 3))
    assert stream.balance == Balance(10, 8, 1, 1, 3)
    assert [(str(s.path), s.size, s.sha256) for s in stream.sources] == [
        ("a.bin", 40, "ff")
    ]


@FORMATS
def test_chosen_columns(tmp_path, ending) -> None:
    columns = ["time_ps", "qdc", "trace_samples"]
    path = stored(
        tmp_path / f"a{ending}", some_events(9, channels=2), EVENTS, columns=columns
    )
    whole = Events.concatenate([some_events(9, channels=2), EVENTS])
    with open_events(path) as table:
        expected = {*columns, "trace_offsets", "trace_length"}
        more = {"crate", "slot", "channel"} if ending == ".lh5" else set()
        assert set(table.columns) == expected | more
        found = table.keep(*columns).read()
        for name in expected:
            np.testing.assert_array_equal(found[name], whole[name])
        assert table["time_ps"].sum() == whole.time_ps.sum()
        with pytest.raises(EventReadError, match="has no column 'energy'"):
            table["energy"]
    with pytest.raises(OutputError, match="there is no column 'enrgy'; columns: crate"):
        open_writer(tmp_path / f"b{ending}", columns=["enrgy"])
    with pytest.raises(OutputError, match="no column was chosen"):
        open_writer(tmp_path / f"b{ending}", columns=[])


@FORMATS
def test_an_error_leaves_nothing_and_a_file_is_not_replaced(tmp_path, ending) -> None:
    path = tmp_path / f"a{ending}"

    def write() -> None:
        with open_writer(path) as writer:
            writer.write(EVENTS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    less = Events({n: EVENTS[n] for n in EVENTS.columns if n != "energy"})
    with pytest.raises(OutputError, match="the events have no column 'energy'"):
        stored(path, less)
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        stored(path, EVENTS)
    assert path.read_text() == "mine"
    stored(path, EVENTS, force=True, columns=EVENTS.columns)
    with open_events(path) as table:
        assert len(table) == len(EVENTS)


@FORMATS
def test_what_is_no_file_of_events(tmp_path, ending) -> None:
    errors = ValueError
    with pytest.raises(errors, match="there is no such file"):
        open_events(tmp_path / f"a{ending}")
    with pytest.raises(errors, match=rf"b\{ending}: "):
        open_events(written(tmp_path / f"b{ending}", b"no\n"))


@pytest.mark.parametrize("ending", [".lh5", ".root"])
def test_rejected_words_are_counted(tmp_path, ending) -> None:
    table = np.array([(5, 2, RejectReason.CUT), (90, 1, RejectReason.MODULE)], REJECTED)
    with open_writer(tmp_path / f"a{ending}") as writer:
        writer.write_rejected(table, stream=1, source=np.array([2, 3]))
    with open_events(tmp_path / f"a{ending}") as found:
        reader: Any = found._reader
        document = reader._document
    assert document["rejections"] == 2
    assert document["rejected"] == [[1, 2, 5, 2, 5], [1, 3, 90, 1, 4]]
    assert json.dumps(document)


def test_csv_is_for_small_things(tmp_path, monkeypatch) -> None:
    from pixie_pipe.storage.csv import CsvError, CsvWriter

    with CsvWriter(tmp_path / "a.csv", most_rows=50) as writer:
        writer.write(EVENTS[:50])
        with pytest.raises(OutputError, match=r"more than 50 events.*--all-rows"):
            writer.write(EVENTS[50:51])
    with CsvWriter(tmp_path / "b.csv", most_rows=None) as writer:
        writer.write(EVENTS)
    lines = (tmp_path / "b.csv").read_text().splitlines()
    assert lines[1].startswith("# units: ,,,ADC units,ticks,ps")
    assert lines[2].startswith("crate,slot,channel,energy,timestamp,time_ps")
    assert len(lines) == 123
    for number, text in ((5, "0,2,x"), (5, lines[5].replace(",", ";"))):
        damaged = [*lines[:number], text, *lines[number + 1 :]]
        (tmp_path / "c.csv").write_text("\n".join(damaged))
        with pytest.raises(CsvError, match="event 3 has"):
            open_events(tmp_path / "c.csv")
    lines[4] = "x" + lines[4]
    (tmp_path / "c.csv").write_text("\n".join(lines))
    with pytest.raises(CsvError, match="column 'crate': invalid literal"):
        open_events(tmp_path / "c.csv")


@pytest.mark.parametrize("ending", [".h5", ".lh5", ".parquet", ".root"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, ending) -> None:
    part = some_events(500, channels=2, trace_lengths=(1000,))
    with open_writer(tmp_path / "source.h5", compression="none") as writer:
        for _ in range(45):
            writer.write(part)
    batches: Any = EventTable.batches
    limits = batches.__kwdefaults__ | {"most_bytes": 2 << 20}
    monkeypatch.setattr(batches, "__kwdefaults__", limits)
    monkeypatch.setattr(root, "BASKET_BYTES", 2 << 20)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 2 << 20)
    with open_events(tmp_path / "source.h5") as source:
        # Imports and kernels are no part of it.
        export(source.between(0, 1e-9), tmp_path / f"a{ending}")
        tracemalloc.start()
        export(source, tmp_path / f"b{ending}", compression="none")
        with open_events(tmp_path / f"b{ending}") as table:
            read = sum(len(batch) for batch in table.batches())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert read == 22_500
        assert source.size > 45e6
        assert peak < 30e6
