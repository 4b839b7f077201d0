"""Help, versions, exit codes, errors, signals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

import pixie_pipe
from pixie_pipe.cli import main
from pixie_pipe.cli import output as cli_output

MODULE = ("--frequency", "500", "--revision", "34688")

HEAVY = ("numba", "numpy", "h5py", "hdf5plugin", "pydantic", "pyarrow", "yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        [],
        ["convert", "--help"],
        ["inspect", "-h"],
        ["sample", "--help"],
        ["layouts", "-h"],
        ["settings"],
        ["settings", "show", "--help"],
        ["settings", "diff", "-h"],
        ["settings", "convert", "--help"],
    ],
)
def test_help_has_an_example(run, arguments):
    code, out, err = run(*arguments)
    assert code == 0
    assert "Example" in out
    assert "--debug" in out
    assert err == ""


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from pixie_pipe.cli import main; main(sys.argv[1:]);"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    for arguments in (
        ["--help"],
        ["inspect", "--help"],
        ["settings", "show", "--help"],
        ["--version"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_versions(run):
    assert run("--version")[:2] == (0, f"pixie-pipe {pixie_pipe.__version__}\n")
    code, out, _ = run("--versions")
    assert code == 0
    assert f"pixie-pipe {pixie_pipe.__version__}\n" in out
    for library in ("numpy 2", "numba 0", "h5py 3"):
        assert library in out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["inspct"], "inspct"),
        (["inspect", "x.bin", "--frequncy", "500"], "--frequency"),
        (["inspect", "x.bin", "--frequency", "fast"], "fast"),
        (["inspect", *MODULE], "no files were given"),
        (["inspect", "x.bin", "--frequency", "500", "--revision", "1"], "34688"),
        (["inspect", "x.bin", *MODULE, "--set", "tick_pss=8000"], "tick_ps"),
        (["inspect", "x.bin", *MODULE, "--set", "tick_ps"], "FIELD=NUMBER"),
        (["inspect", "x.bin", *MODULE, "--channel", "3"], "0/2/9"),
        (["inspect", "x.bin", *MODULE, "--energy", "3"], "8000:12000"),
        (["inspect", "x.bin", *MODULE, "--module", "0/2:500/34688"], "--module"),
        (["convert", "x.bin", *MODULE], "--output"),
        (["sample", "x.bin", "--events", "0"], "--events"),
    ],
)
def test_wrong_usage(run, arguments, text):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("pixie-pipe: error: ")
    assert text in err
    assert "Traceback" not in err


def test_a_missing_file_is_a_failure(run, tmp_path):
    path = tmp_path / "missing.bin"
    code, out, err = run("inspect", path, *MODULE)
    assert (code, out) == (1, "")
    assert err == f"pixie-pipe: error: {path}: there is no such file\n"


def test_without_a_layout_the_error_tells_what_fits(run, sample_file):
    code, _, err = run("inspect", sample_file)
    assert code == 2
    assert "--frequency and --revision must be given" in err
    assert "--frequency 500 --revision 29432, 34688" in err
    code, _, err = run("inspect", sample_file, "--frequency", "500")
    assert code == 2
    assert "error: --revision must be given" in err


def test_without_a_layout_and_no_list_mode_data(run, tmp_path):
    path = tmp_path / "noise.bin"
    path.write_bytes(bytes(range(256)) * 40)
    code, _, err = run("inspect", path)
    assert code == 2
    assert "decodes in no known layout" in err


def test_a_fault_says_how_to_get_the_traceback(run, monkeypatch, tmp_path):
    def fail(_events, *, seed):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("pixie_pipe.testing.sample.sample_events", fail)
    arguments = ("sample", tmp_path / "x.bin")
    code, _, err = run(*arguments)
    assert code == 1
    assert "unexpected ZeroDivisionError: by zero" in err
    assert "--debug" in err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError):
        run(*arguments, "--debug")


def test_debug_shows_the_traceback(run_process):
    done = run_process("--debug", "inspect", "missing.bin", *MODULE)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_ctrl_c_gives_130(monkeypatch, run):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_output, "results", interrupt)
    assert run("--versions")[0] == 130


def test_the_handler_of_sigterm_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_broken_pipe_is_silent(command, sample_file):
    arguments = command("inspect", sample_file, *MODULE, "--json")
    process = subprocess.Popen(
        **arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(200) == 141


class Terminal:
    """A process whose stderr is a terminal."""

    def __init__(self, arguments) -> None:
        leader, follower = pty.openpty()
        self.process = subprocess.Popen(
            **arguments, stdout=subprocess.PIPE, stderr=follower
        )
        os.close(follower)
        self._leader = leader
        self.shown = b""

    def read_until(self, text) -> bool:
        deadline = time.monotonic() + 200
        while text not in self.shown and time.monotonic() < deadline:
            if not self._read():
                break
        return text in self.shown

    def _read(self) -> bool:
        ready, _, _ = select.select([self._leader], [], [], 1.0)
        if not ready:
            return self.process.poll() is None
        try:
            part = os.read(self._leader, 4096)
        except OSError:  # Linux reports a closed terminal so
            return False
        self.shown += part
        return bool(part)

    def finish(self) -> tuple[int, bytes]:
        while self._read():
            pass
        os.close(self._leader)
        assert self.process.stdout is not None
        with self.process.stdout:
            out = self.process.stdout.read()
        return self.process.wait(200), out


def test_progress_on_a_terminal_only(command, run_process, sample_file):
    # Long enough for a rate to be known: the same file over and over.
    arguments = ("inspect", *[sample_file] * 500, *MODULE)
    terminal = Terminal(command(*arguments, TERM="xterm-256color"))
    code, out = terminal.finish()
    assert code == 0
    assert b"reading" in terminal.shown
    assert b"events/s" in terminal.shown
    assert b"reading" not in out
    for environment in ({"TERM": "dumb"}, {"TERM": "dumb", "FORCE_COLOR": "1"}):
        terminal = Terminal(command(*arguments, **environment))
        assert terminal.finish()[0] == 0
        assert terminal.shown == b""
    assert run_process(*arguments).stderr == ""
    assert run_process(*arguments, FORCE_COLOR="1").stderr == ""
    terminal = Terminal(command(*arguments, "--quiet", TERM="xterm-256color"))
    assert terminal.finish()[0] == 0
    assert terminal.shown == b""


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_leaves_nothing_behind(
    command, sample_file, tmp_path, number, expected
):
    # Long enough to be interrupted: the same file over and over.
    output = tmp_path / "events.h5"
    arguments = ("convert", *[sample_file] * 1000, *MODULE, "-o", output)
    terminal = Terminal(command(*arguments, TERM="xterm-256color"))
    assert terminal.read_until(b"reading")
    terminal.process.send_signal(number)
    code, out = terminal.finish()
    assert code == expected
    assert out == b""
    assert b"Traceback" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


def test_words_that_got_lost_are_a_failure(run, sample_file, monkeypatch):
    monkeypatch.setattr("pixie_pipe.listmode.result.Balance.closes", False)
    code, out, err = run("inspect", sample_file, *MODULE)
    assert code == 1
    assert "DOES NOT CLOSE" in out
    assert "words got lost" in err
