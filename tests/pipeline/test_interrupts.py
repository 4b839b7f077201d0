"""Ctrl-C and SIGTERM: once ends the run in order, twice at once, nothing is left.

A terminal sends Ctrl-C to all processes of a program. The tests do, too.
"""

# ruff: noqa: F811 - fixtures are imported, then asked for

from __future__ import annotations

import json
import signal

import pytest

from pixie_pipe.storage import list_runs, repair
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

# One that does not end when its data do.
DEAF = """\
import time
from pixie_pipe.pipeline import Task


class DeafThing(Task):
    def do_work(self, datum):
        time.sleep(1000)
"""

CONFIG = """\
run: {{directory: {runs}}}
task_path: [{tasks}]
tasks:
  - {{task: DummyData, rate_hz: 200000}}
  - {{task: GatherData}}
  - {{task: ConvertToEvents}}
  - {{task: SortEvents}}
  - {{task: WriteEvents}}
"""


@pytest.fixture
def command(own_process, tmp_path, runs):
    """Return a function that runs a configuration from the command line."""

    def command(more: str = ""):
        tasks = tmp_path / "tasks"
        tasks.mkdir()
        (tasks / "deaf_thing.py").write_text(DEAF)
        path = tmp_path / "a.yaml"
        path.write_text(CONFIG.format(runs=runs, tasks=tasks) + more)
        return own_process("-m", "pixie_pipe", "run", path, "--json")

    return command


def check_nothing_is_left(process) -> None:
    assert process.all_gone()
    assert process.directories == []


def test_once_at_the_command_line_everything_is_worked_off(command, runs, recorded):
    process = command()
    process.until(lambda: recorded() > ENOUGH)
    process.signal_all(signal.SIGINT)
    assert process.end() == 130, process.err
    check_nothing_is_left(process)
    summary = json.loads(process.out)
    assert summary["complete"]
    assert summary["interrupted"]
    balance = summary["balance"]
    assert balance["closes"]
    assert (
        balance["words_read"] == balance["words_recorded"] == balance["words_decoded"]
    )
    (run,) = list_runs(runs)
    assert run.state == "complete"
    events = check_raw(run)
    assert check_written(run, events) == len(events) == balance["events_written"]
    assert sum(file.words for file in run.files) == balance["words_read"]


def test_twice_at_the_command_line_kills(command, runs, recorded):
    process = command("  - {task: DeafThing, from: SortEvents}\n")
    process.until(lambda: recorded() > ENOUGH)
    process.signal_all(signal.SIGINT)
    process.until(lambda: "once more kills" in process.err)
    process.signal_all(signal.SIGINT)
    assert process.end() == 130, process.err
    check_nothing_is_left(process)
    summary = json.loads(process.out)
    assert not summary["complete"]
    assert "the pipeline was killed" in summary["reasons"]
    (run,) = list_runs(runs)
    assert run.state == "incomplete"
    assert "the pipeline was killed" in run.reasons
    # The task that could tell the files was killed; they are known nevertheless.
    assert sum(file.bytes for file in run.files) == recorded() >= ENOUGH
    check_raw(run)


def test_sigterm_to_all_processes_leaves_an_incomplete_run_with_reasons(
    command, runs, recorded
):  # fmt: skip
    process = command()
    process.until(lambda: recorded() > ENOUGH)
    at_least = recorded()
    process.signal_all(signal.SIGTERM)
    assert process.end() == 143, process.err
    check_nothing_is_left(process)
    (run,) = list_runs(runs)
    assert run.state == "incomplete"
    assert any("ended" in reason for reason in run.reasons)
    assert recorded() >= at_least
    events = check_raw(run)
    assert check_written(run, events) <= len(events)


# Scripts

WAITING = """\
pipe = make_line(sys.argv[1])
pipe.start()
print(pipe.wait(quiet=True), pipe.balance().closes, flush=True)
pipe.quit()
"""


