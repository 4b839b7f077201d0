"""The life of a task in its process: commands, data, and what ends it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from typing import TYPE_CHECKING, Any

from pixie_pipe._kernel_cache import is_warm
from pixie_pipe.pipeline._task_contract import TaskContract
from pixie_pipe.pipeline._task_work import WAIT_SECONDS, TaskWork
from pixie_pipe.pipeline.host import Abandon, Host, Leave
from pixie_pipe.pipeline.messages import (
    Configure,
    Connect,
    Cut,
    Error,
    Finished,
    Hello,
    Pause,
    Quit,
    Resume,
    Start,
    Status,
    Stop,
)
from pixie_pipe.pipeline.parameters import ParameterError, checked_parameters

if TYPE_CHECKING:
    import zmq

    from pixie_pipe.pipeline.checkpoint import Checkpoint
    from pixie_pipe.pipeline.data import Tallies
    from pixie_pipe.pipeline.endpoint import Endpoint
    from pixie_pipe.pipeline.frames import Header


class TaskProcess(TaskWork, ForkServerProcess):
    """The part of a task that lives: it obeys, works and ends."""

    control_address: str
    bind_data: str
    bind_acks: str
    companions: Sequence[TaskProcess]

    _host: Host

    def run(self) -> None:
        """Live: connect, obey commands, work, until told to quit.

        Called in the new process, for the first of the tasks that share it.
        """
        Host([self, *self.companions]).run()

    def take_turn(self) -> None:
        """Do the next thing that is to be done; wait if there is nothing."""
        self.poll(0)
        if self.status is Status.RUNNING:
            self.work()
        elif self.status is not Status.DYING:
            self.wait()

    def take_turn_between(self) -> None:
        """Do what is to be done between data that a task of this process brings."""
        if self.status is Status.RUNNING and self._endpoint.inbox.ended:
            self.stop()
        elif self.status in (Status.RUNNING, Status.WAITING):
            self._tick()

    def open_sockets(self, endpoint: Callable[[], Endpoint]) -> None:
        """Take sockets, which the function makes; all tasks of the process do first."""
        self._stop_asked = False
        self._done = 0
        self._giving_up = 0
        self._refused = ""
        self._progress = 0
        self._own_report: dict[str, Any] = {}
        self._report_due = False
        self._next_beat = 0.0
        self._next_report = 0.0
        self._next_wait = 0.0
        self._reasons: list[str] = []
        self._tallies: Tallies = {}
        self._checkpoint: Checkpoint | None = None
        self._in_run = False
        self._pause_asked = self._is_paused = False
        # Names of the preparations whose kernels are in this process.
        self._loaded: set[str] = set()
        self._endpoint = endpoint()

    def init(self) -> None:
        """Tell the pipeline where the sockets are, and call `do_init`."""
        self._endpoint.control.send(
            Hello(os.getpid(), self._endpoint.data_address, self._endpoint.acks_address)
        )
        self.do_init()
        self.send_heart_beat()

    def poll(self, timeout: float = 0.0, *, data: bool = False) -> bool:
        """Handle what has come: commands and acknowledgements.

        Parameters
        ----------
        timeout
            Seconds to wait if nothing has come.
        data
            Whether data end the waiting, too.

        Returns
        -------
        bool
            Whether anything came.
        """
        return self._host.poll(timeout, data=data)

    def take_news(self, ready: Mapping[Any, int]) -> None:
        """Handle commands and acknowledgements, and send what is due.

        Parameters
        ----------
        ready
            The sockets at which something has come.
        """
        endpoint = self._endpoint
        if endpoint.outbox.socket in ready:
            endpoint.outbox.take_acks()
        if endpoint.control.socket in ready:
            while (message := endpoint.control.receive()) is not None:
                self._obey(message)
        now = time.monotonic()
        if now >= self._next_beat:
            self._host.look_for_parent()
            self.send_heart_beat()
        if self._report_due and now >= self._next_report:
            self.flush_report()

    def begin(self, start: Start) -> None:
        """Begin a run: reset what belongs to one, and call `do_start`."""
        self.run_number = start.run
        self.run_directory = start.directory
        self.state_path = start.checkpoint
        self.is_live = start.live
        self.statistics = {}
        self.ledger = {}
        self._reasons = []
        self._tallies = {}
        self._stop_asked = False
        self._pause_asked = self._is_paused = False
        self._progress = 0
        self._endpoint.begin(start.run, restarted=start.restarted)
        self._checkpoint = self._new_checkpoint(start)
        self.do_start()
        self._in_run = True
        if self._checkpoint is not None and start.restarted:
            self._checkpoint.restore()
        self.status = Status.RUNNING

    def work(self) -> None:
        """Do one step: make data if this is a source, else work on the next datum."""
        if self.is_source:
            if self._stop_asked:
                self.stop()
                return
            self._work_as_source()
            self._tick()
            return
        inbox = self._endpoint.inbox
        frame = inbox.next()
        if frame is None:
            inbox.drain()
            frame = inbox.next()
        if frame is not None:
            self._process(frame)
        elif inbox.ended or (self.is_start and self._stop_asked):
            self.stop()
            return
        else:
            self.poll(WAIT_SECONDS, data=True)
        self._tick()

    def _work_as_source(self) -> None:
        """Make data, or none during a pause."""
        if self._pause_asked is not self._is_paused:
            self._is_paused = self._pause_asked
            if self._is_paused:
                self.do_pause()
            else:
                self.do_resume()
            self.send_heart_beat()
        if self._is_paused:
            self.pause(WAIT_SECONDS)
        else:
            self._call_do_work(None, -1)

    def take_frame(self, header: Header, buffers: list[memoryview]) -> bool:
        """Work on a frame of a task in the same process.

        Parameters
        ----------
        header, buffers
            As they would come over a link.

        Returns
        -------
        bool
            Whether it could be taken.
        """
        if self.status is not Status.RUNNING:
            return False
        with self._host.working(self):
            try:
                self._process(self._endpoint.inbox.take(header, buffers))
            except Exception as error:  # noqa: BLE001 - it is not the sender's
                self.panic(error)
        return True

    def wait(self) -> None:
        """Wait for a command for a short time, and call `do_wait`."""
        self.poll(WAIT_SECONDS)
        if self.status is Status.WAITING:
            self._tick()

    def stop(self) -> None:
        """End the stream: call `do_stop`, send what is left, and say so."""
        self._in_run = False
        self.do_stop()
        self.send_finished()
        self.flush_report()
        self.status = Status.FINISHED
        self._endpoint.control.send(Finished(self.run_number, self._statistics()))
        self.send_heart_beat()

    def quit(self) -> None:
        """Call `do_quit`, close the sockets, and leave."""
        self.status = Status.DYING
        try:
            self.do_quit()
        except Exception as error:  # noqa: BLE001 - it leaves in any case
            self.report_error(error, fatal=False)
        with contextlib.suppress(Exception):
            self.send_heart_beat()
        self.close_sockets()

    def close_sockets(self) -> None:
        """Close the sockets, if they are there."""
        endpoint = getattr(self, "_endpoint", None)
        if endpoint is not None:
            endpoint.close()

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take values of parameters, and call `do_configure` with them.

        Raises
        ------
        ParameterError
            If a name or a value is wrong; nothing is changed then.
        """
        right = checked_parameters(self.parameters, config, self.name)
        before = dict(vars(self.config))
        vars(self.config).update(right)
        try:
            self.do_configure(right)
        except Exception:
            vars(self.config).update(before)
            raise
        self._load_kernels()

    def _load_kernels(self) -> None:
        """Load what was compiled for this task, so that the first data do not wait."""
        for preparation in self.preparations(vars(self.config)):
            if preparation.name not in self._loaded and is_warm(preparation.name):
                preparation.function()
                self._loaded.add(preparation.name)

    def connect(self, message: Connect) -> None:
        """Take the neighbours, and call `do_connect`."""
        self.is_start = message.is_start
        self.is_final = message.is_final
        self._endpoint.inbox.connect(message.inputs)
        self._endpoint.outbox.connect(message.outputs)
        self._host.watch()
        self.do_connect()

    @property
    def is_driving(self) -> bool:
        """Whether it makes data, or waits for those of other processes, in a run."""
        inbox = self._endpoint.inbox
        return self.status is Status.RUNNING and not inbox.is_fed_here

    def watch_with(self, quiet: zmq.Poller, everything: zmq.Poller) -> None:
        """Register the sockets to wait for: without data, and with them."""
        self._endpoint.watch_with(quiet, everything)

    @property
    def is_source(self) -> bool:
        """Whether it makes data instead of waiting for some."""
        return self.is_start and not self.reads

    def finish(self) -> None:
        """End the stream of a source when the current `do_work` returns."""
        self._stop_asked = True

    @property
    def stop_asked(self) -> bool:
        """Whether a source is to end; long work may look."""
        return self._stop_asked

    def pause(self, seconds: float) -> None:
        """Wait without using the processor; a command ends it early."""
        until = time.monotonic() + seconds
        while not self._is_called and (left := until - time.monotonic()) > 0:
            self.poll(min(left, WAIT_SECONDS))
            self._host.follow_idle()

    @property
    def _is_called(self) -> bool:
        """Whether a source is to do something else than to make data."""
        return self._stop_asked or self._pause_asked is not self._is_paused

    def _obey(self, message: object) -> None:
        if isinstance(message, Cut):
            self._endpoint.inbox.cut(message.task)
            self._endpoint.outbox.cut(message.task)
        elif isinstance(message, Resume):
            self._endpoint.resume(message.task, message.address, message.acks)
        else:
            self._execute(message)

    def _execute(self, message: object) -> None:
        """Carry out a command, and tell how it went."""
        number = getattr(message, "number", 0)
        self._refused = ""
        try:
            self._command(message)
        except (ParameterError, Error) as error:
            self._refused = str(error)
        except Exception as error:
            self._refused = f"{type(error).__name__}: {error}"
            self._done = number
            if isinstance(message, Start):
                raise
            self.report_error(error, fatal=False)
        self._done = number
        self.send_heart_beat()

    def _command(self, message: object) -> None:
        if isinstance(message, Quit):
            if self.status is Status.RUNNING:
                raise Leave
            self.status = Status.DYING
        elif isinstance(message, Stop):
            self._stop_asked = True
            if self.status is Status.RUNNING and message.abandon:
                # Done when it waits again, not before: what it reports on the way
                # would end the command too soon.
                self._giving_up = message.number
                raise Abandon
            if self.status in (Status.FINISHED, Status.PANICKING):
                self.status = Status.WAITING
        elif isinstance(message, Pause):
            # Between two data: whoever makes one may be waiting for room to send it.
            self._pause_asked = message.paused
        elif self.status is Status.RUNNING:
            raise Error(f"is running: stop it before {type(message).__name__.lower()}")
        elif isinstance(message, Configure):
            self.configure(message.config)
        elif isinstance(message, Connect):
            self.connect(message)
        elif isinstance(message, Start):
            self.begin(message)

    def _tick(self) -> None:
        """Call `do_wait` if it is time, and look for commands."""
        now = time.monotonic()
        if now >= self._next_wait:
            self._next_wait = now + WAIT_SECONDS
            self.do_wait()
            if self._checkpoint is not None:
                self._checkpoint.save_if_due()

    def _new_checkpoint(self, start: Start) -> Checkpoint | None:
        if not start.checkpoint or type(self).serialize is TaskContract.serialize:
            return None
        from pixie_pipe.pipeline.checkpoint import Checkpoint

        return Checkpoint(self, self._endpoint.inbox, start.checkpoint)

    def panic(self, error: Exception) -> None:
        """Report an error that ends the work, and wait for a decision."""
        self.report_error(error, fatal=True)
        self.status = Status.PANICKING
        self.give_up(f"{self.name} failed: {type(error).__name__}: {error}")
        self._close_run()
        with contextlib.suppress(Exception):
            # Only now is known what it did.
            self._endpoint.control.send(Finished(self.run_number, self._statistics()))
            self.send_heart_beat()

    def give_run_up(self) -> None:
        """End a run at the pipeline's command, or because a task beside it does."""
        self.abandon("the run was given up")
        self.status = Status.WAITING
        self._done = max(self._done, self._giving_up)
        self.send_heart_beat()

    def abandon(self, reason: str) -> None:
        """End a run that nobody waits for any more."""
        self.give_up(reason)
        self._close_run()

    def _close_run(self) -> None:
        """Let the task close its files; nothing that it sends is wanted any more."""
        self._endpoint.outbox.cut_all()
        if not self._in_run:
            return
        self._in_run = False
        try:
            self.do_stop()
        except (Leave, Abandon):
            pass
        except Exception as error:  # noqa: BLE001 - the first error has been told
            self.report_error(error, fatal=False)
