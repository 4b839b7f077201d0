"""The commands of a pipeline: processes start, runs begin and end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline._pipeline_news import PipelineNews
from pixie_pipe.pipeline.callbacks import Callbacks
from pixie_pipe.pipeline.messages import Error, Status
from pixie_pipe.pipeline.run_control import Run
from pixie_pipe.pipeline.supervisor import Supervisor
from pixie_pipe.pipeline.transitions import (
    COMMAND_SECONDS,
    QUIT_SECONDS,
    Transitions,
)

if TYPE_CHECKING:
    import threading

    from pixie_pipe.pipeline.balance import RunBalance


class PipelineRuns(PipelineNews):
    """The part of a pipeline that takes runs."""

    task_kwargs: dict[str, Any]

    _transport: str
    _run_number: int
    _commands: threading.RLock
    _transitions: Transitions

    def _refuse_while_running(self, what: str) -> None:
        if self.state is Status.RUNNING:
            raise Error(f"cannot {what} while running: stop the pipeline first")

    def connect(self, tasks_active: Sequence[str] | None = None) -> None:
        """Start the processes that are not there yet, and link them.

        Parameters
        ----------
        tasks_active
            Names of the tasks that take part, in the order of the data; by default
            all, in the order of their creation.

        Raises
        ------
        GraphError
            If the tasks do not fit together; the text lists all problems.
        Error
            If tasks do not respond; the text names them (a RuntimeError).
        """
        if isinstance(tasks_active, str):
            raise TypeError(f"expected a list of names: [{tasks_active!r}]")
        self._connect(tasks_active, depth=3)

    def _connect(self, tasks_active: Sequence[str] | None, depth: int) -> None:
        with self._commands:
            self._refuse_while_running("connect")
            line = list(tasks_active or self.graph.nodes)
            for name in line:
                self._known(name)
            self._line = list(tasks_active) if tasks_active else None
            self._check(line, depth)
            if self.state is not Status.WAITING:
                self.stop()
            self._ensure_service()
            self._transitions.connect(self._active_nodes(), self.task_kwargs)
            self._connected = True

    def start(self) -> None:
        """Begin a run; returns when all tasks are running.

        Connects first if that was not done, and starts processes anew that have
        ended, or in which something failed.

        Raises
        ------
        GraphError, Error
            As for `connect`; or if a task cannot start. The pipeline waits then.
        """
        with self._commands:
            if self.state is Status.RUNNING:
                raise Error("is running already: stop the pipeline first")
            self._back_to_waiting()
            lost = False
            if self._supervisor is not None:
                self._transitions.dismiss_spent()
                lost = any(not r.is_alive for r in self._service.records.values())
            if not self._connected or lost:
                self._connect(self._line, depth=3)
                self._back_to_waiting()
            self.limits.check(self._active_nodes())
            self._run_number += 1
            run = Run(self._run_number, is_live=self.graph.is_live, limits=self.limits)
            self._keeper.begin(run, self)
            try:
                self._transitions.begin(run, self._active_nodes())
            except BaseException as error:
                self._keeper.give_up(run, str(error))
                raise

    def _back_to_waiting(self) -> None:
        if self.state in (Status.FINISHED, Status.PANICKING):
            self.stop()

    def stop(self) -> None:
        """End the run: sources first, then what is under way is worked off.

        Afterwards all tasks wait; `start` begins a new run. Nothing happens if no
        run was begun.

        Raises
        ------
        Error
            If tasks do not come back to waiting.
        """
        with self._commands:
            run = self._control.run
            if run is None or self._supervisor is None:
                return
            self._transitions.stop_sources(run)
            self._transitions.await_end(run)
            self._keeper.close(run, self)
            self._transitions.to_waiting(run)
            self._control.run = None
            if self._callbacks is not None:
                self._callbacks.settle(COMMAND_SECONDS)

    def pause(self) -> None:
        """Let the sources deliver nothing until `resume`; the run stays open.

        Returns when they have paused. What they sent before is worked off meanwhile.
        The record of the run lists the pauses; its limit of time stands still.

        Raises
        ------
        Error
            If no run goes on, or a source does not respond.
        """
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Let the sources deliver again, after `pause`.

        Raises
        ------
        Error
            As for `pause`.
        """
        self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> None:
        with self._commands:
            run = self._control.run
            if run is None or run.over:
                what = "pause" if paused else "resume"
                raise Error(f"there is nothing to {what}: no run goes on")
            if self.is_paused is paused:
                return
            try:
                self._transitions.pause(run, paused=paused)
            finally:
                self._keeper.note_pauses(run)

    def wait(self, timeout: float | None = None, *, quiet: bool = False) -> bool:
        """Wait until the run is over, and show how it goes.

        Ctrl-C stops the run and works off what is under way; once more kills.

        Parameters
        ----------
        timeout
            Longest time to wait in seconds.
        quiet
            Show nothing.

        Returns
        -------
        bool
            Whether the run is over.

        Raises
        ------
        Error
            If the run failed.
        """
        run = self._control.run
        if run is None:
            return True
        from pixie_pipe.pipeline.progress import watch

        until = None if timeout is None else time.monotonic() + timeout
        try:
            with watch(self, quiet=quiet) as refresh:
                while not run.over and (until is None or time.monotonic() < until):
                    left = 0.25 if until is None else until - time.monotonic()
                    self._service.wait_for(lambda: run.over, min(0.25, max(left, 0)))
                    refresh()
        except KeyboardInterrupt:
            self._interrupted(run)
        if not run.over:
            return False
        self._keeper.close(run, self)
        if self._callbacks is not None:
            self._callbacks.settle(COMMAND_SECONDS)
        if run.reasons:
            raise Error("the run failed: " + "\n  ".join(run.reasons))
        return True

    def _interrupted(self, run: Run) -> None:
        self.handle_print("", "stopping; Ctrl-C once more kills the tasks")
        try:
            self._transitions.stop_sources(run)
            self._transitions.await_end(run)
        except KeyboardInterrupt:
            self.kill()
            raise

    def run_series(
        self, count: int, *, pause_s: float = 0.0, quiet: bool = False
    ) -> list[RunBalance]:
        """Take runs one after the other; returns when the last one is over.

        Each run ends by its `limits` or its sources. Ctrl-C in a run ends it and the
        series, between two runs the series; so does a `stop` from elsewhere.

        Parameters
        ----------
        count
            Number of runs, at least 1.
        pause_s
            Time between two runs in seconds.
        quiet
            Show nothing while a run goes on.

        Returns
        -------
        list of RunBalance
            One for each run that was taken.

        Raises
        ------
        ValueError
            If `count` or `pause_s` is too small; nothing is started then.
        Error
            If a run fails. Those before it are on the disk.
        """
        from pixie_pipe.pipeline.series import run_series

        return run_series(self, count, pause_s, quiet=quiet)

    def quit(self) -> None:
        """Stop the run if there is one, let all tasks leave, and clean up."""
        with self._commands:
            if self._supervisor is None:
                return
            try:
                if self._control.run is not None and not self._control.run.over:
                    self.stop()
                self._transitions.dismiss()
            finally:
                self._shut_down()

    def kill(self) -> None:
        """Kill all tasks at once. A run that goes on is marked incomplete."""
        if self._supervisor is None:
            return
        run = self._control.run
        with self._service.changed:
            if run is not None and not run.over:
                run.reasons.append("the pipeline was killed")
                run.ended_by = run.ended_by or "failure"
        self._shut_down()

    def _shut_down(self) -> None:
        """Kill what is still there, close the run, and end the threads."""
        supervisor, run = self._service, self._control.run
        self._transitions.kill()
        if run is not None and run.begun:
            supervisor.wait_for(lambda: run.over, QUIT_SECONDS)
            self._keeper.close(run, self)
        supervisor.close()
        supervisor.forget(list(supervisor.records))
        if self._callbacks is not None:
            self._callbacks.close()
        self._callbacks = None
        self._supervisor = None
        self._control.run = None
        self._connected = False

    # Services

    def _end_run(self, run: Run, ended_by: str) -> None:
        """End a run as a stop would, without waiting for its end."""
        if self._supervisor is None:
            return
        with self._service.changed:
            if run is self._control.run:
                self._control.end(ended_by)

    def _close_run(self, run: Run) -> None:
        self._keeper.close(run, self)

    def _ensure_service(self) -> None:
        if self._supervisor is not None:
            return
        supervisor = Supervisor(self._control, self._transport)
        self._callbacks = Callbacks(
            {
                "report": self.handle_report,
                "print": self.handle_print,
                "error": self.handle_error,
                "over": self._close_run,
            }
        )
        self._supervisor = supervisor
        self._control.supervisor = self._supervisor
        self._transitions = Transitions(self._supervisor, self._control, self.graph)
