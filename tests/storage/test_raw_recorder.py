"""Words that are recorded are in the files, whatever happens to the recorder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import defaultdict
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.storage import RawRecorder, RecorderUseError, RecordingError, _sealing
from pixie_pipe.storage.raw_recorder import split_file_name


def counting(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.uint32)


def recorded(directory: Path, stream: str) -> np.ndarray:
    """Return the words of a stream, from its files."""
    paths = sorted(directory.glob(f"{stream}-[0-9]*.bin"))
    return np.concatenate([np.fromfile(path, "<u4") for path in paths])


def check_sums(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@given(
    writes=st.lists(
        st.tuples(st.sampled_from(["c0-s02", "c0-s03", "x"]), st.integers(0, 300)),
        max_size=30,
    ),
    rotate_bytes=st.integers(1, 1500),
    trailing=st.binary(max_size=3),
)
def test_words_written_are_words_in_files(writes, rotate_bytes, trailing) -> None:
    chunks: defaultdict[str, list[np.ndarray]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with RawRecorder(directory, rotate_bytes=rotate_bytes) as recorder:
            for stream, count in writes:
                words = counting(recorder.words(stream), count)
                recorder.write(stream, words)
                chunks[stream].append(words)
            recorder.write_trailing("x", trailing)
        assert recorder.total_words == sum(count for _, count in writes)
        for stream in chunks:
            count = sum(map(len, chunks[stream]))
            assert recorder.words(stream) == count
            files = [file for file in recorder.files if file.stream == stream]
            data = b"".join((directory / file.name).read_bytes() for file in files)
            expected = b"".join(words.tobytes() for words in chunks[stream])
            assert data == expected + (trailing if stream == "x" else b"")
            assert sum(file.words for file in files) == count
            assert all(
                split_file_name(file.name) == (stream, i)
                for i, file in enumerate(files)
            )
            for before, after in pairwise(files):
                assert after.first_offset == before.first_offset + before.words
            sizes = [words.nbytes for words in chunks[stream] if words.size]
            assert [file.bytes - file.trailing_bytes for file in files] == (
                packed(sizes, rotate_bytes) or [0] * len(files)
            )
        for file in recorder.files:
            assert (directory / file.name).stat().st_size == file.bytes
        if recorder.files:
            assert check_sums(directory).returncode == 0
        lines = [f"{file.sha256}  {file.name}" for file in recorder.files]
        path = directory / "SHA256SUMS"
        written = path.read_text().splitlines() if lines else []
        assert sorted(written) == sorted(lines)


def packed(sizes: list[int], rotate_bytes: int) -> list[int]:
    """Return the sizes of files, from those of what is written to them."""
    files: list[int] = []
    for size in sizes:
        if files and files[-1] + size <= rotate_bytes:
            files[-1] += size
        else:
            files.append(size)
    return files


def test_the_system_has_every_word_when_write_returns(tmp_path: Path) -> None:
    with RawRecorder(tmp_path) as recorder:
        words = counting(0, 1000)
        recorder.write("c0-s02", words)
        words[:] = 7
        assert np.array_equal(recorded(tmp_path, "c0-s02"), counting(0, 1000))
        assert [file.sha256 for file in recorder.files] == [""]
    assert check_sums(tmp_path).stdout == "c0-s02-0000.bin: OK\n"


def test_checksums_find_a_changed_file(tmp_path: Path) -> None:
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", counting(0, 10))
    (tmp_path / "a-0000.bin").write_bytes(bytes(40))
    assert check_sums(tmp_path).returncode == 1


def test_large_chunks_in_turn_are_checksummed_while_they_are_written(
    tmp_path: Path,
) -> None:
    with RawRecorder(tmp_path, rotate_bytes=5 << 20) as recorder:
        for turn in range(8):
            for stream in ("a", "b"):
                recorder.write(stream, counting(turn, (1 << 18) + 3 * turn))
    assert check_sums(tmp_path).returncode == 0
    assert len(recorder.files) == 4


def test_a_file_is_changed_for_its_age(tmp_path: Path) -> None:
    times: list[float] = []
    clock = partial(times.__getitem__, -1)
    with RawRecorder(tmp_path, rotate_seconds=60, clock=clock) as recorder:
        for time_s in (100.0, 159.9, 160.0, 219.0, 500.0):
            times.append(time_s)
            recorder.write("a", counting(0, 1))
        assert [file.words for file in recorder.files] == [2, 2, 1]


@pytest.mark.parametrize("dtype", ["<u4", ">u4"])
def test_files_are_little_endian(tmp_path: Path, dtype) -> None:
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", np.array([0x01020304], dtype))
    assert (tmp_path / "a-0000.bin").read_bytes() == b"\4\3\2\1"


def test_words_with_gaps_in_memory(tmp_path: Path) -> None:
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", counting(0, 10)[::3])
    assert recorded(tmp_path, "a").tolist() == [0, 3, 6, 9]


def test_open_files_are_synced_in_time(tmp_path: Path, monkeypatch) -> None:
    synced: set[int] = set()
    done = threading.Event()
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)
        if wanted <= synced:
            done.set()

    monkeypatch.setattr(os, "fsync", watch)
    wanted = {-1}
    with RawRecorder(tmp_path, sync_seconds=0.01) as recorder:
        recorder.write("a", counting(0, 10))
        recorder.write("b", counting(0, 10))
        names = ("a-0000.bin", "b-0000.bin", "")
        wanted = {(tmp_path / name).stat().st_ino for name in names}
        assert done.wait(60)


def test_a_file_is_synced_before_its_checksum_is_told(
    tmp_path: Path, monkeypatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", watch)
    with RawRecorder(tmp_path, sync_seconds=1000) as recorder:
        recorder.write("a", counting(0, 10))
        assert synced == []
    assert synced == ["a-0000.bin", "SHA256SUMS", tmp_path.name]


def test_writing_waits_for_checksums_that_lag_far_behind(
    tmp_path: Path, monkeypatch
) -> None:
    chunk, limit, lags = 1 << 20, 4 << 20, []
    preadv = os.preadv

    def slow(*arguments):
        time.sleep(0.002)
        lags.append(recorder._keeper._lag)
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", slow)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    monkeypatch.setattr(_sealing, "_LARGEST_LAG_BYTES", limit)
    with RawRecorder(tmp_path) as recorder:
        for _ in range(40):
            recorder.write("a", counting(0, chunk // 4))
    assert len(lags) == 40
    assert max(lags) <= limit + chunk
    assert check_sums(tmp_path).returncode == 0


def test_short_writes_are_continued(tmp_path: Path, monkeypatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:7], at))
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", counting(0, 100))
        recorder.write("a", counting(100, 100))
    assert np.array_equal(recorded(tmp_path, "a"), counting(0, 200))


@pytest.mark.parametrize("can_cut", [True, False])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_whole_words(
    tmp_path: Path, monkeypatch, code, can_cut
) -> None:
    pwrite, left = os.pwrite, 4 * 50 + 4 * 20 + 3

    def full(descriptor: int, data: memoryview, offset: int) -> int:
        nonlocal left
        if not left:
            raise OSError(code, os.strerror(code))
        count = pwrite(descriptor, data[:left], offset)
        left -= count
        return count

    def fail(*_arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pwrite", full)
    if not can_cut:
        monkeypatch.setattr(os, "ftruncate", fail)
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", counting(0, 50))
        expected = (
            rf"a-0000\.bin: cannot be written at byte 283: {os.strerror(code)}; 20 of "
            "the 30 words of this call are on the disk; make room or check the disk"
        )
        with pytest.raises(RecordingError, match=expected) as caught:
            recorder.write("a", counting(50, 30))
        assert caught.value.words_written == 20
        assert recorder.words("a") == recorder.total_words == 70
        assert recorder.files[0].bytes == 280
        if can_cut:
            assert np.array_equal(recorded(tmp_path, "a"), counting(0, 70))
        left = 10**6
        recorder.write("a", counting(70, 10))
    assert np.array_equal(recorded(tmp_path, "a"), counting(0, 80))
    assert check_sums(tmp_path).returncode == 0


def test_an_interrupt_leaves_what_is_counted(tmp_path: Path, monkeypatch) -> None:
    pwrite = os.pwrite

    def interrupted(descriptor: int, data: memoryview, offset: int) -> int:
        pwrite(descriptor, data[:101], offset)
        raise KeyboardInterrupt

    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", counting(0, 10))
        monkeypatch.setattr(os, "pwrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recorder.write("a", counting(10, 100))
        assert recorder.words("a") == 10
        assert np.array_equal(recorded(tmp_path, "a"), counting(0, 10))


def test_a_limit_of_the_system_on_the_size_of_files(tmp_path: Path) -> None:
    program = f"""
        import resource
        from pathlib import Path
        import numpy as np
        from pixie_pipe.storage import RawRecorder, RecordingError
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        words = np.arange(1 << 18, dtype=np.uint32)
        with RawRecorder(Path({str(tmp_path)!r})) as recorder:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_003, hard))
            try:
                recorder.write("a", words)
            except RecordingError as error:
                print(error.words_written, error)
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
                recorder.write("a", words[error.words_written:])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("250000 "), done.stderr
    assert "cannot be written at byte 1000003: File too large; 250000 of" in done.stdout
    assert np.array_equal(recorded(tmp_path, "a"), counting(0, 1 << 18))
    assert check_sums(tmp_path).returncode == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a-0001.bin").write_bytes(b"old")
    with RawRecorder(tmp_path, rotate_bytes=4) as recorder:
        recorder.write("a", counting(0, 1))
        with pytest.raises(RecordingError, match=r"a-0001\.bin: exists already"):
            recorder.write("a", counting(1, 1))
    assert (tmp_path / "a-0001.bin").read_bytes() == b"old"
    assert recorder.words("a") == 1


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    name = "a" * 300
    with (
        RawRecorder(tmp_path) as recorder,
        pytest.raises(
            RecordingError,
            match="cannot be made: File name too long; no word of this call",
        ),
    ):
        recorder.write(name, counting(0, 1))


