"""One process and the tasks in it: waiting, turns, and the end.

Usually that is one task. Tasks that share a process hand data to each other by calls:
the first one waits for data, or makes them, and each datum goes through all of them
before the next one is looked at.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import zmq

from pixie_pipe.buffers import use_memory
from pixie_pipe.pipeline._task_reports import Printer
from pixie_pipe.pipeline.endpoint import Endpoint
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.runtime_directory import remove_orphaned
from pixie_pipe.pipeline.shared_memory import (
    SharedMemory,
    is_in_memory,
    memory_file,
)

if TYPE_CHECKING:
    from pixie_pipe.pipeline._task_process import TaskProcess
    from pixie_pipe.pipeline.direct_link import Receive


class Leave(BaseException):
    """Ends whatever the tasks are doing; not for `except Exception`."""


class Abandon(BaseException):
    """Ends the run, whatever the tasks are doing; not for `except Exception`."""


class Host:
    """What the tasks of a process share.

    Parameters
    ----------
    tasks
        The tasks; each but the first one reads only from others of them.
    """

    def __init__(self, tasks: Sequence[TaskProcess]) -> None:
        self.tasks = tasks
        # One thread of libzmq: more than one core's worth of data is never under way.
        self._context: zmq.Context[Any] = zmq.Context(io_threads=1)
        self._directory = Path(tasks[0].control_address.removeprefix("ipc://")).parent
        self._memory = self._shared_memory(tasks[0].bind_data)
        # Those that work, each called by the one before it.
        self._working: list[TaskProcess] = [tasks[0]]
        self._quiet = zmq.Poller()
        self._all = zmq.Poller()
        self._terminated = False
        for task in tasks:
            task._host = self  # noqa: SLF001 - a task and its process are one

    def _shared_memory(self, data: str) -> SharedMemory | None:
        """Make the memory of this process, if its neighbours can be on this host."""
        if not data.startswith("ipc://") or not is_in_memory(self._directory):
            return None
        try:
            memory = SharedMemory(memory_file(data))
        except OSError:
            return None
        use_memory(memory.allocate)
        return memory

    # For the tasks

    def watch(self) -> None:
        """Note which sockets are to be waited for; after each change of the links."""
        self._quiet, self._all = zmq.Poller(), zmq.Poller()
        for task in self.tasks:
            task.watch_with(self._quiet, self._all)

    @property
    def current(self) -> TaskProcess:
        """The task that works."""
        return self._working[-1]

    @contextlib.contextmanager
    def working(self, task: TaskProcess) -> Iterator[None]:
        """Let a task work, called by the current one."""
        self._working.append(task)
        try:
            yield
        finally:
            self._working.pop()

    def poll(self, timeout: float, *, data: bool) -> bool:
        """Wait until something comes, and let all tasks handle it; see `Task.poll`."""
        poller = self._all if data else self._quiet
        ready = dict(poller.poll(round(timeout * 1000)))
        for task in self.tasks:
            try:
                task.take_news(ready)
            except Exception as error:
                if task is self.current:
                    raise
                task.panic(error)
        if self._terminated:
            raise Leave
        return bool(ready)

    def follow_idle(self) -> None:
        """Let those tasks have their turn that do not work."""
        for task in self.tasks:
            if task not in self._working:
                with self.working(task):
                    self._take_turn(task)

    def look_for_parent(self) -> None:
        """Leave if the pipeline is gone."""
        self._terminated |= _is_orphan()

    def _print(self, line: str) -> None:
        self.current.print(line)

    # The life of the process

    def run(self) -> None:
        """Live, until all tasks are told to quit."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._note_termination)
        sys.stdout = Printer(self._print)
        self._init()
        try:
            while any(task.status is not Status.DYING for task in self.tasks):
                self._step()
        except Leave:
            for task in self.tasks:
                task.abandon("the pipeline was ended while data were coming")
        for task in self.tasks:
            task.quit()
        self._close()

    def _init(self) -> None:
        task = self.tasks[0]
        try:
            for task in self.tasks:
                task.open_sockets(functools.partial(self._endpoint, task))
            self.watch()
            for task in self.tasks:
                with self.working(task):
                    task.init()
        except Exception as error:  # noqa: BLE001 - whatever a task raises is told
            task.report_error(error, fatal=True)
            self._close()
            sys.exit(1)

    def _endpoint(self, task: TaskProcess) -> Endpoint:
        return Endpoint(self._context, task, self._memory, self._receiver)

    def _receiver(self, name: str) -> Receive:
        return next(task.take_frame for task in self.tasks if task.name == name)

    def _step(self) -> None:
        """Let the first of the running tasks work, and then the others follow."""
        first = next((task for task in self.tasks if task.is_driving), self.tasks[0])
        self._working[0] = first
        try:
            self._take_turn(first)
            if len(self.tasks) > 1:
                self.follow_idle()
        except Abandon:
            for task in self.tasks:
                if task.status is Status.RUNNING:
                    task.give_run_up()

    def _take_turn(self, task: TaskProcess) -> None:
        try:
            if task is self._working[0]:
                task.take_turn()
            else:
                task.take_turn_between()
        except Exception as error:  # noqa: BLE001 - whatever a task raises is reported
            task.panic(error)

    def _close(self) -> None:
        sys.stdout = sys.__stdout__
        for task in self.tasks:
            task.close_sockets()
        if self._memory is not None:
            use_memory(None)
            self._memory.close()
        self._context.term()
        if _is_orphan():
            # The last one removes what the pipeline cannot.
            remove_orphaned(self._directory)

    def _note_termination(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True


def _is_orphan() -> bool:
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()
