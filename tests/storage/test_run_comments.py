"""Comments: anybody adds them at any time, and none gets lost."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixie_pipe.storage import RunDirectory, RunDirectoryError, RunRecordError
from pixie_pipe.storage import run_record as records
from pixie_pipe.storage.run_record import RunPause


def texts(path: Path) -> list[str]:
    return [comment.text for comment in RunDirectory.open(path).record.comments]


def test_a_comment_is_added_and_nothing_else_is_changed(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, title="Cs-137")
    run.finish(complete=True)
    before = run.record
    for text in ("beam was off", "  gain of channel 3 changed\n"):
        comment = RunDirectory.open(run.path).add_comment(text)
        assert abs(comment.time - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    after = RunDirectory.open(run.path).record
    assert texts(run.path) == ["beam was off", "gain of channel 3 changed"]
    changed = [
        name
        for name in before.__slots__
        if getattr(before, name) != getattr(after, name)
    ]
    assert changed == ["comments"]


def test_the_process_that_takes_the_run_keeps_what_others_added(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    other = RunDirectory.open(run.path)
    other.add_comment("first")
    run.update(title="new")
    run.add_comment("second")
    other.add_comment("third")
    run.finish(complete=True)
    assert texts(run.path) == ["first", "second", "third"]
    assert RunDirectory.open(run.path).title == "new"


def test_programs_that_add_at_once_lose_none(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    program = (
        "import sys; from pixie_pipe.storage import RunDirectory\n"
        "for n in range(15): RunDirectory.open(sys.argv[1]).add_comment(str(n))"
    )
    command = [sys.executable, "-c", program, str(run.path)]
    others = [subprocess.Popen(command) for _ in range(3)]
    for number in range(10):
        run.update(title=str(number))
    assert [other.wait(60) for other in others] == [0, 0, 0]
    assert sorted(texts(run.path)) == sorted(map(str, [*range(15)] * 3))


def test_who_is_stuck_with_the_lock_does_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path)
    descriptor = os.open(run.path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    monkeypatch.setattr(records, "_LOCK_SECONDS", 0.05)
    try:
        run.finish(complete=True)
    finally:
        os.close(descriptor)
    assert RunDirectory.open(run.path).state == "complete"


def test_what_is_no_comment_is_refused(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    with pytest.raises(RunRecordError, match="the comment is empty"):
        run.add_comment(" \n")
    with pytest.raises(RunRecordError, match="'comments' cannot be changed"):
        run.update(comments=())
    shutil.rmtree(run.path)
    with pytest.raises(RunDirectoryError, match=r"run\.yaml: cannot be written: No "):
        run.add_comment("x")


def test_a_record_without_the_later_keys_is_read(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    begun = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    run.update(pauses=[RunPause(begun), RunPause(begun, begun)])
    assert RunDirectory.open(run.path).record.pauses == (
        RunPause(begun),
        RunPause(begun, begun),
    )
    run.finish(complete=True, ended_by="sources")
    path = run.path / "run.yaml"
    text = path.read_text()
    path.write_text(text[: re.search("^comments:", text, re.MULTILINE).start()])  # type: ignore[union-attr]
    record = RunDirectory.open(run.path).record
    assert (record.comments, record.pauses, record.ended_by) == ((), (), "")
    path.write_text(text.replace("ended_by: sources", "ended_by: 3"))
    with pytest.raises(RunRecordError, match="'ended_by' holds 3, expected a text"):
        RunDirectory.open(run.path)
