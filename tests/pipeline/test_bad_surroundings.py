"""Ports that are taken, full disks, files that are not there, broken modules."""

# ruff: noqa: F811 - fixtures are imported, then asked for

from __future__ import annotations

import functools
import os
import resource
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.cli import main
from pixie_pipe.pipeline import Error, Status, Task, add_search_path, transitions
from pixie_pipe.pipeline.supervisor import Supervisor
from pixie_pipe.storage import RunDirectory, RunDirectoryError, list_runs, repair
from tests.storage.runs import some_events, written
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


@pytest.fixture
def line(make_pipeline, runs, recorded):
    """Return a function that starts the usual line, and waits until it records."""

    def line(**source):
        pipeline = make_pipeline(runs=runs)
        pipeline.create_task("DummyData", **{"rate_hz": 200_000, **source})
        for name in ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents"):
            pipeline.create_task(name)
        pipeline.create_task("FillHistograms", after="SortEvents", snapshot_s=0.1)
        pipeline.start()
        pipeline.until(lambda: recorded() > ENOUGH)
        return pipeline

    return line


def limit_files(pipeline, name: str, size: int) -> None:
    """Let no file of a task grow beyond a size: for it, the disk is full."""
    pid = pipeline.supervisor.records[name].task.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))


def only_run(runs) -> RunDirectory:
    (run,) = list_runs(runs)
    return run


# Disks


def test_a_full_disk_for_raw_files_fails_the_run_and_all_before_is_readable(line, runs):
    pipeline = line()
    limit_files(pipeline, "GatherData", 1_000_001)
    with pytest.raises(Error, match=r"GatherData failed: RecordingError: .*too large"):
        pipeline.wait(60, quiet=True)
    assert pipeline.state is Status.PANICKING
    run = only_run(runs)
    (file,) = run.files
    assert file.bytes == 1_000_000  # the last whole word
    assert file.sha256
    assert run.state == "incomplete"
    assert any(str(run.raw / file.name) in reason for reason in run.reasons)
    assert run.balance["words_recorded"] == file.words < run.balance["words_read"]
    check_written(run, check_raw(run))


def test_a_full_disk_for_events_fails_the_run_and_all_words_are_recorded(line, runs):
    pipeline = line()
    limit_files(pipeline, "WriteEvents", 100_000)
    with pytest.raises(
        Error,
        match=r"WriteEvents failed: OutputFailedError: .*too large.*pixie-pipe replay",
    ):
        pipeline.wait(60, quiet=True)
    run = only_run(runs)
    assert run.state == "incomplete"
    assert any(reason.startswith("WriteEvents failed") for reason in run.reasons)
    events = check_raw(run)
    assert sum(file.words for file in run.files) == run.balance["words_read"]
    assert run.balance["words_recorded"] == run.balance["words_read"]
    assert len(events) == run.balance["events_decoded"]
    assert not (run.path / "events.h5").exists()
    check_written(run, events)


def test_a_full_disk_for_a_tap_degrades_the_run_only(line, runs):
    pipeline = line()
    limit_files(pipeline, "FillHistograms", 1000)
    pipeline.until(lambda: any(name == "FillHistograms" for name, _ in pipeline.errors))
    pipeline.stop()
    run = only_run(runs)
    assert run.state == "complete"
    assert "FillHistograms failed" in run.record.notes
    events = check_raw(run)
    assert check_written(run, events) == len(events)


def test_a_directory_of_runs_that_vanishes_fails_the_run_with_the_place(line, runs):
    pipeline = line()
    shutil.rmtree(runs)
    pipeline.stop()
    assert not pipeline.balance().closes
    told = {name: str(error) for name, error in pipeline.errors}
    assert f"{runs / '0001' / 'raw'}" in told["GatherData"]
    assert f"the record of the run was not written: {runs / '0001'}" in told[""]
    assert pipeline.state is Status.WAITING
    # The next one has a directory again.
    pipeline.start()
    pipeline.stop()
    assert only_run(runs).state == "complete"


