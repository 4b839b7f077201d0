"""``pixie-pipe console``, at a real prompt of IPython in a pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
import time

import psutil
import pytest

from pixie_pipe._extras import MissingExtraError
from pixie_pipe.cli.console import console
from pixie_pipe.cli.plans import PlanOptions
from pixie_pipe.cli.usage import UsageError

pytestmark = pytest.mark.timeout(300)

WAIT = 90
"""Seconds that something may take on a busy machine before a test gives up."""

STYLE = r"(?:\x1b\[[0-9;]*m)*"

TASKS = {
    "console_ticks": """
from pixie_pipe.pipeline import Parameter, Task


class ConsoleTicks(Task):
    reads = ()
    parameters = {
        "pause_s": Parameter(0.02, "time between numbers", unit="s", min=0),
        "fail_at": Parameter(0, "number to fail at; 0: never", min=0),
    }

    def do_start(self):
        self.number = 0

    def do_work(self, datum):
        self.pause(self.config.pause_s)
        self.number += 1
        if self.number == self.config.fail_at:
            raise ValueError("told to fail")
        if self.number % 10 == 0:
            print(f"tick-{self.run_number}-{self.number}")
        return [self.number]
""",
    "console_sink": """
from pixie_pipe.pipeline import Task


class ConsoleSink(Task):
    def do_work(self, datum):
        pass

    def do_stop(self):
        print("drained")
""",
}

CONFIG = """\
schema_version: 1
run:
  title: Test
tasks:
  - task: ConsoleTicks
    name: ticks
  - task: ConsoleSink
"""


class Prompt:
    """A console, and what is on its screen."""

    def __init__(self, directory, *arguments):
        pexpect = pytest.importorskip("pexpect")
        pytest.importorskip("IPython")
        environment = {
            **os.environ,
            "TERM": "xterm",
            "IPYTHONDIR": str(directory / "ipython"),
            # Nobody answers when the program asks where the cursor is.
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        environment.pop("COLUMNS", None)
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "pixie_pipe", "console", *map(str, arguments)],
            env=environment,
            encoding="utf-8",
            timeout=WAIT,
            dimensions=(50, 120),
        )
        self.pid = self._child.pid
        self.text = ""
        self.number = 0

    def expect(self, pattern):
        """Wait for a text; returns what came before it, without control codes."""
        self._child.expect(pattern)
        shown = f"{self._child.before}{self._child.after}"
        self.text += shown
        return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", shown)

    def prompt(self):
        """Wait for the next prompt."""
        self.number += 1
        return self.expect(rf"In \[{STYLE}{self.number}{STYLE}\]: ")

    def send(self, text):
        """Type something."""
        self._child.send(text)

    def run(self, command):
        """Type a command; returns what it showed, up to the next prompt."""
        self.send(f"{command}\r")
        return self.prompt()

    def processes(self):
        """Return the processes of the session."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid:
                    found.append(process)
            except (ProcessLookupError, PermissionError):
                continue
        return found

    def end(self):
        """Wait until it has left; returns the exit code, and checks what it left."""
        import pexpect

        self.expect(pexpect.EOF)
        self._child.close()
        until = time.monotonic() + WAIT
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.05)
        assert not left
        return self._child.exitstatus

    def close(self):
        """Remove whatever is there."""
        for process in self.processes():
            process.kill()
        self._child.close(force=True)


@pytest.fixture
def files(tmp_path):
    directory = tmp_path / "tasks"
    directory.mkdir()
    for name, text in TASKS.items():
        (directory / f"{name}.py").write_text(text)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def opened(files):
    """Return a function that opens a console with the tasks."""
    made = []

    def open_console(*arguments):
        prompt = Prompt(files, *arguments, "--task-path", files / "tasks")
        made.append(prompt)
        return prompt

    yield open_console
    for prompt in made:
        prompt.close()


