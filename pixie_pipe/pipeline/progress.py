"""Shows how a run goes while somebody waits for it.

On a terminal a table that renews itself, in a notebook likewise, and elsewhere a line
every few seconds.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from pixie_pipe.pipeline._rates import rate_text, seconds_text
from pixie_pipe.pipeline._tables import progress_text
from pixie_pipe.pipeline.display import PipelineStatus
from pixie_pipe.pipeline.messages import Status

if TYPE_CHECKING:
    from rich.console import Console

    from pixie_pipe.pipeline._pipeline_view import PipelineView

LINE_SECONDS: Final = 5.0
"""Period of the lines where nothing can be drawn."""

Refresh = Callable[[], None]


@contextmanager
def watch(pipeline: PipelineView, *, quiet: bool) -> Iterator[Refresh]:
    """Show how the run goes, on stderr.

    Parameters
    ----------
    pipeline
        Whose run.
    quiet
        Show nothing.

    Yields
    ------
    callable
        To be called some times a second.
    """
    if quiet:
        yield _nothing
        return
    shell = _notebook()
    if shell is not None:
        with _notebook_table(pipeline) as refresh:
            yield refresh
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _terminal_table(pipeline) as refresh:
            yield refresh
    else:
        with _lines(pipeline) as refresh:
            yield refresh


def _nothing() -> None:
    """Show nothing."""


@contextmanager
def _terminal_table(pipeline: PipelineView) -> Iterator[Refresh]:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
    live = Live(
        console=console,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )

    def refresh() -> None:
        live.update(PipelineStatus.of(pipeline), refresh=True)

    above = _Above(console)
    with live, above:
        refresh()
        try:
            yield refresh
        finally:
            refresh()
            # The last table stays as a summary. Who only waits for some seconds, again
            # and again, shall not get one each time.
            live.transient = PipelineStatus.of(pipeline).state is Status.RUNNING
            with above.lock:
                live.stop()
                above.close()


class _Above:
    """Lets what is written to the terminal meanwhile appear above the table.

    Rich can redirect streams, too, but a text that comes while the table ends would
    draw it once more, over lines that are not its own.
    """

    def __init__(self, console: Console) -> None:
        self._console: Console | None = console
        self.lock = threading.RLock()
        self._before: list[tuple[str, TextIO]] = []

    def __enter__(self) -> None:
        for name in ("stdout", "stderr"):
            stream: TextIO = getattr(sys, name)
            # A file gets its lines as ever.
            if stream.isatty():
                self._before.append((name, stream))
                setattr(sys, name, _Stream(self, stream))

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the table is there."""
        return self._console is not None

    def close(self) -> None:
        """Let texts go where they went before."""
        with self.lock:
            self._console = None
            while self._before:
                name, stream = self._before.pop()
                proxy = getattr(sys, name)
                setattr(sys, name, stream)
                proxy.flush()

    def print(self, lines: str, stream: TextIO) -> None:
        """Print whole lines, without the last line feed."""
        if self._console is None:
            stream.write(f"{lines}\n")
            return
        from rich.text import Text

        self._console.print(Text.from_ansi(lines), soft_wrap=True)


class _Stream(io.TextIOBase):
    """Stands for a stream while the table is there."""

    def __init__(self, above: _Above, stream: TextIO) -> None:
        self._above = above
        self._stream = stream
        self._line = ""

    def write(self, text: str) -> int:
        with self._above.lock:
            lines, feed, rest = (self._line + text).rpartition("\n")
            self._line = rest
            if feed:
                self._above.print(lines, self._stream)
        return len(text)

    def flush(self) -> None:
        """Write what is no whole line, if the table is gone."""
        with self._above.lock:
            if self._above.is_open:
                return
            self._stream.write(self._line)
            self._line = ""
            self._stream.flush()

    def isatty(self) -> bool:
        """Return true, as the stream does."""
        return True

    def fileno(self) -> int:
        """Return that of the stream."""
        return self._stream.fileno()


@contextmanager
def _lines(pipeline: PipelineView) -> Iterator[Refresh]:
    shown = _period(PipelineStatus.of(pipeline))

    def refresh() -> None:
        nonlocal shown
        status = PipelineStatus.of(pipeline)
        period = _period(status)
        if period > shown:
            shown = period
            _write(status)

    yield refresh
    status = PipelineStatus.of(pipeline)
    if status.state is not Status.RUNNING:
        _write(status)


def _period(status: PipelineStatus) -> int:
    return int((status.elapsed_s or 0.0) / LINE_SECONDS)


def _write(status: PipelineStatus) -> None:
    sys.stderr.write(f"{log_line(status)}\n")
    sys.stderr.flush()


def log_line(status: PipelineStatus) -> str:
    """Return the status as one line: ``12.0 s  GatherData 1.2 M events/s ...``."""
    parts = [seconds_text(status.elapsed_s or 0.0)]
    if status.state is not Status.RUNNING:
        parts.append(status.state.name.lower())
    elif status.paused:
        parts.append("PAUSED")
    progress = progress_text(status)
    if progress:
        parts.append(progress)
    for row in status.rows:
        if row.state in (Status.RUNNING, Status.FINISHED):
            text = rate_text(row.rate, row.unit) if row.count else "-"
        else:
            text = row.word
        dropped = f" ({row.dropped} dropped)" if row.dropped else ""
        parts.append(f"{row.name} {text}{dropped}")
    parts += [f"not complete: {reason}" for reason in status.reasons]
    return "  ".join(parts)


def _notebook() -> Any:  # noqa: ANN401 - a shell of IPython, if there is one
    """Return the shell of the notebook that this runs in, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if shell is not None and hasattr(shell, "kernel") else None


@contextmanager
def _notebook_table(pipeline: PipelineView) -> Iterator[Refresh]:
    from IPython.display import display

    handle = display(PipelineStatus.of(pipeline), display_id=True)

    def refresh() -> None:
        handle.update(PipelineStatus.of(pipeline))

    try:
        yield refresh
    finally:
        refresh()
