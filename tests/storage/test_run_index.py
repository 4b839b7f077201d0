"""The index of runs: it says what the folders say, whatever became of its file."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.storage import (
    RawRecorder,
    RunDirectory,
    RunDirectoryError,
    RunIndex,
    RunQuery,
    run_index,
)
from pixie_pipe.storage.run_index import INDEX_FILE
from pixie_pipe.storage.run_record import read_record
from pixie_pipe.storage.run_summary import RunSummary

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def taken(
    parent: Path,
    *,
    title: str = "",
    hours: float = 0,
    seconds: float = 10,
    words: int = 10,
    slot: int = 2,
    task: str = "DummyData",
    complete: bool = True,
) -> RunDirectory:
    run = RunDirectory.create(
        parent,
        title=title,
        modules=[{"crate": 0, "slot": slot}],
        configuration={"tasks": [{"name": "source", "task": task}]},
    )
    with RawRecorder(run.raw) as recorder:
        recorder.write(f"c0-s{slot:02}", np.arange(words, dtype=np.uint32))
    started = NOON + dt.timedelta(hours=hours)
    run.finish(
        complete=complete,
        reasons=() if complete else ("12 words are missing",),
        started=started,
        stopped=started + dt.timedelta(seconds=seconds),
        files=recorder.files,
        balance={"events_written": words // 4, "events_decoded": words},
    )
    return run


def found(parent: Path, **query) -> list[int]:
    with RunIndex(parent) as index:
        return [run.number for run in index.find(RunQuery(**query))]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    parent = tmp_path / "runs"
    taken(parent, title="Cs-137 at 10 cm")
    taken(parent, title="Äpfel 100%", hours=1, words=1000, slot=3)
    taken(parent, title="cs-137 AT 20 cm", hours=2, seconds=3600, complete=False)
    taken(parent, hours=24, seconds=60, task="TakeData").add_comment("beam_off, Straße")
    return parent


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"numbers": ((2, 3),)}, [2, 3]),
        ({"numbers": ((4, 9), (1, 1))}, [1, 4]),
        ({"texts": ("CS-137",)}, [1, 3]),
        ({"texts": ("Cs-137", "20")}, [3]),
        ({"texts": ("äpfel",)}, [2]),
        ({"texts": ("STRASSE",)}, [4]),
        ({"texts": ("%",)}, [2]),
        ({"texts": ("m_o",)}, [4]),
        ({"texts": ("'; DROP TABLE runs; --",)}, []),
        ({"since": NOON + dt.timedelta(hours=1)}, [2, 3, 4]),
        ({"until": NOON + dt.timedelta(hours=1)}, [1]),
        ({"since": dt.datetime(2026, 1, 31, 13, tzinfo=dt.UTC)}, [3, 4]),
        ({"states": ("incomplete",)}, [3]),
        ({"states": ("incomplete", "running")}, [3]),
        ({"task": "TakeData"}, [4]),
        ({"task": "source"}, [1, 2, 3, 4]),
        ({"task": "sourc"}, []),
        ({"module": "0/3"}, [2]),
        ({"least_bytes": 41}, [2]),
        ({"most_bytes": 40}, [1, 3, 4]),
        ({"least_seconds": 60, "most_seconds": 60}, [4]),
        ({"states": ("complete",), "texts": ("cs",)}, [1]),
    ],
)
def test_runs_are_found(runs: Path, query, numbers) -> None:
    assert found(runs, **query) == numbers
    assert found(runs, **query) == numbers  # now from the file


def test_what_a_line_says_is_what_the_record_says(runs: Path) -> None:
    for _ in range(2):  # made, and read from the file
        with RunIndex(runs) as index:
            lines = index.find()
        expected = [
            RunSummary.of(
                runs / f"{number:04}", read_record(runs / f"{number:04}/run.yaml")
            )
            for number in (1, 2, 3, 4)
        ]
        assert lines == expected
    assert lines[2].reasons == ("12 words are missing",)
    assert lines[3].comments == ("beam_off, Straße",)
    assert (lines[1].events, lines[1].bytes, lines[1].files) == (250, 4000, 1)
    assert lines[1].to_dict()["started"] == "2026-01-31T13:00:00+01:00"


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []

    def reading(path: Path):
        read.append(path)
        return read_record(path)

    monkeypatch.setattr(run_index, "read_record", reading)
    return read


def test_only_what_changed_is_read_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(runs) == [1, 2, 3, 4]
    read = count_reads(monkeypatch)
    before = (runs / INDEX_FILE).stat()
    assert found(runs) == [1, 2, 3, 4]
    assert (runs / INDEX_FILE).stat() == before
    assert read == []
    RunDirectory.open(runs / "0002").add_comment("new")
    shutil.rmtree(runs / "0003")
    taken(runs)
    with RunIndex(runs) as index:
        assert [run.number for run in index.find()] == [1, 2, 4, 5]
        assert index.refresh() == 0
        (runs / "0004/run.yaml").unlink()
        assert index.refresh() == 1
        assert [run.number for run in index.find()] == [1, 2, 5]
    assert [path.parent.name for path in read] == ["0002", "0005"]
    assert found(runs, texts=("new",)) == [2]


def damaged_files(content: bytes) -> list[bytes]:
    other = sqlite3.connect(":memory:")
    other.execute("CREATE TABLE runs (directory TEXT)")
    return [
        b"",
        b"no database",
        content[:-1],
        content[:5000],
        content + b"x",
        content.replace(b"Cs-137", b"Am-241"),
        other.serialize(),
        run_index._checked(other.serialize()),
        run_index._checked(content[:100]),
    ]


def test_an_index_that_is_no_good_is_made_anew(runs: Path) -> None:
    assert found(runs) == [1, 2, 3, 4]
    path = runs / INDEX_FILE
    good = path.read_bytes()
    for content in damaged_files(good):
        assert content != good
        path.write_bytes(content)
        assert found(runs, texts=("Cs-137",)) == [1, 3]
        assert found(runs, texts=("Am-241",)) == []
    path.unlink()
    path.mkdir()
    assert found(runs) == [1, 2, 3, 4]


@given(place=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_a_bit_that_fell_over_is_noticed(tmp_path_factory, place, bit) -> None:
    content = bytearray(run_index._checked(run_index._new().serialize()))
    content[place % len(content)] ^= 1 << bit
    path = tmp_path_factory.mktemp("index") / INDEX_FILE
    path.write_bytes(content)
    assert run_index._read(path) is None


def test_the_file_is_one_that_sqlite_reads(runs: Path) -> None:
    found(runs)
    database = sqlite3.connect(f"file:{runs / INDEX_FILE}?mode=ro", uri=True)
    rows = database.execute("SELECT number, title FROM runs ORDER BY number")
    assert rows.fetchone() == (1, "Cs-137 at 10 cm")
    database.close()


def test_a_directory_that_cannot_be_written_to(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(run_index, "new_file", refuse)
    assert found(runs, texts=("cs",)) == [1, 3]
    assert not (runs / INDEX_FILE).exists()


def test_programs_that_use_it_at_once(runs: Path) -> None:
    program = (
        "import sys; from pixie_pipe.storage import RunDirectory, RunIndex\n"
        "from pathlib import Path; parent = Path(sys.argv[1])\n"
        "for n in range(10):\n"
        "    RunDirectory.open(parent / '0001').add_comment(f'{sys.argv[2]}-{n}')\n"
        "    with RunIndex(parent) as index:\n"
        "        said = index.find()[0].comments\n"
        "        assert f'{sys.argv[2]}-{n}' in said, said\n"
    )
    command = [sys.executable, "-c", program, str(runs)]
    others = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [other.wait(60) for other in others] == [0, 0]
    with RunIndex(runs) as index:
        assert len(index.find()[0].comments) == 20
    assert not list(runs.glob("*.part"))


def test_a_record_that_cannot_be_read_is_told(runs: Path) -> None:
    text = (runs / "0002/run.yaml").read_text()
    (runs / "0002/run.yaml").write_text("number: [")
    with RunIndex(runs) as index:
        run = index.find()[1]
        assert (run.number, run.state) == (2, "damaged")
        assert "is not YAML" in run.reasons[0]
        (runs / "0002/run.yaml").write_text(text)
        index.refresh()
        assert index.find()[1].state == "complete"


def test_a_run_that_goes_on_is_looked_at(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    with RunIndex(tmp_path) as index, RawRecorder(run.raw) as recorder:
        assert index.find()[0].bytes == 0
        recorder.write("c0-s02", np.zeros(100, np.uint32))
        line = index.find(RunQuery(least_bytes=400, most_seconds=600))[0]
    assert (line.state, line.files, line.bytes) == ("running", 1, 400)
    assert line.seconds is not None
    assert 0 <= line.seconds < 600


def test_what_others_write_into_a_record_does_no_harm(tmp_path: Path) -> None:
    run = RunDirectory.create(
        tmp_path, configuration={"tasks": [3, {"name": 4}]}, modules=[{"name": "a"}]
    )
    run.finish(complete=True, balance={"events_written": "many"})
    with RunIndex(tmp_path) as index:
        line = index.find()[0]
    assert (line.tasks, line.modules, line.events) == ((), (), None)


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"there: has no runs to list: No such"):
        RunIndex(tmp_path / "there")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RunDirectoryError, match="has no runs to list: Not a directory"):
        RunIndex(os.fspath(file))
