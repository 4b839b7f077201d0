"""Runs on disk: numbers, records and snapshots."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pixie_pipe.storage import (
    DataWarning,
    PlainDataError,
    RecordedFile,
    RunDirectory,
    RunDirectoryError,
    RunRecord,
    RunRecordError,
    SourceFile,
    list_runs,
    next_number,
    run_record,
)
from pixie_pipe.storage._plain import printable_text
from pixie_pipe.storage._processes import ProcessIdentity
from pixie_pipe.storage.run_record import read_record, write_record

FILES = (
    RecordedFile("c0-s02-0000.bin", "c0-s02", 10, 40, "ab" * 32, 0),
    RecordedFile("c0-s02-0001.bin", "c0-s02", 5, 23, "", 10),
)


def names(path: Path) -> list[str]:
    return sorted(item.name for item in path.iterdir())


def test_a_new_run(tmp_path: Path) -> None:
    run = RunDirectory.create(
        tmp_path / "data" / "runs",
        title="Cs-137",
        configuration={"modules": [{"slot": 2}], "gain": {3: None}},
        modules=[{"crate": 0, "slot": 2}],
        inputs=[SourceFile(Path("old.bin"), 12, "cd" * 32)],
        notes="first light",
    )
    assert run.path == tmp_path / "data" / "runs" / "0001"
    assert (run.number, run.title, run.state) == (1, "Cs-137", "running")
    assert names(run.path) == [".reserve", "raw", "run.yaml"]
    assert run.raw == run.path / "raw"
    assert run.started.tzinfo is not None
    assert abs(run.started - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert run.record.process.pid == os.getpid()
    assert run.record.configuration == {
        "modules": [{"slot": 2}],
        "gain": {3: None},
    }
    assert "numpy" in run.record.versions
    assert RunDirectory.open(run.path).record == run.record


def test_the_file_in_order_for_people(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, title="Grüße")
    run.finish(complete=True, files=FILES)
    text = (run.path / "run.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Written by pixie_pipe; docs/runs.md says")
    assert "title: Grüße\n" in text
    expected = ["format", "format_version"]
    expected += [field.name for field in dataclasses.fields(RunRecord)]
    assert re.findall(r"^(\w+):", text, re.MULTILINE) == expected
    page = Path(__file__).parents[2] / "docs" / "runs.md"
    keys = re.findall(r"^\| `(\w+)` ", page.read_text(), re.MULTILINE)
    assert keys == expected
    values = yaml.safe_load(text)
    assert (values["format"], values["format_version"]) == ("pixie_pipe run", 1)
    assert [file["words"] for file in values["files"]] == [10, 5]
    assert [file["trailing_bytes"] for file in values["files"]] == [0, 3]
    assert values["started"] == run.started.isoformat()


def test_changes_until_the_end(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    run.update(title="new", balance={"c0-s02": {"read": np.int64(15)}})
    assert RunDirectory.open(run.path).record == run.record
    assert (run.title, run.balance) == ("new", {"c0-s02": {"read": 15}})
    run.finish(
        complete=False,
        reasons=["12 words are missing"],
        files=FILES,
        outputs=["events.h5"],
        exit_status=3,
    )
    assert (run.state, run.reasons) == ("incomplete", ("12 words are missing",))
    assert run.stopped is not None
    assert run.stopped >= run.started
    assert run.files == FILES
    assert run.record.outputs == ("events.h5",)
    assert run.record.exit_status == 3
    assert run.title == "new"
    before = (run.path / "run.yaml").read_bytes()
    for change in (
        lambda: run.update(title="newer"),
        lambda: run.finish(complete=True),
        lambda: run.write_snapshot("settings-stop", {}),
    ):
        with pytest.raises(RunDirectoryError, match="the run is incomplete and is not"):
            change()
    assert (run.path / "run.yaml").read_bytes() == before
    assert RunDirectory.open(run.path).record == run.record
    assert names(run.path) == ["raw", "run.yaml"]


def test_a_run_that_was_opened_is_not_changed(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    opened = RunDirectory.open(run.path)
    with pytest.raises(RunDirectoryError, match=f"process {os.getpid()} on "):
        opened.update(title="other")
    with pytest.raises(RunDirectoryError, match="was opened for reading"):
        opened.finish(complete=True)
    assert RunDirectory.open(run.path).record == run.record


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"complete": True, "reasons": ["x"]}, r"given the reasons \['x'\]"),
        ({"complete": False}, "given no reason, expected at least one"),
        ({"complete": False, "reasons": "x"}, "reasons is 'x', expected a list"),
        ({"complete": True, "number": 3}, "'number' cannot be changed, expected one"),
        ({"complete": True, "colour": 3}, "'colour' cannot be changed, expected one"),
        ({"complete": True, "outputs": "x"}, "'outputs' holds 'x', expected a list"),
        ({"complete": True, "title": 3}, "key 'title' holds 3, expected a text"),
        ({"complete": True, "exit_status": "0"}, "expected a whole number"),
    ],
)
def test_ends_that_are_refused(tmp_path: Path, arguments, text) -> None:
    run = RunDirectory.create(tmp_path)
    with pytest.raises(RunRecordError, match=text):
        run.finish(**arguments)
    assert run.state == "running"
    assert RunDirectory.open(run.path).record == run.record
    run.finish(complete=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, object()]}, r"configuration\.a\[1\] is a object, which a text file"),
        ({"a": {None: 1}}, r"configuration\.a has the key None, expected texts"),
        ({"a": {True: 1}}, "has the key True"),
        ({"a": {1: 1, "1": 2}}, "two keys that are the same text"),
        ({"a": b"x"}, r"configuration\.a is a bytes"),
    ],
)
def test_what_is_not_plain_takes_no_number(tmp_path: Path, value, text) -> None:
    with pytest.raises(PlainDataError, match=text):
        RunDirectory.create(tmp_path, configuration=value)
    assert names(tmp_path) == []


class _Colour(enum.StrEnum):
    RED = "red"


def test_what_becomes_plain(tmp_path: Path) -> None:
    values: dict[Any, Any] = {
        np.int64(1): np.float32(0.5),
        "array": np.arange(3, dtype=np.uint16),
        "path": Path("a") / "b",
        "day": dt.date(2026, 1, 31),
        "enum": _Colour.RED,
        "flag": np.True_,
        "tuple": (1, 2),
    }
    run = RunDirectory.create(tmp_path, configuration=values)
    assert RunDirectory.open(run.path).record.configuration == {
        1: 0.5,
        "array": [0, 1, 2],
        "path": "a/b",
        "day": "2026-01-31",
        "enum": "red",
        "flag": True,
        "tuple": [1, 2],
    }


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=20),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(st.text(max_size=8), values, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("prefix", ["C", ""])
@given(title=st.text(st.characters()), configuration=st.dictionaries(st.text(), PLAIN))
@example(title="=", configuration={"=": "=", "<<": "<<", "no": "012", "": "1:30"})
@example(title="2026-01-31", configuration={"a": "~", "b": "1e3", "c": "!x &y *z"})
@example(title="\ud800", configuration={"\udfff": "\x85\u2028\ufeff\0\x7f"})
def test_records_come_back_from_the_disk(prefix, title, configuration) -> None:
    record = RunRecord(
        number=7,
        title=title,
        state="incomplete",
        reasons=(title, "x"),
        started=dt.datetime(2026, 1, 31, 12, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        stopped=dt.datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=dt.UTC),
        host=title,
        process=ProcessIdentity(1, 2, "x", title),
        versions={"numpy": "2.0"},
        configuration=configuration,
        modules=(configuration,),
        balance={"balance": configuration},
        files=FILES,
        outputs=(title,),
        inputs=(SourceFile(Path("a.bin"), 3),),
        notes=title,
    )
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_record, "_Loader", getattr(yaml, f"{prefix}SafeLoader"))
        patch.setattr(run_record, "_Dumper", getattr(yaml, f"{prefix}SafeDumper"))
        write_record(Path(name) / "run.yaml", record)
        read = read_record(Path(name) / "run.yaml")
    assert read == RunRecord.from_dict(record.to_dict())
    assert read.title == read.reasons[0] == printable_text(title)
    assert read.configuration == read.modules[0] == printable_all(configuration)
    assert (read.started, read.stopped) == (record.started, record.stopped)
    assert read.started.utcoffset() == dt.timedelta(hours=1)
    assert (read.files, read.inputs) == (record.files, record.inputs)


def printable_all(value: Any) -> Any:
    match value:
        case str():
            return printable_text(value)
        case dict():
            return {printable_text(k): printable_all(v) for k, v in value.items()}
        case list():
            return [printable_all(item) for item in value]
    return value


def test_numbers_go_up_and_are_not_used_again(tmp_path: Path) -> None:
    assert next_number(tmp_path / "absent") == 1
    assert [RunDirectory.create(tmp_path).number for _ in range(3)] == [1, 2, 3]
    shutil.rmtree(tmp_path / "0003")
    assert next_number(tmp_path) == 4
    assert RunDirectory.create(tmp_path).number == 4


@pytest.mark.parametrize("content", [b"", b"x\n", b"-3", b"\xff\0", b"9" * 5000, None])
def test_a_damaged_or_missing_last_number(tmp_path: Path, content) -> None:
    for _ in range(2):
        RunDirectory.create(tmp_path)
    shutil.rmtree(tmp_path / "0001")
    if content is None:
        (tmp_path / ".last_number").unlink()
    else:
        (tmp_path / ".last_number").write_bytes(content)
    assert RunDirectory.create(tmp_path).number == 3
    assert (tmp_path / ".last_number").read_text() == "3\n"


def test_more_than_four_digits(tmp_path: Path) -> None:
    (tmp_path / ".last_number").write_text("9998")
    runs = [RunDirectory.create(tmp_path) for _ in range(3)]
    assert [run.path.name for run in runs] == ["9999", "10000", "10001"]
    assert [run.number for run in list_runs(tmp_path)] == [9999, 10000, 10001]


def test_what_is_in_the_way_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "0001").touch()
    (tmp_path / "0002").mkdir()
    (tmp_path / "0003").symlink_to("nowhere")
    (tmp_path / "20260131").mkdir()
    assert next_number(tmp_path) == 4
    assert RunDirectory.create(tmp_path).number == 4
    assert [run.number for run in list_runs(tmp_path)] == [4]


def test_processes_that_race_get_different_numbers(tmp_path: Path) -> None:
    program = f"""
        import sys
        from pixie_pipe.storage import RunDirectory
        sys.stdin.readline()
        for _ in range(15):
            print(RunDirectory.create({str(tmp_path / "runs")!r}).number, flush=True)
        sys.stdin.readline()
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = []
    for process in processes:
        assert process.stdout is not None
        taken += [int(process.stdout.readline()) for _ in range(15)]
    runs = list_runs(tmp_path / "runs")
    for process in processes:
        assert process.communicate("end\n", timeout=60)
        assert process.returncode == 0
    assert sorted(taken) == list(range(1, 61))
    assert [run.number for run in runs] == list(range(1, 61))
    assert {run.state for run in runs} == {"running"}
    assert (tmp_path / "runs" / ".last_number").read_text() == "60\n"