def test_once_in_a_script_that_waits_the_run_ends_and_the_script_goes_on(
    script, runs, recorded
):  # fmt: skip
    process = script(WAITING)
    process.until(lambda: recorded() > ENOUGH)
    process.signal_all(signal.SIGINT)
    assert process.end() == 0, process.err
    assert "stopping; Ctrl-C once more kills the tasks" in process.out
    assert process.out.splitlines()[-1] == "True True"
    check_nothing_is_left(process)
    (run,) = list_runs(runs)
    assert run.state == "complete"
    events = check_raw(run)
    assert check_written(run, events) == len(events)


def test_twice_in_a_script_that_waits_kills_and_ends_it(
    script, runs, recorded, tmp_path
):  # fmt: skip
    (tmp_path / "deaf_thing.py").write_text(DEAF)
    process = script(
        "from pixie_pipe.pipeline import add_search_path\n"
        f"add_search_path([{str(tmp_path)!r}])\n"
        "pipe = make_line(sys.argv[1])\n"
        'pipe.create_task("DeafThing", after="SortEvents")\n'
        "pipe.start()\n"
        "pipe.wait(quiet=True)\n"
    )
    process.until(lambda: recorded() > ENOUGH)
    process.signal_all(signal.SIGINT)
    process.until(lambda: "once more kills" in process.out)
    process.signal_all(signal.SIGINT)
    assert process.end() != 0
    assert "KeyboardInterrupt" in process.err
    check_nothing_is_left(process)
    (run,) = list_runs(runs)
    assert run.state == "incomplete"
    assert "the pipeline was killed" in run.reasons


def test_sigterm_to_a_script_ends_its_tasks_and_the_next_start_tells_it(
    script, runs, recorded
):  # fmt: skip
    process = script(WAITING)
    process.until(lambda: recorded() > ENOUGH)
    process.signal(signal.SIGTERM)
    assert process.end() == -signal.SIGTERM
    assert process.all_gone()
    (run,) = repair(runs)
    assert run.state == "incomplete"
    events = check_raw(run)
    assert check_written(run, events) <= len(events)


def test_between_runs_it_is_the_business_of_the_script_alone(script, runs):
    process = script(
        "import time\n"
        "pipe = make_line(sys.argv[1], events=3000)\n"
        "pipe.connect()\n"
        "try:\n"
        '    print("ready", flush=True)\n'
        "    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n"
        "    pipe.start()\n"
        "    print(pipe.wait(quiet=True), flush=True)\n"
        "    pipe.quit()\n"
    )
    process.until(lambda: "ready" in process.out)
    process.signal_all(signal.SIGINT)
    assert process.end() == 0, process.err
    assert "True" in process.out
    check_nothing_is_left(process)
    (run,) = list_runs(runs)
    assert run.state == "complete"
    assert run.balance["events_written"] == 3000


SLOW_START = """\
import time
from pathlib import Path
from pixie_pipe.pipeline import Task


class SlowStart(Task):
    def do_start(self):
        Path(self.kwargs["starting"]).touch()
        time.sleep(3)

    def do_work(self, datum):
        pass
"""


def test_while_a_run_starts_it_is_given_up(script, runs, tmp_path):
    (tmp_path / "slow_start.py").write_text(SLOW_START)
    starting = tmp_path / "starting"
    process = script(
        "pipe = make_line(sys.argv[1])\n"
        f"pipe.task_kwargs['starting'] = {str(starting)!r}\n"
        "from pixie_pipe.pipeline import add_search_path\n"
        f"add_search_path([{str(tmp_path)!r}])\n"
        "pipe.create_task('SlowStart', after='SortEvents')\n"
        "try:\n"
        "    pipe.start()\n"
        "except KeyboardInterrupt:\n"
        "    print(pipe.state.name, flush=True)\n"
        "    pipe.quit()\n"
    )
    process.until(starting.exists)
    process.signal_all(signal.SIGINT)
    assert process.end() == 0, process.err
    assert process.out.splitlines()[-1] == "WAITING"
    check_nothing_is_left(process)
    (run,) = list_runs(runs)
    assert run.state == "incomplete"
    assert run.reasons == ("did not start: it was interrupted",)