def test_a_session_from_empty_pipeline_to_second_run(opened):
    prompt = opened()
    banner = prompt.prompt()
    assert "pipe.start()" in banner
    assert "no tasks yet" in banner
    assert "IPython" not in banner
    prompt.run('ticks = pipe.create_task("ConsoleTicks")')
    shown = prompt.run('pipe.create_task("ConsoleSink")')
    assert "ConsoleSink, waiting" in shown
    shown = prompt.run("pipe")
    assert "ConsoleTicks → ConsoleSink" in shown

    prompt.run("pipe.start()")
    # Nobody types: what a task prints appears above the prompt, which is drawn again.
    # Processes report once a second; by then both have.
    prompt.expect("tick-1-100")
    prompt.expect("In ")
    shown = prompt.run("pipe.status()")
    assert "running, run 1" in shown
    assert re.search(r"ConsoleTicks +\d+ frames", shown)
    prompt.run("pipe.stop()")
    assert prompt.text.count("drained") == 1
    assert "waiting, last run 1" in prompt.run("pipe.status()")

    prompt.run("pipe.start()")
    prompt.expect("tick-2-10")
    prompt.send("exit\r")
    assert prompt.end() == 0
    # Leaving works off what is under way.
    assert prompt.text.count("drained") == 2


def test_tab_completes_tasks_and_parameters_and_wrong_values_are_told(opened, files):
    prompt = opened(files / "config.yaml")
    assert "ticks → ConsoleSink" in prompt.prompt()
    prompt.send("pipe.tasks.\t")
    prompt.expect("ConsoleSink")
    prompt.expect("ticks")
    prompt.send("\x15pipe.tasks.ticks.\t")
    prompt.expect("fail_at")
    prompt.expect("pause_s")
    prompt.send("\x15")
    shown = prompt.run("get_ipython().complete('pipe[\"ticks\"].pau')[1]")
    assert ".pause_s" in shown
    shown = prompt.run("pipe.tasks.ticks.pause_s = -1")
    assert "ticks.pause_s is -1 s, expected at least 0 s" in shown
    # The message says all.
    assert "most recent call last" not in shown
    prompt.send("exit\r")
    assert prompt.end() == 0


def test_an_error_of_a_task_appears_above_the_prompt(opened, files):
    prompt = opened(files / "config.yaml", "--set", "tasks.ticks.fail_at=15")
    prompt.prompt()
    prompt.run("pipe.start()")
    # Half of a command is typed while the error comes: it is there afterwards.
    prompt.send("pipe.stat")
    prompt.expect("ticks: ValueError: told to fail")
    prompt.expect("Traceback")
    prompt.expect('raise ValueError\\("told to fail"\\)')
    prompt.send("us()\r")
    shown = prompt.prompt()
    assert "panicking, run 1" in shown
    assert "NOT complete" in shown
    prompt.run("pipe.stop(); pipe['ticks'].fail_at = 0; pipe.start()")
    prompt.expect("tick-2-20")
    prompt.send("exit\r")
    assert prompt.end() == 0


def test_ctrl_c_ends_a_run_that_is_waited_for_and_ctrl_d_asks_before_it_leaves(
    opened, files
):
    prompt = opened(files / "config.yaml")
    prompt.prompt()
    prompt.run("pipe.start()")
    prompt.send("pipe.wait()\r")
    prompt.expect("running, run 1")
    prompt.expect("tick-1-20")
    prompt.send("\x03")
    prompt.expect("stopping")
    prompt.prompt()
    assert "waiting" in prompt.run("pipe.stop(); pipe.state.name.lower()")
    prompt.run("pipe.start()")
    prompt.expect("tick-2-10")
    prompt.send("\x04")
    prompt.expect("really want to exit")
    prompt.send("y\r")
    assert prompt.end() == 0
    assert prompt.text.count("drained") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_in_good_order(opened, files, number):
    prompt = opened(files / "config.yaml", "--runs", files / "runs")
    prompt.prompt()
    prompt.run("pipe.start()")
    prompt.expect("tick-1-10")
    os.kill(prompt.pid, number)
    assert prompt.end() == 128 + number
    record = (files / "runs" / "0001" / "run.yaml").read_text()
    assert "state: complete" in record


def test_changes_need_a_configuration():
    with pytest.raises(UsageError, match="nothing to change"):
        console(plan=PlanOptions(set=("run.title=x",)))


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(MissingExtraError, match=r"pixie-pipe\[console\]"):
        console()