def test_without_locks_the_directory_decides(tmp_path: Path, monkeypatch) -> None:
    from pixie_pipe.storage import _run_numbers

    def no_locks(*_arguments):
        raise OSError(37, "No locks available")

    def stale(parent: Path) -> int:
        # Another process takes two numbers between the look and the leap.
        for number in (1, 2):
            (parent / f"{number:04d}").mkdir()
        (parent / ".last_number").write_text("7\n")
        return 1

    monkeypatch.setattr("fcntl.flock", no_locks)
    monkeypatch.setattr(_run_numbers, "next_number", stale)
    assert RunDirectory.create(tmp_path).number == 3
    assert (tmp_path / ".last_number").read_text() == "7\n"


def test_a_place_where_no_run_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "file/runs"):
        with pytest.raises(
            RunDirectoryError, match=f"{name}: runs cannot be kept here"
        ):
            RunDirectory.create(tmp_path / name)
        with pytest.raises(RunDirectoryError, match="has no runs to list: Not a dir"):
            list_runs(tmp_path / name)
    with pytest.raises(RunDirectoryError, match="has no runs to list: No such file"):
        list_runs(tmp_path / "absent")


def test_a_full_disk_leaves_no_half_of_a_run(tmp_path: Path, monkeypatch) -> None:
    write_text, written, room = Path.write_text, 0, 0

    def full(path: Path, text: str, **options) -> int:
        nonlocal written
        written += 1
        if written > room:
            raise OSError(28, "No space left on device")
        return write_text(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    for limit, place in enumerate(("runs cannot be kept", "the run cannot be begun")):
        written, room = 0, limit
        with pytest.raises(RunDirectoryError, match=f"{place}.*: No space left on dev"):
            RunDirectory.create(tmp_path)
        assert [name for name in names(tmp_path) if name != ".last_number"] == []
    room = 10**6
    run = RunDirectory.create(tmp_path)
    before = (run.path / "run.yaml").read_bytes()
    room = 0
    for change in (
        lambda: run.update(title="new"),
        lambda: run.finish(complete=True),
        lambda: run.write_snapshot("a", {}),
    ):
        with pytest.raises(
            RunDirectoryError, match=r"cannot be written: No space left"
        ):
            change()
    assert (run.title, run.state) == ("", "running")
    assert (run.path / "run.yaml").read_bytes() == before
    assert names(run.path) == ["raw", "run.yaml"]


def test_snapshots(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    values = {"c0-s02": {"live": np.arange(2.0), "real": float("nan"), 3: "µ"}}
    path = run.write_snapshot("statistics-start", values)
    assert path == run.path / "statistics-start.json"
    plain = {"c0-s02": {"live": [0.0, 1.0], "real": None, "3": "µ"}}
    assert json.loads(path.read_text(encoding="utf-8")) == plain
    for name in ("statistics-start", "statistics-start.json"):
        with pytest.raises(
            RunDirectoryError, match=r"start\.json: exists already, and"
        ):
            run.write_snapshot(name, {})
    assert json.loads(path.read_text(encoding="utf-8")) == plain
    for name in ("", "../x", "a/b", ".x", ".json"):
        with pytest.raises(RunDirectoryError, match="cannot name a snapshot"):
            run.write_snapshot(name, {})
    with pytest.raises(PlainDataError, match=r"x\.a is a set"):
        run.write_snapshot("x", {"a": {1}})
    assert names(run.path) == [".reserve", "raw", "run.yaml", "statistics-start.json"]


def edited(run: RunDirectory, old: str, new: str) -> Path:
    path = run.path / "run.yaml"
    text, count = re.subn(old, new, path.read_text(), count=1, flags=re.MULTILINE)
    assert count
    path.write_text(text)
    return run.path


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("^format: .*", "format: other", "'format' is 'other', expected 'pixie_pipe r"),
        (
            "^format_version: 1",
            "format_version: 2",
            "is 2, and this pixie_pipe knows 1",
        ),
        ("^number: .*\n", "", "key 'number' is missing"),
        ("^number: .*", "number: true", "'number' holds True, expected a whole number"),
        ("^number: .*", "number: -1", "'number' holds -1, expected a number not below"),
        ("^state: .*", "state: done", "'state' holds 'done', expected 'running' or 'c"),
        (
            "^started: .*",
            "started: 2026-01-31 12:00:00",
            "expected a time with its off",
        ),
        ("^started: .*", "started: now", "'started' holds 'now', expected a time"),
        ("^reasons: .*", "reasons: {a: 1}", "'reasons' holds keys, expected a list"),
        ("^reasons: .*", "reasons: [1]", r"'reasons\[0\]' holds 1, expected a text"),
        ("^process: {pid", "process: {id", r"'process\.pid' is missing"),
        ("^balance: .*", "balance: []", "'balance' holds a list, expected keys and v"),
        ("^files: .*", "files: [{name: a}]", r"key 'files\[0\]\.stream' is missing"),
        ("^title: .*", "title:", "'title' holds nothing, expected a text"),
        (
            "^versions: {",
            "versions: {a: 2, ",
            r"'versions\.a' holds 2, expected a text",
        ),
        ("^title: .*", "title: [", r"run\.yaml:\d+: is not YAML: "),
        ("^title: .*", "title: 2026-13-01", r"run\.yaml: is not YAML: month must be"),
        (
            "^title: .*",
            "title: !!python/object:x {}",
            r"run\.yaml:5: is not YAML: could",
        ),
        (r"\A(?:.|\n)*", "text", r"holds 'text', expected the keys of a run"),
        (r"\A(?:.|\n)*", "", "holds nothing, expected the keys of a run"),
    ],
)
def test_records_that_cannot_be_read(tmp_path: Path, old, new, text) -> None:
    run = RunDirectory.create(tmp_path)
    path = edited(run, old, new)
    with pytest.raises(RunRecordError, match=text) as caught:
        RunDirectory.open(path)
    assert str(caught.value).startswith(f"{path}/run.yaml")
    with pytest.warns(DataWarning, match="run left out: "):
        assert list_runs(tmp_path) == []


