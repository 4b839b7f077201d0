"""The private directory, and what is left when a pipeline is killed."""

# ruff: noqa: F811 - fixtures are imported, then asked for

from __future__ import annotations

import dataclasses
import os
import signal
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Error, Status, runtime_directory
from pixie_pipe.pipeline.runtime_directory import (
    PREFIX,
    make_runtime_directory,
    remove,
    remove_stale,
)
from pixie_pipe.storage import list_runs, repair
from pixie_pipe.storage._processes import ProcessIdentity, this_process
from tests.support.own_process_fixtures import (  # noqa: F401 - fixtures
    own_process,
    recorded,
    runs,
    runtime,
    script,
)
from tests.support.run_checks import check_raw, check_written

ENOUGH = 400_000
"""Bytes on the disk when a run surely goes on."""

RUN = """\
pipe = make_line(sys.argv[1])
pipe.start()
print("running", flush=True)
pipe.wait(quiet=True)
"""


@pytest.fixture
def parent(runtime, monkeypatch) -> Path:
    """Let private directories be made in an empty one."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return Path(runtime)


def test_it_is_closed_to_other_users(parent, make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect")
    before = os.umask(0)
    try:
        pipeline.connect()
    finally:
        os.umask(before)
    (path,) = parent.iterdir()
    assert path == pipeline.supervisor.directory
    assert path.name.startswith(PREFIX)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert path.stat().st_uid == os.getuid()
    assert any(stat.S_ISSOCK(item.stat().st_mode) for item in path.iterdir())
    pipeline.quit()
    assert not list(parent.iterdir())


def test_tcp_needs_no_socket_files(parent, make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect", transport="tcp")
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    (path,) = parent.iterdir()
    assert [item.name for item in path.iterdir()] == ["owner"]
    pipeline.quit()
    assert not list(parent.iterdir())


@pytest.mark.parametrize("end", ["quit", "kill", "error", "failed start", "lost task"])
def test_it_is_removed_at_any_end(parent, make_pipeline, end):
    pipeline = make_pipeline("LiveNumbers", "Fail", "Collect")
    pipeline.configure({"LiveNumbers": {"count": 0, "pause": 0.001}})
    where = "start" if end == "failed start" else "never"
    pipeline.configure({"Fail": {"where": where}})
    if end == "failed start":
        with pytest.raises(Error, match="told to fail"):
            pipeline.start()
    else:
        pipeline.start()
        if end == "lost task":
            pipeline.send_kill("Fail")
            pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    if end == "kill":
        pipeline.kill()
    elif end == "error":
        with pytest.raises(ZeroDivisionError), pipeline:
            raise ZeroDivisionError
    else:
        pipeline.quit()
    assert not list(parent.iterdir())


@pytest.mark.parametrize("value", ["", "/nowhere/at/all", "/tmp/" + 60 * "x"])
def test_where_there_is_no_directory_for_sockets_a_common_one_is_used(
    monkeypatch, value
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    path = make_runtime_directory()
    try:
        assert path.is_dir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert len(os.fsencode(path / "a_task_with_a_long_name.12.data")) < 107
    finally:
        remove(path)


# What others left


def left_by(parent: Path, monkeypatch, **changes: Any) -> Path:
    """Make a directory as if by another process."""
    known = {field.name for field in dataclasses.fields(ProcessIdentity)}
    identity = {name: changes[name] for name in known & changes.keys()}
    owner = dataclasses.replace(this_process(), **identity)
    with monkeypatch.context() as patch:
        patch.setattr(runtime_directory, "this_process", lambda: owner)
        if "host" in changes:
            patch.setattr(runtime_directory, "this_host", lambda: changes["host"])
        return make_runtime_directory()


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({}, True),  # this very process
        ({"pid": 2**22 + 1}, False),  # nobody has that number
        ({"start_ticks": 1}, False),  # another one had the number before
        ({"boot": "before"}, False),
        ({"boot": "other", "host": "elsewhere"}, True),  # a shared directory
        ({"namespace": "pid:[1]", "pid": 2**22 + 1}, True),  # another container
    ],
)
def test_what_is_left_is_removed_if_its_process_is_certainly_gone(
    parent, monkeypatch, changes, stays
):
    path = left_by(parent, monkeypatch, **changes)
    (path / "control").touch()
    remove_stale(parent)
    assert path.exists() == stays


def test_the_clock_does_not_matter(parent, monkeypatch):
    path = make_runtime_directory()
    later = psutil.boot_time() + 3600
    for module in ("psutil", "psutil._pslinux"):
        monkeypatch.setattr(f"{module}.boot_time", lambda: later)
    remove_stale(parent)
    assert path.exists()


def test_what_is_none_of_ours_is_left(parent, tmp_path):
    (parent / f"{PREFIX}being-made").mkdir()
    (parent / f"{PREFIX}file").touch()
    (parent / f"{PREFIX}other").mkdir()
    (parent / f"{PREFIX}other" / "owner").write_text("somebody")
    (tmp_path / "owner").write_text("4194305 1 before x y")
    (parent / f"{PREFIX}link").symlink_to(tmp_path)
    (parent / "unrelated").mkdir()
    before = sorted(parent.iterdir())
    remove_stale(parent)
    assert sorted(parent.iterdir()) == before
    assert (tmp_path / "owner").exists()


# Programs that end without saying so


@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("raise ValueError", 1)])
def test_a_program_that_forgets_to_quit_leaves_nothing(script, runs, end, code):
    process = script(
        f"pipe = make_line(sys.argv[1], events=2000)\npipe.start()\n"
        f"pipe.wait(quiet=True)\n{end}"
    )
    assert process.end() == code, process.err
    assert process.directories == []
    (run,) = list_runs(runs)
    assert run.state == "complete"


def test_a_program_that_ends_in_the_middle_of_a_run_completes_it(
    script, runs, recorded
):
    process = script("pipe = make_line(sys.argv[1])\npipe.start()\nprint('on')")
    assert process.end() == 0, process.err
    assert process.directories == []
    (run,) = list_runs(runs)
    assert run.state == "complete"
    assert len(check_raw(run)) == run.balance["events_written"]


def test_when_the_program_is_killed_its_tasks_leave_and_the_data_stay(
    script, runs, recorded, parent
):  # fmt: skip
    process = script(RUN)
    process.until(lambda: recorded() > ENOUGH)
    (directory,) = process.directories
    at_least = recorded()
    process.signal(signal.SIGKILL)
    process.end()
    assert len(process.seen) >= 6
    assert process.all_gone()
    # The tasks or the next one remove it.
    remove_stale(parent)
    assert not directory.exists()
    (run,) = list_runs(runs)
    assert run.state == "running"
    (run,) = repair(runs)
    assert run.state == "incomplete"
    assert run.reasons == ("the process that took it ended without closing it",)
    assert sum(file.bytes for file in run.files) >= at_least
    events = check_raw(run)
    assert check_written(run, events) <= len(events)
    assert repair(runs) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_when_all_processes_are_killed_the_next_start_tidies_up(
    script, runs, recorded, parent, make_pipeline, number
):  # fmt: skip
    process = script(RUN)
    process.until(lambda: recorded() > ENOUGH)
    at_least = recorded()
    process.signal_all(number)
    process.end()
    assert process.all_gone()
    (directory,) = process.directories
    pipeline = make_pipeline(runs=runs)
    pipeline.create_task("DummyData", events=100)
    pipeline.create_task("GatherData")
    pipeline.start()
    assert not directory.exists()
    assert pipeline.wait(60, quiet=True)
    first, second = list_runs(runs)
    assert first.state == "incomplete"
    assert first.reasons == ("the process that took it ended without closing it",)
    assert second.state == "complete"
    assert sum(file.bytes for file in first.files) >= at_least
    check_raw(first)


def test_a_run_that_goes_on_is_left_alone_by_another_pipeline(
    script, runs, recorded, parent, make_pipeline
):  # fmt: skip
    process = script(RUN)
    process.until(lambda: recorded() > ENOUGH)
    (directory,) = process.directories
    pipeline = make_pipeline(runs=runs)
    pipeline.create_task("DummyData", events=100)
    pipeline.create_task("GatherData")
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    pipeline.quit()
    assert directory.exists()
    assert [run.state for run in list_runs(runs)] == ["running", "complete"]
    process.signal(signal.SIGINT)
    assert process.end() == 0, process.err
    assert [run.state for run in list_runs(runs)] == ["complete", "complete"]