def test_a_record_that_cannot_be_written_is_told_and_repaired_later(
    script, runs, recorded
):  # fmt: skip
    process = script(
        "import resource\n"
        "pipe = make_line(sys.argv[1], events=20_000)\n"
        "pipe.start()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    pipe.wait(quiet=True)\n"
        "except RuntimeError as error:\n"
        "    print(str(error)[:200], flush=True)\n"
        "pipe.quit()\n"
    )
    assert process.end() == 0, process.err
    assert "the record of the run was not written: " in process.out
    assert str(runs / "0001") in process.out
    assert process.directories == []
    (run,) = repair(runs)
    assert run.state == "incomplete"
    assert len(check_raw(run)) == 20_000


def test_a_file_in_place_of_the_directory_of_runs(make_pipeline, runs):
    runs.write_text("not a directory")
    pipeline = make_pipeline(runs=runs)
    pipeline.create_task("DummyData", events=100)
    pipeline.create_task("GatherData")
    with pytest.raises(RunDirectoryError) as caught:
        pipeline.start()
    assert str(caught.value).startswith(f"{runs}: runs cannot be kept here: ")
    assert pipeline.state is Status.WAITING
    # It works as soon as there is room.
    runs.unlink()
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    assert only_run(runs).state == "complete"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_directory_of_runs_that_cannot_be_written(make_pipeline, runs):
    runs.mkdir(mode=0o500)
    pipeline = make_pipeline("Numbers", "Collect", runs=runs)
    with pytest.raises(RunDirectoryError, match="runs cannot be kept here: Permission"):
        pipeline.start()


# Inputs


@pytest.fixture
def replay(make_pipeline, tmp_path):
    """Return a function that makes a line that reads files."""

    def replay(*names):
        pipeline = make_pipeline(runs=tmp_path / "replays")
        files = [str(tmp_path / name) for name in names]
        pipeline.create_task("LoadFiles", files=files, frequency=500, revision=34688)
        for name in ("GatherData", "ConvertToEvents", "SortEvents", "WriteEvents"):
            pipeline.create_task(name)
        return pipeline

    return replay


@pytest.mark.parametrize("names", [["absent.bin"], ["a.bin", "b.bin"], ["*.raw"]])
def test_an_input_that_is_missing_is_named_before_any_data_flow(
    replay, tmp_path, names
):
    written(tmp_path / "a.bin", some_events(100))
    pipeline = replay(*names)
    with pytest.raises(Error, match="LoadFiles") as caught:
        pipeline.start()
    assert str(tmp_path / names[-1]) in str(caught.value)
    assert pipeline.state is Status.WAITING
    run = only_run(tmp_path / "replays")
    assert run.state == "incomplete"
    assert run.reasons[0].startswith("did not start: ")
    assert str(tmp_path / names[-1]) in run.reasons[0]


def test_an_empty_input_is_a_complete_run_without_events(replay, tmp_path):
    (tmp_path / "empty.bin").touch()
    pipeline = replay("empty.bin")
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    run = only_run(tmp_path / "replays")
    assert run.state == "complete"
    assert run.balance["words_read"] == run.balance["events_written"] == 0
    assert [source.size for source in run.record.inputs] == [0]


# Ports


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_is_taken_is_told_with_the_task(
    make_pipeline, monkeypatch, taken_port
):
    address = Supervisor._address

    def _address(self, name):
        if name.startswith("Collect."):
            return f"tcp://127.0.0.1:{taken_port}"
        return address(self, name)

    monkeypatch.setattr(Supervisor, "_address", _address)
    pipeline = make_pipeline("Numbers", "Collect", transport="tcp")
    with pytest.raises(
        Error,
        match=r"do not respond: Collect \(ended with exit code 1: Error: cannot bind",
    ):
        pipeline.start()
    monkeypatch.undo()
    pipeline.start()
    assert pipeline.wait(60, quiet=True)


