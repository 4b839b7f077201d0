"""Raw files: what is opened, in which order, in which pieces, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.storage import PieceReader, RawFileError, expand_paths, read_pieces


def test_patterns_are_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        (tmp_path / f"run_{number}.bin").touch()
    found = expand_paths(str(tmp_path / "run_*.bin"))
    assert [path.name for path in found] == ["run_1.bin", "run_9.bin", "run_10.bin"]


def test_a_file_with_the_name_of_a_pattern_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run[1].bin").touch()
    (tmp_path / "run1.bin").touch()
    path = tmp_path / "run[1].bin"
    assert expand_paths([path]) == [path]


def test_no_paths() -> None:
    with pytest.raises(RawFileError, match="no raw files were given"):
        expand_paths([])
    with pytest.raises(RawFileError, match=r"no file matches the pattern '.*\*"):
        expand_paths("/nonexistent/*.bin")


@pytest.mark.parametrize("checksums", [False, True])
@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=4),
    piece_bytes=st.integers(1, 60),
)
def test_pieces_are_the_files(tmp_path_factory, sizes, piece_bytes, checksums) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    rng = np.random.default_rng(1)
    contents = [rng.bytes(size) for size in sizes]
    paths = [folder / str(number) for number in range(len(sizes))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    reader = PieceReader(paths, piece_bytes=piece_bytes, checksums=checksums)
    pieces = [bytes(piece) for piece in reader]
    assert b"".join(pieces) == b"".join(contents)
    assert all(0 < len(piece) <= piece_bytes for piece in pieces)
    assert [source.size for source in reader.sources] == sizes
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    assert [source.sha256 for source in reader.sources] == (
        digests if checksums else [""] * len(sizes)
    )


def test_words_are_found_in_their_files(tmp_path: Path) -> None:
    sizes = [6, 0, 10, 8]
    paths = [tmp_path / str(number) for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(bytes(size))
    reader = PieceReader(paths)
    for _ in reader:
        pass
    # Word 1 is cut: it begins in the first file.
    assert reader.source_of(np.arange(6)).tolist() == [0, 0, 2, 2, 3, 3]


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    content = np.random.default_rng(1).bytes((9 << 20) + 3)
    path.write_bytes(content)
    assert b"".join(bytes(piece) for piece in read_pieces(path)) == content


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RawFileError, match=r"absent\.bin: there is no such file"):
        list(read_pieces(tmp_path / "absent.bin"))
    with pytest.raises(RawFileError, match=r"is a directory.*did you mean .*\*\.bin"):
        list(read_pieces(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RawFileError, match="no regular file"):
        list(read_pieces(tmp_path / "pipe"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.bin"
    path.touch(mode=0)
    with pytest.raises(RawFileError, match="Permission denied"):
        list(read_pieces(path))
