"""What tasks tell, as the user gets it: callbacks to override, and waiting for news."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline._pipeline_view import PipelineView
from pixie_pipe.pipeline.messages import Error, Status

if TYPE_CHECKING:
    from pixie_pipe.pipeline.callbacks import Callbacks


class PipelineNews(PipelineView):
    """The part of a pipeline that hands on what tasks tell."""

    _callbacks: Callbacks | None

    def poll(self, timeout: float = 0.1) -> bool:
        """Wait a little for news, and tell whether there is more to wait for.

        Callbacks are called by themselves, in a thread of their own; this is for
        scripts that loop ``while pipe.poll(): ...``.

        Parameters
        ----------
        timeout
            Longest time to wait in seconds.

        Returns
        -------
        bool
            True while a run goes on, or if news have been handled since the last
            call.
        """
        if self._callbacks is None:
            return False
        news = self._callbacks.wait_for_news(timeout)
        return news or self.state is Status.RUNNING

    def handle_report(self, name: str, report: dict[str, Any]) -> None:
        """Take a report of a task. To be overridden; does nothing.

        Parameters
        ----------
        name
            Name of the task.
        report
            What it reports.
        """

    def handle_print(self, name: str, string: str) -> None:
        """Show what a task prints. To be overridden; writes to the standard output.

        Parameters
        ----------
        name
            Name of the task, "" for the pipeline itself.
        string
            The text.
        """
        sys.stdout.write(f"[{name}] {string}\n" if name else f"{string}\n")
        sys.stdout.flush()

    def handle_error(self, name: str, err: Error) -> None:  # noqa: ARG002 - in the error
        """Show an error of a task. To be overridden; writes to the error output.

        Parameters
        ----------
        name
            Name of the task.
        err
            The error, with ``task``, ``origin`` and ``traceback``.
        """
        trace = f"\n{err.traceback.rstrip()}" if err.traceback else ""
        sys.stderr.write(f"{Status.PANICKING} {err}{trace}\n")
        sys.stderr.flush()

    def _tell(self, what: str, *arguments: Any) -> None:
        if self._callbacks is not None:
            self._callbacks.call(what, *arguments)