def test_places_that_hold_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunRecordError, match="is no directory of a run: there is no r"):
        RunDirectory.open(tmp_path)
    (tmp_path / "run.yaml").write_bytes(b"\xff\xff")
    with pytest.raises(RunRecordError, match=r"run\.yaml: cannot be read: "):
        RunDirectory.open(tmp_path)


def test_what_an_editor_does_to_times_is_read(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    path = edited(run, "^started: .*", "started: 2026-01-31T12:00:00+01:00")
    started = RunDirectory.open(path).started
    assert started == dt.datetime(2026, 1, 31, 11, tzinfo=dt.UTC)


def test_at_the_prompt_and_in_a_notebook(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, title="<b>&")
    assert repr(run) == (
        f"RunDirectory('{tmp_path}/0001', '<b>&', running, 0 raw files, 0 words)"
    )
    run.finish(complete=False, reasons=["<lost>", "late"], files=FILES)
    html = run._repr_html_()
    for text in ("&lt;b&gt;&amp;", "&lt;lost&gt;; late", ">15<", "incomplete"):
        assert text in html
    assert "<b>" not in html


def test_room_for_the_end_of_a_run_is_kept_until_then(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    reserve = run.path / ".reserve"
    assert reserve.stat().st_blocks * 512 >= 1 << 20
    run.update(title="still running")
    assert reserve.exists()
    run.use_reserve()
    assert not reserve.exists()
    run.finish(complete=True)
    assert names(run.path) == ["raw", "run.yaml"]


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSPC])
def test_a_file_system_that_keeps_no_room(tmp_path: Path, monkeypatch, code) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    if code == errno.ENOSPC:
        with pytest.raises(RunDirectoryError, match="cannot be begun: No space left"):
            RunDirectory.create(tmp_path)
        return
    run = RunDirectory.create(tmp_path)
    run.finish(complete=True)
    assert names(run.path) == ["raw", "run.yaml"]
