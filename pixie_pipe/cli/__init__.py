"""The command ``pixie-pipe``: parses, calls, prints.

`main` is where exceptions become messages and exit codes. Nothing heavy is
imported before a command runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["main"]

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_BROKEN_PIPE = 128 + signal.SIGPIPE
EXIT_TERMINATED = 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments
        What stands behind ``pixie-pipe`` on the command line; by default that of
        the process.

    Returns
    -------
    int
        0 for success, 1 for a failure (or a difference, if that was the question),
        2 for wrong usage or configuration, and
        128 plus the signal's number after Ctrl-C (130), SIGTERM (143) or when
        nobody reads the output any more (141).
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    try:
        with _terminated_as_exit():
            return _run(tokens, debug=debug)
    except KeyboardInterrupt:
        if debug:
            raise
        return EXIT_INTERRUPTED


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that files that are half written go away."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(EXIT_TERMINATED)

    try:
        previous = signal.signal(signal.SIGTERM, terminate)
    except ValueError:
        # Not in the main thread: whoever started that one handles signals.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _run(tokens: list[str], *, debug: bool) -> int:
    from pixie_pipe.cli import output
    from pixie_pipe.errors import PixiePipeError

    output.prepare_streams()
    try:
        from pixie_pipe.cli.app import run

        code = run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer must not raise again when Python ends.
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - os.devnull is no Path
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except (PixiePipeError, OSError) as error:
        if debug:
            raise
        output.error(str(error))
        return EXIT_USAGE if _is_usage_error(error) else EXIT_FAILURE
    except MemoryError as error:
        if debug:
            raise
        output.error(f"out of memory: {error}" if str(error) else "out of memory")
        return EXIT_FAILURE
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        output.error(
            f"unexpected {kind}: {error}\nThis is a fault of pixie_pipe. Run the same "
            f"command with --debug for the traceback, and report it."
        )
        return EXIT_FAILURE
    return code


def _is_usage_error(error: Exception) -> bool:
    """Tell whether the command line or the configuration is to be corrected."""
    from pixie_pipe.cli.usage import UsageError
    from pixie_pipe.listmode.errors import LayoutError

    # By name: what was never imported cannot have been raised.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, (UsageError, LayoutError)) or bool(
        kinds & {"ConfigError", "StreamError", "OutputError"}
    )