def test_a_file_that_cannot_be_synced_is_told_at_once_and_at_the_end(
    tmp_path: Path, monkeypatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    message = r"a-0000\.bin: may not be on the disk: Input/output error; check the disk"
    recorder = RawRecorder(tmp_path, sync_seconds=0.01)
    recorder.write("a", counting(0, 1))

    def write_for_a_minute() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            recorder.write("b", counting(0, 1))

    with pytest.raises(RecordingError, match=message):
        write_for_a_minute()
    with pytest.raises(RecordingError, match=message):
        recorder.close()
    assert recorder.words("a") == 1


def test_a_file_that_is_cut_from_outside(tmp_path: Path) -> None:
    recorder = RawRecorder(tmp_path)
    recorder.write("a", counting(0, 100))
    os.truncate(tmp_path / "a-0000.bin", 40)
    with pytest.raises(RecordingError, match=r"a-0000\.bin: has been cut to 40 bytes"):
        recorder.close()
    assert not (tmp_path / "SHA256SUMS").exists()


def test_a_list_of_checksums_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").mkdir()
    recorder = RawRecorder(tmp_path)
    recorder.write("a", counting(0, 100))
    with pytest.raises(
        RecordingError, match=r"SHA256SUMS: cannot be written: Is a dir"
    ):
        recorder.close()
    assert [file.sha256 for file in recorder.files] == [""]


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\n", "../a"]
)
def test_names_that_are_refused(tmp_path: Path, name) -> None:
    with RawRecorder(tmp_path) as recorder:
        with pytest.raises(RecorderUseError, match="cannot name a stream"):
            recorder.write(name, counting(0, 1))
        with pytest.raises(RecorderUseError, match="cannot name a stream"):
            recorder.write_trailing(name, b"a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (np.zeros(3, np.int32), "given as int32, expected uint32"),
        (np.zeros(3, np.uint16), "given as uint16, expected uint32"),
        (np.zeros((3, 2), np.uint32), r"given as \(3, 2\), expected an array of one"),
        (b"abcd", "given as bytes, expected an array"),
    ],
)
def test_arrays_that_are_refused(tmp_path: Path, words, text) -> None:
    with RawRecorder(tmp_path) as recorder, pytest.raises(RecorderUseError, match=text):
        recorder.write("a", words)
    assert list(tmp_path.iterdir()) == []


