"""What a task tells the pipeline: reports, prints, errors, the sign of life."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.pipeline._task_contract import TaskContract
from pixie_pipe.pipeline.control import send_alone
from pixie_pipe.pipeline.messages import ErrorReport, Print, Report, Status

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Tallies
    from pixie_pipe.pipeline.endpoint import Endpoint

HEART_BEAT_SECONDS: Final = 1.0
"""Period of the sign of life. The pipeline notices a dead process by itself; beats tell
how it goes, and people read them about once a second."""

REPORT_SECONDS: Final = 0.5
"""Least time between two reports of a task that reports more often."""


class TaskReports(TaskContract):
    """The part of a task that talks to the pipeline."""

    control_address: str

    _endpoint: Endpoint
    _done: int
    _refused: str
    _progress: int
    _reasons: list[str]
    _tallies: Tallies
    _own_report: dict[str, Any]
    _report_due: bool
    _is_paused: bool
    _next_beat: float
    _next_report: float

    def report(self, **values: Any) -> None:
        """Add values to the task's own report, and send it when it is time."""
        self.send_report({**self._own_report, **values})

    def send_report(self, report: Mapping[str, Any], *, force: bool = False) -> None:
        """Send the task's own report, at most twice a second; the last one counts.

        Parameters
        ----------
        report
            Plain values by name.
        force
            Send it now.
        """
        self._own_report = dict(report)
        self._report_due = True
        if force or time.monotonic() >= self._next_report:
            self.flush_report()

    def flush_report(self) -> None:
        """Send the report that waits, if one does."""
        if self._report_due:
            self._report_due = False
            self._next_report = time.monotonic() + REPORT_SECONDS
            self._send_state(self._own_report)

    def print(self, *values: object, sep: str = " ") -> None:
        """Print a text where the user sees it."""
        self._endpoint.control.send(Print(sep.join(map(str, values))))

    def send_heart_beat(self) -> None:
        """Tell the pipeline how it goes; done by itself each second."""
        self._next_beat = time.monotonic() + HEART_BEAT_SECONDS
        self._send_state(None)

    def give_up(self, reason: str) -> None:
        """Note why the data of this run are not complete; the run goes on."""
        if reason not in self._reasons:
            self._reasons.append(reason)

    @property
    def incomplete(self) -> list[str]:
        """Why the data of this run are not complete; empty while they are."""
        known = [*self._reasons, *self._endpoint.inbox.reasons]
        return list(dict.fromkeys(known))

    def _send_state(self, report: Mapping[str, Any] | None) -> None:
        self._endpoint.control.send(
            Report(
                status=self.status,
                done=self._done,
                refused=self._refused,
                progress=self._progress,
                run=self.run_number,
                statistics=self._statistics(),
                report=None if report is None else dict(report),
            )
        )

    def _statistics(self) -> dict[str, Any]:
        statistics = self._endpoint.statistics()
        statistics["own"] = dict(self.statistics)
        statistics["ledger"] = dict(self.ledger)
        statistics["incomplete"] = self.incomplete
        statistics["paused"] = self._is_paused
        if self.status is Status.FINISHED:
            statistics["tallies"] = [
                [*key, tally.decoded, tally.rejected, tally.leftover,
                 tally.trailing_bytes, tally.events]
                for key, tally in self._tallies.items()
            ]  # fmt: skip
        return statistics

    def report_error(self, error: Exception, *, fatal: bool) -> None:
        """Tell the pipeline about an error, and whether the task can go on."""
        text = "".join(traceback.format_exception(error))
        report = ErrorReport(
            msg=f"{type(error).__name__}: {error}"[:10_000],
            origin=str(self.origin or ""),
            traceback=text[-100_000:],
            fatal=fatal,
        )
        endpoint = getattr(self, "_endpoint", None)
        if endpoint is None:
            send_alone(self.control_address, self.name, report)
        else:
            endpoint.control.send(report)


class Printer:
    """Stands for the standard output: whole lines become messages."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print_line = print_line
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._print_line(line)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a line is sent when it is whole."""

    def isatty(self) -> bool:
        """Nobody types here."""
        return False
