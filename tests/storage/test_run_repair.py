"""After a crash the next start says what was left, and harms no run that is taken."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.storage import (
    DataWarning,
    RawRecorder,
    RunDirectory,
    RunDirectoryError,
    _processes,
    _run_repair,
    list_runs,
    repair,
)

REASON = "the process that took it ended without closing it"


class Taker:
    """A process that takes a run and tells how many words it has recorded."""

    def __init__(self, parent: Path) -> None:
        program = f"""
            import itertools
            from pathlib import Path
            import numpy as np
            from pixie_pipe.storage import RawRecorder, RunDirectory, new_file
            run = RunDirectory.create({str(parent)!r}, title="crash")
            run.write_snapshot("settings-start", {{"gain": 2}})
            with RawRecorder(run.raw, rotate_bytes=40_000) as recorder:
                output = new_file(run.path / "events.h5")
                output.__enter__()
                for i in itertools.count():
                    words = np.arange(1000 * i, 1000 * (i + 1), dtype=np.uint32)
                    recorder.write("c0-s02", words)
                    recorder.write("c0-s03", words[:500])
                    print(recorder.words("c0-s02"), flush=True)
        """
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.path = parent / "0001"
        self.read()

    def read(self) -> int:
        assert self.process.stdout is not None
        self.words = int(self.process.stdout.readline())
        return self.words

    def kill(self) -> None:
        self.process.kill()
        assert self.process.stdout is not None
        told = self.process.stdout.read().split("\n")
        # Behind the last end of line is a number that was not told to its end.
        self.words = int([str(self.words), *told][-2])
        self.process.wait(60)


@pytest.fixture
def taker(tmp_path: Path) -> Iterator[Taker]:
    taker = Taker(tmp_path)
    yield taker
    taker.process.kill()
    taker.process.communicate()


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(item.relative_to(path)): item.read_bytes()
        for item in path.rglob("*")
        if item.is_file()
    }


def test_a_killed_run_is_marked_and_its_words_are_there(
    tmp_path: Path, taker: Taker
) -> None:
    while taker.read() < 30_000:
        pass
    taker.kill()
    assert any(path.suffix == ".part" for path in taker.path.iterdir())
    (run,) = repair(tmp_path)
    assert (run.number, run.title, run.state) == (1, "crash", "incomplete")
    assert run.reasons == (REASON,)
    assert run.stopped is None
    files = [file for file in run.files if file.stream == "c0-s02"]
    assert [file.stream for file in run.files] == sorted(
        file.stream for file in run.files
    )
    words = np.concatenate([np.fromfile(run.raw / file.name, "<u4") for file in files])
    assert words.size == sum(file.words for file in files) >= taker.words >= 30_000
    assert np.array_equal(words, np.arange(words.size))
    assert [file.first_offset for file in files] == [
        10_000 * i for i in range(len(files))
    ]
    assert {file.name for file in run.files} == {
        path.name for path in run.raw.glob("*.bin")
    }
    left = {path.name for path in run.path.iterdir()}
    assert left == {"raw", "run.yaml", "settings-start.json"}

    before = contents(tmp_path)
    assert repair(tmp_path) == []
    assert contents(tmp_path) == before
    assert RunDirectory.create(tmp_path).number == 2


def test_a_new_run_repairs_the_old_ones(tmp_path: Path, taker: Taker) -> None:
    taker.kill()
    run = RunDirectory.create(tmp_path)
    assert [run.state for run in list_runs(tmp_path)] == ["incomplete", "running"]
    assert repair(tmp_path) == []
    assert RunDirectory.open(run.path).state == "running"


def test_a_run_that_is_taken_is_left_alone(tmp_path: Path, taker: Taker) -> None:
    taker.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, taker.process.pid, os.WSTOPPED | os.WNOWAIT)
    before = contents(taker.path)
    assert repair(tmp_path) == []
    assert RunDirectory.create(tmp_path).number == 2
    assert contents(taker.path) == before
    assert any(name.endswith(".part") for name in before)
    taker.process.send_signal(signal.SIGCONT)
    assert taker.read() < taker.read()


def change_process(run: RunDirectory, **changes: object) -> None:
    path = run.path / "run.yaml"
    text = path.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"\b{key}: [^,}}\n]+", f"{key}: {value}", text, count=1)
        assert count
    path.write_text(text)


def test_the_start_of_a_process_is_in_ticks_since_the_boot() -> None:
    program = """
        from pixie_pipe.storage._processes import this_process
        print(this_process().start_ticks)
    """
    before = uptime_ticks()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert before - 1 <= int(done.stdout) <= uptime_ticks()


def uptime_ticks() -> float:
    seconds = float(Path("/proc/uptime").read_text().split()[0])
    return seconds * os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("changes", "is_repaired"),
    [
        ({}, False),
        ({"start_ticks": 1}, True),  # a later process has got its number
        ({"pid": 2**22 + 1}, True),  # more than there can be
        ({"boot": "earlier"}, True),
        ({"boot": "other", "host": "elsewhere"}, False),
        ({"host": "renamed"}, False),
        ({"host": "renamed", "start_ticks": 1}, True),
        ({"namespace": "container", "start_ticks": 1}, False),
        ({"namespace": "container", "boot": "earlier"}, True),
    ],
)
def test_who_is_gone(tmp_path: Path, changes, is_repaired) -> None:
    run = RunDirectory.create(tmp_path)
    change_process(run, **changes)
    assert [found.number for found in repair(tmp_path)] == [1] * is_repaired
    state = "incomplete" if is_repaired else "running"
    assert RunDirectory.open(run.path).state == state


def test_a_process_of_which_nothing_can_be_learnt(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    RunDirectory.create(tmp_path)
    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(_processes, "_start_ticks", lambda _pid: None)
    assert repair(tmp_path) == []


def test_a_run_that_is_finished_just_now_stays_so(tmp_path: Path, monkeypatch) -> None:
    run = RunDirectory.create(tmp_path)

    def end(*_arguments) -> bool:
        run.finish(complete=True)
        return True

    monkeypatch.setattr(_run_repair, "is_gone", end)
    assert repair(tmp_path) == []
    assert RunDirectory.open(run.path).state == "complete"


@pytest.fixture
def crashed(tmp_path: Path) -> RunDirectory:
    """Return a run that looks as if its process had ended."""
    run = RunDirectory.create(tmp_path)
    change_process(run, start_ticks=1)
    return run


def test_files_are_listed_as_they_are(tmp_path: Path, crashed: RunDirectory) -> None:
    with RawRecorder(crashed.raw, rotate_bytes=12) as recorder:
        for _ in range(3):
            recorder.write("b", np.arange(3, dtype=np.uint32))
    (crashed.raw / "b-0002.bin").write_bytes(bytes(11))
    (crashed.raw / "b-10000.bin").write_bytes(bytes(4))
    (crashed.raw / "a-0000.bin").write_bytes(b"")
    (crashed.raw / "other.bin").write_bytes(bytes(8))
    (crashed.raw / "notes.txt").write_bytes(bytes(8))
    lines = (crashed.raw / "SHA256SUMS").read_text().splitlines()
    (crashed.raw / "SHA256SUMS").write_text("\n".join([*lines[:2], lines[2][:30]]))
    (run,) = repair(tmp_path)
    sums = [line[:64] for line in lines[:2]]
    assert [
        (f.name, f.stream, f.words, f.trailing_bytes, f.first_offset, f.sha256)
        for f in run.files
    ] == [
        ("a-0000.bin", "a", 0, 0, 0, ""),
        ("b-0000.bin", "b", 3, 0, 0, sums[0]),
        ("b-0001.bin", "b", 3, 0, 3, sums[1]),
        ("b-0002.bin", "b", 2, 3, 6, ""),
        ("b-10000.bin", "b", 1, 0, 8, ""),
        ("other.bin", "other", 2, 0, 0, ""),
    ]


def test_a_run_without_raw_files(tmp_path: Path, crashed: RunDirectory) -> None:
    crashed.raw.rmdir()
    (run,) = repair(tmp_path)
    assert (run.state, run.files) == ("incomplete", ())


def test_only_leftovers_that_nobody_has_open_are_removed(
    tmp_path: Path, crashed: RunDirectory
) -> None:
    (crashed.path / "deep").mkdir()
    removed = [*("run.yaml.0123abcd.part", "deep/events.h5.01234567.part", ".reserve")]
    kept = ["mine.part", "x.0123abcd.parts", "x.0123abc.part", "deep/y.01234567.part"]
    for name in removed + kept:
        (crashed.path / name).write_bytes(b"x")
    (crashed.path / "link.01234567.part").symlink_to(crashed.path / "mine.part")
    with (crashed.path / kept[-1]).open("rb"):
        assert len(repair(tmp_path)) == 1
    assert sorted(contents(crashed.path)) == sorted(
        ["run.yaml", "link.01234567.part", *kept]
    )


def test_leftovers_on_a_file_system_without_leases(
    tmp_path: Path, crashed: RunDirectory, monkeypatch
) -> None:
    def no_leases(*_arguments):
        raise OSError(22, "Invalid argument")

    (crashed.path / "run.yaml.0123abcd.part").touch()
    monkeypatch.setattr("fcntl.fcntl", no_leases)
    assert len(repair(tmp_path)) == 1
    assert list(contents(crashed.path)) == ["run.yaml"]


def test_a_run_that_cannot_be_repaired_stops_nothing(
    tmp_path: Path, crashed: RunDirectory
) -> None:
    path = crashed.path / "run.yaml"
    path.write_text(path.read_text().replace("title: ''", "title: 3"))
    with pytest.warns(DataWarning, match=r"0001: not repaired: .*'title' holds 3"):
        assert repair(tmp_path) == []
    with pytest.warns(DataWarning, match="not repaired"):
        assert RunDirectory.create(tmp_path).number == 2


def test_where_there_are_no_runs(tmp_path: Path, monkeypatch) -> None:
    assert repair(tmp_path / "absent") == []

    def refuse(_path: Path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(RunDirectoryError, match="runs cannot be repaired: Permission"):
        repair(tmp_path)
