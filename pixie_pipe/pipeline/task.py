"""The base class of all tasks: one process of the pipeline.

Covered here: the life of a task, what a task may call, and what it may override. The
sockets are in `links`, `outbox` and `control`; who starts and watches the process is in
`supervisor`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pixie_pipe.pipeline.data import Kind, Origin, Tallies, Tally
from pixie_pipe.pipeline.declarations import Category, Port, Role
from pixie_pipe.pipeline.frames import END, NOTHING, Packed, pack, unpack
from pixie_pipe.pipeline.messages import (
    Configure,
    Connect,
    Cut,
    Error,
    ErrorReport,
    Finished,
    Hello,
    Print,
    Quit,
    Report,
    Resume,
    Start,
    Status,
    Stop,
)
from pixie_pipe.pipeline.parameters import Parameter, ParameterError, check_parameters
from pixie_pipe.pipeline.registry import (
    PACKAGE,
    RegistryError,
    add_search_path,
    search_path,
)

if TYPE_CHECKING:
    from pixie_pipe.pipeline.checkpoint import Checkpoint
    from pixie_pipe.pipeline.frames import Header
    from pixie_pipe.pipeline.input_port import Arrived

HEART_BEAT_SECONDS: Final = 1.0
"""Period of the sign of life. The pipeline notices a dead process by itself; beats tell
how it goes, and people read them about once a second."""

WAIT_SECONDS: Final = 0.1
"""Period of `Task.do_wait`: a slow stream shows up within a second with ease."""

REPORT_SECONDS: Final = 0.5
"""Least time between two reports of a task that reports more often."""


class _Leave(BaseException):
    """Ends whatever the task is doing; not for `except Exception`."""


class _Abandon(BaseException):
    """Ends the run, whatever the task is doing; not for `except Exception`."""


class Task(ForkServerProcess):
    """One process of a pipeline.

    A subclass needs nothing but `do_work`, at the top level of a file. What it
    returns, or gives to `send`, goes to the next tasks. Instances are made by
    `Pipeline.create_task`; all but ``__init__`` happens in the task's own process.

    Parameters
    ----------
    name
        Name of the process, unique in the pipeline.
    **kwargs
        The pipeline's `task_kwargs`, kept as ``self.kwargs``. A subclass with an
        ``__init__`` of its own must pass on what it does not know.

    Attributes
    ----------
    class_registry
        All task classes by name.
    reads, writes
        Kinds of data and columns; None means any. A first task that reads nothing, or
        anything, is a source: its `do_work` is called again and again with None.
    parameters
        Parameters by name; their values are in ``self.config``.
    category, label
        Where it stands in the palette, and a line that says what it does.
    role
        ``essential``: its death ends the run. ``optional``: it is restarted, or the
        run goes on without it.
    can_pool
        Whether several workers may share the work: each datum is worked on by itself.
    live
        Whether a source takes data now, rather than reading old ones.
    hang_seconds
        Time without a sign of life after which the process counts as hung.
    conserves_events
        Whether it sends on every event that it gets, or counts it in the ledger as
        ``events_dropped``.
    config
        Values of the parameters.
    status
        The state it is in.
    statistics
        Numbers that are sent along with every report. Free to add to.
    ledger
        Numbers from which the balance of the run is made; see `balance`.
    origin
        Where the datum came from that is being worked on, or None.
    incomplete
        Why the data of this run are not complete; empty while they are.
    run_number, run_directory, is_live
        Number of the run in this session, its directory ("" if it has none), and
        whether the data are taken now.

    Examples
    --------
    >>> class HighEnergy(Task):
    ...     threshold = 1000
    ...
    ...     def do_work(self, datum):
    ...         return datum[datum.energy > self.threshold]
    """

    class_registry: ClassVar[dict[str, type[Task]]] = {}

    reads: ClassVar[Sequence[Port] | None] = None
    writes: ClassVar[Sequence[Port] | None] = None
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    category: ClassVar[Category] = Category.TRANSFORM
    label: ClassVar[str] = ""
    role: ClassVar[Role] = Role.ESSENTIAL
    can_pool: ClassVar[bool] = False
    live: ClassVar[bool] = False
    hang_seconds: ClassVar[float] = 60.0
    conserves_events: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = Task.class_registry.get(cls.__name__)
        if known is not None and not _is_same(known, cls):
            raise RegistryError(
                f"a task {cls.__name__} is there already, in {known.__module__}; the "
                f"one in {cls.__module__} needs another name"
            )
        Task.class_registry[cls.__name__] = cls

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or type(self).__name__, daemon=False)
        self.kwargs = kwargs
        self.control_address = ""
        self.bind_data = ""
        self.bind_acks = ""
        self.is_worker = False
        self.status = Status.WAITING
        self.statistics: dict[str, Any] = {}
        self.ledger: dict[str, int] = {}
        self.origin: Origin | None = None
        self.run_number = 0
        self.run_directory = ""
        self.is_live = False
        self.is_start = False
        self.is_final = False
        self.config = SimpleNamespace(
            **{key: known.default for key, known in self.parameters.items()}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the new process find the class first, then fill in the rest."""
        kind = type(self)
        place = (list(search_path()), kind.__module__, kind.__qualname__)
        return _find_and_make, place, self.__dict__

    # The life of the process

    def run(self) -> None:
        """Live: connect, obey commands, work, until told to quit."""
        try:
            self.init()
        except Exception as error:  # noqa: BLE001 - whatever a task raises is told
            self._report_error(error, fatal=True)
            if hasattr(self, "_endpoint"):
                self._endpoint.close()
            sys.exit(1)
        try:
            while self.status is not Status.DYING:
                self._live()
        except _Leave:
            self._abandon("the pipeline was ended while data were coming")
        self.quit()

    def _live(self) -> None:
        """Do the next thing that is to be done."""
        try:
            self.poll(0)
            if self.status is Status.RUNNING:
                self.work()
            elif self.status is not Status.DYING:
                self.wait()
        except _Abandon:
            self._abandon("the run was given up")
            self.status = Status.WAITING
            self.send_heart_beat()
        except Exception as error:  # noqa: BLE001 - whatever a task raises is reported
            self._panic(error)

    def init(self) -> None:
        """Open the sockets, tell the pipeline where they are, and call `do_init`."""
        from pixie_pipe.pipeline.endpoint import Endpoint

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._note_termination)
        self._terminated = False
        self._stop_asked = False
        self._done = 0
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
        self._endpoint = Endpoint(
            self.name, self.control_address, self.bind_data, self.bind_acks
        )
        sys.stdout = _Printer(self)
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
        came = self._endpoint.wait(timeout, data=data)
        while (message := self._endpoint.control.receive()) is not None:
            self._obey(message)
        now = time.monotonic()
        if now >= self._next_beat:
            self.send_heart_beat()
        if self._report_due and now >= self._next_report:
            self.flush_report()
        if self._terminated:
            raise _Leave
        return came

    def begin(self, start: Start) -> None:
        """Begin a run: reset what belongs to one, and call `do_start`."""
        self.run_number = start.run
        self.run_directory = start.directory
        self.is_live = start.live
        self.statistics = {}
        self.ledger = {}
        self._reasons = []
        self._tallies = {}
        self._stop_asked = False
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
            self._call_do_work(None, -1)
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
            self._report_error(error, fatal=False)
        endpoint = getattr(self, "_endpoint", None)
        if endpoint is not None:
            with contextlib.suppress(Exception):
                self.send_heart_beat()
            sys.stdout = sys.__stdout__
            endpoint.close()
            if _is_orphan():
                endpoint.remove_files()

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take values of parameters, and call `do_configure` with them.

        Raises
        ------
        ParameterError
            If a name or a value is wrong; nothing is changed then.
        """
        right, problems = check_parameters(self.parameters, config, self.name)
        if problems:
            raise ParameterError("; ".join(text for _, text in problems))
        for key, value in right.items():
            setattr(self.config, key, value)
        self.do_configure(right)

    def connect(self, message: Connect) -> None:
        """Take the neighbours, and call `do_connect`."""
        self.is_start = message.is_start
        self.is_final = message.is_final
        self._endpoint.inbox.connect(message.inputs)
        self._endpoint.outbox.connect(message.outputs)
        self.do_connect()

    # To be overridden

    def do_init(self) -> None:
        """Prepare what lasts for the life of the process. Called once, first."""

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Take values of parameters; ``self.config`` has them already.

        Called while waiting. What it raises is shown, and the command refused.

        Parameters
        ----------
        config
            The values that were given, checked against `parameters`.
        """

    def do_connect(self) -> None:
        """Called when the neighbours are known: ``is_start``, ``is_final``."""

    def do_start(self) -> None:
        """Prepare a run. Must reset what the last run left. Called for each START."""

    def do_work(self, datum: Any) -> Any:  # noqa: ANN401 - any kind of data
        """Work on one datum.

        Parameters
        ----------
        datum
            What a neighbour sent, of a kind in `reads`; other kinds pass through
            unseen. Its arrays cannot be written to. None for a source, which is
            called again and again: it sends, or calls `pause`, or `finish`.

        Returns
        -------
        object
            What to send on, as for `send`; None for nothing. A generator sends
            each of its items.
        """
        raise NotImplementedError(f"{type(self).__name__} has no do_work(datum)")

    def do_wait(self) -> None:
        """Called about every 0.1 s, between data and while waiting.

        ``self.status`` tells whether a run goes on; then it may send.
        """

    def do_stop(self) -> None:
        """End the run: no more data will come. May send what was held back.

        Called once for each run, also if the run failed; ``self.incomplete`` says
        why data are missing then.
        """

    def do_quit(self) -> None:
        """Give back what `do_init` took. Called once, last."""

    def serialize(self) -> bytes | None:
        """Return the state that a restarted process goes on from; None for none."""
        return None

    def restore(self, state: bytes) -> None:
        """Take up the state that `serialize` returned, after `do_start`."""

    # To be called

    @property
    def is_source(self) -> bool:
        """Whether it makes data instead of waiting for some."""
        return self.is_start and not self.reads

    @property
    def incomplete(self) -> list[str]:
        """Why the data of this run are not complete; empty while they are."""
        known = [*self._reasons, *self._endpoint.inbox.reasons]
        return list(dict.fromkeys(known))

    @property
    def tallies(self) -> Tallies:
        """What became of words, by stream, as far as the data that came tell."""
        return self._tallies

    def send(self, data: Any) -> None:  # noqa: ANN401 - any kind of data
        """Send data to all neighbours; wait while one of them has too much to do.

        Parameters
        ----------
        data
            Events, Words, Chunk, Rejected, StreamMark, a NumPy array, or plain
            numbers, texts, lists and dictionaries; None is nothing. Arrays are not
            copied and must not be changed afterwards.

        Raises
        ------
        FrameError
            If it cannot be sent.
        """
        if data is not None:
            self.send_data(pack(data), _origin_of(data) or self.origin)

    def send_data(self, packed: Packed, origin: Origin | None) -> None:
        """Send a datum that has the form of a frame already."""
        outbox = self._endpoint.outbox
        while not outbox.has_room(packed.nbytes):
            self.poll(WAIT_SECONDS)
        outbox.post(packed, origin)

    def send_finished(self) -> None:
        """Tell all neighbours that the run is over, and wait until they know."""
        outbox = self._endpoint.outbox
        outbox.finish(self.incomplete)
        while not outbox.is_done:
            self.poll(WAIT_SECONDS)

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
        while not self._stop_asked and (left := until - time.monotonic()) > 0:
            self.poll(min(left, HEART_BEAT_SECONDS))

    def account(self, key: tuple[str, int], tally: Tally) -> None:
        """Tell what became of words of a stream; the consumers get to know, too."""
        self._tallies.setdefault(key, Tally()).add(tally)
        self._endpoint.outbox.add_tally(key, tally)

    def give_up(self, reason: str) -> None:
        """Note why the data of this run are not complete; the run goes on."""
        if reason not in self._reasons:
            self._reasons.append(reason)

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
        if _is_orphan():
            self._terminated = True
        self._send_state(None)

    # Inside

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
            self._report_error(error, fatal=False)
        self._done = number
        self.send_heart_beat()

    def _command(self, message: object) -> None:
        if isinstance(message, Quit):
            if self.status is Status.RUNNING:
                raise _Leave
            self.status = Status.DYING
        elif isinstance(message, Stop):
            self._stop_asked = True
            if self.status is Status.RUNNING and message.abandon:
                self._done = message.number
                raise _Abandon
            if self.status in (Status.FINISHED, Status.PANICKING):
                self.status = Status.WAITING
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

    def _process(self, frame: Arrived) -> None:
        """Work on one frame, and acknowledge it."""
        header = frame.header
        for source, number, tally in header.tallies:
            self.account((source, number), tally)
        if header.kind not in (END, NOTHING):
            self.origin = header.origin
            datum = unpack(header, frame.buffers)
            if self._is_read(header.kind):
                self._call_do_work(datum, header.order)
            else:
                self._pass_on(datum, header)
            self.origin = None
        elif header.kind == NOTHING:
            self._endpoint.outbox.begin_datum(self._pool_order(header.order))
            self._endpoint.outbox.end_datum()
        if self._checkpoint is not None:
            self._checkpoint.note(frame)
        else:
            self._endpoint.inbox.acknowledge(frame)

    def _is_read(self, kind: str) -> bool:
        if self.reads is None:
            return kind not in (Kind.MARKS, Kind.REJECTED)
        return any(port.kind == kind for port in self.reads)

    def _pool_order(self, order: int) -> int:
        return order if self.is_worker else -1

    def _call_do_work(self, datum: Any, order: int) -> None:  # noqa: ANN401
        outbox = self._endpoint.outbox
        outbox.begin_datum(self._pool_order(order))
        result = self.do_work(datum)
        if isinstance(result, Iterator):
            for item in result:
                self.send(item)
        else:
            self.send(result)
        outbox.end_datum()
        self._progress += 1

    def _pass_on(self, datum: object, header: Header) -> None:
        outbox = self._endpoint.outbox
        outbox.begin_datum(self._pool_order(header.order))
        self.send_data(pack(datum), header.origin)
        outbox.end_datum()

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
        if self.status is Status.FINISHED:
            statistics["tallies"] = [
                [*key, tally.decoded, tally.rejected, tally.leftover,
                 tally.trailing_bytes, tally.events]
                for key, tally in self._tallies.items()
            ]  # fmt: skip
        return statistics

    def _new_checkpoint(self, start: Start) -> Checkpoint | None:
        if not start.checkpoint or type(self).serialize is Task.serialize:
            return None
        from pixie_pipe.pipeline.checkpoint import Checkpoint

        return Checkpoint(self, self._endpoint.inbox, start.checkpoint)

    def _panic(self, error: Exception) -> None:
        """Report an error that ends the work, and wait for a decision."""
        self._report_error(error, fatal=True)
        self.status = Status.PANICKING
        self.give_up(f"{self.name} failed: {type(error).__name__}: {error}")
        self._close_run()
        with contextlib.suppress(Exception):
            self.send_heart_beat()

    def _abandon(self, reason: str) -> None:
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
        except (_Leave, _Abandon):
            pass
        except Exception as error:  # noqa: BLE001 - the first error has been told
            self._report_error(error, fatal=False)

    def _report_error(self, error: Exception, *, fatal: bool) -> None:
        endpoint = getattr(self, "_endpoint", None)
        text = "".join(traceback.format_exception(error))
        if endpoint is None:
            sys.stderr.write(text)
            return
        endpoint.control.send(
            ErrorReport(
                msg=f"{type(error).__name__}: {error}"[:10_000],
                origin=str(self.origin or ""),
                traceback=text[-100_000:],
                fatal=fatal,
            )
        )

    def _note_termination(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True


class _Printer:
    """Stands for the standard output: whole lines become messages."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._task.print(line)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a line is sent when it is whole."""

    def isatty(self) -> bool:
        """Nobody types here."""
        return False


def _origin_of(data: object) -> Origin | None:
    stream = getattr(data, "stream", None)
    offset = getattr(data, "offset", None)
    if stream is None or offset is None:
        return None
    time_ns = getattr(data, "time_ns", 0)
    return Origin(stream.source, stream.number, offset, time_ns, stream.name)


def _is_same(known: type, new: type) -> bool:
    """Tell whether `new` is `known` defined again: a cell or a file that ran twice."""
    names = {known.__module__, new.__module__}
    same_module = len(names) == 1 or names <= {"__main__", "__mp_main__"}
    return same_module and known.__qualname__ == new.__qualname__


def _find_and_make(path: list[str], module: str, qualname: str) -> Task:
    """Make a task in its new process, where its class is not known yet."""
    # Ctrl-C is for the pipeline to handle; it must not interrupt the imports either.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import importlib

    add_search_path(path)
    found: Any = importlib.import_module(
        "__mp_main__" if module == "__main__" else module
    )
    for part in qualname.split("."):
        found = getattr(found, part)
    made: Task = found.__new__(found)
    return made


def _is_orphan() -> bool:
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


__all__ = ["PACKAGE", "Task"]