# Processes

# Works once: in the process of the pipeline.
BROKEN_BELOW = """\
from pathlib import Path
from pixie_pipe.pipeline import Task

seen = Path(__file__).with_suffix(".seen")
if seen.exists():
    {what}
seen.touch()


class BrokenBelow(Task):
    def do_work(self, datum):
        return datum
"""


@pytest.mark.parametrize(
    ("what", "code", "text"),
    [
        ("import nothing_of_this_name", 1, "No module named 'nothing_of_this_name'"),
        ("import os; os._exit(7)", 7, ""),
    ],
)
def test_a_module_that_cannot_be_imported_in_the_process_of_its_task_is_told(
    own_process, tmp_path, what, code, text
):  # fmt: skip
    (tmp_path / "broken_below.py").write_text(BROKEN_BELOW.format(what=what))
    config = tmp_path / "a.yaml"
    config.write_text(
        "task_path: [.]\n"
        "tasks: [{task: DummyData}, {task: BrokenBelow}, {task: GatherData}]\n"
    )
    process = own_process("-m", "pixie_pipe", "run", config)
    assert process.end() == 1
    assert f"do not respond: BrokenBelow (ended with exit code {code}" in process.err
    assert text in process.err
    assert process.all_gone()
    assert process.directories == []


def test_a_file_that_vanishes_after_it_was_imported_is_told(make_pipeline, tmp_path):
    path = tmp_path / "gone_soon.py"
    path.write_text(BROKEN_BELOW.format(what="pass").replace("BrokenBelow", "GoneSoon"))
    add_search_path([tmp_path])
    pipeline = make_pipeline("Numbers", "GoneSoon", "Collect")
    path.unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    try:
        with pytest.raises(Error, match=r"do not respond: GoneSoon \(ended with exit"):
            pipeline.start()
    finally:
        import pixie_pipe.tasks

        pixie_pipe.tasks.__path__.remove(str(tmp_path))
        del Task.class_registry["GoneSoon"]


def test_a_task_may_say_hello_before_its_start_has_returned(make_pipeline, monkeypatch):
    start = Task.start

    def slow_start(self):
        start(self)
        time.sleep(0.5)

    monkeypatch.setattr(Task, "start", slow_start)
    monkeypatch.setattr(transitions, "READY_SECONDS", 20)
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.start()
    assert pipeline.wait(60, quiet=True)


def test_the_command_line_tells_what_is_wrong_with_its_directory(tmp_path, capsys):
    (tmp_path / "runs").touch()
    config = tmp_path / "a.yaml"
    config.write_text("tasks: [{task: DummyData, events: 10}, {task: GatherData}]\n")
    assert main(["run", str(config), "--runs", str(tmp_path / "runs"), "-q"]) == 1
    assert f"{tmp_path / 'runs'}: runs cannot be kept here: " in capsys.readouterr().err
    assert Path(tmp_path / "runs").is_file()


def test_a_program_that_starts_a_pipeline_on_being_imported(tmp_path):
    program = tmp_path / "acquire.py"
    lines = """
from pixie_pipe.pipeline import Pipeline

with Pipeline() as pipe:
    pipe.create_task("DummyData", runtime_s=0.2)
    pipe.create_task("GatherData")
    pipe.start()
    pipe.wait(quiet=True)
"""
    program.write_text(lines)
    run = functools.partial(subprocess.run, capture_output=True, text=True, timeout=100)
    failed = run([sys.executable, str(program)], check=False)
    assert failed.returncode == 1
    assert failed.stderr.count("Traceback") == 1
    assert f"each process imports {program}, which starts a pipeline" in failed.stderr
    head, _, body = lines.partition("\n\n")
    guarded = textwrap.indent(body, "    ")
    program.write_text(f'{head}\n\nif __name__ == "__main__":\n{guarded}')
    assert run([sys.executable, str(program)], check=False).returncode == 0
