"""What is shown while somebody waits for a run."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from pixie_pipe.pipeline.display import PipelineStatus
from pixie_pipe.pipeline.progress import LINE_SECONDS, watch
from tests.pipeline.stand_in import StandIn


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


class Terminal:
    """A pseudo-terminal; what is written to it is read at once."""

    def __init__(self):
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8", buffering=1)
        self._bytes = bytearray()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        try:
            while data := os.read(self._master, 65536):
                self._bytes += data
        except OSError:  # the other end is closed
            pass

    def __enter__(self):
        self._before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = self.stream

    def __exit__(self, *_):
        sys.stdout, sys.stderr = self._before

    def close(self):
        """Close it, and return all that was written."""
        self.stream.close()
        self._thread.join()
        os.close(self._master)
        return self._bytes.decode().replace("\r\n", "\n")


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    if not made.stream.closed:
        made.close()


@pytest.fixture
def pipe():
    made = StandIn("Numbers", "Collect").go().connect_claimed()
    made.report("Collect", **{"in": {"Numbers": {"events": 12_000_000, "bytes": 8}}})
    return made


def without_controls(text):
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", text)


# No terminal


def test_a_line_comes_every_few_seconds_and_at_the_end(pipe, capsys):
    with watch(pipe, quiet=False) as refresh:
        refresh()
        assert capsys.readouterr().err == ""
        pipe.run.started -= LINE_SECONDS
        refresh()
        refresh()
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines() == ["15.0 s  Numbers -  Collect 800.0 k events/s"]
        pipe.run.reasons.append("something was lost")
        pipe.end()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("10.0 s  panicking  Numbers -  Collect 1.2 M events/s")
    assert line.endswith("not complete: something was lost")


def test_no_last_line_is_written_if_the_run_goes_on(pipe, capsys):
    with watch(pipe, quiet=False):
        pass
    assert capsys.readouterr().err == ""


def test_the_line_tells_what_was_dropped_and_how_far_a_replay_is(pipe, capsys):
    pipe.report(
        "Numbers",
        own={"bytes_total": 1000, "bytes_read": 500},
        out={"Collect": {"dropped_events": 7}},
    )
    with watch(pipe, quiet=False) as refresh:
        pipe.run.started -= LINE_SECONDS
        refresh()
    (line,) = capsys.readouterr().err.splitlines()
    assert "50.0 % read, 15.0 s left" in line
    assert line.endswith("(7 dropped)")


@pytest.mark.parametrize("on_terminal", [False, True])
def test_quiet_shows_nothing(pipe, capsys, on_terminal, request):
    terminal = request.getfixturevalue("terminal") if on_terminal else None
    with terminal or nullcontext(), watch(pipe, quiet=True) as refresh:
        pipe.run.started -= 2 * LINE_SECONDS
        refresh()
        pipe.end()
    shown = terminal.close() if terminal else "".join(capsys.readouterr())
    assert shown == ""


def test_a_terminal_that_can_only_write_gets_lines(pipe, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with terminal, watch(pipe, quiet=False):
        pipe.end()
    text = terminal.close()
    assert text.splitlines()[0].startswith("10.0 s  finished")
    assert "\x1b" not in text


# A terminal


def test_a_table_renews_itself_and_its_last_state_stays(pipe, terminal):
    with terminal, watch(pipe, quiet=False) as refresh:
        refresh()
        pipe.end()
    text = terminal.close()
    assert "running, run 1" in text
    last = without_controls(text[text.rindex("finished, run 1") :])
    assert "12.0 M events" in last
    # Nothing goes up again from there: the table is left standing.
    assert not re.search(r"\x1b\[\d*A", text[text.rindex("finished, run 1") :])
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_the_table_goes_away_if_the_run_goes_on(pipe, terminal):
    with terminal, watch(pipe, quiet=False):
        pass
    text = terminal.close()
    after = text[text.rindex("rates:") :]
    rows = text[: text.index("rates:")].count("\n") + 1
    assert after.count("\x1b[1A\x1b[2K") == rows


def test_the_table_has_a_bar_when_the_end_is_known(pipe, terminal):
    pipe.report("Numbers", own={"bytes_total": 1000, "bytes_read": 500})
    with terminal, watch(pipe, quiet=False):
        pass
    text = without_controls(terminal.close())
    assert "━━━━" in text
    assert "50.0 % read" in text


def test_no_color_is_honoured(pipe, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal, watch(pipe, quiet=False):
        pass
    text = terminal.close()
    assert "running, run 1" in text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][;m]", text)


def test_colours_are_used_without_it(pipe, terminal):
    with terminal, watch(pipe, quiet=False):
        pass
    assert "\x1b[32m" in terminal.close()


def test_prints_appear_above_the_table(pipe, terminal):
    with terminal:
        with watch(pipe, quiet=False):
            pipe.handle_print("Numbers", "[red] hello " + "x" * 200)
            sys.stderr.write("an error\nand half a line")
            pipe.end()
        assert sys.stdout is sys.stderr is terminal.stream
    text = without_controls(terminal.close())
    assert f"[Numbers] [red] hello {'x' * 200}\n" in text
    assert text.index("hello") < text.index("an error\n") < text.rindex("process")
    # A text without its end waits until the table is finished.
    assert text.index("and half a line") > text.rindex("rates:")


def test_a_print_that_comes_while_the_table_ends_leaves_it_alone(pipe, terminal):
    with terminal, watch(pipe, quiet=False):
        taken = sys.stdout
        pipe.end()
    taken.write("just too late\n")
    text = terminal.close()
    assert text.endswith("just too late\n")
    assert "\x1b" not in text[text.rindex("\x1b[?25h") + 6 :]


def test_prints_to_a_file_are_not_diverted(pipe, terminal, tmp_path):
    with (tmp_path / "log").open("w+") as log:
        with terminal:
            sys.stdout = log
            with watch(pipe, quiet=False):
                pipe.handle_print("Numbers", "hello")
                pipe.end()
        log.seek(0)
        assert log.read() == "[Numbers] hello\n"
    assert "hello" not in terminal.close()


def test_an_error_leaves_the_terminal_in_order(pipe, terminal):
    def fail():
        with watch(pipe, quiet=False):
            raise KeyboardInterrupt

    with terminal:
        with pytest.raises(KeyboardInterrupt):
            fail()
        assert sys.stdout is terminal.stream
    text = terminal.close()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


# A notebook


def test_a_notebook_gets_one_table_that_is_updated(pipe, monkeypatch, capsys):
    ipython = pytest.importorskip("IPython")
    import IPython.display

    shown: list[PipelineStatus] = []
    updates: list[PipelineStatus] = []

    def display(thing, *, display_id):
        assert display_id
        shown.append(thing)
        return SimpleNamespace(update=updates.append)

    monkeypatch.setattr(ipython, "get_ipython", lambda: SimpleNamespace(kernel=1))
    monkeypatch.setattr(IPython.display, "display", display)
    with watch(pipe, quiet=False) as refresh:
        refresh()
        pipe.end()
    assert [type(item) for item in shown] == [PipelineStatus]
    assert [item.state.name for item in updates] == ["RUNNING", "FINISHED"]
    assert capsys.readouterr().err == ""


def test_ipython_in_a_terminal_is_no_notebook(pipe, monkeypatch, capsys):
    ipython = pytest.importorskip("IPython")
    monkeypatch.setattr(ipython, "get_ipython", SimpleNamespace)
    with watch(pipe, quiet=False):
        pipe.end()
    assert "finished" in capsys.readouterr().err


# A pipeline


def test_waiting_at_a_terminal_shows_how_the_run_ends(make_pipeline, terminal):
    pipe = make_pipeline("Numbers", "Collect")
    pipe.configure({"Numbers": {"count": 20}})
    pipe.start()
    with terminal:
        assert pipe.wait()
    text = without_controls(terminal.close())
    assert "finished, run 1" in text
    assert "20 frames" in text[text.rindex("finished, run 1") :]


def test_waiting_for_a_time_only_shows_no_summary(make_pipeline, capsys):
    pipe = make_pipeline("Numbers", "Collect")
    pipe.configure({"Numbers": {"count": 0, "pause": 0.01}})
    pipe.start()
    assert not pipe.wait(0.3)
    assert capsys.readouterr().err == ""
