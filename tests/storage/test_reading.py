"""Reading files for a session: one stream, and one sentence for each oddity."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixie_pipe
from pixie_pipe.listmode import Layout, decode
from pixie_pipe.storage import DataWarning, RawFileError, probe, read_events, read_raw
from tests.support.raw_files import LAYOUT, WIDE, cut, late_blocks, words_of


def told(paths, **options) -> list[str]:
    """Read and return the texts of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_events(paths, LAYOUT, **options)
    assert {entry.category for entry in caught} <= {DataWarning}
    return [str(entry.message) for entry in caught]


def test_one_file(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words = late_blocks()
    words.tofile(path)
    events = pixie_pipe.read_events(path, layout=LAYOUT)
    assert events.equals(decode(words, LAYOUT).events)


@given(places=st.lists(st.integers(0, late_blocks(30, 20).nbytes), max_size=4))
def test_files_cut_anywhere_are_one_stream(tmp_path_factory, places) -> None:
    words = late_blocks(30, 20)
    paths = cut(tmp_path_factory.mktemp("cut"), words.tobytes(), places)
    decoded = read_raw(paths, LAYOUT)
    assert decoded.events.equals(decode(words, LAYOUT).events)
    assert decoded.balance.closes
    assert decoded.balance.decoded == words.size


def test_rejected_words_are_told_with_their_place(tmp_path: Path) -> None:
    words = words_of(1000)
    words[2000] = 0xFFFFFFFF
    words[3000] = 0xFFFFFFFF
    paths = cut(tmp_path, words.tobytes(), [4 * 1500])
    (note,) = told(paths)
    assert note.startswith(f"{paths[1]}: word 500: ")
    assert "8 words in 2 stretches" in note
    assert "0.2 %" in note


def test_an_incomplete_last_event_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words_of(10)[:-1].tofile(path)
    (note,) = told(path)
    assert note.startswith(
        f"{path}: word 36: the last event is incomplete, its 3 words"
    )


def test_odd_bytes_at_the_end_are_told(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    path.write_bytes(words_of(10).tobytes() + b"xy")
    (note,) = told(path)
    assert note.startswith(f"{path}: word 40: 2 bytes behind the last whole word, 162")


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    path.touch()
    assert told(path) == [f"{path}: the file is empty"]


def test_the_warning_points_at_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    path.touch()
    with pytest.warns(DataWarning) as caught:
        read_events(path, LAYOUT)
    assert caught[0].filename == __file__


def test_a_byte_swapped_file(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words = words_of(1000, seed=4, mixed=True)
    words.byteswap().tofile(path)
    with pytest.raises(
        RawFileError, match=r'run\.bin: .*byte-swapped.*byte_order="big".*--byte-order'
    ):
        read_events(path, LAYOUT)
    events = read_events(path, LAYOUT, byte_order="big")
    assert events.equals(decode(words, LAYOUT).events)
    words.tofile(path)
    with pytest.raises(RawFileError, match='byte_order="little"'):
        read_events(path, LAYOUT, byte_order="big")


def test_a_file_of_another_layout(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    # Traces and their lengths are elsewhere in the oldest firmware.
    old = Layout.find(frequency=100, revision=17562)
    words_of(500, layout=old, mixed=False).tofile(path)
    words = words_of(500, mixed=True)
    words.tofile(path)
    with pytest.raises(RawFileError, match=r"words decode in layout 100-17562, but"):
        read_events(path, old)


def test_a_file_of_other_modules(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words_of(100, modules=[(0, 5)]).tofile(path)
    with pytest.raises(RawFileError, match="has events of module 0/5, expected module"):
        read_events(path, LAYOUT, modules=[(0, 2)])


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    path.write_bytes(bytes(4000))
    with pytest.raises(RawFileError, match="nothing decodes in the first 1 000 words"):
        read_events(path, LAYOUT)


def test_damage_at_the_start_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words = words_of(1000)
    np.concatenate([np.full(100_000, 0xFFFFFFFF, np.uint32), words]).tofile(path)
    decoded = read_raw(path, LAYOUT)
    assert decoded.events.equals(decode(words, LAYOUT).events)


def test_probe(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words_of(1000, modules=[(0, 2), (1, 3)]).tofile(path)
    found = probe(path, LAYOUT)
    assert found.modules == ((0, 2), (1, 3))
    assert (found.events, found.words, found.rejected_fraction) == (1000, 4000, 0)
    assert (found.byte_order, found.problem) == ("little", None)
    words_of(1000).byteswap().tofile(path)
    assert probe(path, LAYOUT).byte_order == "big"


def test_wide_identifiers(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    words_of(100, layout=WIDE, modules=[(1, 12)]).tofile(path)
    assert probe(path, WIDE).modules == ((1, 12),)


@pytest.mark.parametrize(("name", "count"), [("headers", 24598), ("traces", 9)])
def test_recorded_data(real_data: Path, name: str, count: int) -> None:
    decoded = read_raw(real_data / f"{name}.bin", LAYOUT)
    assert len(decoded.events) == count
    assert decoded.rejected.size == 0
    assert len(read_events(real_data / f"{name}.bin", LAYOUT)) == count
