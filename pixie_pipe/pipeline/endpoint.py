"""The sockets of one task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from pixie_pipe.pipeline.control import ControlChannel
from pixie_pipe.pipeline.input_port import InputPort
from pixie_pipe.pipeline.links import address_of, data_socket
from pixie_pipe.pipeline.messages import Error
from pixie_pipe.pipeline.outbox import Outbox
from pixie_pipe.pipeline.shared_memory import SharedMemory, SharedViews

if TYPE_CHECKING:
    from collections.abc import Callable

    from pixie_pipe.pipeline._task_process import TaskProcess
    from pixie_pipe.pipeline.direct_link import Receive


class Endpoint:
    """Control channel, PULL for data, PULL for acknowledgements.

    Parameters
    ----------
    context
        Where sockets are made.
    task
        The task: its name and addresses.
    memory
        Memory of its process that others can read; None: all data travel.
    receiver
        Returns what takes frames for a task of the same process, by its name.

    Raises
    ------
    Error
        If an address cannot be bound.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        task: TaskProcess,
        memory: SharedMemory | None,
        receiver: Callable[[str], Receive],
    ) -> None:
        data_in = _bound(context, task.bind_data)
        acks_in = _bound(context, task.bind_acks)
        # Last: what fails before is told by another channel of the same name.
        self.control = ControlChannel(context, task.control_address, task.name)
        self.data_address = address_of(data_in)
        self.acks_address = address_of(acks_in)
        directory = Path(task.control_address.removeprefix("ipc://")).parent
        views = None if memory is None else SharedViews(directory)
        self.inbox = InputPort(context, task.name, data_in, views)
        self.outbox = Outbox(context, task.name, acks_in, memory, receiver=receiver)

    def watch_with(self, quiet: zmq.Poller, everything: zmq.Poller) -> None:
        """Register the sockets to wait for: without data, and with them."""
        for poller in (quiet, everything):
            poller.register(self.control.socket, zmq.POLLIN)
            poller.register(self.outbox.socket, zmq.POLLIN)
        if not self.inbox.is_fed_here:
            everything.register(self.inbox.socket, zmq.POLLIN)

    def begin(self, run: int, *, restarted: bool) -> None:
        """Begin a run on all links."""
        self.inbox.begin(run, restarted=restarted)
        self.outbox.begin(run)

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
        self.inbox.socket.close()
        self.outbox.socket.close()
        self.control.close()


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
