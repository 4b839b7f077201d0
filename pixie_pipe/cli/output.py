"""Where the command line prints: results to stdout, everything else to stderr.

Rich honours ``NO_COLOR``, ``FORCE_COLOR``, ``TERM=dumb`` and ``COLUMNS``. It is
imported when something is printed.
"""

from __future__ import annotations

import codecs
import functools
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task

    from pixie_pipe.listmode.result import Balance

Progress = Callable[[int, int, int], None]
"""Called with the bytes done, the bytes of all files, and the events so far."""

FILE_HELP = (
    "File to write; its ending decides on the format: .h5, .lh5, .parquet, .root or "
    ".csv."
)
COMPRESSION_HELP = (
    "HDF5: bitshuffle-lz4 (default), gzip, none; LH5: gzip (default), bitshuffle-lz4, "
    "none; Parquet: zstd (default), gzip, none; ROOT: zlib (default), lz4, zstd, none."
)

_PLAIN = {"µ": "u", "·": ",", "–": "-", "…": "...", "×": "x", "σ": "sigma", "τ": "tau"}
_ERROR_HANDLER = "pixie_pipe.plain"


def _plain_character(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in text), error.end


def prepare_streams() -> None:
    """Print characters that the terminal's encoding lacks as similar ones."""
    codecs.register_error(_ERROR_HANDLER, _plain_character)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _is_unicode(stream):
            stream.reconfigure(errors=_ERROR_HANDLER)


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def results() -> Console:
    """Return the console for results, on stdout."""
    return _console(sys.stdout)


def messages() -> Console:
    """Return the console for notes, progress and errors, on stderr."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    # No markup, no highlighting: names of files may look like either.
    return _console_class()(
        file=stream, markup=False, highlight=False, emoji=False, soft_wrap=False
    )


@functools.cache
def _console_class() -> type[Console]:
    from rich.console import Console

    class _Console(Console):
        """Leaves a broken pipe to `main`."""

        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 - Rich calls this in its except clause

    return _Console


def can_draw(console: Console) -> bool:
    """Tell whether the encoding of a console has the block characters."""
    try:
        "▁█└".encode(console.encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def error(text: str) -> None:
    """Print an error to stderr."""
    _print_labelled("pixie-pipe: error: ", "bold red", text)


def note(text: str) -> None:
    """Print a note to stderr."""
    _print_labelled("pixie-pipe: note: ", "bold yellow", text)


def _print_labelled(label: str, style: str, text: str) -> None:
    from rich.text import Text

    console = messages()
    # Wrapped between words for people, whole lines for logs.
    soft_wrap = not console.is_terminal
    console.print(Text.assemble((label, style), text), soft_wrap=soft_wrap)


def balance_text(balance: Balance) -> str:
    """Return where the words went as one line, with groups of digits."""
    from pixie_pipe._units import format_count

    text = (
        f"{format_count(balance.read)} words read = {format_count(balance.decoded)} "
        f"decoded + {format_count(balance.rejected)} rejected + "
        f"{format_count(balance.leftover)} left over"
    )
    if balance.trailing_bytes:
        text += f", and {balance.trailing_bytes} bytes behind the last word"
    return text if balance.closes else f"{text} (DOES NOT CLOSE)"


def require_closed(balance: Balance) -> None:
    """Refuse to end well if words got lost.

    Raises
    ------
    PixiePipeError
        If the balance does not close.
    """
    if balance.closes:
        return
    from pixie_pipe.errors import PixiePipeError

    raise PixiePipeError(
        f"words got lost, the result is not complete: {balance_text(balance)}. This is "
        f"a fault of pixie_pipe; please report it"
    )


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress | None]:
    """Show a progress bar on stderr if that is a terminal.

    Yields
    ------
    callable or None
        What to call with the progress; None if nothing is shown.
    """
    if quiet or not _is_terminal():
        yield None
        return
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.TaskProgressColumn(),
        _rate_column()(),
        rich_progress.TimeRemainingColumn(compact=True),
        console=messages(),
        transient=True,
        expand=True,
    )
    # Compiling takes seconds, once: say why nothing seems to happen.
    task = bar.add_task("preparing (kernels compile at the first run)", total=None)

    def update(done: int, total: int, events: int) -> None:
        bar.update(
            task, description="reading", completed=done, total=total, events=events
        )

    with bar:
        yield update


def _is_terminal() -> bool:
    # Rich takes FORCE_COLOR for a terminal; a log file is none.
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def byte_progress(what: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """Show on stderr how many bytes are done, if that is a terminal.

    Parameters
    ----------
    what
        What is done with them.
    total
        Number of all bytes.

    Yields
    ------
    callable or None
        What to call with the number of bytes that are done since the last call; None
        if nothing is shown.
    """
    if not _is_terminal():
        yield None
        return
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.DownloadColumn(),
        rich_progress.TransferSpeedColumn(),
        rich_progress.TimeRemainingColumn(compact=True),
        console=messages(),
        transient=True,
        expand=True,
    )
    task = bar.add_task(what, total=total)
    with bar:
        yield lambda count: bar.advance(task, count)


def write_json(document: Any) -> None:  # noqa: ANN401 - plain values
    """Print plain values as one JSON document to stdout."""
    import json

    json.dump(document, sys.stdout, allow_nan=False)
    sys.stdout.write("\n")


@functools.cache
def _rate_column() -> type:
    from rich.progress import ProgressColumn
    from rich.text import Text

    from pixie_pipe._units import format_bytes

    class _Rate(ProgressColumn):
        """Events and bytes per second since the first of them came."""

        def __init__(self) -> None:
            super().__init__()
            self._begin: tuple[float, float, int] | None = None

        def render(self, task: Task) -> Text:
            events = int(task.fields.get("events", 0))
            now = time.monotonic()
            if task.completed and self._begin is None:
                self._begin = (now, task.completed, events)
            if self._begin is None or now - self._begin[0] < 0.2:
                return Text("")
            begin, first_bytes, first_events = self._begin
            per_second = (events - first_events) / (now - begin)
            speed = format_bytes(int((task.completed - first_bytes) / (now - begin)))
            return Text(f"{event_rate(per_second)} {speed}/s")

    return _Rate


def event_rate(per_second: float) -> str:
    """Return a number of events per second as text."""
    if per_second >= 1e6:
        return f"{per_second / 1e6:.1f} M events/s"
    return f"{per_second / 1e3:.1f} k events/s"


def speed_text(events: int, size: int, seconds: float) -> str:
    """Return how fast events were made from `size` bytes as one line."""
    from pixie_pipe._units import format_bytes

    divisor = max(seconds, 1e-9)
    return (
        f"{seconds:.1f} s, {event_rate(events / divisor)}, "
        f"{format_bytes(int(size / divisor))}/s"
    )
