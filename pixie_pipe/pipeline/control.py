"""The task's end of the control channel: a DEALER to the pipeline's ROUTER."""

from __future__ import annotations

from typing import Any, Final

import zmq

from pixie_pipe.pipeline.messages import (
    MAX_CONTROL_BYTES,
    FromTask,
    ToTask,
    decode_to_task,
    encode_control,
)

_LINGER_MS: Final = 2000
"""How long a process waits at its end for its last messages to leave."""


class ControlChannel:
    """Talks with the pipeline.

    Parameters
    ----------
    context
        Where the socket is made.
    address
        Where the pipeline listens.
    name
        Name of the process, its identity.
    """

    def __init__(self, context: zmq.Context[Any], address: str, name: str) -> None:
        self.socket: zmq.Socket[Any] = context.socket(zmq.DEALER)
        self.socket.linger = _LINGER_MS
        self.socket.sndhwm = 0
        # A hard limit far above the protocol's own, against whatever else may come.
        self.socket.maxmsgsize = 16 * MAX_CONTROL_BYTES
        self.socket.setsockopt(zmq.IDENTITY, name.encode())
        self.socket.connect(address)

    def send(self, message: FromTask) -> None:
        """Send a message.

        Raises
        ------
        ProtocolError
            If it is too large or cannot be encoded.
        """
        self.socket.send_multipart(encode_control(message), zmq.NOBLOCK)

    def receive(self) -> ToTask | None:
        """Return the next message, or None if there is none.

        Raises
        ------
        ProtocolError
            If what came is no message.
        """
        try:
            frames = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        return decode_to_task(frames)

    def close(self) -> None:
        """Close the socket; what was sent still leaves."""
        self.socket.close()


def send_alone(address: str, name: str, message: FromTask) -> None:
    """Send a message for a process that has no sockets.

    Parameters
    ----------
    address, name
        As for `ControlChannel`.
    message
        The message.
    """
    context: zmq.Context[Any] = zmq.Context(io_threads=1)
    channel = ControlChannel(context, address, name)
    channel.send(message)
    channel.close()
    # Waits until it has left.
    context.term()
