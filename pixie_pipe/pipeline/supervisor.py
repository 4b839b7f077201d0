"""Starts the processes, hears from them, and notices when one is gone.

One thread owns the ROUTER socket. Others ask it to send, and wait on a condition until
the table of processes shows what they wait for. What a death or an error means for the
run is decided in `run_control`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import zmq

from pixie_pipe.pipeline.links import address_of
from pixie_pipe.pipeline.messages import (
    MAX_CONTROL_BYTES,
    Error,
    FromTask,
    Hello,
    ProtocolError,
    Report,
    Status,
    ToTask,
    decode_from_task,
    encode_control,
)
from pixie_pipe.pipeline.runtime_directory import make_runtime_directory, remove
from pixie_pipe.pipeline.shared_memory import memory_file

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Node
    from pixie_pipe.pipeline.task import Task

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.2
"""Period in which deadlines are looked at."""

PRELOAD = "pixie_pipe.pipeline.preload"


@dataclass(slots=True)
class ProcessRecord:
    """What is known of one process."""

    name: str
    node: Node
    task: Task
    # The first of the tasks of its process: that one is the process.
    process: Task
    hello: Hello | None = None
    status: Status = Status.WAITING
    done: int = 0
    refused: str = ""
    progress: int = 0
    heard: float = field(default_factory=time.monotonic)
    begun: float = field(default_factory=time.monotonic)
    statistics: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    finished_run: int = 0
    has_failed: bool = False
    # Told of an error since it was started: for the next run there is a new process.
    is_spent: bool = False
    error: str = ""
    exit_code: int | None = None
    is_cut: bool = False
    leaving: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self.exit_code is None

    @property
    def end(self) -> str:
        """How the process ended, as text."""
        code = self.exit_code
        if code is None:
            return "is running"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-code).name}"
        cause = f": {self.error}" if self.error else ""
        return f"ended with exit code {code}{cause}"


class Listener(Protocol):
    """Who decides what news mean. All is called in the service thread."""

    def on_message(self, record: ProcessRecord, message: FromTask) -> None:
        """A message has come; the record knows about it already."""

    def on_death(self, record: ProcessRecord) -> None:
        """A process has ended."""

    def on_tick(self) -> None:
        """Time has passed."""

    def on_fault(self, error: Error) -> None:
        """Something came that is no message."""


class Supervisor:
    """The processes of one pipeline.

    Parameters
    ----------
    listener
        Who decides.
    transport
        ``"ipc"`` for sockets in a private directory, ``"tcp"`` for the loopback.
    """

    def __init__(self, listener: Listener, transport: str = "ipc") -> None:
        self._listener = listener
        self._transport = transport
        self.records: dict[str, ProcessRecord] = {}
        self.changed = threading.Condition(threading.RLock())
        self.directory: Path = make_runtime_directory()
        self._context: zmq.Context[Any] = zmq.Context(io_threads=1)
        self._router: zmq.Socket[Any] = self._context.socket(zmq.ROUTER)
        self._router.linger = 0
        self._router.sndhwm = 0
        self._router.rcvhwm = 0
        self._router.maxmsgsize = 16 * MAX_CONTROL_BYTES
        try:
            self._router.bind(self._address("control"))
        except zmq.ZMQError as error:
            self._router.close()
            self._context.term()
            remove(self.directory)
            raise Error(
                f"cannot bind {self._address('control')}: {error}; expected a "
                f"directory for sockets that can be written to, or a free port"
            ) from error
        self.address = address_of(self._router)
        self._outgoing: deque[tuple[str, ToTask]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._closing = False
        self._number = 0
        self._spawned = 0
        self._thread = threading.Thread(
            target=self._serve, name="pixie_pipe pipeline", daemon=True
        )
        self._thread.start()

    def _address(self, name: str) -> str:
        if self._transport == "tcp":
            return "tcp://127.0.0.1:*"
        return f"ipc://{self.directory / name}"

    # From any thread

    def spawn(self, nodes: Mapping[str, Node], kwargs: Mapping[str, Any]) -> None:
        """Start a process; the `Hello` of each of its tasks comes later.

        Parameters
        ----------
        nodes
            The tasks, or one worker of a pool, by name; producers first.
        kwargs
            Given to their constructors.

        Raises
        ------
        Error
            If a task cannot be made, or not be given to another process.
        """
        _serve_processes()
        tasks = [self._make(node, name, kwargs) for name, node in nodes.items()]
        first = tasks[0]
        first.companions = tasks[1:]
        with self.changed:
            # It may say hello before `start` returns; it must be known by then.
            try:
                first.start()
            except Exception as error:
                names = " and ".join(nodes)
                raise Error(
                    f"cannot give the task {names} to a process of its own: {error}; "
                    f"its arguments must be plain values, and its class in a file",
                    task=first.name,
                ) from error
            for task in tasks:
                record = ProcessRecord(task.name, nodes[task.name], task, first)
                self.records[task.name] = record
        self._wake()

    def _make(self, node: Node, name: str, kwargs: Mapping[str, Any]) -> Task:
        try:
            task = node.kind(name, **kwargs)
        except Exception as error:
            raise Error(
                f"cannot make the task {name}: {type(error).__name__}: {error}",
                task=name,
            ) from error
        task.control_address = self.address
        # New addresses for each process: a neighbour's socket would connect to the one
        # of the old process again, and deliver what is not that process's due.
        self._spawned += 1
        task.bind_data = self._address(f"{name}.{self._spawned}.data")
        task.bind_acks = self._address(f"{name}.{self._spawned}.acks")
        task.is_worker = node.workers > 1
        return task

    def send(self, name: str, message: ToTask) -> None:
        """Send a message to a process."""
        encode_control(message)
        self._outgoing.append((name, message))
        self._wake()

    def next_number(self) -> int:
        """Return a new number for a command."""
        with self.changed:
            self._number += 1
            return self._number

    def wait_for(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until something holds, and tell whether it does."""
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process, if it is there."""
        record = self.records.get(name)
        pid = record.process.pid if record and record.is_alive else None
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def forget(self, names: Iterable[str]) -> None:
        """Remove tasks whose processes have ended from the table."""
        with self.changed:
            gone = [self.records.pop(name) for name in names if name in self.records]
            for process in {id(r.process): r.process for r in gone}.values():
                process.join()
                process.close()
                if self._transport == "ipc":
                    # Between runs nobody needs to look into it any more.
                    memory_file(process.bind_data).unlink(missing_ok=True)

    def close(self) -> None:
        """End the thread, and remove the private directory."""
        self._closing = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        remove(self.directory)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b"x")

    # In the service thread

    def _serve(self) -> None:
        try:
            while not self._closing:
                self._step()
        finally:
            self._send_outgoing()
            self._router.close()
            self._context.term()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _step(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._wake_read, zmq.POLLIN)
        with self.changed:
            sentinels = {
                record.process.sentinel: record.process
                for record in self.records.values()
                if record.is_alive
            }
        for sentinel in sentinels:
            poller.register(sentinel, zmq.POLLIN)
        ready = dict(poller.poll(round(TICK_SECONDS * 1000)))
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        self._send_outgoing()
        with self.changed:
            self._receive()
            for sentinel, process in sentinels.items():
                if sentinel in ready:
                    self._bury(process)
            self._listener.on_tick()
            self.changed.notify_all()

    def _send_outgoing(self) -> None:
        while self._outgoing:
            name, message = self._outgoing.popleft()
            # To one that is not there, the router sends nothing: its death is known
            # by other means.
            self._router.send_multipart([name.encode(), *encode_control(message)])

    def _receive(self) -> None:
        while True:
            try:
                identity, *frames = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            name = identity.decode(errors="replace")
            record = self.records.get(name)
            if record is None:
                logger.warning("a message came from %r, which is no task", name)
                continue
            try:
                message = decode_from_task(frames)
            except ProtocolError as error:
                error.task = name
                self._listener.on_fault(error)
                continue
            self._note(record, message)
            self._listener.on_message(record, message)

    def _note(self, record: ProcessRecord, message: FromTask) -> None:
        record.heard = time.monotonic()
        if isinstance(message, Hello):
            record.hello = message
        elif isinstance(message, Report):
            record.status = message.status
            record.done = max(record.done, message.done)
            record.refused = message.refused
            record.progress = message.progress
            record.statistics = message.statistics
            if message.report is not None:
                record.report = message.report

    def _bury(self, process: Task) -> None:
        process.join()
        dead = [r for r in self.records.values() if r.process is process]
        causes = [f"{record.name}: {record.error}" for record in dead if record.error]
        for record in dead:
            record.exit_code = process.exitcode
            record.error = record.error or "; ".join(causes)
        for record in dead:
            self._listener.on_death(record)


def _serve_processes() -> None:
    """Let the server of processes load what all tasks need."""
    forkserver.set_forkserver_preload([PRELOAD])
