"""The sockets of one task process, and waiting on them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import zmq

from pixie_pipe.buffers import use_memory
from pixie_pipe.pipeline.control import ControlChannel
from pixie_pipe.pipeline.input_port import InputPort
from pixie_pipe.pipeline.links import address_of, data_socket
from pixie_pipe.pipeline.messages import Error
from pixie_pipe.pipeline.outbox import Outbox
from pixie_pipe.pipeline.shared_memory import (
    SharedMemory,
    SharedViews,
    is_in_memory,
    memory_file,
)


class Endpoint:
    """Control channel, PULL for data, PULL for acknowledgements.

    Parameters
    ----------
    name
        Name of the process.
    control
        Address of the pipeline.
    data, acks
        Where to bind the sockets for data and for acknowledgements.

    Raises
    ------
    Error
        If an address cannot be bound.
    """

    def __init__(self, name: str, control: str, data: str, acks: str) -> None:
        # One thread of libzmq: more than one core's worth of data is never under way.
        self._context: zmq.Context[Any] = zmq.Context(io_threads=1)
        data_in = _bound(self._context, data)
        acks_in = _bound(self._context, acks)
        # Last: what fails before is told by another channel of the same name.
        self.control = ControlChannel(self._context, control, name)
        self.data_address = address_of(data_in)
        self.acks_address = address_of(acks_in)
        self._directory = Path(control.removeprefix("ipc://")).parent
        self._memory = self._shared_memory(data)
        views = None if self._memory is None else SharedViews(self._directory)
        self.inbox = InputPort(self._context, name, data_in, views)
        self.outbox = Outbox(self._context, name, acks_in, self._memory)
        self._quiet = zmq.Poller()
        self._quiet.register(self.control.socket, zmq.POLLIN)
        self._quiet.register(acks_in, zmq.POLLIN)
        self._all = zmq.Poller()
        self._all.register(self.control.socket, zmq.POLLIN)
        self._all.register(acks_in, zmq.POLLIN)
        self._all.register(data_in, zmq.POLLIN)

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

    def begin(self, run: int, *, restarted: bool) -> None:
        """Begin a run on all links."""
        self.inbox.begin(run, restarted=restarted)
        self.outbox.begin(run)

    def wait(self, timeout: float, *, data: bool) -> bool:
        """Wait until something comes, and take acknowledgements.

        Parameters
        ----------
        timeout
            Longest time to wait in seconds.
        data
            Whether data count.

        Returns
        -------
        bool
            Whether anything came.
        """
        poller = self._all if data else self._quiet
        ready = dict(poller.poll(round(timeout * 1000)))
        if self.outbox.socket in ready:
            self.outbox.take_acks()
        return bool(ready)

    def resume(self, task: str, address: str, acks: str) -> None:
        """Take a new process for a neighbour that is gone."""
        self.outbox.resume(task, address)
        self.inbox.resume(task, acks)

    def statistics(self) -> dict[str, Any]:
        """Return what passed, as plain values."""
        inbox, outbox = self.inbox, self.outbox
        return {
            "in": {task: counts.to_dict() for task, counts in inbox.counts().items()},
            "out": {
                group.edge.consumer: group.counts().to_dict()
                | {"outstanding_bytes": group.outstanding_bytes}
                for group in outbox.groups
            },
            "sent": outbox.counts.to_dict(),
        }

    def close(self) -> None:
        """Close all sockets; control messages that were sent still leave."""
        self.inbox.close_links()
        self.outbox.close_links()
        if self._memory is not None:
            use_memory(None)
            self._memory.close()
        self.inbox.socket.close()
        self.outbox.socket.close()
        self.control.close()
        self._context.term()

    def remove_files(self) -> None:
        """Remove the private directory, for the last ones when the pipeline is gone."""
        if self._directory.name.startswith("pixie_pipe-"):
            shutil.rmtree(self._directory, ignore_errors=True)


def _bound(context: zmq.Context[Any], address: str) -> zmq.Socket[Any]:
    socket = data_socket(context, zmq.PULL)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        raise Error(
            f"cannot bind {address}: {error}; expected a free port, or a directory "
            f"that can be written to"
        ) from error
    return socket
