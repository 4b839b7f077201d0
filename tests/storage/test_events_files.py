"""Events through HDF5 and Parquet and back: any batches, any rows, any format."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import COLUMN, VALIDITY, Block, Events
from pixie_pipe.listmode import decode
from pixie_pipe.storage import (
    Hdf5Writer,
    OutputExistsError,
    ParquetWriter,
    hdf5,
    parquet,
    read_hdf5,
    read_parquet,
)
from tests.storage.runs import with_derived
from tests.support.raw_files import LAYOUT, late_blocks, words_of

FORMATS = [
    (Hdf5Writer, read_hdf5, "events.h5", compression)
    for compression in ("bitshuffle-lz4", "gzip", "none")
] + [
    (ParquetWriter, read_parquet, "events.parquet", compression)
    for compression in ("zstd", "gzip", "none")
]

ALL = decode(late_blocks(), LAYOUT).events
ALL = ALL.with_columns(
    late=np.arange(len(ALL)) % 120 == 100,
    coincidence=np.arange(len(ALL)) // 60 % 3 * np.arange(len(ALL)),
    coincidence_reference=np.arange(len(ALL)) % 180 == 90,
)
ALL = with_derived(ALL, 210, 420)


def batches(events: Events, edges: list[int]) -> list[Events]:
    """Cut events, and leave out of each batch what none of it has."""
    edges = [0, *sorted(edges), len(events)]
    parts = []
    for first, behind in itertools.pairwise(edges):
        batch = events[first:behind]
        absent = [block for block, name in VALIDITY.items() if not batch[name].any()]
        derived = [name for name in batch.columns if COLUMN[name].is_derived]
        empty = [name for name in derived if not has_values(batch, name)]
        parts.append(batch.without(*absent, *empty))
    return parts


def has_values(events: Events, name: str) -> bool:
    absent = COLUMN[name].absent(len(events))
    return events[name].tobytes() != absent.tobytes()


@pytest.mark.parametrize(("writer", "read", "name", "compression"), FORMATS)
@given(
    edges=st.lists(st.integers(0, len(ALL)), max_size=5),
    chunk_rows=st.sampled_from([64, 100, 1 << 16]),
)
def test_batches_are_whole_again(
    tmp_path_factory, writer, read, name, compression, edges, chunk_rows
) -> None:
    path = tmp_path_factory.mktemp("events") / name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5, "CHUNK_ROWS", chunk_rows)
        patch.setattr(hdf5, "CHUNK_BYTES", 6 * chunk_rows)
        patch.setattr(parquet, "ROW_GROUP_ROWS", chunk_rows)
        with writer(path, compression=compression) as file:
            for batch in batches(ALL, edges):
                file.write(batch)
    assert read(path).equals(ALL)


@given(
    first=st.integers(-20, len(ALL) + 5),
    count=st.integers(0, len(ALL)),
    columns=st.lists(st.sampled_from(ALL.columns), min_size=1, unique=True),
)
def test_rows_and_columns_of_hdf5(some_file, first, count, columns) -> None:
    rows = slice(first, first + count)
    assert read_hdf5(some_file, rows).equals(ALL[rows])
    found = read_hdf5(some_file, rows, columns=columns)
    assert set(columns) <= set(found.columns)
    for name in columns:
        np.testing.assert_array_equal(found[name], ALL[rows][name])


@pytest.fixture(scope="module")
def some_file(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("some") / "events.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5, "CHUNK_ROWS", 100)
        with Hdf5Writer(path) as writer:
            writer.write(ALL[:150])
            writer.write(ALL[150:])
    return path


def test_a_file_opens_without_pixie_pipe(some_file: Path) -> None:
    program = f"""
        import sys
        import h5py, hdf5plugin
        with h5py.File({str(some_file)!r}) as file:
            print(file["events/energy"][:].sum(), file["events/pileup"][:].sum())
        assert "pixie_pipe" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        str(ALL.energy.sum(dtype=np.uint64)),
        str(ALL.pileup.sum()),
    ]


def test_many_chunks_of_bare_events(tmp_path: Path) -> None:
    events = decode(words_of(200_000), LAYOUT).events
    with Hdf5Writer(tmp_path / "events.h5") as writer:
        for first in range(0, len(events), 70_001):
            writer.write(events[first : first + 70_001])
    assert read_hdf5(tmp_path / "events.h5").equals(events)


@pytest.mark.parametrize(("writer", "read", "name", "compression"), FORMATS)
def test_an_error_leaves_nothing(tmp_path, writer, read, name, compression) -> None:
    def write() -> None:
        with writer(tmp_path / name, compression=compression) as file:
            file.write(ALL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []
    with writer(tmp_path / name) as file:
        file.write(ALL)
    with pytest.raises(OutputExistsError):
        writer(tmp_path / name).__enter__()
    assert read(tmp_path / name).equals(ALL)


def test_parquet_has_the_same_columns_always(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    with ParquetWriter(path) as writer:
        writer.write(decode(words_of(10), LAYOUT).events)
    table = pyarrow.parquet.read_table(path)
    assert table.column_names == ALL.to_arrow().column_names
    assert not any(table["qdc_valid"].to_pylist())
    assert read_parquet(path).blocks == (Block.CORE,)
    stored = pyarrow.parquet.read_metadata(path).metadata[b"pixie_pipe"]
    assert json.loads(stored)["format"] == "pixie_pipe events"