def test_nothing_comes_behind_the_trailing_bytes(tmp_path: Path) -> None:
    with RawRecorder(tmp_path) as recorder:
        with pytest.raises(RecorderUseError, match="4 bytes were given as trailing"):
            recorder.write_trailing("a", b"abcd")
        recorder.write_trailing("a", b"abc")
        with pytest.raises(RecorderUseError, match="ended by its trailing bytes"):
            recorder.write("a", counting(0, 1))
        with pytest.raises(RecorderUseError, match="ended by its trailing bytes"):
            recorder.write_trailing("a", b"d")
    assert (tmp_path / "a-0000.bin").read_bytes() == b"abc"
    assert (recorder.files[0].words, recorder.files[0].trailing_bytes) == (0, 3)


def test_a_closed_recorder(tmp_path: Path) -> None:
    with RawRecorder(tmp_path) as recorder:
        recorder.write("a", counting(0, 5))
    recorder.close()
    with pytest.raises(RecorderUseError, match=r"a: the recorder of .* is closed"):
        recorder.write("a", counting(0, 1))
    assert repr(recorder).endswith("closed, 1 streams, 1 files, 5 words)")
    assert recorder.words("unknown") == 0


@pytest.mark.parametrize("option", ["rotate_bytes", "rotate_seconds", "sync_seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_that_are_refused(tmp_path: Path, option, value) -> None:
    with pytest.raises(RecorderUseError, match=f"{option} is {value}, expected more"):
        RawRecorder(tmp_path, **{option: value})


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "absent"):
        with pytest.raises(RecordingError, match=f"{name}: is no directory"):
            RawRecorder(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c0-s02-0000.bin", ("c0-s02", 0)),
        ("a-12345.bin", ("a", 12345)),
        ("a-1.bin", ("a-1", 0)),
        ("headers.bin", ("headers", 0)),
    ],
)
def test_names_of_files(name, expected) -> None:
    assert split_file_name(name) == expected
