"""A pipeline run from the command line: signals, the end, and the summary."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from pixie_pipe._units import format_count
from pixie_pipe.cli import output
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.balance import RunBalance
from pixie_pipe.pipeline.messages import Error
from pixie_pipe.pipeline.pipeline import Pipeline
from pixie_pipe.pipeline.plan import Plan
from pixie_pipe.pipeline.series import ends_series, wait_between


class CommandPipeline(Pipeline):
    """A pipeline whose tasks print to stderr: stdout is for the summary."""

    def handle_print(self, name: str, string: str) -> None:
        """Print what a task says."""
        sys.stderr.write(f"[{name}] {string}\n" if name else f"{string}\n")
        sys.stderr.flush()


class Interrupts:
    """Makes a KeyboardInterrupt of Ctrl-C and of SIGTERM, and notes which it was.

    Attributes
    ----------
    first
        Number of the first signal, or None.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Outside of the main thread, whoever started that one handles signals.
        with contextlib.suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = number
        raise KeyboardInterrupt

    def leave(self) -> None:
        """End the command as the signal wants it, if there was one.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C.
        SystemExit
            After SIGTERM.
        """
        if self.first == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        if self.first is not None:
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a run went.

    Attributes
    ----------
    directory
        Directory of the run, or None.
    seconds
        From its start to its end.
    balance
        Where its words and events went.
    ended_by
        What ended it, as in its record.
    reasons
        Why it is not complete; empty if it is.
    interrupted
        Whether a signal ended it.
    """

    directory: Path | None
    seconds: float
    balance: RunBalance
    ended_by: str
    reasons: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def events(self) -> int:
        """Events that were written, or decoded if none are written."""
        balance = self.balance
        return balance.events_written or balance.events_decoded or 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "format": 1,
            "run_directory": None if self.directory is None else str(self.directory),
            "complete": not self.reasons,
            "reasons": list(self.reasons),
            "ended_by": self.ended_by,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "events": self.events,
            "events_per_second": round(self.events / max(self.seconds, 1e-9), 1),
            "balance": self.balance.to_dict(),
        }


def execute(
    plan: Plan,
    *,
    runs: Path | None,
    quiet: bool,
    json: bool,
) -> None:
    """Run a pipeline until its sources end, a limit is reached, or a signal comes.

    Again, if the plan says so: a run that is not complete, or that was interrupted, is
    the last one.

    Parameters
    ----------
    plan
        What to run.
    runs
        Directory of the runs, in place of that of the plan.
    quiet
        Show neither the table nor the summary.
    json
        Print the summary as JSON.

    Raises
    ------
    PixiePipeError
        If the run is not complete.
    KeyboardInterrupt, SystemExit
        After Ctrl-C and SIGTERM.
    """
    settings = {} if runs is None else {"runs": runs}
    with Interrupts() as interrupts:
        pipeline = plan.build(CommandPipeline, **settings)
        try:
            for number in range(1, plan.repeat + 1):
                summary = _run(pipeline, interrupts, quiet=quiet or json)
                _tell(summary, quiet=quiet, json=json)
                if number == plan.repeat or _is_last(summary):
                    break
                if not (quiet or json):
                    output.note(_next_text(number, plan))
                if not wait_between(plan.pause_s):
                    break
        finally:
            pipeline.quit()
    if summary.reasons:
        text = "the run is not complete: " + "\n  ".join(summary.reasons)
        if interrupts.first is None:
            raise PixiePipeError(text)
        output.error(text)
    interrupts.leave()


def _run(pipeline: CommandPipeline, interrupts: Interrupts, *, quiet: bool) -> Summary:
    try:
        pipeline.start()
    except KeyboardInterrupt:
        pipeline.kill()
        interrupts.leave()
        raise
    reasons: list[str] = []
    begin = time.monotonic()
    try:
        pipeline.wait(quiet=quiet)
    except Error as error:
        reasons.append(str(error))
    except KeyboardInterrupt:
        pipeline.kill()
    seconds = time.monotonic() - begin
    balance = pipeline.balance()
    return Summary(
        directory=pipeline.run_directory,
        seconds=seconds,
        balance=balance,
        # What ended the run is among the problems of the balance.
        reasons=balance.problems or tuple(reasons),
        ended_by=pipeline.ended_by,
        interrupted=interrupts.first is not None,
    )


def _end_text(summary: Summary) -> str:
    """Return what ended a run, if that is not what is always expected."""
    kind, _, detail = summary.ended_by.partition(": ")
    return {"limit": f", ended by the limit of {detail}", "disk": f", {detail}"}.get(
        kind, ""
    )


def _is_last(summary: Summary) -> bool:
    if summary.reasons or summary.interrupted:
        return True
    return ends_series(summary.ended_by)


def _next_text(number: int, plan: Plan) -> str:
    after = f" in {plan.pause_s:g} s" if plan.pause_s else ""
    return f"run {number} of {plan.repeat} is over, the next one begins{after}"


def _tell(summary: Summary, *, quiet: bool, json: bool) -> None:
    """Print how a run went, and what taps did not get."""
    if json:
        output.write_json(summary.to_dict())
        sys.stdout.flush()
    elif not quiet:
        _print(summary)
    for name, counts in summary.balance.taps.items():
        lost = ", ".join(f"{format_count(n)} {what}" for what, n in counts.items() if n)
        if lost:
            output.note(f"{name} was too slow and did not get {lost}")


def _print(summary: Summary) -> None:
    from rich.text import Text

    rate = output.event_rate(summary.events / max(summary.seconds, 1e-9))
    where = f"{summary.directory}: " if summary.directory else ""
    state = ", NOT COMPLETE" if summary.reasons else ""
    head = (
        f"{where}{format_count(summary.events)} events in {summary.seconds:.1f} s, "
        f"{rate}{state}{_end_text(summary)}"
    )
    lines = [
        head,
        # What does not match is told as an error.
        str(replace(summary.balance, problems=())),
    ]
    if summary.directory is None:
        lines.append("nothing was kept: give --runs DIR, or set run.directory")
    output.results().print(Text("\n".join(lines)), soft_wrap=True)
