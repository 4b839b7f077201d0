"""Links: one edge of the graph from process to process, without loss.

A sender numbers its frames and keeps each of them until the receiver has acknowledged
it, that is until the receiver is done with it. What is kept is bounded in bytes: that
is the back-pressure. If a receiver is replaced by a new process, the kept frames are
sent again; a receiver drops what it has had already, by (source, run, number).

Here is what both ends share. The sending end is in `output_link`, or in `direct_link`
if both tasks are in one process; the receiving one in `input_port`; what is inside the
frames in `frames`; who the neighbours are in `graph`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pixie_pipe.pipeline.frames import FrameError

if TYPE_CHECKING:
    import zmq

DEFAULT_WINDOW: Final = 20 << 20
"""Bytes that may be under way on a link: five frames of traces, of 4 MB, and two of
header-only events with coincidences, of 9 MB, which are made of the same words. With
one alone, sender and receiver would take turns; with more, their memory would leave the
cache, and a replay take 10 % longer."""


HERE: Final = "here"
"""Stands for an address where both ends are in one process: data go by a call."""


class Ack(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Receiver to sender: everything up to this number is done with.

    Attributes
    ----------
    consumer
        The receiver.
    run, sequence
        Run, and number of the last frame that is done with; -1 for none.
    is_held
        Whether the receiver still looks at the shared memory of that frame.
    released
        Frames (run, number) of which that was so and is no more.
    """

    consumer: str
    run: int
    sequence: int
    is_held: bool = False
    released: list[tuple[int, int]] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Ack)


def encode_ack(ack: Ack) -> bytes:
    """Return an acknowledgement as bytes."""
    return _encoder.encode(ack)


def decode_ack(data: bytes) -> Ack:
    """Read an acknowledgement.

    Raises
    ------
    FrameError
        If it is none.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise FrameError(f"an acknowledgement cannot be read: {error}") from error


def address_of(socket: zmq.Socket[Any]) -> str:
    """Return the address that a socket is bound to."""
    endpoint = socket.last_endpoint
    assert isinstance(endpoint, bytes)
    return endpoint.decode().rstrip("\0")


def data_socket(context: zmq.Context[Any], kind: int) -> zmq.Socket[Any]:
    """Return a socket for data: bounded by the window alone, and quick to close."""
    socket: zmq.Socket[Any] = context.socket(kind)
    # The window bounds what is under way, in bytes; libzmq would count messages.
    socket.sndhwm = 0
    socket.rcvhwm = 0
    # All that matters was acknowledged before a socket is closed.
    socket.linger = 0
    return socket
